// The registry, as its users see it: names for running processes, the same on all nodes. The static functions are the
// reference's surface, with the node in front, for there is no global one; the methods of a handle say the same shorter.
import { DGenError } from '../errors/error.ts';
import type { ServerAddress, ServerClass } from '../otp/index.ts';
import type { Runtime, ViaModule, ViaName } from '../process/types.ts';
import type { Tenant } from '../storage/index.ts';
import { Lifetime } from '../storage/lifetime.ts';
import { encodeTerm, inspect, Pid, termKey } from '../term/index.ts';
import { type DeleteOptions, type Deletion, deleteRegistry } from './deletion.ts';
import type { Driver, Wait } from './driver.ts';
import type { RegistryNode } from './host-node.ts';
import { LocalRegistries } from './local-registries.ts';
import { registerTag } from './member.ts';
import type { RegistryOptions } from './options.ts';
import { presumedGone } from './protocol/contest.ts';
import type { Entry } from './protocol/messages.ts';
import type { MemberState } from './protocol/state.ts';
import type { Result } from './protocol/types.ts';
import { nodeOf } from './protocol/types.ts';
import {
  asError,
  asLookup,
  asRegistration,
  fencingToken,
  type Lookup,
  type Registration,
} from './results.ts';
import { RegistryTree, type TreeOrder, textOf } from './tree.ts';

/** Anything that runs processes of one node: a node, or its runtime. */
export type HasRuntime = Runtime | { readonly runtime: Runtime };

/** A name of the reference's form: the registry's name and the logical name, both any term, equal by value. */
export type FullName = readonly [registry: unknown, name: unknown];

export interface WaitFor {
  /** Milliseconds; default: the registry's `timeoutMs` (5,000); 0: only what is known at once; `Infinity`: for ever. Then `timeout`, or `unavailable` when nobody could decide. */
  readonly timeoutMs?: number;
  /** Aborting rejects with `aborted`. */
  readonly signal?: AbortSignal;
}

/** `[node, registered name of the member process]`. */
export type MemberId = readonly [node: string, memberName: string];

export interface RegistryStatus {
  /** `joining` has no session yet; `active` has one and a complete replica; `draining` leaves; `fenced` lost its session and joins anew. */
  readonly phase: 'joining' | 'active' | 'draining' | 'fenced' | 'left';
  /** `node#incarnation`: another one after every start and every fence. */
  readonly member: string;
  /** The highest that this member has taken or promised; 0 before the first. */
  readonly epoch: number;
  /** Of that epoch; `undefined` while none is known. */
  readonly leader: MemberId | undefined;
  /** The last word of the leader was that it decides. One that fell silent since shows in `sessionMsLeft`. */
  readonly serving: boolean;
  /**
   * `undefined` while the leader has the store. Without it, by the leader's last word: milliseconds for which it still decides, by
   * the support of all; 0 when it decides no more, and what is registered only stays.
   */
  readonly storeOutageMsLeft: number | undefined;
  /** This member counts, as far as it knows: it may follow a leader that falls silent. A newcomer does shortly after it is ready. */
  readonly established: boolean;
  /** In the local snapshot. */
  readonly names: number;
  /** Of processes of this node, or hosted here for a node without a member. */
  readonly namesHosted: number;
  /** Milliseconds until the session of this member lapses and it fences itself, unless it is renewed; `undefined` before the first. */
  readonly sessionMsLeft: number | undefined;
}

function runtimeOf(node: HasRuntime): Runtime {
  return 'runtime' in node ? node.runtime : node;
}

export class Registry {
  /** Of any type, equal by value. */
  readonly name: unknown;
  readonly #runtime: Runtime;
  readonly #tree: RegistryTree;

  /** @internal Use `Registry.startLink`. */
  constructor(name: unknown, runtime: Runtime, tree: RegistryTree) {
    this.name = name;
    this.#runtime = runtime;
    this.#tree = tree;
  }

  /**
   * Starts a member of the registry `name` on a node, under a supervisor that is registered as `name` (or `supName`), and resolves
   * with its handle when the member can serve; without waiting for that when `readyTimeoutMs` is 0. `options.link` is the process to
   * which the supervisor is linked, its parent.
   *
   * Rejects with `badarg` (no tenant), `duplicate_registry`, `bad_name`, `bad_option`, `already_started` (the supervisor's local name), `unavailable` (not ready within
   * `readyTimeoutMs`; nothing is left running), and the errors of the store.
   */
  static startLink(
    node: RegistryNode,
    name: unknown,
    tenant: Tenant,
    options?: RegistryOptions & { link?: Pid },
  ): Promise<Registry>;
  static startLink(
    node: RegistryNode,
    supName: unknown,
    name: unknown,
    tenant: Tenant,
    options?: RegistryOptions & { link?: Pid },
  ): Promise<Registry>;
  // biome-ignore lint/complexity/useMaxParams: both forms of the reference.
  static async startLink(
    node: RegistryNode,
    first: unknown,
    second: unknown,
    third?: unknown,
    fourth?: unknown,
  ): Promise<Registry> {
    type Options = RegistryOptions & { link?: Pid };
    if (isTenant(third))
      return startRegistry(node, {
        supName: first,
        name: second,
        tenant: third,
        options: (fourth ?? {}) as Options,
      });
    if (isTenant(second))
      return startRegistry(node, {
        supName: first,
        name: first,
        tenant: second,
        options: (third ?? {}) as Options,
      });
    throw new DGenError('badarg', 'Registry.startLink', {
      expected: 'a tenant of a store',
      got: inspect(second),
    });
  }

  /**
   * Registers a process. Resolves with `yes` when it holds the name, also since an earlier call; `no` when the name is taken or no
   * leader could decide within the registry's `timeoutMs`. Rejects with `unknown_registry`, `badarg` (not `[registry, name]`), and
   * with everything but `unavailable` that `register` rejects with.
   */
  // biome-ignore lint/complexity/useMaxParams: the reference's function, with the node in front.
  static async registerName(
    node: HasRuntime,
    name: FullName,
    pid: Pid,
    metadata?: unknown,
  ): Promise<'yes' | 'no'> {
    const found = registryOf(node, name);
    try {
      return (await found.register(name[1], pid, { metadata })).status === 'registered' ? 'yes' : 'no';
    } catch (error) {
      if (error instanceof DGenError && error.code === 'unavailable') return 'no';
      throw error;
    }
  }

  /** Ends a registration. The local snapshot forgets it at once; resolves when it is committed, and may be ignored. Throws `unknown_registry`, `badarg`; rejects as `unregister`. */
  static unregisterName(node: HasRuntime, name: FullName): Promise<void> {
    const done = registryOf(node, name).unregister(name[1]);
    // Whoever ignores the promise ignores its failure too.
    done.catch(() => undefined);
    return done;
  }

  /** The holder by the local snapshot, or `undefined`: synchronous, perhaps a little old. Throws `unknown_registry`, `badarg`, `bad_name`. */
  static whereisName(node: HasRuntime, name: FullName): Pid | undefined {
    return registryOf(node, name).whereis(name[1]);
  }

  /** What the leader knows now: the holder, or `undefined` when there is none. Throws `unknown_registry`, `badarg`; rejects as `whereisConsistent`, and does not answer `undefined` for what it does not know. */
  static whereisNameConsistent(node: HasRuntime, name: FullName, wait?: WaitFor): Promise<Pid | undefined> {
    return registryOf(node, name).whereisConsistent(name[1], wait);
  }

  /** Sends a message to the holder by the local snapshot and returns its pid. Throws `badarg` with `details.name` and `details.message` when there is none; `unknown_registry`, `bad_name`. */
  static send(node: HasRuntime, name: FullName, message: unknown): Pid {
    return registryOf(node, name).send(name[1], message);
  }

  /** The member that this node takes for the leader, `undefined` for none: a belief, perhaps a little old. Throws `unknown_registry`. */
  static getLeader(node: HasRuntime, registry: unknown): MemberId | undefined {
    return local.find(runtimeOf(node), registry).getLeader();
  }

  /** All members that this node knows of: on the leader those that it leads, elsewhere by the last look into the store. Throws `unknown_registry`. */
  static getMembers(node: HasRuntime, registry: unknown): MemberId[] {
    return local.find(runtimeOf(node), registry).getMembers();
  }

  /** The local registered name of the elector process. Throws `unknown_registry`. */
  static electorName(node: HasRuntime, registry: unknown): string {
    return local.find(runtimeOf(node), registry).electorName;
  }

  /** The local registered name of the member process. Throws `unknown_registry`. */
  static memberName(node: HasRuntime, registry: unknown): string {
    return local.find(runtimeOf(node), registry).memberName;
  }

  /**
   * Clears all that a registry keeps in the store, and nothing else; close its members first. Resolves with what was deleted, also when
   * there was nothing. What is registered later begins anew: epochs, and with them tokens, are smaller than before, so systems outside
   * that remember tokens of this registry must forget them. Rejects with `registry_in_use` (members are recorded that are not proven gone; `details.members`),
   * `badarg` (no tenant), `bad_name`, `bad_option`, and as `transact`; nothing was cleared then, but where `maybeExecuted`.
   */
  static async delete(name: unknown, tenant: Tenant, options: DeleteOptions = {}): Promise<Deletion> {
    if (isTenant(tenant))
      return deleteRegistry({ root: textOf(name), what: inspect(name), space: tenant, options });
    throw new DGenError('badarg', 'Registry.delete', { expected: 'a tenant', got: inspect(tenant) });
  }

  /** The local registered name of the process that deals with the store, and with proofs of death. */
  get electorName(): string {
    return this.#tree.electorName.name;
  }

  /** The local registered name of the process that keeps the replica and talks to the other members. */
  get memberName(): string {
    return this.#tree.memberName.name;
  }

  /** The supervisor of the registry's processes. Throws `closed` before it runs. */
  get supervisor(): Pid {
    return this.#tree.supervisor;
  }

  /** The address of a name, accepted wherever a process is named or addressed; looked up in the snapshot of the node that uses it, anew each time. */
  via(name: unknown): ViaName {
    return { via: Registry as ViaModule, name: [this.name, name] };
  }

  /** The same, typed by the server that is expected there: a call with a request that it does not know does not compile. */
  address<S>(_server: ServerClass<S>, name: unknown): ServerAddress<S> {
    return this.via(name) as unknown as ServerAddress<S>;
  }

  /**
   * Registers a process under a name, with data that comes with every lookup.
   *
   * Resolves with `registered` and the fencing token, also when this process has the name already (its metadata stays as it was); or
   * with `taken` and the holder.
   *
   * Rejects with `badarg`, `bad_option`, `bad_name`, `noproc`, `not_encodable`, `term_too_large`; `timeout`, `aborted`, `unavailable`
   * (nobody may decide), `overloaded`, `draining`, `closed`: nothing happened; `fenced`; and for a process of another node also
   * `noconnection`, `process_exit`, `send_buffer_full`. `maybeExecuted` says whether it may have: for a process of this node never but
   * with `fenced`, for one of another node whenever the answer of its member may be lost.
   */
  async register(
    name: unknown,
    pid: Pid,
    options: WaitFor & { metadata?: unknown } = {},
  ): Promise<Registration> {
    if (!(pid instanceof Pid))
      throw new DGenError('badarg', 'register', { expected: 'a pid', got: inspect(pid) });
    const key = termKey(name);
    if (options.metadata !== undefined) encodeTerm(options.metadata, { dialect: 'typescript' });
    const wait = this.#wait(options);
    if (pid.node !== this.#runtime.name && this.#hasMember(pid.node.name))
      return this.#registerThere(name, pid, { ...wait, metadata: options.metadata });
    if (pid.node === this.#runtime.name && !this.#runtime.isAlive(pid))
      throw new DGenError('noproc', `${pid} is not alive`);
    const left = pid.node === this.#runtime.name ? wait : await this.#connectWithin(pid, wait);
    const result = await this.#driver.ask(
      { type: 'register', key, name, pid, metadata: options.metadata },
      left,
    );
    return asRegistration(result, name);
  }

  /** A process of a node without a member is watched from here, over the link. Resolves with what is left of the time. */
  async #connectWithin(pid: Pid, { timeoutMs, signal }: Wait): Promise<Wait> {
    const { clock, timers } = this.#runtime.host;
    const startedAt = clock.now();
    const lifetime = new Lifetime({ timers, timeoutMs, signal, what: `connecting to ${pid.node.name}` });
    try {
      if (!(await lifetime.race(this.#tree.connect(pid.node.name)))) {
        const expected = 'a node that can be reached';
        throw new DGenError('noconnection', `${pid}`, { expected, maybeExecuted: false });
      }
    } finally {
      lifetime.end(new DGenError('closed', 'the attempt is over'));
    }
    return { timeoutMs: Math.max(0, timeoutMs - (clock.now() - startedAt)), signal };
  }

  /** The member of the process's own node is the witness of its registration, so it has to ask. */
  async #registerThere(name: unknown, pid: Pid, wait: Wait & { metadata: unknown }): Promise<Registration> {
    const { timeoutMs, signal } = wait;
    const request = [registerTag, name, pid, wait.metadata, timeoutMs];
    const options = signal === undefined ? { timeoutMs } : { timeoutMs, signal };
    const result = await this.#runtime.call(
      { name: this.#tree.memberName, node: pid.node },
      request,
      options,
    );
    return asRegistration(result as Result, name);
  }

  #hasMember(node: string): boolean {
    return this.#tree.members().some((member) => nodeOf(member) === node);
  }

  /** `yes` or `no`; see the static function. */
  registerName(name: unknown, pid: Pid, metadata?: unknown): Promise<'yes' | 'no'> {
    return Registry.registerName(this.#runtime, [this.name, name], pid, metadata);
  }

  /**
   * Ends whatever registration the name has, of whatever node; the process lives on. The local snapshot forgets it at once. Resolves
   * when that is committed, also when there was none. Rejects with `bad_name`, `bad_option`, `timeout`, `aborted`, `unavailable`,
   * `overloaded`, `draining`, `fenced`, `closed`, and `unknown_outcome` (nobody could confirm it in time, or the registry was closed
   * meanwhile); `maybeExecuted` says whether it may have happened.
   */
  async unregister(name: unknown, wait: WaitFor = {}): Promise<void> {
    const result = await this.#driver.ask({ type: 'unregister', key: termKey(name) }, this.#wait(wait));
    if (result.type !== 'done') throw asError(result, name);
  }

  /** The holder by the local snapshot, or `undefined`: never waits, perhaps a little old. Throws `bad_name`, `closed`. */
  whereis(name: unknown): Pid | undefined {
    // The hot path of every call by name: nothing here allocates.
    const { state } = this.#tree.driver();
    const plain = typeof name === 'string' && name.charCodeAt(0) !== 0;
    const entry = state.replica.entries.get(plain ? name : termKey(name));
    return entry === undefined || (state.host.hidden.size > 0 && isHidden(state, entry))
      ? undefined
      : entry.pid;
  }

  /** The same with token and metadata. Throws `bad_name`, `closed`. */
  lookup(name: unknown): Lookup | undefined {
    if (this.whereis(name) === undefined) return undefined;
    const entry = this.#driver.state.replica.entries.get(termKey(name));
    return entry === undefined
      ? undefined
      : { pid: entry.pid, token: fencingToken(entry.token), metadata: entry.metadata };
  }

  /**
   * The holder as the leader knows it at an instant of this call, or `undefined` when there was none. Rejects with `bad_name`,
   * `bad_option`, `timeout`, `aborted`, `unavailable`, `overloaded`, `draining`, `fenced`, `closed` rather than guess.
   */
  async whereisConsistent(name: unknown, wait: WaitFor = {}): Promise<Pid | undefined> {
    return (await this.lookupConsistent(name, wait))?.pid;
  }

  /** The same with token and metadata. Rejects as `whereisConsistent`. */
  async lookupConsistent(name: unknown, wait: WaitFor = {}): Promise<Lookup | undefined> {
    const result = await this.#driver.ask({ type: 'read', key: termKey(name) }, this.#wait(wait));
    return asLookup(result, name);
  }

  /** Sends to the holder by the local snapshot and returns its pid. Throws `badarg` with `details.name` and `details.message` when there is none; `bad_name`, and what `send` of a runtime throws. */
  send(name: unknown, message: unknown): Pid {
    const pid = this.whereis(name);
    if (pid === undefined) {
      throw new DGenError('badarg', `${inspect(name)} is not registered`, { details: { name, message } });
    }
    this.#runtime.send(pid, message);
    return pid;
  }

  /** Every name of the local snapshot, in no particular order. What comes or goes meanwhile may be shown or not. */
  *names(): IterableIterator<unknown> {
    for (const entry of this.#driver.state.replica.entries.values()) yield entry.name;
  }

  /** The member that this one takes for the leader, `undefined` for none. */
  getLeader(): MemberId | undefined {
    const { leader } = this.#driver.state.follow;
    return leader === null ? undefined : [nodeOf(leader), this.memberName];
  }

  /** All members that this one knows of: the leader those that it leads, others those in the store, a moment ago. */
  getMembers(): MemberId[] {
    return this.#tree.members().map((member) => [nodeOf(member), this.memberName]);
  }

  /** What this member believes now. Throws `closed`. */
  status(): RegistryStatus {
    const { state } = this.#driver;
    const now = this.#runtime.host.clock.now();
    const { decidesUntil } = state.follow;
    return {
      phase: state.phase === 'idle' ? 'joining' : state.phase,
      member: state.self,
      epoch: state.follow.promised,
      leader: this.getLeader(),
      established: state.store.view?.record?.established.includes(state.self) ?? false,
      serving: state.follow.serving && now < decidesUntil,
      storeOutageMsLeft: decidesUntil === Infinity ? undefined : Math.max(0, decidesUntil - now),
      names: state.replica.entries.size,
      namesHosted: [...state.host.hosted.values()].reduce((sum, one) => sum + one.names.size, 0),
      sessionMsLeft:
        state.follow.sessionUntil === null ? undefined : Math.max(0, state.follow.sessionUntil - now),
    };
  }

  /**
   * An operator's word that the leader runs no more and never will, for when nothing proves it and nobody may claim before the
   * hold is over: this member then claims the office, and the names of that leader are free at once. Where it has the office, but
   * may not use it, since an earlier leader may be at work without the store, the word is about all established members that have
   * not let go of that one. **If they live, their names may have two owners until their sessions have lapsed.** Returns the members
   * that it was about: none where no leader is known, or this member leads. Throws `closed`.
   */
  forceClaim(): MemberId[] {
    const driver = this.#driver;
    const gone = presumedGone(driver.state);
    for (const member of gone) driver.dispatch({ type: 'provenDead', member });
    return gone.map((member) => [nodeOf(member), this.memberName]);
  }

  /** Resolves when the member serves. Rejects with `unavailable` after `timeoutMs`, or `closed`. */
  ready(wait: WaitFor = {}): Promise<void> {
    return this.#tree.ready(this.#wait(wait));
  }

  /**
   * Lets go of all names that processes of this node hold, leaves in good order, and stops; the processes live on. What is not done
   * within `drainTimeoutMs` is left to the others, as after a crash. Idempotent, never rejects.
   */
  close(): Promise<void> {
    return this.#tree.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #driver(): Driver {
    return this.#tree.driver();
  }

  #wait(wait: WaitFor): Wait {
    const timeoutMs = wait.timeoutMs ?? this.#tree.options.timeoutMs;
    if (!(timeoutMs >= 0))
      throw new DGenError('bad_option', 'timeoutMs', {
        expected: 'a number, 0 or more',
        got: String(timeoutMs),
      });
    return { timeoutMs, signal: wait.signal };
  }
}

/** Unregistered from here, though its host has not let go yet. */
function isHidden(state: MemberState, { key, token }: Entry): boolean {
  const hidden = state.host.hidden.get(key);
  return hidden !== undefined && hidden.n === token.n && hidden.epoch === token.epoch;
}

const local = new LocalRegistries<Registry>();

async function startRegistry(node: RegistryNode, order: TreeOrder): Promise<Registry> {
  const { runtime } = node;
  const tree = new RegistryTree(node, order);
  const registry = new Registry(order.name, runtime, tree);
  local.add(runtime, registry);
  try {
    await tree.start();
  } catch (error) {
    await tree.close();
    local.remove(runtime, registry);
    throw error;
  }
  const forget = (): void => local.remove(runtime, registry);
  runtime.whenDown(tree.supervisor, { timeoutMs: Infinity }).then(forget, forget);
  return registry;
}

function registryOf(node: HasRuntime, name: FullName): Registry {
  if (Array.isArray(name) && name.length === 2) return local.find(runtimeOf(node), name[0]);
  throw new DGenError('badarg', 'name of a registered process', {
    expected: '[registry, name]',
    got: inspect(name),
  });
}

function isTenant(value: unknown): value is Tenant {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Tenant).begin === 'function' &&
    'store' in value
  );
}
