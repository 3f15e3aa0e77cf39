// The driver: runs the pure member on real (or simulated) time, links and store. It turns what happens into events,
// carries the effects out, and keeps the promises of those who asked. It decides nothing.
import { DGenError } from '../errors/error.ts';
import type { Host, TimerHandle } from '../host/ports.ts';
import type { NamedTarget } from '../process/distribution-port.ts';
import { kill } from '../process/reasons.ts';
import type { Process } from '../process/types.ts';
import { type Atom, atom, type Pid, type Ref, Tuple } from '../term/index.ts';
import type { MemberInfo } from './coordination.ts';
import { Deadlines } from './deadlines.ts';
import { StoreRequest, Suspicion } from './elector.ts';
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
}

export interface Wait {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

type Ask =
  | Omit<Extract<Event, { type: 'register' }>, 'id'>
  | Omit<Extract<Event, { type: 'unregister' }>, 'id'>
  | Omit<Extract<Event, { type: 'read' }>, 'id'>;

interface Pending {
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
  readonly #monitors: Map<string, { readonly ref: Ref; readonly pid: Pid; pending: number }> = new Map();
  readonly #monitored: Map<string, string> = new Map();
  #nextId = 1;
  #timer: TimerHandle | undefined;
  #timerAt = Infinity;
  #closed = false;
  #onPhase: (() => void)[] = [];

  constructor(options: DriverOptions) {
    const { runtime } = options.self;
    this.#options = options;
    this.#host = runtime.host;
    this.state = createMember(options.config, memberKey(runtime.name.name, this.#incarnation()));
    this.#deadlines = new Deadlines(this.#host, (id) => this.dispatch({ type: 'cancel', id }));
  }

  /** At least 64 random bits: no incarnation ever returns. */
  #incarnation(): string {
    return Array.from(this.#host.random.bytes(12), (byte) => byte.toString(16).padStart(2, '0')).join('');
  }

  dispatch(event: Event): void {
    if (this.#closed) return;
    const phase = this.state.phase;
    const now = this.#host.clock.now();
    const effects = step(this.state, event, now);
    for (const effect of effects) this.#perform(effect);
    if (this.state.phase !== phase) this.#phaseChanged();
    this.#schedule(now);
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
    if (this.#closed) return Promise.resolve(closedResult);
    return new Promise((resolve) => {
      const id = this.#nextId++;
      const pid = ask.type === 'register' ? ask.pid : undefined;
      const stopListening = this.#listen(id, wait.signal);
      this.#pending.set(id, { resolve, pid, stopListening, aborted: false });
      if (pid !== undefined) this.#watch(pid);
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

  /** Resolves when the phase is one of these, or the driver is closed. */
  async reached(...phases: readonly MemberState['phase'][]): Promise<void> {
    while (!this.#closed && !phases.includes(this.state.phase)) {
      await new Promise<void>((resolve) => this.#onPhase.push(resolve));
    }
  }

  #phaseChanged(): void {
    const waiting = this.#onPhase;
    this.#onPhase = [];
    for (const resolve of waiting) resolve();
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

  onDown(ref: Ref): void {
    const key = this.#monitored.get(ref.key);
    const watched = key === undefined ? undefined : this.#monitors.get(key);
    if (key === undefined || watched === undefined) return;
    this.#monitored.delete(ref.key);
    this.#monitors.delete(key);
    this.dispatch({ type: 'exited', pid: watched.pid });
  }

  /** Names go, processes stay. */
  releaseAll(): void {
    for (const { pid } of [...this.state.host.hosted.values()]) this.dispatch({ type: 'exited', pid });
  }

  /** The member is no more, for whatever reason: its names cannot be kept. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    this.#deadlines.close();
    this.#end([...this.state.host.hosted.values()].map((one) => one.pid));
    for (const pending of [...this.#pending.values()]) this.#finish(pending, closedResult);
    this.#pending.clear();
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
    if (pending.pid !== undefined) this.#unwatch(pending.pid);
    pending.resolve(result);
  }

  #watch(pid: Pid): void {
    const watched = this.#monitors.get(pid.key);
    if (watched !== undefined) {
      watched.pending++;
      return;
    }
    const ref = this.#options.self.monitor(pid);
    this.#monitors.set(pid.key, { ref, pid, pending: 1 });
    this.#monitored.set(ref.key, pid.key);
  }

  /** Ends the monitor of a process that holds no name and asks for none. */
  #unwatch(pid: Pid): void {
    const watched = this.#monitors.get(pid.key);
    if (watched === undefined) return;
    watched.pending--;
    if (watched.pending > 0 || this.state.host.hosted.has(pid.key)) return;
    this.#monitors.delete(pid.key);
    this.#monitored.delete(watched.ref.key);
    this.#options.self.demonitor(watched.ref);
  }

  #fence(pids: readonly Pid[]): void {
    this.#end(pids);
    const left = this.state.self;
    this.#host.log.warn({ member: left, processes: pids.length }, 'registry: session lapsed, member fenced');
    this.dispatch({ type: 'restart', incarnation: this.#incarnation() });
  }

  #end(pids: readonly Pid[]): void {
    const { self } = this.#options;
    for (const pid of pids) {
      if (pid.node === self.runtime.name) self.runtime.terminate(pid, atom('fenced'));
      else self.exitOther(pid, kill);
    }
  }

  #schedule(now: number): void {
    if (this.#closed) return;
    const at = wakeAt(this.state, now);
    if (at >= this.#timerAt && this.#timerAt > now) return;
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

const closedResult: Result = {
  type: 'error',
  code: 'closed',
  why: 'the registry was closed',
  maybeExecuted: false,
};
