// Two members that each may believe to lead. Without the store a leader of three or more needs all of the established but
// one; so a single member whose support has lapsed proves nothing about it, and who claims on the strength of its own
// lapse alone takes the office *contested*: it has no authority yet. The contest is over once two of the established are
// free, which means that they support no earlier leader and never will: with both of them missing, that leader is below
// its quota for good. Each such set has two members, each quota leaves out one, so they have a member in common.
import { lengthen, quotaFrom, slower } from './authority.ts';
import type { Context, LeaderState, MemberState } from './state.ts';
import type { LeaderRecord, MemberKey } from './types.ts';

/** What a claim that replaces `old` says, by the reason that it has. */
export function claimIsContested(
  old: LeaderRecord | null,
  reason: { readonly leaderGone: boolean; readonly holdOver: boolean },
): boolean {
  if (old === null || old.established.length === 0 || reason.holdOver) return false;
  // The leader that is gone may itself not have known that the one before it was.
  return old.contested || (!reason.leaderGone && old.established.length >= quotaFrom);
}

/** This member supports no leader of a lower epoch than it has promised, and never will. */
export function isFree(c: Context): boolean {
  return c.now >= c.s.follow.owedUntil;
}

/** Before the promise of a higher epoch: what the leader of the lower one may still count on. Of a goodbye for good. */
export function oweSupport(c: Context): void {
  const { follow } = c.s;
  follow.owedUntil = Math.max(follow.owedUntil, follow.goodbye ? Infinity : follow.supportUntil);
}

/**
 * Ends the contest when that is certain. Authority begins here and not with the claim: until now an earlier leader may have
 * granted sessions.
 */
export function settleContest(c: Context, leader: LeaderState): void {
  if (!leader.contested || leader.stopped || !isOver(c, leader)) return;
  leader.contested = false;
  leader.beganAt = c.now;
  for (const peer of leader.peers.values()) peer.grantedAt = c.now;
}

function isOver(c: Context, leader: LeaderState): boolean {
  const { s } = c;
  const { established, durations } = leader.record;
  const counts = established.includes(s.self);
  // An earlier leader counts itself. One that does not needs all who do, and whoever contested it first was one of them.
  if (established.every((member) => member === s.self || s.dead.has(member))) return true;
  const longest = slower(s.config.durations, durations);
  if (c.now >= leader.beganAt + lengthen(longest.holdMs, longest)) return true;
  const free = established.filter((member) => leader.peers.get(member)?.free === true && member !== s.self);
  return free.length + (counts && isFree(c) ? 1 : 0) >= 2;
}

/**
 * Whose end an operator vouches for who wants this member to lead: the leader; or, where this member has the contested office,
 * all of the established that have not let go of earlier ones. Nobody where it leads already, or knows of no leader.
 */
export function presumedGone(s: MemberState): readonly MemberKey[] {
  const { leader, follow, store } = s;
  if (leader === null) {
    const lost = store.view?.record?.leader ?? follow.leader;
    return lost === null || lost === s.self ? [] : [lost];
  }
  if (!leader.contested) return [];
  const { established } = leader.record;
  return established.filter((member) => member !== s.self && leader.peers.get(member)?.free !== true);
}
