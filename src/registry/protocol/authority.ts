// Who may decide now. Holders of a lease count from before they asked and shorten; those who wait for its end count
// from after they saw it and lengthen. Then two clocks whose rates differ within the bound never disagree dangerously.
import type { LeaderState, MemberState, Peer } from './state.ts';
import type { Durations, Instant, MemberKey } from './types.ts';

/** From so many on, one of the established may be missing without the store, and a claim on lapse is contested. */
export const quotaFrom = 3;

export function shorten(ms: number, durations: Durations): number {
  return ms * (1 - durations.clockRateBound);
}

export function lengthen(ms: number, durations: Durations): number {
  return ms * (1 + durations.clockRateBound);
}

/** The larger of both in every field: for those who wait. */
export function slower(a: Durations, b: Durations | undefined): Durations {
  if (b === undefined) return a;
  return {
    leaseMs: Math.max(a.leaseMs, b.leaseMs),
    sessionMs: Math.max(a.sessionMs, b.sessionMs),
    toleranceMs: Math.max(a.toleranceMs, b.toleranceMs),
    holdMs: Math.max(a.holdMs, b.holdMs),
    clockRateBound: Math.max(a.clockRateBound, b.clockRateBound),
  };
}

export function heartbeatMs(s: MemberState): number {
  return s.config.durations.leaseMs / 6;
}

/**
 * The leader may renew sessions at this instant: nobody else can hold the office. Without the store it keeps this for longer
 * than it decides, so that a long outage ends no process.
 */
export function hasAuthority(s: MemberState, now: Instant): boolean {
  const leader = s.leader;
  if (leader === null || leader.stopped || s.phase === 'fenced' || s.phase === 'left') return false;
  return !leader.contested && (storeLeaseHolds(s, leader, now) || quotaHolds(s, leader, now));
}

/** How long this leader may still decide without the store: `Infinity` while its lease runs, 0 when the tolerance is over. */
export function decidesMsLeft(s: MemberState, leader: LeaderState, now: Instant): number {
  if (storeLeaseHolds(s, leader, now)) return Infinity;
  const { durations } = s.config;
  return Math.max(0, leader.renewedAt + shorten(durations.toleranceMs, durations) - now);
}

/**
 * The leader may decide about names: it has authority, and the store was not away for the tolerance. It is the second holder of all that it grants, and a successor asks only those on the list of
 * the established: a newcomer in office decides nothing before it is on it.
 */
export function mayDecide(s: MemberState, leader: LeaderState, now: Instant): boolean {
  const counts = leader.complete && leader.record.established.includes(s.self);
  return counts && decidesMsLeft(s, leader, now) > 0 && hasAuthority(s, now);
}

/** The lease that the store gave, counted from the sending of the last renewal that it certainly has. */
export function storeLeaseHolds(s: MemberState, leader: LeaderState, now: Instant): boolean {
  return now < leader.renewedAt + shorten(s.config.durations.leaseMs, s.config.durations);
}

/**
 * Enough of those that count support, and the store has not been silent for longer than sessions are held. A change of
 * `established` that is not decided may have been applied: both lists must agree.
 */
function quotaHolds(s: MemberState, leader: LeaderState, now: Instant): boolean {
  if (now >= leader.renewedAt + shorten(s.config.durations.holdMs, s.config.durations)) return false;
  const { record, adding, removing } = leader;
  if (!reachesQuota(s, leader, { list: record.established, now })) return false;
  if (adding.length + removing.length === 0) return true;
  const changed = [...record.established.filter((member) => !removing.includes(member)), ...adding];
  return reachesQuota(s, leader, { list: changed, now });
}

/** All of the list; of three and more all but one. */
function reachesQuota(
  s: MemberState,
  leader: LeaderState,
  of: { list: readonly MemberKey[]; now: Instant },
): boolean {
  const { list, now } = of;
  const missing = list.filter((member) => !supports(s, leader, { member, now })).length;
  return missing <= (list.length >= quotaFrom && list.includes(s.self) ? 1 : 0);
}

function supports(s: MemberState, leader: LeaderState, who: { member: MemberKey; now: Instant }): boolean {
  if (who.member === s.self || leader.deadSupport.has(who.member)) return true;
  const peer = leader.peers.get(who.member);
  return peer !== undefined && (peer.goodbye || peerSupports(s, peer, who.now));
}

export function peerSupports(s: MemberState, peer: Peer, now: Instant): boolean {
  return now < peer.supportAt + shorten(s.config.durations.leaseMs, s.config.durations);
}

/** Established and decided: their acknowledgement makes a second copy. Without the leader itself. */
export function holders(leader: LeaderState, self: MemberKey): MemberKey[] {
  return leader.record.established.filter((member) => member !== self && !leader.removing.includes(member));
}

/** A grant hosted at the leader has its second copy, or needs none. */
export function ownGrantsCommittedTo(s: MemberState, leader: LeaderState): number {
  const copies = holders(leader, s.self).map((member) => leader.peers.get(member)?.acked ?? -1);
  if (copies.length > 0) return Math.max(...copies);
  // Nobody is certainly established besides us. While a removal is undecided its member may still count, and be taken
  // for a witness of all our names: wait. One that is being added may count already: it must have them.
  if (leader.removing.length > 0) return -1;
  if (leader.adding.length > 0)
    return Math.min(...leader.adding.map((member) => leader.peers.get(member)?.acked ?? -1));
  return leader.n;
}

/** The session of a member may still run at this instant, as far as this leader knows. */
export function sessionMayRun(
  s: MemberState,
  leader: LeaderState,
  at: { grantedAt: Instant; now: Instant },
): boolean {
  const durations = slower(s.config.durations, leader.record.durations);
  return at.now <= at.grantedAt + lengthen(durations.sessionMs, durations);
}
