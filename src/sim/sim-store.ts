// The store as the protocol sees it: one leader record and the member records, changed by atomic conditional writes.
// Every way in which a real one answers is here: late, refused for certain, and of unknown outcome, where the write was
// applied, never will be, or will be later. What befalls an operation is drawn by its number at the node that asks.
import type {
  LeaderRecord,
  MemberKey,
  StoreOp,
  StoreOutcome,
  StoreView,
} from '../registry/protocol/types.ts';
import { type Draw, keyOf, rollDraw } from './draw.ts';
import type { Timeline } from './timeline.ts';

/**
 * How the store treats the operations of a node. `lost`: applied, but the answer is lost; `silent`: never applied; `late`:
 * applied after the caller gave up; `slow`: takes longer than the caller waits, mostly; `refusesWrites` and `hangsWrites`: reads
 * are answered, writes are refused for certain, or are `silent` or `late`.
 */
export const moods = [
  'well',
  'unavailable',
  'lost',
  'silent',
  'late',
  'slow',
  'refusesWrites',
  'hangsWrites',
] as const;

export type Mood = (typeof moods)[number];

/** How one operation ends. */
type Fate = 'well' | 'unavailable' | 'lost' | 'silent' | 'late' | 'slow';

export interface StoreWeather {
  delayMaxMs: number;
  /** When an operation that gets no answer is given up by the caller. */
  timeoutMs: number;
  /** Of 1000 operations, so many get a mood other than `well`. */
  troublePerMille: number;
  /** A late attempt is applied within this time. */
  lateMaxMs: number;
}

export class SimStore {
  record: LeaderRecord | null = null;
  members: readonly MemberKey[] = [];
  writes = 0;
  readonly weather: StoreWeather;
  /** Nodes that cannot reach the store; `'*'` stands for all. */
  readonly cut: Map<string, Mood> = new Map();
  /** A script's own rule for one operation. */
  intercept: ((node: string, op: StoreOp) => Mood | null) | null = null;
  /** Called after every change. */
  changed: ((op: StoreOp) => void) | null = null;
  readonly #timeline: Timeline;
  readonly #seed: number;
  readonly #asked: Map<string, { readonly key: number; count: number }> = new Map();

  constructor(timeline: Timeline, options: { seed: number; weather: StoreWeather }) {
    this.#timeline = timeline;
    this.#seed = options.seed;
    this.weather = options.weather;
  }

  ask(node: string, op: StoreOp, answer: (outcome: StoreOutcome) => void): void {
    const draw = this.#drawOf(node);
    const there = this.#delay(draw);
    const back = this.#delay(draw);
    const fate = this.#fate(op, this.intercept?.(node, op) ?? this.#mood(node, draw), draw);
    if (fate === 'unavailable') this.#timeline.after(there, () => answer({ status: 'unavailable' }));
    else if (fate === 'well') this.#serve(op, { there, back }, answer);
    else if (fate === 'slow') this.#serveSlowly(op, draw, answer);
    else {
      this.#giveUp(op, answer);
      if (fate === 'lost') this.#timeline.after(there, () => this.apply(op));
      if (fate === 'late') this.#timeline.after(1 + draw.below(this.weather.lateMaxMs), () => this.apply(op));
    }
  }

  #serve(op: StoreOp, ms: { there: number; back: number }, answer: (outcome: StoreOutcome) => void): void {
    this.#timeline.after(ms.there, () => {
      const outcome = this.apply(op);
      this.#timeline.after(ms.back, () => answer(outcome));
    });
  }

  /** Up to three times as long as the caller waits, on the way there or on the way back. */
  #serveSlowly(op: StoreOp, draw: Draw, answer: (outcome: StoreOutcome) => void): void {
    const { timeoutMs } = this.weather;
    const all = 1 + draw.below(3 * timeoutMs);
    const there = draw.between(1, all);
    if (all < timeoutMs) this.#serve(op, { there, back: all - there }, answer);
    else {
      this.#giveUp(op, answer);
      this.#timeline.after(there, () => this.apply(op));
    }
  }

  /** A read that never came back has no unknown effect: nothing was applied. */
  #giveUp(op: StoreOp, answer: (outcome: StoreOutcome) => void): void {
    const status = op.kind === 'read' ? 'unavailable' : 'unknown';
    this.#timeline.after(this.weather.timeoutMs, () => answer({ status }));
  }

  /** Executes the operation at this instant. */
  apply(op: StoreOp): StoreOutcome {
    if (op.kind === 'join') this.#join(op.member);
    else if (op.kind === 'write') {
      if (!this.#allows(op)) return { status: 'conflict', view: this.view() };
      this.record = op.record;
      this.writes++;
      if (op.removeMembers.length > 0)
        this.members = this.members.filter((member) => !op.removeMembers.includes(member));
    }
    if (op.kind !== 'read') this.changed?.(op);
    return { status: 'committed', view: this.view() };
  }

  view(): StoreView {
    return { record: this.record, members: this.members };
  }

  #join(member: MemberKey): void {
    if (!this.members.includes(member)) this.members = [...this.members, member];
  }

  #allows(op: Extract<StoreOp, { kind: 'write' }>): boolean {
    if (!sameRecord(op.expect, this.record)) return false;
    return op.expectMembers === null || sameMembers(op.expectMembers, this.members);
  }

  #mood(node: string, draw: Draw): Mood {
    const cut = this.cut.get(node) ?? this.cut.get('*');
    if (cut !== undefined) return cut;
    if (!draw.chance(this.weather.troublePerMille)) return 'well';
    return draw.pick(['unavailable', 'lost', 'silent', 'late', 'slow']);
  }

  #fate(op: StoreOp, mood: Mood, draw: Draw): Fate {
    if (mood !== 'refusesWrites' && mood !== 'hangsWrites') return mood;
    if (op.kind === 'read') return 'well';
    return mood === 'refusesWrites' ? 'unavailable' : draw.pick(['silent', 'late']);
  }

  #delay(draw: Draw): number {
    return 1 + draw.below(this.weather.delayMaxMs);
  }

  #drawOf(node: string): Draw {
    let asked = this.#asked.get(node);
    if (asked === undefined) {
      asked = { key: keyOf(this.#seed, 3, node), count: 0 };
      this.#asked.set(node, asked);
    }
    return rollDraw(asked.key, asked.count++);
  }
}

function sameRecord(a: LeaderRecord | null, b: LeaderRecord | null): boolean {
  if (a === null || b === null) return a === b;
  return a.epoch === b.epoch && a.leader === b.leader && a.renewals === b.renewals;
}

function sameMembers(a: readonly MemberKey[], b: readonly MemberKey[]): boolean {
  return a.length === b.length && a.every((member) => b.includes(member));
}
