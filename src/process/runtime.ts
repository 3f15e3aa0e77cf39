// The processes of one node: wires the parts together and offers them to code outside of any process.
import { DGenError } from '../errors/error.ts';
import type { Host } from '../host/ports.ts';
import type { Atom } from '../term/atom.ts';
import type { Pid } from '../term/pid.ts';
import type { Ref } from '../term/ref.ts';
import { assemble } from './assemble.ts';
import { closeRuntime, endAllBut } from './close.ts';
import type { Inbound, Outbound } from './distribution-port.ts';
import { countHoldings, type Holdings } from './holdings.ts';
import { IncomingCall } from './incoming-call.ts';
import { limitsFrom, type RuntimeLimits } from './limits.ts';
import { LocalCall } from './local-call.ts';
import type { RuntimeParts } from './parts.ts';
import type {
  Behaviour,
  Destination,
  From,
  LocalName,
  ProcessMain,
  Runtime,
  SpawnOptions,
  WaitOptions,
} from './types.ts';
import { whenDown } from './when-down.ts';

export interface RuntimeOptions {
  /** `name@host`. */
  readonly name: Atom;
  /** 1 to 2^32-1: which start of the node this is. */
  readonly creation: number;
  readonly host: Host;
  readonly limits?: Partial<RuntimeLimits>;
}

/** A runtime together with its joint to the distribution. */
export interface LocalRuntime extends Runtime {
  /** From now on signals to other nodes go there; before, every other node is one that is not connected. */
  attach(outbound: Outbound): void;
  readonly inbound: Inbound;
  /**
   * The first half of `close`: ends all processes but these, as `close` does, and nothing can be spawned from then on (`closed`). For
   * services that must see the others end, as a registry that frees their names only then.
   */
  endAllBut(kept: readonly Pid[]): Promise<void>;
}

/** A runtime without processes. Throws `bad_option` for a creation or limit out of range. It holds no resources until something is started in it. */
export function createRuntime(options: RuntimeOptions): LocalRuntime {
  const { creation } = options;
  if (!Number.isInteger(creation) || creation < 1 || creation >= 2 ** 32) {
    throw new DGenError('bad_option', 'creation', { expected: '1 to 2^32-1', got: String(creation) });
  }
  return new NodeRuntime(options, limitsFrom(options.limits));
}

/** What a runtime of `createRuntime` holds now. */
export function holdingsOf(runtime: LocalRuntime): Holdings {
  return countHoldings(NodeRuntime.partsOf(runtime));
}

class NodeRuntime implements LocalRuntime {
  readonly name: Atom;
  readonly creation: number;
  readonly host: Host;
  readonly inbound: Inbound;
  readonly clientPid: Pid;
  readonly #parts: RuntimeParts;
  #closing: Promise<void> | undefined;

  constructor(options: RuntimeOptions, limits: RuntimeLimits) {
    this.name = options.name;
    this.creation = options.creation;
    this.host = options.host;
    this.#parts = assemble(this, limits);
    this.inbound = this.#parts.inbound;
    this.clientPid = this.#parts.client.pid;
  }

  static partsOf(runtime: LocalRuntime): RuntimeParts {
    return (runtime as NodeRuntime).#parts;
  }

  attach(outbound: Outbound): void {
    this.#parts.peers.outbound = outbound;
  }

  spawn(main: ProcessMain, options?: SpawnOptions): Pid {
    return this.#parts.spawner.spawn({ kind: 'main', main }, options);
  }

  spawnBehaviour(behaviour: Behaviour, options?: SpawnOptions): Pid {
    return this.#parts.spawner.spawn({ kind: 'behaviour', behaviour }, options);
  }

  send(to: Destination, message: unknown): void {
    this.#parts.router.send(this.#parts.client, to, message);
  }

  call(to: Destination, request: unknown, options?: WaitOptions): Promise<unknown> {
    return this.#parts.calls.start(this.#parts.client, to, request, options);
  }

  cast(to: Destination, request: unknown): void {
    this.#parts.router.cast(this.#parts.client, to, request);
  }

  reply(from: From, value: unknown): void {
    requestOf(from).answer(value);
  }

  replyError(from: From, error: Error): void {
    const request = requestOf(from);
    if (request instanceof LocalCall) request.fail(error, 'answered');
    else request.fail(error);
  }

  exit(pid: Pid, reason: unknown): void {
    this.#parts.exits.exit(this.#parts.client, pid, reason);
  }

  terminate(pid: Pid, reason: unknown): void {
    const record = this.#parts.table.get(pid);
    if (record !== undefined) this.#parts.lifecycle.die(record, reason);
  }

  whenDown(pid: Pid, options?: WaitOptions): Promise<unknown> {
    return whenDown(this.#parts, pid, options);
  }

  watchDown(pid: Pid, onDown: (reason: unknown) => void): () => void {
    const { monitors, client } = this.#parts;
    const monitor = monitors.watch(client, pid, onDown);
    return () => monitors.unwatch(monitor);
  }

  isAlive(pid: Pid): boolean {
    return this.#parts.table.get(pid) !== undefined;
  }

  register(name: LocalName, pid: Pid): void {
    const record = this.#parts.table.get(pid);
    if (record === undefined) throw new DGenError('noproc', `${pid} is not alive here`);
    this.#parts.names.register(name, record);
  }

  unregister(name: LocalName): void {
    this.#parts.names.unregister(name);
  }

  whereis(name: LocalName): Pid | undefined {
    return this.#parts.names.get(name)?.pid;
  }

  registeredNames(): string[] {
    return this.#parts.names.list();
  }

  makeRef(): Ref {
    return this.#parts.references.next();
  }

  processCount(): number {
    return this.#parts.table.size;
  }

  endAllBut(kept: readonly Pid[]): Promise<void> {
    return endAllBut(this.#parts, kept);
  }

  close(): Promise<void> {
    this.#closing ??= closeRuntime(this.#parts);
    return this.#closing;
  }
}

function requestOf(from: From): LocalCall | IncomingCall {
  if (from instanceof LocalCall || from instanceof IncomingCall) return from;
  throw new DGenError('badarg', 'whom to answer', { expected: 'the `from` of a call', got: String(from) });
}
