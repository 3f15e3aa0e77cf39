// One member on its own: its canonical states, numbered, and a table of what each event does in each of them. A step of
// the real `step` is executed once for each situation that differs; the enumeration of the cluster then only looks up.
// A state is kept as the numbers of its parts, which most states share.

import { type Broken, forward, ownNames } from '../invariants/state.ts';
import { hasAuthority } from '../registry/protocol/authority.ts';
import { step } from '../registry/protocol/member.ts';
import { createMember, type LeaderState, type MemberState, type Peer } from '../registry/protocol/state.ts';
import type { Config, Effect, Event, MemberKey, Result, StoreOp } from '../registry/protocol/types.ts';
import { nodeOf } from '../registry/protocol/types.ts';
import { copyOf, forgetNumbers, type Limits, rebaseTimes, textOf } from './canonical.ts';
import type { Coverage } from './coverage.ts';
import { Interner, IntList, PairTable } from './tables.ts';

export interface Reply {
  readonly id: number;
  readonly result: Result;
}

/** What a step asks of its driver, with messages as the events that they will be. */
export interface Output {
  readonly sends: readonly { readonly to: MemberKey; readonly event: number }[];
  /** Number of the operation in `ops`, 0 without one. */
  readonly op: number;
  readonly replies: readonly Reply[];
  /** Keys of the pids that the fence ends; `null` without a fence. */
  readonly fenced: readonly string[] | null;
  readonly ended: readonly string[];
  readonly left: boolean;
  readonly broken: Broken | null;
  /** Nothing but sends and the store. */
  readonly plain: boolean;
}

export interface LocalOptions {
  readonly configOf: (node: string) => Config;
  /** What a quantum of true time is on the node's clock. */
  readonly passMs: (node: string) => number;
  readonly limits: Limits;
  readonly coverage: Coverage;
  /** `flush` directly after the step that asks for it; otherwise it is an event like others. */
  readonly flushAtOnce: boolean;
}

/** What the cluster asks of a member's state again and again. */
export interface Facts {
  readonly self: MemberKey;
  readonly phase: MemberState['phase'];
  readonly authority: boolean;
  readonly leads: boolean;
  /** A session that has been granted and has not lapsed. */
  readonly sessionRuns: boolean;
  readonly goodbye: boolean;
  readonly flushAsked: boolean;
  readonly standsBack: boolean;
  readonly dead: ReadonlySet<MemberKey>;
  /** Registrations recorded here, as text: `key epoch.n pid`. */
  readonly hosted: ReadonlySet<string>;
  readonly hostedText: string;
}

export class Locals {
  readonly events: Interner<Event> = new Interner();
  readonly ops: Interner<StoreOp> = new Interner();
  readonly #options: LocalOptions;
  readonly #parts: Interner<unknown> = new Interner();
  readonly #states: Interner<readonly number[]> = new Interner();
  readonly #facts: (Facts | undefined)[] = [];
  readonly #outputs: Interner<Output> = new Interner();
  readonly #done: PairTable = new PairTable();
  readonly #next: IntList = new IntList();
  readonly #output: IntList = new IntList();
  readonly #passed: IntList = new IntList();

  constructor(options: LocalOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#states.size;
  }

  get steps(): number {
    return this.#next.length;
  }

  eventOf(event: Event): number {
    return this.events.intern(textOf(event), () => event);
  }

  /** A member that was never started. */
  fresh(self: MemberKey): number {
    return this.#keep(createMember(this.#options.configOf(nodeOf(self)), self));
  }

  /** Executes the event at this instant; the number is for `next` and `output`. */
  step(local: number, event: number): number {
    const known = this.#done.get(local, event);
    if (known >= 0) return known;
    const index = this.#run(local, event);
    this.#done.set(local, event, index);
    return index;
  }

  next(index: number): number {
    return this.#next.at(index);
  }

  output(index: number): Output {
    return this.#outputs.get(this.#output.at(index));
  }

  /** The same member one quantum later, when nothing has happened to it. */
  pass(local: number): number {
    const known = this.#passed.at(local);
    if (known !== 0) return known;
    const state = this.state(local);
    const before = this.facts(local);
    rebaseTimes(state, this.#options.passMs(nodeOf(state.self)), this.#options.limits);
    const after = this.#keep(state);
    this.#options.coverage.passed({ before, after: this.facts(after), state });
    this.#passed.put(local, after);
    return after;
  }

  facts(local: number): Facts {
    const known = this.#facts[local];
    if (known !== undefined) return known;
    const facts = factsOf(this.look(local));
    this.#facts[local] = facts;
    return facts;
  }

  /** A copy of the state; its now is 0. */
  state(local: number): MemberState {
    return this.#view(local, copyOf);
  }

  /** To look at: it shares its parts with other states. */
  look(local: number): MemberState {
    return this.#view(local, (part) => part);
  }

  #view(local: number, take: (part: unknown) => unknown): MemberState {
    const [head, store, follow, replica, host, leader, ...peers] = this.#states
      .get(local)
      .map((part) => take(this.#parts.get(part)));
    const rest = head as Pick<MemberState, 'self'>;
    const office =
      leader === null
        ? null
        : { ...(leader as object), peers: new Map((peers as Peer[]).map((peer) => [peer.key, peer])) };
    const config = this.#options.configOf(nodeOf(rest.self));
    return { config, ...rest, store, follow, replica, host, leader: office } as MemberState;
  }

  #run(local: number, event: number): number {
    const state = this.state(local);
    const before = this.look(local);
    const what = this.events.get(event);
    const effects = this.#execute(state, what);
    forgetNumbers(before, what, state);
    this.#options.coverage.stepped({ before, event: what, effects, after: state });
    const broken = forward(before, state) ?? ownNames(state);
    const output = this.#outputOf(state, effects, broken);
    rebaseTimes(state, 0, this.#options.limits);
    const index = this.#next.length;
    this.#next.push(this.#keep(state));
    this.#output.push(this.#outputs.intern(textOf(output), () => output));
    return index;
  }

  #execute(state: MemberState, event: Event): Effect[] {
    const effects = quietStep(state, event);
    if (!this.#options.flushAtOnce) return effects;
    for (let rounds = 0; state.flushAsked && state.phase !== 'left' && state.phase !== 'fenced'; rounds++) {
      if (rounds > 8) throw new Error('flushes without end');
      effects.push(...quietStep(state, { type: 'flush' }));
    }
    return effects;
  }

  #outputOf(state: MemberState, effects: readonly Effect[], broken: Broken | null): Output {
    const sends: { to: MemberKey; event: number }[] = [];
    const replies: Reply[] = [];
    const ended: string[] = [];
    let fenced: string[] | null = null;
    let left = false;
    let op = 0;
    let alarm: Broken | null = null;
    for (const effect of effects) {
      if (effect.type === 'send') {
        const { to, message } = effect;
        sends.push({ to, event: this.eventOf({ type: 'message', from: state.self, to, message }) });
      } else if (effect.type === 'store') op = this.ops.intern(textOf(effect.op), () => effect.op);
      else if (effect.type === 'reply') replies.push({ id: effect.id, result: effect.result });
      else if (effect.type === 'fence') fenced = effect.pids.map((pid) => pid.key);
      else if (effect.type === 'end') ended.push(effect.pid.key);
      else if (effect.type === 'left') left = true;
      else if (effect.type === 'alarm')
        alarm = { invariant: 'answers', what: `${state.self}: ${effect.what}` };
    }
    const plain = replies.length + ended.length === 0 && fenced === null && !left;
    return { sends, op, replies, fenced, ended, left, broken: broken ?? alarm, plain };
  }

  #keep(state: MemberState): number {
    const { config: _, store, follow, replica, host, leader, ...head } = state;
    const parts = [head, store, follow, replica, host].map((part) => this.#part(part));
    if (leader === null) parts.push(this.#part(null));
    else {
      const { peers, ...office } = leader;
      parts.push(this.#part({ ...office, peers: null } as unknown as LeaderState));
      for (const peer of peers.values()) parts.push(this.#part(peer));
    }
    return this.#states.intern(parts.join(), () => parts);
  }

  #part(value: unknown): number {
    return this.#parts.intern(textOf(value), () => value);
  }
}

/**
 * One step at instant 0. Numbers of store operations are only ever compared with the one in flight, of which there is
 * one at a time: it is always 0 here. So they cost no new numbers where nothing else has drawn one.
 */
function quietStep(state: MemberState, event: Event): Effect[] {
  const { nextId } = state;
  const quiet = state.pulls.size === 0;
  const effects = step(state, event, 0);
  if (state.store.inflight !== null && state.store.inflight.id !== 0)
    state.store.inflight = { ...state.store.inflight, id: 0 };
  const pulls = effects.some((effect) => effect.type === 'send' && effect.message.type === 'pull');
  if (quiet && !pulls && state.pulls.size === 0) state.nextId = nextId;
  return effects;
}

function factsOf(state: MemberState): Facts {
  const hosted = new Set<string>();
  const fenced = state.phase === 'fenced' || state.phase === 'left';
  if (!fenced)
    for (const { pid, names } of state.host.hosted.values())
      for (const key of names) {
        const token = state.replica.entries.get(key)?.token;
        hosted.add(`${key} ${token?.epoch}.${token?.n} ${pid.key}`);
      }
  const until = state.follow.sessionUntil;
  return {
    self: state.self,
    phase: state.phase,
    authority: hasAuthority(state, 0),
    leads: state.leader !== null,
    sessionRuns: !fenced && until !== null && until > 0,
    goodbye: state.follow.goodbye,
    flushAsked: state.flushAsked,
    standsBack: state.follow.standBackUntil > 0,
    dead: new Set(state.dead.keys()),
    hosted,
    hostedText: [...hosted].join(';'),
  };
}
