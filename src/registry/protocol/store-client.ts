// One store operation at a time, and what its answer proves. A write of unknown outcome may still be applied for as long
// as the record that it expects stands: reading it back unchanged proves nothing. Only a record that has moved settles it.
import type { Context, StorePurpose, WriteOp } from './state.ts';
import type { LeaderRecord, StoreOp, StoreOutcome, StoreView } from './types.ts';

interface Inflight {
  readonly op: StoreOp;
  readonly sentAt: number;
  readonly purpose: StorePurpose;
}

export interface Settled {
  readonly purpose: StorePurpose;
  readonly op: StoreOp;
  readonly sentAt: number;
  /** true: applied for certain. false: certainly never. */
  readonly applied: boolean;
}

export function sameRecord(a: LeaderRecord | null, b: LeaderRecord | null): boolean {
  if (a === null || b === null) return a === b;
  return a.epoch === b.epoch && a.leader === b.leader && a.renewals === b.renewals;
}

export function storeIdle(c: Context): boolean {
  return c.s.store.inflight === null;
}

/** Sends the operation; the caller has seen that the store is idle. */
export function askStore(c: Context, purpose: StorePurpose, op: StoreOp): void {
  const store = c.s.store;
  const id = c.s.nextId++;
  store.inflight = { id, op, sentAt: c.now, purpose };
  store.askedAt = c.now;
  c.out.push({ type: 'store', id, op });
}

/**
 * Sends the undecided write once more, to make the record move. The members may have changed since, which refuses the
 * first attempt for as long as it lasts: this one expects those of now. Both would write the same record in place of
 * the same, so at most one is applied, and which one makes no difference.
 */
export function repeatUndecided(c: Context): void {
  const { undecided, view } = c.s.store;
  if (undecided === null) return;
  const { op, purpose } = undecided;
  const expectMembers = op.expectMembers === null ? null : (view?.members ?? op.expectMembers);
  askStore(c, purpose, { ...op, expectMembers });
}

/** Takes an answer in; returns the writes whose fate is certain now. An answer to an operation not in flight says nothing. */
export function onStoreOutcome(c: Context, id: number, outcome: StoreOutcome): Settled[] {
  const store = c.s.store;
  const inflight = store.inflight;
  if (inflight === null || inflight.id !== id) return [];
  store.inflight = null;
  if (!('view' in outcome)) return onNoAnswer(c, inflight, outcome.status);
  const settled: Settled[] = [];
  store.answeredAt = c.now;
  if (inflight.op.kind === 'write')
    settled.push(...settleCertain(c, inflight, outcome.status === 'committed'));
  if (inflight.op.kind === 'join' && outcome.status === 'committed') store.joined = true;
  // Settle the undecided write before the view is taken, for its fate is read off the record.
  settled.push(...settleByRecord(c, outcome.view.record));
  takeView(c, outcome.view);
  return settled;
}

/** Unavailable: not applied. Unknown: it may be, or may still become so. */
function onNoAnswer(c: Context, inflight: Inflight, status: 'unavailable' | 'unknown'): Settled[] {
  if (inflight.op.kind !== 'write') return [];
  if (status === 'unavailable') return settleUnapplied(c, inflight);
  c.s.store.undecided ??= { op: inflight.op, sentAt: inflight.sentAt, purpose: inflight.purpose };
  return [];
}

/** The write was refused before it was tried. A write like it that is undecided stays so. */
function settleUnapplied(c: Context, inflight: Inflight): Settled[] {
  if (c.s.store.undecided !== null) return [];
  return [{ purpose: inflight.purpose, op: inflight.op, sentAt: inflight.sentAt, applied: false }];
}

function settleCertain(c: Context, inflight: Inflight, applied: boolean): Settled[] {
  const undecided = c.s.store.undecided;
  // A retry that was applied moved the record, so the first attempt never can be: one of the two, not both.
  if (applied && undecided !== null) c.s.store.undecided = null;
  if (!applied && undecided !== null) return [];
  return [{ purpose: inflight.purpose, op: inflight.op, sentAt: inflight.sentAt, applied }];
}

/** What the record that now stands in the store says of an undecided write. */
function settleByRecord(c: Context, record: LeaderRecord | null): Settled[] {
  const undecided = c.s.store.undecided;
  if (undecided === null || sameRecord(record, undecided.op.expect)) return [];
  c.s.store.undecided = null;
  return [
    {
      purpose: undecided.purpose,
      op: undecided.op,
      sentAt: undecided.sentAt,
      applied: sameWrite(record, undecided.op),
    },
  ];
}

function sameWrite(record: LeaderRecord | null, op: WriteOp): boolean {
  return sameRecord(record, op.record) && record?.established.join() === op.record.established.join();
}

/** The leader tells the record as it committed it: as good as having read it, at the moment when its word arrived. */
export function hearRecord(c: Context, record: LeaderRecord): void {
  const { view } = c.s.store;
  if (view === null || record.renewals <= (view.record?.renewals ?? 0)) return;
  takeView(c, { record, members: view.members });
}

function takeView(c: Context, view: StoreView): void {
  const store = c.s.store;
  const old = store.view?.record ?? null;
  // An older answer that comes late must not take the view back.
  if (old !== null && view.record !== null && view.record.renewals < old.renewals) return;
  if (store.view === null || !sameRecord(old, view.record)) store.movedAt = c.now;
  store.view = view;
}
