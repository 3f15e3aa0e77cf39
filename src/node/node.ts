// A node: the composition root. It joins store, distribution and runtime, and is the handle that a program holds. There
// is no global one; several may live in one operating-system process, and share nothing but what they are given.

import { createDistribution, type Distribution } from '../distribution/index.ts';
import { DGenError } from '../errors/error.ts';
import { type Host, type Log, nodeHost } from '../host/index.ts';
import { machineId as thisMachine } from '../host/machine-id.ts';
import {
  addressOf,
  type CallNames,
  type CallParameters,
  type CallReply,
  type CastArguments,
  type CastNames,
  call,
  cast,
  type Server,
  type ServerAddress,
  type ServerClass,
  type ServerPid,
  type StartArguments,
  type StopOptions,
  start,
  stop,
} from '../otp/index.ts';
import {
  createRuntime,
  type Destination,
  type LocalRuntime,
  type ProcessMain,
  type SpawnOptions,
} from '../process/index.ts';
import {
  type NodeAddress,
  type ProbeAnswer,
  Registry,
  type RegistryNode,
  type RegistryOptions,
} from '../registry/index.ts';
import type { Store, Tenant } from '../storage/index.ts';
import { atom, type Pid } from '../term/index.ts';
import { type Beginning, Directory } from './directory.ts';
import { storeAt } from './open-store.ts';

export interface NodeOptions {
  /** `name@host`; the host part is what other nodes of the cluster know this machine by. Unique in the tenant. Without an `@`, `@127.0.0.1` is added. */
  readonly name: string;
  /** An address as `storeAt` takes it, such as `sqlite:PATH`, or an open store, which stays open when the node closes. */
  readonly store: string | Store;
  /** Nodes of one tenant of one store form a cluster. Default `default`. */
  readonly tenant?: string;
  /** Where to listen; default `127.0.0.1` and a free port. Beyond loopback a `cookie` must be given. `false`: not at all; then this node can only call others. */
  readonly listen?: { readonly host?: string; readonly port?: number; readonly advertise?: string } | false;
  /** The shared secret of the cluster; default: a random one that the store keeps. */
  readonly cookie?: string;
  /** A pino-shaped logger; default: silence. */
  readonly log?: Log;
}

/** A running node. Start it with `Node.start`, end it with `close` or `await using`. */
export class Node implements RegistryNode {
  /** `name@host`. */
  readonly name: string;
  /** Everything about processes, for what the methods here do not offer. */
  readonly runtime: LocalRuntime;
  /** The keys of its cluster in the store. */
  readonly tenant: Tenant;
  readonly machineId: string;
  readonly unprovenFormers: readonly number[];
  readonly #distribution: Distribution;
  readonly #directory: Directory;
  readonly #ownStore: Store | undefined;
  readonly #guards: Set<() => void>;
  readonly #registries: Set<Registry> = new Set();
  #address: NodeAddress | null = null;
  #closing: Promise<void> | undefined;

  private constructor(parts: NodeParts) {
    this.name = parts.name;
    this.runtime = parts.runtime;
    this.tenant = parts.tenant;
    this.machineId = parts.machineId;
    this.unprovenFormers = parts.unprovenFormers;
    this.#distribution = parts.distribution;
    this.#directory = parts.directory;
    this.#ownStore = parts.ownStore;
    this.#guards = parts.guards;
  }

  /**
   * Starts a node. Rejects with `bad_option`; `name_clash` (a node of that name is alive); `insecure_listen` (an address beyond loopback
   * without a cookie); `connect_failed` (the address cannot be had); and the errors of the store. Nothing is left open then.
   */
  static async start(options: NodeOptions): Promise<Node> {
    checkNodeOptions(options);
    const name = options.name.includes('@') ? options.name : `${options.name}@127.0.0.1`;
    const host = nodeHost(options.log === undefined ? {} : { log: options.log });
    const ownStore = typeof options.store === 'string' ? await storeAt(options.store, host) : undefined;
    const opened: { close(): Promise<void> }[] = ownStore === undefined ? [] : [ownStore];
    try {
      const store = ownStore ?? (options.store as Store);
      const assembly = await assemble({
        options,
        name,
        host,
        tenant: store.tenant(options.tenant ?? 'default'),
      });
      opened.push(assembly.distribution);
      const node = new Node({ ...assembly, ownStore });
      await node.#listen(options);
      return node;
    } catch (error) {
      for (const one of opened.reverse()) await one.close();
      throw error;
    }
  }

  async #listen(options: NodeOptions): Promise<void> {
    const wish = options.listen ?? {};
    if (wish !== false) {
      const { advertise, ...listen } = wish;
      const bound = await this.#distribution.listen(listen);
      this.#address = { host: advertise ?? bound.host, port: bound.port };
    }
    await this.#directory.announce(this.name, {
      creation: this.runtime.creation,
      address: this.#address,
      machineId: this.machineId,
      unprovenFormers: this.unprovenFormers,
    });
  }

  /** Where other nodes reach this one; `null` when it does not listen. */
  get address(): NodeAddress | null {
    return this.#address;
  }

  /** Starts a server; see `start`. */
  start<S extends Server>(server: ServerClass<S>, ...rest: StartArguments<S>): Promise<ServerPid<S>> {
    return start(this.runtime, server, ...rest);
  }

  /** Sends a request to a server, anywhere in the cluster, and waits for its answer; see `call`. */
  call<S, K extends CallNames<S>>(
    address: ServerAddress<S>,
    name: K,
    ...args: CallParameters<S, K>
  ): Promise<CallReply<S, K>> {
    return call(this.runtime, address, name, ...args);
  }

  /** Sends a request that wants no answer; see `cast`. */
  cast<S, K extends CastNames<S>>(address: ServerAddress<S>, name: K, ...args: CastArguments<S, K>): void {
    cast(this.runtime, address, name, ...args);
  }

  /** Types a destination; see `addressOf`. */
  addressOf<S>(server: ServerClass<S>, destination: Destination): ServerAddress<S> {
    return addressOf(server, destination);
  }

  /** Ends a server in order; see `stop`. */
  stop(server: Destination, options?: StopOptions): Promise<unknown> {
    return stop(this.runtime, server, options);
  }

  /** Starts a process that runs `main`. Throws `name_taken`, `system_limit`, `closed`, `badarg`. */
  spawn(main: ProcessMain, options?: SpawnOptions): Pid {
    return this.runtime.spawn(main, options);
  }

  /** Sends a plain message; whether it arrives is not known. Throws `badarg`, `not_encodable`, `mailbox_full`, `send_buffer_full`. */
  send(to: Destination, message: unknown): void {
    this.runtime.send(to, message);
  }

  /** Starts the member of a registry here and resolves when it serves; see `Registry.startLink`. The node closes it. */
  async registry(name: unknown, options?: RegistryOptions & { readonly tenant?: Tenant }): Promise<Registry> {
    const { tenant = this.tenant, ...rest } = options ?? {};
    const registry = await Registry.startLink(this, name, tenant, rest);
    this.#registries.add(registry);
    return registry;
  }

  /** Names of the nodes with a connection. */
  nodes(): string[] {
    return this.#distribution.connectedNodes().map(({ node }) => node.name);
  }

  /** Connects to a node. False when it cannot be reached now. Never rejects. Who is addressed is connected to without being asked. */
  connect(node: string): Promise<boolean> {
    return this.#distribution.connect(atom(node));
  }

  /** Whether a link to that node is up. */
  isConnected(node: string): boolean {
    return this.#distribution.isConnected(atom(node));
  }

  /** @internal What a registry knows of another node: for connecting to it while the store is away. */
  learnAddress(node: string, creation: number, address: NodeAddress): void {
    this.#directory.learn(node, creation, address);
  }

  /** Calls `observer` when a link to a node comes up or goes down, which it must not throw at. Returns how to stop that. */
  onLink(observer: (node: string, up: boolean) => void): () => void {
    const stopUp = this.#distribution.onNodeUp(({ node }) => observer(node.name, true));
    const stopDown = this.#distribution.onNodeDown((node) => observer(node.name, false));
    return () => {
      stopUp();
      stopDown();
    };
  }

  /** Has `guard` run before anything that came from other nodes is acted on. It must be cheap. Returns how to stop that. */
  guardInput(guard: () => void): () => void {
    this.#guards.add(guard);
    return () => this.#guards.delete(guard);
  }

  /** Asks who listens at exactly that address, within a second. Never rejects: what is not known is `unknown`. */
  async probe(
    address: NodeAddress,
    expected: { node: string; creation: number },
    signal: AbortSignal,
  ): Promise<ProbeAnswer> {
    return probe(this.#distribution, address, { ...expected, signal });
  }

  /**
   * Leaves in good order: processes end with reason `shutdown`, and with them their names; registries resign; then connections close,
   * the listener last. Idempotent.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // A name is free only when its process is no more: else it could have two owners, one of them about to end.
    await this.runtime.endAllBut([...this.#registries].flatMap((registry) => this.#processesOf(registry)));
    await Promise.all([...this.#registries].map((registry) => registry.close()));
    await this.runtime.close();
    await this.#distribution.close();
    await this.#ownStore?.close();
  }

  #processesOf({ supervisor, electorName, memberName }: Registry): Pid[] {
    const named = [electorName, memberName].map((name) => this.runtime.whereis(atom(name)));
    return [supervisor, ...named.filter((pid) => pid !== undefined)];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

interface NodeParts {
  readonly name: string;
  readonly runtime: LocalRuntime;
  readonly tenant: Tenant;
  readonly machineId: string;
  readonly unprovenFormers: readonly number[];
  readonly distribution: Distribution;
  readonly directory: Directory;
  readonly guards: Set<() => void>;
  readonly ownStore: Store | undefined;
}

interface Order {
  readonly options: NodeOptions;
  readonly name: string;
  readonly host: Host;
  readonly tenant: Tenant;
}

async function assemble({ options, name, host, tenant }: Order): Promise<Omit<NodeParts, 'ownStore'>> {
  const machineId = thisMachine();
  const directory = new Directory(tenant);
  const cookie =
    options.cookie ??
    (listensBeyondLoopback(options) ? '' : await directory.cookie((bytes) => host.random.bytes(bytes)));
  const { creation, unprovenFormers } = await beginCreation({ name, host, machineId, directory, cookie });
  const runtime = createRuntime({ name: atom(name), creation, host });
  const guards = new Set<() => void>();
  const distribution = createDistribution({
    name: atom(name),
    creation,
    cookie,
    host,
    inbound: runtime.inbound,
    beforeInput: () => {
      for (const guard of guards) guard();
    },
    resolve: async (node) => {
      const address = await directory.find(node.name, host.clock.now());
      return address === undefined ? [] : [address];
    },
  });
  runtime.attach(distribution);
  return { name, runtime, tenant, machineId, unprovenFormers, distribution, guards, directory };
}

/** Asks the address of the start before, if there was one, whether it still answers. */
async function beginCreation(how: {
  name: string;
  host: Host;
  machineId: string;
  directory: Directory;
  cookie: string;
}): Promise<Beginning> {
  const { name, host, machineId, directory, cookie } = how;
  return directory.begin(name, machineId, async (former) => {
    if (former.address === null) return 'unproven';
    const scout = createRuntime({ name: atom(`scout.${name}`), creation: 1, host });
    const distribution = createDistribution({
      name: scout.name,
      creation: 1,
      cookie,
      host,
      inbound: scout.inbound,
      resolve: async () => [],
    });
    try {
      const answer = await probe(distribution, former.address, {
        node: name,
        creation: former.creation,
        signal: new AbortController().signal,
      });
      if (answer.verdict === 'alive') return 'alive';
      // Only on the machine where it listened does it prove anything that nobody, or somebody else, listens there now.
      return answer.verdict !== 'unknown' && former.machineId === machineId ? 'dead' : 'unproven';
    } finally {
      await distribution.close();
    }
  });
}

async function probe(
  distribution: Distribution,
  address: NodeAddress,
  expected: { node: string; creation: number; signal: AbortSignal },
): Promise<ProbeAnswer> {
  let identity: { name: string; creation: number } | undefined;
  const verdict = await distribution.probe(
    address,
    { node: atom(expected.node), creation: expected.creation },
    {
      signal: expected.signal,
      onIdentity: (name, creation) => {
        identity = { name, creation };
      },
    },
  );
  return { verdict, ...identity };
}

function listensBeyondLoopback(options: NodeOptions): boolean {
  const host = options.listen === false ? undefined : options.listen?.host;
  return host !== undefined && host !== 'localhost' && host !== '::1' && !host.startsWith('127.');
}

const optionNames = ['name', 'store', 'tenant', 'listen', 'cookie', 'log'];

function checkNodeOptions(options: NodeOptions): void {
  for (const key of Object.keys(options)) {
    if (!optionNames.includes(key))
      throw new DGenError('bad_option', `node option ${key}`, { expected: optionNames.join(', ') });
  }
  if (typeof options.name !== 'string' || !/^[\w.-]{1,64}(@[\w.:-]{1,128})?$/.test(options.name)) {
    throw new DGenError('bad_option', 'node name', {
      expected: 'name or name@host',
      got: String(options.name),
    });
  }
  const { store } = options;
  if (typeof store !== 'string' && typeof store?.tenant !== 'function') {
    throw new DGenError('bad_option', 'node option store', {
      expected: 'an address or an open store',
      got: typeof store,
    });
  }
}
