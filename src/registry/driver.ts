// The driver: runs the pure member on real (or simulated) time, links and store. It turns what happens into events,
// carries the effects out, and keeps the promises of those who asked. It decides nothing.
import { DGenError } from '../errors/error.ts';
import type { Host, TimerHandle } from '../host/ports.ts';
import type { NamedTarget } from '../process/distribution-port.ts';
import { kill } from '../process/reasons.ts';
import type { Process } from '../process/types.ts';
import { type Atom, atom, type Pid, Tuple } from '../term/index.ts';
import type { MemberInfo } from './coordination.ts';
import { Deadlines } from './deadlines.ts';
import { StoreRequest, Suspicion } from './elector.ts';
import { OutageLog } from './outage-log.ts';
import { ProcessWatches } from './process-watches.ts';
import { step, wakeAt } from './protocol/member.ts';
import { createMember, type MemberState } from './protocol/state.ts';
import {
  type Config,
  type Effect,
  type Event,
  type MemberKey,
  memberKey,
  nodeOf,
  type Result,
} from './protocol/types.ts';
import { decodeMessage, encodeMessage } from './wire.ts';

/** First element of every message between members. */
export const messageTag: Atom = atom('$dgen_registry');

export interface DriverOptions {
  readonly config: Config;
  readonly self: Process;
  readonly elector: Pid;
  readonly memberName: Atom;
  /** What the store says of the incarnation. */
  readonly info: (member: MemberKey) => MemberInfo;
  /** The incarnation that ended here before this one, if there was one. */
  readonly former: MemberKey | undefined;
}

export interface Wait {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

type Ask =
  | Omit<Extract<Event, { type: 'register' }>, 'id'>
  | Omit<Extract<Event, { type: 'unregister' }>, 'id'>
  | Omit<Extract<Event, { type: 'read' }>, 'id'>;

/** Milliseconds between the looks of a member that leaves: whoever closes a node waits for it. */
const drainTickMs = 10;
/** Milliseconds for which a member that leaves looks for a leader to take leave of: where one stays, it has the office by then. */
const leaderlessMsMax = 1_000;

interface Pending {
  readonly type: Ask['type'];
  readonly resolve: (result: Result) => void;
  readonly pid: Pid | undefined;
  readonly stopListening: (() => void) | undefined;
  /** The caller's signal fired: what it is told then is that, not that time ran out. */
  aborted: boolean;
}

export class Driver {
  readonly state: MemberState;
  readonly #options: DriverOptions;
  readonly #host: Host;
  readonly #pending: Map<number, Pending> = new Map();
  readonly #deadlines: Deadlines;
  readonly #targets: Map<MemberKey, NamedTarget> = new Map();
  readonly #watches: ProcessWatches;
  readonly #outage: OutageLog;
  #nextId = 1;
  #timer: TimerHandle | undefined;
  #timerAt = Infinity;
  #leaderlessSince = Infinity;
  /** What every request is told once the member has ended. */
  #ended: Result | undefined;
  readonly #watchers: Set<() => void> = new Set();

  constructor(options: DriverOptions) {
    const { runtime } = options.self;
    this.#options = options;
    this.#host = runtime.host;
    this.state = createMember(options.config, memberKey(runtime.name.name, this.#incarnation()));
    this.state.former = options.former ?? null;
    this.#watches = new ProcessWatches(runtime, (pid) => this.dispatch({ type: 'exited', pid }));
    this.#outage = new OutageLog(this.#host.log);
    this.#deadlines = new Deadlines(this.#host, (id) => this.dispatch({ type: 'cancel', id }));
  }

  /** At least 64 random bits: no incarnation ever returns. */
  #incarnation(): string {
    return Array.from(this.#host.random.bytes(12), (byte) => byte.toString(16).padStart(2, '0')).join('');
  }

  get closed(): boolean {
    return this.#ended !== undefined;
  }

  /** Never throws: a member with a defect ends, as a process that crashed, and its supervisor starts another. */
  dispatch(event: Event): void {
    if (this.closed) return;
    try {
      this.#step(event);
    } catch (error) {
      const { self } = this.#options;
      this.#host.log.error({ member: this.state.self, event: event.type, error }, 'registry: member crashed');
      this.close(crashed);
      self.runtime.terminate(self.self, error);
    }
  }

  #step(event: Event): void {
    const phase = this.state.phase;
    const now = this.#host.clock.now();
    const effects = step(this.state, event, now);
    for (const effect of effects) this.#perform(effect);
    if (this.state.phase !== phase) this.#phaseChanged();
    if (this.state.phase === 'draining') this.#noteLeaderless(now);
    this.#outage.note(this.state, now);
    this.#schedule(now);
  }

  /** All leave at once: nobody is there to hear a goodbye, and nothing of ours to be kept. It then leaves as one that died. */
  #noteLeaderless(now: number): void {
    const { leader, host, follow, store, dead } = this.state;
    const leads = leader !== null || store.inflight !== null || host.hosted.size > 0 || host.seqOf.size > 0;
    const led =
      follow.leader !== null && follow.resignedEpoch !== follow.promised && !dead.has(follow.leader);
    if (leads || led) this.#leaderlessSince = Infinity;
    else if (this.#leaderlessSince === Infinity) this.#leaderlessSince = now;
    if (now - this.#leaderlessSince >= leaderlessMsMax) this.close(closed);
  }

  /**
   * Fences a member whose session lapsed while the operating-system process stood still, before old messages reach the processes
   * that lost their names. One look at the clock otherwise.
   */
  guard(): void {
    const { sessionUntil } = this.state.follow;
    if (sessionUntil !== null && this.#host.clock.now() >= sessionUntil) this.dispatch({ type: 'tick' });
  }

  /** Asks the member, and waits for its last word. Never rejects: what went wrong is in the result. */
  ask(ask: Ask, wait: Wait): Promise<Result> {
    if (this.#ended !== undefined) return Promise.resolve(this.#ended);
    return new Promise((resolve) => {
      const id = this.#nextId++;
      const pid = ask.type === 'register' ? ask.pid : undefined;
      const stopListening = this.#listen(id, wait.signal);
      this.#pending.set(id, { type: ask.type, resolve, pid, stopListening, aborted: false });
      if (pid !== undefined) this.#watches.request(pid);
      this.#deadlines.set(id, wait.timeoutMs);
      this.dispatch({ ...ask, id });
      if (wait.signal?.aborted === true) this.#abort(id);
    });
  }

  #listen(id: number, signal: AbortSignal | undefined): (() => void) | undefined {
    if (signal === undefined) return undefined;
    const onAbort = (): void => this.#abort(id);
    signal.addEventListener('abort', onAbort, { once: true });
    return () => signal.removeEventListener('abort', onAbort);
  }

  #abort(id: number): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    pending.aborted = true;
    this.dispatch({ type: 'cancel', id });
  }

  /** Begins. Others learn from us that the incarnation before has ended, as after a fence. */
  start(): void {
    this.dispatch({ type: 'start' });
    const { former } = this.#options;
    if (former !== undefined) this.dispatch({ type: 'provenDead', member: former });
  }

  /** Calls back whenever the phase changes, and when the driver is closed. Returns what stops that. */
  onPhase(changed: () => void): () => void {
    this.#watchers.add(changed);
    return () => this.#watchers.delete(changed);
  }

  /** Resolves when the member has left, or is closed. */
  left(): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!this.closed && this.state.phase !== 'left') return;
        stop();
        resolve();
      };
      const stop = this.onPhase(look);
      look();
    });
  }

  #phaseChanged(): void {
    for (const changed of [...this.#watchers]) changed();
  }

  /** A message of another member, as it came. */
  onWire(message: Tuple): void {
    const [, from, to, term] = message.elements;
    if (typeof from !== 'string' || typeof to !== 'string' || to !== this.state.self) return;
    try {
      this.dispatch({ type: 'message', from, to, message: decodeMessage(term) });
    } catch (error) {
      if (!(error instanceof DGenError)) throw error;
      this.#host.log.warn({ code: error.code, from, error: error.message }, 'registry: unreadable message');
    }
  }

  /** Names go, processes stay. */
  releaseAll(): void {
    for (const { pid } of [...this.state.host.hosted.values()]) this.dispatch({ type: 'exited', pid });
  }

  /** The member is no more: its names cannot be kept, so their processes end. `why` is what requests are told. */
  close(why: Ended): void {
    if (this.closed) return;
    this.#ended = why;
    this.state.phase = why.code === 'closed' ? 'left' : 'fenced';
    this.#timer?.cancel();
    this.#deadlines.close();
    this.#end([...this.state.host.hosted.values()].map((one) => one.pid));
    for (const pending of [...this.#pending.values()])
      this.#finish(pending, { ...why, maybeExecuted: pending.type === 'unregister' });
    this.#pending.clear();
    this.#watches.close();
    this.#phaseChanged();
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case 'send':
        this.#send(effect.to, encodeMessage(effect.message));
        return;
      case 'store':
        this.#options.self.send(
          this.#options.elector,
          new StoreRequest(effect.id, effect.op, this.#options.info(this.state.self)),
        );
        return;
      case 'reply':
        this.#reply(effect.id, effect.result);
        return;
      case 'fence':
        this.#fence(effect.pids);
        return;
      case 'end':
        this.#end([effect.pid]);
        return;
      case 'flushSoon':
        this.#host.timers.defer(() => this.dispatch({ type: 'flush' }));
        return;
      case 'suspect':
        this.#options.self.send(this.#options.elector, new Suspicion(effect.member));
        return;
      case 'left':
        return;
      case 'alarm':
        this.#host.log.error({ member: this.state.self }, `registry: ${effect.what}`);
        return;
      default:
        effect satisfies never;
    }
  }

  #send(to: MemberKey, message: unknown): void {
    try {
      this.#options.self.send(this.#target(to), new Tuple([messageTag, this.state.self, to, message]));
    } catch (error) {
      // Any message may be lost; the protocol asks again.
      if (!(error instanceof DGenError)) throw error;
      this.#host.log.warn({ code: error.code, to, error: error.message }, 'registry: message not sent');
    }
  }

  #target(to: MemberKey): NamedTarget {
    let target = this.#targets.get(to);
    if (target === undefined) {
      target = { name: this.#options.memberName, node: atom(nodeOf(to)) };
      if (this.#targets.size > 10_000) this.#targets.clear();
      this.#targets.set(to, target);
    }
    return target;
  }

  #reply(id: number, result: Result): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    this.#deadlines.clear(id);
    this.#finish(pending, pending.aborted ? asAborted(result) : result);
  }

  #finish(pending: Pending, result: Result): void {
    pending.stopListening?.();
    const { pid } = pending;
    // Whoever was registered holds a name; for the others it is looked up.
    if (pid !== undefined)
      this.#watches.done(pid, () => result.type === 'registered' || this.state.host.hosted.has(pid.key));
    pending.resolve(result);
  }

  #fence(pids: readonly Pid[]): void {
    this.#end(pids);
    const left = this.state.self;
    this.#host.log.warn({ member: left, processes: pids.length }, 'registry: session lapsed, member fenced');
    this.dispatch({ type: 'restart', incarnation: this.#incarnation() });
  }

  /** In the name of the node, for the member itself may have ended. */
  #end(pids: readonly Pid[]): void {
    const { runtime } = this.#options.self;
    for (const pid of pids) {
      if (pid.node === runtime.name) runtime.terminate(pid, atom('fenced'));
      else runtime.exit(pid, kill);
    }
  }

  #schedule(now: number): void {
    if (this.closed) return;
    const wanted = wakeAt(this.state, now);
    const at = this.state.phase === 'draining' ? Math.min(wanted, now + drainTickMs) : wanted;
    // A timer that is due but has not run yet stays: put off by each event in between it would never run under load.
    if (at >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = this.#host.timers.after(Math.max(at - now, 0), () => {
      this.#timerAt = Infinity;
      this.dispatch({ type: 'tick' });
    });
  }
}

/** A wait that was cut short: nobody knows whether it would have been in time. */
function asAborted(result: Result): Result {
  const cut = result.type === 'error' && (result.code === 'timeout' || result.code === 'unavailable');
  return cut ? { ...result, code: 'aborted', why: 'the caller aborted the wait' } : result;
}

/** Why a member has ended. */
export type Ended = Extract<Result, { type: 'error' }>;

export const closed: Ended = {
  type: 'error',
  code: 'closed',
  why: 'the registry was closed',
  maybeExecuted: false,
};

export const crashed: Ended = {
  type: 'error',
  code: 'fenced',
  why: 'the member of this node ended; another one starts',
  maybeExecuted: false,
};
