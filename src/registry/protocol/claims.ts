// When a member may take the office. The store decides between candidates; this file decides when asking is safe:
// never while the old leader may still decide anything.
import { lengthen, slower } from './authority.ts';
import { claimIsContested } from './contest.ts';
import { becomeLeader, depose } from './office.ts';
import type { Context } from './state.ts';
import { askStore, repeatUndecided, type Settled, sameRecord, storeIdle } from './store-client.ts';
import type { Durations, LeaderRecord, MemberKey } from './types.ts';

/** Reads the store, or claims, if there is reason to. Called at every tick and whenever the view changed. */
export function considerOffice(c: Context): void {
  const { s, now } = c;
  if (s.leader !== null || !s.store.joined || !storeIdle(c)) return;
  if (s.store.undecided !== null) {
    retryUndecided(c);
    return;
  }
  if (!mayStand(c)) {
    s.follow.claimAt = Infinity;
    return;
  }
  const delay = claimDelay(c);
  if (delay === null) s.follow.claimAt = Infinity;
  else s.follow.claimAt = Math.min(s.follow.claimAt, now + Math.max(delay, pauseMs(c)));
  if (now >= s.follow.claimAt) claim(c);
  else if (readIsDue(c)) askStore(c, 'read', { kind: 'read' });
}

/** Milliseconds until this member may claim by what it knows, `null` when it may not. */
function claimDelay(c: Context): number | null {
  const view = c.s.store.view;
  if (view === null) return null;
  const { record } = view;
  const may = record === null || leaderIsGone(c, record) || lapsed(c, record);
  return may ? stagger(c, record) : null;
}

/** A store that fails at once is not asked again at once. */
function pauseMs(c: Context): number {
  const { askedAt, answeredAt } = c.s.store;
  return askedAt > answeredAt ? askedAt + c.s.config.durations.leaseMs / 20 - c.now : 0;
}

/** Whom the record names decides no more, for certain. */
function leaderIsGone(c: Context, record: LeaderRecord): boolean {
  const { s } = c;
  return (
    record.leader === null || s.dead.has(record.leader) || record.leader === s.self || hasResigned(c, record)
  );
}

/** The leader said for this epoch that it stopped for good. */
function hasResigned(c: Context, record: LeaderRecord): boolean {
  return record.leader !== null && c.s.follow.resignedEpoch === record.epoch;
}

/**
 * Nobody has seen a sign of the leader for long enough. A member that counts: its own support has run out, and the record
 * stood still for a lease. Any member: the record stood still for longer than a leader may renew sessions without the store.
 */
function lapsed(c: Context, record: LeaderRecord): boolean {
  const { s, now } = c;
  const durations = slower(s.config.durations, record.durations);
  if (now < s.follow.supportUntil) return false;
  if (holdIsOver(c, record)) return true;
  const still = now - s.store.movedAt;
  return record.established.includes(s.self) && still >= lengthen(durations.leaseMs, durations);
}

function holdIsOver(c: Context, record: LeaderRecord): boolean {
  const durations = slower(c.s.config.durations, record.durations);
  return c.now - c.s.store.movedAt >= lengthen(durations.holdMs, durations);
}

/** Reasons not to want the office that have nothing to do with the old leader. */
function mayStand(c: Context): boolean {
  const { s, now } = c;
  if (s.phase !== 'joining' && s.phase !== 'active') return false;
  if (s.follow.goodbye || now < s.follow.standBackUntil) return false;
  const view = s.store.view;
  if (view === null || !view.members.includes(s.self)) return true;
  const record = view.record;
  // Fresh contact with a leader that serves: there is nothing to claim.
  return (
    record === null ||
    !(
      s.follow.leader === record.leader &&
      now < s.follow.contactAt + s.config.durations.leaseMs / 3 &&
      s.follow.serving &&
      !isGone(c, record.leader)
    )
  );
}

function isGone(c: Context, leader: MemberKey | null): boolean {
  return leader === null || c.s.dead.has(leader) || c.s.follow.resignedEpoch === c.s.follow.promised;
}

/** Candidates wait by a rank that all agree on, so that one of them wins without a fight. */
function stagger(c: Context, record: LeaderRecord | null): number {
  const { s } = c;
  const view = s.store.view;
  const candidates = [...(record?.established ?? []), ...(view?.members ?? [])].filter(
    (member) => !s.dead.has(member) && member !== record?.leader,
  );
  const rank = [...new Set(candidates)].indexOf(s.self);
  // The dead who are not known to be dead rank too: the wait must stay far below a session.
  return Math.min(Math.max(rank, 0) * s.config.claimStaggerMs, s.config.durations.leaseMs / 2);
}

/** A claim rests on a record read just now, and on being recorded. */
function claim(c: Context): void {
  const { s, now } = c;
  const view = s.store.view;
  s.follow.claimAt = Infinity;
  if (
    view === null ||
    now - s.store.answeredAt > s.config.durations.leaseMs ||
    !view.members.includes(s.self)
  ) {
    askStore(c, 'read', { kind: 'read' });
    return;
  }
  const old = view.record;
  if ((old?.epoch ?? 0) < s.follow.promised && s.follow.leader !== s.self) {
    // The store knows less than we do: our view is old.
    askStore(c, 'read', { kind: 'read' });
    return;
  }
  askStore(c, 'claim', {
    kind: 'write',
    expect: old,
    record: claimRecord(c, old),
    removeMembers: [],
    expectMembers: view.members,
  });
}

function claimRecord(c: Context, old: LeaderRecord | null): LeaderRecord {
  const { s } = c;
  const established = old?.established ?? [];
  const contested = claimIsContested(old, {
    leaderGone: old !== null && leaderIsGone(c, old),
    holdOver: old !== null && holdIsOver(c, old),
  });
  return {
    epoch: Math.max(old?.epoch ?? 0, s.follow.promised) + 1,
    leader: s.self,
    renewals: (old?.renewals ?? 0) + 1,
    durations: claimDurations(s.config.durations, { old, contested }),
    contested,
    // Not with ourselves, unless we were in it: whoever is in it is taken for a witness of all names. Where nobody is,
    // there are no names yet, or none any more.
    established: established.length === 0 ? [s.self] : established,
  };
}

/**
 * Our own, but sessions that former leaders granted may last as long as the record says, and one that may still be at work
 * without the store may hold for as long: who waits must know.
 */
function claimDurations(
  own: Durations,
  by: { readonly old: LeaderRecord | null; readonly contested: boolean },
): Durations {
  const before = by.old?.durations;
  return {
    ...own,
    sessionMs: Math.max(own.sessionMs, before?.sessionMs ?? 0),
    holdMs: Math.max(own.holdMs, by.contested ? (before?.holdMs ?? 0) : 0),
  };
}

function retryUndecided(c: Context): void {
  const { s, now } = c;
  const undecided = s.store.undecided;
  if (undecided === null || now - s.store.askedAt < s.config.durations.leaseMs / 20) return;
  if (s.phase === 'fenced' || s.phase === 'left') return;
  // Reading tells whether the record moved; writing the same again makes it move.
  if (undecided.purpose === 'claim' && !mayStand(c)) askStore(c, 'read', { kind: 'read' });
  else repeatUndecided(c);
}

/** A member without a leader that serves looks into the store; with one it leaves the store alone. */
function readIsDue(c: Context): boolean {
  const { s, now } = c;
  // A leader with a longer lease speaks less often than this member's own would have it.
  const lease = slower(s.config.durations, s.store.view?.record?.durations).leaseMs;
  if (now - s.store.askedAt < lease / 10) return false;
  const silent = now - s.follow.contactAt >= lease / 3;
  return silent || !s.follow.serving || isGone(c, s.follow.leader);
}

/** The fate of a claim is certain. */
export function onClaimSettled(c: Context, settled: Settled): void {
  if (settled.op.kind !== 'write') return;
  const { s } = c;
  const { record, expect: old } = settled.op;
  if (!settled.applied) return;
  // Applied once, but the record may have moved on since, or a higher epoch was promised while the fate was open.
  if (record.epoch <= s.follow.promised || !sameRecord(s.store.view?.record ?? null, record)) return;
  becomeLeader(c, {
    record,
    sentAt: settled.sentAt,
    members: s.store.view?.members ?? [],
    silent: old !== null && !leaderIsGone(c, old) ? old.leader : null,
    staysLonely: s.follow.stoodBack,
  });
}

/** What the store shows, whoever asked: another epoch or leader ends all authority at once. */
export function onView(c: Context): void {
  const { s } = c;
  const record = s.store.view?.record ?? null;
  const leader = s.leader;
  if (leader === null || record === null) return;
  if (record.epoch !== leader.epoch || (record.leader !== s.self && !leader.stopped))
    depose(c, 'the store names another leader');
}
