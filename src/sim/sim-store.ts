// The store as the protocol sees it: one leader record and the member records, changed by atomic conditional writes.
// Every way in which a real one answers is here: late, refused for certain, and of unknown outcome, where the write was
// applied, never will be, or will be later.
import type {
  LeaderRecord,
  MemberKey,
  StoreOp,
  StoreOutcome,
  StoreView,
} from '../registry/protocol/types.ts';
import type { Draw } from './draw.ts';
import type { Timeline } from './timeline.ts';

/** How the store treats one operation. */
export type Mood = 'well' | 'unavailable' | 'lost' | 'silent' | 'late';

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
  readonly #draw: Draw;

  constructor(timeline: Timeline, options: { draw: Draw; weather: StoreWeather }) {
    this.#timeline = timeline;
    this.#draw = options.draw;
    this.weather = options.weather;
  }

  ask(node: string, op: StoreOp, answer: (outcome: StoreOutcome) => void): void {
    const there = this.#delay();
    const mood = this.intercept?.(node, op) ?? this.#mood(node);
    if (mood === 'unavailable') this.#timeline.after(there, () => answer({ status: 'unavailable' }));
    else if (mood === 'well') {
      this.#timeline.after(there, () => {
        const outcome = this.apply(op);
        this.#timeline.after(this.#delay(), () => answer(outcome));
      });
    } else {
      // A read that never came back has no unknown effect: nothing was applied.
      const status = op.kind === 'read' ? 'unavailable' : 'unknown';
      this.#timeline.after(this.weather.timeoutMs, () => answer({ status }));
      if (mood === 'lost') this.#timeline.after(there, () => this.apply(op));
      if (mood === 'late')
        this.#timeline.after(1 + this.#draw.below(this.weather.lateMaxMs), () => this.apply(op));
    }
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

  #mood(node: string): Mood {
    const cut = this.cut.get(node) ?? this.cut.get('*');
    if (cut !== undefined) return cut;
    if (!this.#draw.chance(this.weather.troublePerMille)) return 'well';
    return this.#draw.pick(['unavailable', 'lost', 'silent', 'late']);
  }

  #delay(): number {
    return 1 + this.#draw.below(this.weather.delayMaxMs);
  }
}

function sameRecord(a: LeaderRecord | null, b: LeaderRecord | null): boolean {
  if (a === null || b === null) return a === b;
  return a.epoch === b.epoch && a.leader === b.leader && a.renewals === b.renewals;
}

function sameMembers(a: readonly MemberKey[], b: readonly MemberKey[]): boolean {
  return a.length === b.length && a.every((member) => b.includes(member));
}
