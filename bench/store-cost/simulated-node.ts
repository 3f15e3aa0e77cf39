// A node of a simulated cluster, with everything of a real one that touches the store: opening it, the directory, and the
// real registry (driver, elector, coordination) on a runtime of its own. Only sockets are missing. Its timers are those of
// the simulated host, and stop when it is killed.
import type { Host, SimulatedHost } from '../../src/host/index.ts';
import { Directory } from '../../src/node/directory.ts';
import { type Behaviour, createRuntime, type LocalRuntime } from '../../src/process/index.ts';
import {
  type ProbeAnswer,
  Registry,
  type RegistryNode,
  type RegistryOptions,
} from '../../src/registry/index.ts';
import { type Backend, openStore, type Tenant } from '../../src/storage/index.ts';
import { atom, type Pid } from '../../src/term/index.ts';
import type { SimulatedLinks } from './simulated-links.ts';

const idle: Behaviour = { handle() {} };

export interface NodeOrder {
  readonly name: string;
  readonly host: SimulatedHost;
  readonly links: SimulatedLinks;
  readonly backend: Backend;
  /** Nodes of one machine can prove each other dead. */
  readonly machineId: string;
}

export class SimulatedNode implements RegistryNode {
  readonly name: string;
  readonly runtime: LocalRuntime;
  readonly address: { readonly host: string; readonly port: number };
  readonly machineId: string;
  readonly unprovenFormers: readonly number[] = [];
  /** The one process that holds all names of this node. */
  readonly holder: Pid;
  readonly tenant: Tenant;
  readonly #order: NodeOrder;
  readonly #life: { alive: boolean };
  readonly #observers: Set<(node: string, up: boolean) => void> = new Set();
  readonly #guards: Set<() => void> = new Set();
  #registry: Registry | undefined;
  /** How often this node asked an address whether somebody lives there. */
  probes = 0;

  private constructor(order: NodeOrder, parts: NodeParts) {
    const { runtime, tenant, directory, life } = parts;
    this.#order = order;
    this.#life = life;
    this.name = order.name;
    this.machineId = order.machineId;
    this.address = { host: order.name, port: 1 };
    this.runtime = runtime;
    this.tenant = tenant;
    const { links } = order;
    const outbound = links.join({
      name: this.name,
      inbound: runtime.inbound,
      creation: runtime.creation,
      dialled: (node) => {
        directory.find(node, runtime.host.clock.now()).catch(() => undefined);
      },
      linkChanged: (node, up) => {
        for (const observe of [...this.#observers]) observe(node, up);
      },
      beforeInput: () => {
        for (const guard of this.#guards) guard();
      },
    });
    runtime.attach(outbound);
    this.holder = runtime.spawnBehaviour(idle);
  }

  /** Does with the store what `Node.start` does. */
  static async start(order: NodeOrder): Promise<SimulatedNode> {
    const life = { alive: true };
    const host = hostOf(order.host, life);
    const store = await openStore(order.backend, { host });
    const tenant = store.tenant('default');
    const directory = new Directory(tenant);
    await directory.cookie((count) => host.random.bytes(count));
    const { machineId, name } = order;
    const beginning = await directory.begin(name, machineId, async () => 'dead');
    const runtime = createRuntime({ name: atom(name), creation: beginning.creation, host });
    const node = new SimulatedNode(order, { runtime, tenant, directory, life });
    await directory.announce(name, { ...beginning, address: node.address, machineId });
    return node;
  }

  get alive(): boolean {
    return this.#life.alive;
  }

  get registry(): Registry {
    if (this.#registry === undefined) throw new Error(`${this.name} has no member yet`);
    return this.#registry;
  }

  async joinRegistry(options: RegistryOptions): Promise<void> {
    this.#registry = await Registry.startLink(this, 'names', this.tenant, options);
  }

  /** As SIGKILL does: no goodbye to anybody, the store included. */
  async kill(): Promise<void> {
    this.#life.alive = false;
    this.#order.links.kill(this.name);
    await this.#order.backend.close();
  }

  isConnected(node: string): boolean {
    return this.#order.links.isConnected(this.name, node);
  }

  async connect(node: string): Promise<boolean> {
    return this.#order.links.connect(this.name, node);
  }

  onLink(observer: (node: string, up: boolean) => void): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  learnAddress(): void {}

  guardInput(guard: () => void): () => void {
    this.#guards.add(guard);
    return () => this.#guards.delete(guard);
  }

  expectSignsOfLife(): () => void {
    return () => undefined;
  }

  async probe(address: { readonly host: string }): Promise<ProbeAnswer> {
    this.probes++;
    return { verdict: this.#order.links.isUp(address.host) ? 'alive' : 'refused' };
  }
}

interface NodeParts {
  readonly runtime: LocalRuntime;
  readonly tenant: Tenant;
  readonly directory: Directory;
  readonly life: { alive: boolean };
}

/** The simulated host, for as long as the node lives. */
function hostOf(host: SimulatedHost, life: { readonly alive: boolean }): Host {
  const whileAlive = (callback: () => void) => (): void => {
    if (life.alive) callback();
  };
  return {
    clock: host.clock,
    random: host.random,
    log: host.log,
    timers: {
      after: (delayMs, callback) => host.timers.after(delayMs, whileAlive(callback)),
      defer: (callback) => host.timers.defer(whileAlive(callback)),
    },
  };
}
