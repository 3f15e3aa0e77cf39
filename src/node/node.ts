// A node: the composition root. It joins store, distribution and runtime, and is the handle that a program holds. There
// is no global one; several may live in one operating-system process, and share nothing but what they are given.

import type { Distribution } from '../distribution/index.ts';
import { nodeHost } from '../host/index.ts';
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
import type { Destination, LocalRuntime, ProcessMain, SpawnOptions } from '../process/index.ts';
import {
  type NodeAddress,
  type ProbeAnswer,
  Registry,
  type RegistryNode,
  type RegistryOptions,
} from '../registry/index.ts';
import type { Store, Tenant } from '../storage/index.ts';
import { atom, type Pid } from '../term/index.ts';
import { composeNode, type NodeParts, probe, type SessionOf } from './compose.ts';
import type { Directory } from './directory.ts';
import type { NodeOptions } from './options.ts';

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
  /** Where other nodes reach this one; `null` when it does not listen. */
  readonly address: NodeAddress | null;
  readonly #distribution: Distribution;
  readonly #directory: Directory;
  readonly #ownStore: Store | undefined;
  readonly #guards: Set<() => void>;
  readonly #sessions: Set<SessionOf>;
  readonly #registries: Set<Registry> = new Set();
  #closing: Promise<void> | undefined;

  /** @internal Use `Node.start`. */
  constructor(parts: NodeParts) {
    this.name = parts.name;
    this.runtime = parts.runtime;
    this.tenant = parts.tenant;
    this.machineId = parts.machineId;
    this.unprovenFormers = parts.unprovenFormers;
    this.address = parts.address;
    this.#distribution = parts.distribution;
    this.#directory = parts.directory;
    this.#ownStore = parts.ownStore;
    this.#guards = parts.guards;
    this.#sessions = parts.sessions;
  }

  /**
   * Starts a node. Rejects with `bad_option`; `name_clash` (a node of that name is alive); `insecure_listen` (an address beyond loopback
   * without a cookie); `connect_failed` (the address cannot be had); and the errors of the store. Nothing is left open then.
   */
  static async start(options: NodeOptions): Promise<Node> {
    const host = nodeHost(options.log === undefined ? {} : { log: options.log });
    return new Node(await composeNode(options, { host, machineId: thisMachine() }));
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

  /** @internal For registries: has links to nodes with a session ended when these give no sign of life for so long. */
  expectSignsOfLife(sessionMs: SessionOf): () => void {
    this.#sessions.add(sessionMs);
    return () => this.#sessions.delete(sessionMs);
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
