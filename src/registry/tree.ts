// The processes of one registry on one node: a supervisor over elector and member, started and stopped together. If
// either fails both start anew, as a fresh incarnation; what the old one had registered ends with it.
import { DGenError } from '../errors/error.ts';
import { type ChildSpec, Supervisor, start, stop } from '../otp/index.ts';
import { shutdown } from '../process/reasons.ts';
import type { Runtime } from '../process/types.ts';
import type { Tenant } from '../storage/index.ts';
import { Atom, atom, inspect, type Pid, termKey } from '../term/index.ts';
import { Coordination, type MemberInfo } from './coordination.ts';
import { closed, type Driver, type Wait } from './driver.ts';
import { Elector, LinkLost } from './elector.ts';
import { nextGeneration } from './generations.ts';
import type { RegistryNode } from './host-node.ts';
import { Member } from './member.ts';
import { type CheckedOptions, checkOptions, type RegistryOptions } from './options.ts';
import { type MemberKey, nodeOf } from './protocol/types.ts';

/** An operation that takes longer than half a lease is of no use; a store over a network gets half a second at least. */
function storeTimeoutMs(leaseMs: number): number {
  return Math.min(2_000, Math.max(500, leaseMs / 2));
}

export interface TreeOrder {
  readonly supName: unknown;
  readonly name: unknown;
  readonly tenant: Tenant;
  readonly options: RegistryOptions & { readonly link?: Pid };
}

const plainText = /^[\w.@:/ -]{1,100}$/;
const hexDigitsMax = 160;

/**
 * Text of at most 200 characters that stands for a name of any type, different for different names, but that an atom and
 * the string of its text are the same: itself, or `#` and its canonical form in hexadecimal; of a long one the first
 * part, and a sum of the whole.
 */
export function textOf(name: unknown): string {
  const key = name instanceof Atom ? name.name : termKey(name);
  if (typeof key === 'string' && plainText.test(key)) return key;
  const sign = typeof key === 'string' ? '' : 'n';
  const hex = Array.from(String(key), (char) => char.charCodeAt(0).toString(16).padStart(4, '0')).join('');
  if (hex.length <= hexDigitsMax) return `#${sign}${hex}`;
  const sums = [1, 2, 3, 4].map((seed) => sumOf(hex, seed).toString(16).padStart(8, '0'));
  return `#${sign}${hex.slice(0, hexDigitsMax)}.${sums.join('')}`;
}

/** 32 bits that depend on every character. */
function sumOf(text: string, seed: number): number {
  let sum = Math.imul(seed, 0x9e3779b1);
  for (let index = 0; index < text.length; index++) {
    sum = Math.imul(sum ^ text.charCodeAt(index), 0x01000193 + 2 * seed);
    sum ^= sum >>> 15;
  }
  return sum >>> 0;
}

/** The processes, and how they are reached. Start it once; close it in every case. */
export class RegistryTree {
  readonly electorName: Atom;
  readonly memberName: Atom;
  readonly options: CheckedOptions;
  readonly #node: RegistryNode;
  readonly #order: TreeOrder;
  readonly #runtime: Runtime;
  readonly #coordination: Coordination;
  #supervisor: Pid | undefined;
  #driver: Driver | undefined;
  readonly #stops: (() => void)[] = [];
  #closing: Promise<void> | undefined;
  /** Those who wait for another member, or for the news that none will come. */
  readonly #watchers: Set<() => void> = new Set();
  /** The supervisor has ended, on request or not: no other member will start. */
  #over = false;
  #generation = 0;
  #latest: MemberKey | undefined;

  /** Throws `bad_option`, `bad_name`. */
  constructor(node: RegistryNode, order: TreeOrder) {
    const { link: _link, ...options } = order.options;
    const text = textOf(order.name);
    this.#node = node;
    this.#order = order;
    this.#runtime = node.runtime;
    this.options = checkOptions(options);
    this.electorName = atom(`dgen.elector.${text}`);
    this.memberName = atom(`dgen.member.${text}`);
    this.#coordination = new Coordination(order.tenant, {
      root: text,
      timeoutMs: storeTimeoutMs(this.options.config.durations.leaseMs),
    });
  }

  get supervisor(): Pid {
    if (this.#supervisor === undefined) throw new DGenError('closed', 'registry');
    return this.#supervisor;
  }

  /** All members that this one knows of: the leader those that it leads, others by what the store said last. */
  members(): MemberKey[] {
    const leads = this.#driver?.state.leader;
    return [...(leads?.peers ?? this.#coordination.infos).keys()];
  }

  connect(node: string): Promise<boolean> {
    return this.#node.connect(node);
  }

  /** While a failed member is replaced it is the one that failed. Throws `closed`. */
  driver(): Driver {
    if (this.#driver === undefined) throw new DGenError('closed', `registry ${inspect(this.#order.name)}`);
    return this.#driver;
  }

  async start(): Promise<void> {
    const { supName } = this.#order;
    const { link } = this.#order.options;
    const local = supName instanceof Atom ? supName : atom(textOf(supName));
    const children: ChildSpec[] = [
      { id: 'elector', start: (_runtime, parent) => this.#startElector(parent), shutdownMs: 100 },
      { id: 'member', start: (_runtime, parent) => this.#startMember(parent), shutdownMs: 100 },
    ];
    const argument = { strategy: 'one_for_all' as const, children };
    const options = {
      name: local,
      label: `registry ${textOf(this.#order.name)}`,
      ...(link === undefined ? {} : { link }),
    };
    this.#supervisor = await start(this.#runtime, Supervisor, argument, options);
    this.#runtime.watchDown(this.#supervisor, () => this.#ended());
    this.#stops.push(
      this.#node.onLink((peer, up) => this.#onLink(peer, up)),
      this.#node.guardInput(() => this.#driver?.guard()),
      this.#node.expectSignsOfLife((node) => this.#sessionMs(node)),
    );
    if (this.options.readyTimeoutMs > 0) await this.#readyAtStart();
  }

  /** A start may have to wait for long where those before it are silent: it says so, less and less often. */
  async #readyAtStart(): Promise<void> {
    const { timers, log } = this.#runtime.host;
    let delayMs = 2 * this.options.config.durations.leaseMs;
    const tell = (): void => {
      log.warn({ registry: textOf(this.#order.name), state: this.#standing() }, 'registry: not ready yet');
      delayMs *= 2;
      telling = timers.after(delayMs, tell);
    };
    let telling = timers.after(delayMs, tell);
    try {
      await this.ready({ timeoutMs: this.options.readyTimeoutMs });
    } finally {
      telling.cancel();
    }
  }

  #startElector(parent: Pid): Promise<Pid> {
    const elector = new Elector(this.#node, this.#coordination, () => this.#runtime.whereis(this.memberName));
    return Promise.resolve(
      this.#runtime.spawnBehaviour(elector, {
        link: parent,
        name: this.electorName,
        label: this.electorName.name,
      }),
    );
  }

  #startMember(parent: Pid): Promise<Pid> {
    const elector = this.#runtime.whereis(this.electorName);
    if (elector === undefined) throw new DGenError('noproc', 'elector');
    const member = new Member(
      (self) => ({
        config: this.options.config,
        self,
        elector,
        memberName: this.memberName,
        info: (key) => this.#info(key),
        former: this.#driver?.state.self,
      }),
      (driver) => {
        this.#driver = driver;
        this.#changed();
      },
    );
    // A flood from peers must not stop a member: its mailbox is bounded by what the links let through.
    const options = {
      link: parent,
      name: this.memberName,
      label: this.memberName.name,
      mailboxMessagesMax: 10_000_000,
    };
    return Promise.resolve(this.#runtime.spawnBehaviour(member, options));
  }

  #onLink(node: string, up: boolean): void {
    this.#driver?.dispatch({ type: 'link', node, up });
    const elector = this.#runtime.whereis(this.electorName);
    if (!up && elector !== undefined) this.#runtime.send(elector, new LinkLost(node));
  }

  /** Of the members of a node. */
  #sessionMs(node: string): number | undefined {
    const driver = this.#driver;
    if (driver === undefined || !this.#coordination.knows(node)) return undefined;
    return Math.max(driver.state.follow.sessionMs, this.options.config.durations.sessionMs);
  }

  /** No member any more, and none to come. */
  #ended(): void {
    this.#over = true;
    for (const stopIt of this.#stops.splice(0)) stopIt();
    this.#driver?.close(closed);
    this.#changed();
  }

  #changed(): void {
    for (const tell of [...this.#watchers]) tell();
  }

  #info(member: MemberKey): MemberInfo {
    const { address, machineId, unprovenFormers } = this.#node;
    if (member !== this.#latest) {
      this.#latest = member;
      this.#generation = nextGeneration(this.#runtime, textOf(this.#order.name));
    }
    return {
      member,
      node: nodeOf(member),
      creation: this.#runtime.creation,
      generation: this.#generation,
      address,
      machineId,
      unprovenFormers,
    };
  }

  async ready(wait: Wait): Promise<void> {
    const waiting = new AbortController();
    const giveUp = (): void => waiting.abort();
    const deadline =
      wait.timeoutMs === Infinity ? undefined : this.#runtime.host.timers.after(wait.timeoutMs, giveUp);
    wait.signal?.addEventListener('abort', giveUp, { once: true });
    if (wait.signal?.aborted === true) giveUp();
    try {
      await this.#whenActive(waiting.signal);
    } finally {
      deadline?.cancel();
      wait.signal?.removeEventListener('abort', giveUp);
    }
    if (wait.signal?.aborted === true) throw new DGenError('aborted', 'ready', { maybeExecuted: false });
    if (waiting.signal.aborted) throw this.#notReady(wait.timeoutMs);
  }

  #notReady(timeoutMs: number): DGenError {
    return new DGenError('unavailable', `registry ${inspect(this.#order.name)} is not ready`, {
      expected: `a leader and a session within ${timeoutMs} ms`,
      got: this.#standing(),
    });
  }

  #standing(): string {
    const state = this.#driver?.state;
    if (state === undefined) return 'no member';
    const record = state.store.view?.record;
    const waits =
      state.leader === null && record?.leader != null ? `, ${record.leader} was the last to lead` : '';
    return `phase ${state.phase}, leader ${state.follow.leader ?? 'none'}${waits}`;
  }

  /** Resolves when the member serves, or the signal says so. Throws `closed`. */
  async #whenActive(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const driver = this.#driver;
      if (this.#over || this.#closing !== undefined)
        throw new DGenError('closed', `registry ${inspect(this.#order.name)}`);
      if (driver?.state.phase === 'active' && !driver.closed) return;
      await this.#change(driver, signal);
    }
  }

  /** Resolves when the phase, or the member, is another one, or the signal says so. */
  async #change(driver: Driver | undefined, signal: AbortSignal): Promise<void> {
    let told = (): void => undefined;
    const change = new Promise<void>((resolve) => {
      told = resolve;
    });
    this.#watchers.add(told);
    signal.addEventListener('abort', told, { once: true });
    const stopWatching = driver?.onPhase(told);
    await change;
    stopWatching?.();
    signal.removeEventListener('abort', told);
    this.#watchers.delete(told);
  }

  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#closing = this.#close();
      this.#changed();
    }
    return this.#closing;
  }

  async #close(): Promise<void> {
    const driver = this.#driver;
    if (driver !== undefined && this.options.drainTimeoutMs > 0) {
      driver.releaseAll();
      driver.dispatch({ type: 'drain' });
      await this.#leftOrLate(driver);
    }
    driver?.close(closed);
    for (const stopIt of this.#stops.splice(0)) stopIt();
    const supervisor = this.#supervisor;
    if (supervisor === undefined) return;
    // Where the runtime closes, nobody can be started to ask it. Its children end with it.
    await stop(this.#runtime, supervisor, { reason: 'shutdown' }).catch(() =>
      this.#runtime.terminate(supervisor, shutdown),
    );
  }

  #leftOrLate(driver: Driver): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#runtime.host.timers.after(this.options.drainTimeoutMs, resolve);
      void driver.left().then(() => {
        timer.cancel();
        resolve();
      });
    });
  }
}
