// The store of an enumeration: its contents numbered, and a table of what each operation does to them. What a node has
// asked it is one number: nothing, an operation that was not executed yet, or the event that its answer will be.
import { type Broken, boundedStore, evicted, type MemberAt } from '../invariants/state.ts';
import type { LeaderRecord, MemberKey, StoreOp, StoreOutcome } from '../registry/protocol/types.ts';
import { textOf } from './canonical.ts';
import type { Locals } from './local.ts';
import { Interner, IntList, PairTable } from './tables.ts';

export interface Contents {
  readonly record: LeaderRecord | null;
  readonly members: readonly MemberKey[];
}

/** What a node waits for: `asked` operations are even, answers are odd, 0 is nothing. */
export const asked = (op: number): number => 2 * op;
export const answered = (event: number): number => 2 * event + 1;
export const isAsked = (slot: number): boolean => slot !== 0 && (slot & 1) === 0;
export const isAnswered = (slot: number): boolean => (slot & 1) === 1;

export class Stores {
  readonly #locals: Locals;
  readonly #contents: Interner<Contents> = new Interner();
  readonly #done: PairTable = new PairTable();
  readonly #next: IntList = new IntList();
  readonly #answer: IntList = new IntList();
  readonly empty: number;

  constructor(locals: Locals) {
    this.#locals = locals;
    this.empty = this.#keep({ record: null, members: [] });
  }

  get(store: number): Contents {
    return this.#contents.get(store);
  }

  /** Executes the operation; the number is for `next` and `answer`. */
  execute(store: number, op: number): number {
    const known = this.#done.get(store, op);
    if (known >= 0) return known;
    const { contents, status } = executed(this.get(store), this.#locals.ops.get(op));
    const index = this.#next.length;
    this.#next.push(this.#keep(contents));
    const { record, members } = contents;
    this.#answer.push(this.answerOf({ status, view: { record, members } }));
    this.#done.set(store, op, index);
    return index;
  }

  next(index: number): number {
    return this.#next.at(index);
  }

  /** The event that the answer is. */
  answer(index: number): number {
    return this.#answer.at(index);
  }

  answerOf(outcome: StoreOutcome): number {
    return this.#locals.eventOf({ type: 'store', id: 0, outcome });
  }

  #keep(contents: Contents): number {
    return this.#contents.intern(textOf(contents), () => contents);
  }
}

function executed(contents: Contents, op: StoreOp): { contents: Contents; status: 'committed' | 'conflict' } {
  const { record, members } = contents;
  if (op.kind === 'read') return { contents, status: 'committed' };
  if (op.kind === 'join') {
    const joined = members.includes(op.member) ? members : [...members, op.member];
    return { contents: { record, members: joined }, status: 'committed' };
  }
  const same =
    op.expect === null || record === null
      ? op.expect === record
      : op.expect.epoch === record.epoch &&
        op.expect.leader === record.leader &&
        op.expect.renewals === record.renewals;
  const expected = op.expectMembers;
  const sameMembers =
    expected === null ||
    (expected.length === members.length && expected.every((member) => members.includes(member)));
  if (!same || !sameMembers) return { contents, status: 'conflict' };
  const left = members.filter((member) => !op.removeMembers.includes(member));
  return { contents: { record: op.record, members: left }, status: 'committed' };
}

/** I8 and I9 of a change of the store. Who resigns takes away its own record, and those of the dead. */
export function judgeChange(
  before: Contents,
  after: Contents,
  at: { readonly running: () => ReadonlyMap<MemberKey, MemberAt>; readonly started: number },
): Broken | null {
  const removed = before.members.filter((member) => !after.members.includes(member));
  if (removed.length > 0 && after.record?.leader !== null) {
    const all = at.running();
    for (const member of removed) {
      const running = all.get(member);
      if (running === undefined) continue;
      const broken = evicted(running);
      if (broken !== null) return broken;
    }
  }
  return boundedStore(after.record, after.members, at.started);
}
