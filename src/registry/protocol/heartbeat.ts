// What a leader does with time: challenge its members, grant sessions while it has authority, renew its lease, and
// change the membership in the same store transactions.
import {
  decidesMsLeft,
  hasAuthority,
  heartbeatMs,
  holders,
  lengthen,
  mayDecide,
  peerSupports,
  sessionMayRun,
  shorten,
  storeLeaseHolds,
} from './authority.ts';
import { settleContest } from './contest.ts';
import { forgetAnswered, forgetParkedOf, retryDrops, serveParked } from './decide.ts';
import { extendSession } from './follow.ts';
import type { Message } from './messages.ts';
import { addPeer, depose, sendResignation } from './office.ts';
import { adoptPeer, commitOwnGrants } from './replicate.ts';
import { type Context, type LeaderState, type Peer, send } from './state.ts';
import { askStore, repeatUndecided, type Settled, storeIdle } from './store-client.ts';
import { advanceTakeover, releaseHost } from './takeover.ts';
import type { Durations, LeaderRecord, MemberKey } from './types.ts';

export function leaderTick(c: Context): void {
  const { s } = c;
  const leader = s.leader;
  if (leader === null) return;
  if (leader.stopped) {
    sendResignation(c, leader);
    return;
  }
  noteOwnPause(c, leader);
  settleContest(c, leader);
  noteAuthority(c, leader);
  advanceTakeover(c);
  for (const peer of leader.peers.values()) if (peer.key !== s.self) attend(c, leader, peer);
  retryDrops(c, leader);
  renewIfDue(c, leader);
}

/** A leader that stood still itself takes nobody for silent before they had time to answer it again. */
function noteOwnPause(c: Context, leader: LeaderState): void {
  const patience = c.s.config.durations.leaseMs / 3;
  if (c.now - leader.tickedAt >= patience) leader.graceUntil = c.now + patience;
  leader.tickedAt = c.now;
}

/** Called at every step: a leader with authority grants a session to its own member, and serves who waited for it. */
export function noteAuthority(c: Context, leader: LeaderState): void {
  const { s, now } = c;
  if (hasAuthority(s, now)) extendSession(c, now + shorten(s.config.durations.sessionMs, s.config.durations));
  const serving = mayDecide(s, leader, now);
  if (serving && !leader.wasServing) {
    leader.wasServing = true;
    serveParked(c, leader);
    for (const peer of leader.peers.values()) {
      if (peer.synced) send(c, peer.key, { type: 'expect', epoch: leader.epoch, seq: peer.expect });
    }
  }
  leader.wasServing = serving;
  s.follow.serving = leader.wasServing;
  const msLeft = decidesMsLeft(s, leader, now);
  s.follow.decidesUntil = msLeft === Infinity ? Infinity : now + msLeft;
  if (leader.wasServing) s.follow.contactAt = now;
}

function attend(c: Context, leader: LeaderState, peer: Peer): void {
  const { s, now } = c;
  if (s.dead.has(peer.key) || peer.promised === null || peer.evicting) return;
  if (now - peer.pingedAt >= heartbeatMs(s)) ping(c, leader, peer);
  if (leader.complete && peer.synced && peer.sent < 0 && now - peer.adoptedAt >= heartbeatMs(s))
    adoptPeer(c, leader, peer);
}

function ping(c: Context, leader: LeaderState, peer: Peer): void {
  const msLeft = decidesMsLeft(c.s, leader, c.now);
  peer.pingedAt = c.now;
  const number = ++peer.ping;
  peer.pings.set(number, c.now);
  if (peer.pings.size > 16) peer.pings.delete(number - 16);
  send(c, peer.key, {
    type: 'ping',
    epoch: leader.epoch,
    ping: number,
    serving: hasAuthority(c.s, c.now),
    head: { epoch: leader.epoch, n: leader.n },
    expect: peer.expect,
    record: leader.record,
    storeless: msLeft !== Infinity,
    decidesMsLeft: msLeft === Infinity ? 0 : msLeft,
  });
}

export function onPong(c: Context, from: MemberKey, message: Extract<Message, { type: 'pong' }>): void {
  const { s, now } = c;
  const leader = s.leader;
  const peer = leader?.peers.get(from);
  if (leader === null || peer === undefined || message.epoch !== leader.epoch) return;
  const sentAt = peer.pings.get(message.ping);
  if (sentAt === undefined) return;
  peer.supportAt = Math.max(peer.supportAt, sentAt);
  forgetAnswered(peer, message.answered);
  noteAuthority(c, leader);
  if (peer.evicting || leader.stopped || !hasAuthority(s, now)) return;
  peer.grantedAt = now;
  send(c, from, { type: 'grant', epoch: leader.epoch, nonce: message.nonce });
  if (message.reachesStore) considerHandOver(c, leader, peer);
}

/** Who lost only the store leaves the office to a member that has not: it decides nothing more, and says so to all. */
function considerHandOver(c: Context, leader: LeaderState, to: Peer): void {
  const { s } = c;
  const able =
    leader.complete && to.synced && to.acked >= leader.ownGrant && holders(leader, s.self).includes(to.key);
  if (!able || storeLeaseHolds(s, leader, c.now)) return;
  leader.stopped = true;
  for (const peer of leader.peers.values()) {
    if (peer.key !== s.self) send(c, peer.key, { type: 'resigned', epoch: leader.epoch });
  }
  const { epoch } = leader;
  depose(c, 'handed over: it does not reach the store');
  s.follow.resignedEpoch = epoch;
  s.follow.standBackUntil = c.now + s.config.durations.leaseMs / 2;
}

export function onPromise(c: Context, from: MemberKey, message: Extract<Message, { type: 'promise' }>): void {
  const leader = c.s.leader;
  const peer = leader?.peers.get(from);
  if (leader === null || peer === undefined || message.epoch !== leader.epoch || peer.evicting) return;
  if (message.free && !peer.free) {
    peer.free = true;
    settleContest(c, leader);
    noteAuthority(c, leader);
  }
  if (peer.promised === null) {
    peer.promised = { version: message.version, count: message.count, low: message.low, high: message.high };
    advanceTakeover(c);
    ping(c, leader, peer);
  }
}

/** Fewer than half of the established have supported for a lease, this member included; the dead and the leaving do. */
function isLonely(c: Context, leader: LeaderState): boolean {
  const { s, now } = c;
  const { established } = leader.record;
  if (now < leader.graceUntil || !established.includes(s.self)) return false;
  const lease = shorten(s.config.durations.leaseMs, s.config.durations);
  const near = established.filter((member) => {
    const peer = leader.peers.get(member);
    if (member === s.self || s.dead.has(member) || peer?.goodbye === true) return true;
    return peer !== undefined && now < Math.max(peer.supportAt, leader.beganAt) + lease;
  });
  return 2 * near.length < established.length;
}

/**
 * A lonely leader that reaches the store lets its lease run out, once, for as long as those that it does not hear need to
 * claim: somebody whom more can hear should lead. If nobody does, it renews and stays.
 */
function yields(c: Context, leader: LeaderState): boolean {
  const { s, now } = c;
  const { durations } = s.config;
  if (!isLonely(c, leader)) {
    leader.yieldUntil = -Infinity;
    // During its first lease it has not heard yet whether it is.
    if (now >= leader.beganAt + durations.leaseMs) leader.staysLonely = false;
    return false;
  }
  if (leader.staysLonely) return false;
  if (leader.yieldUntil === -Infinity) {
    // Without the store there is nothing to let go of: the others may claim, if they can, and if not nobody serves them.
    if (!storeLeaseHolds(s, leader, now)) return false;
    leader.yieldUntil = leader.renewedAt + 2 * lengthen(durations.leaseMs, durations);
  }
  leader.staysLonely = now >= leader.yieldUntil;
  return !leader.staysLonely;
}

/** A newcomer has caught up: it counts as soon as the store allows, for until then nobody may follow a leader that falls silent. */
export function welcome(c: Context, from: MemberKey): void {
  const { s } = c;
  const leader = s.leader;
  const peer = leader?.peers.get(from);
  if (leader === null || peer === undefined || !leader.complete || leader.stopped) return;
  if (leader.record.established.includes(from) || leader.adding.includes(from)) return;
  if (mayEnter(c, leader, peer)) renewIfDue(c, leader);
}

function renewIfDue(c: Context, leader: LeaderState): void {
  const { s, now } = c;
  if (!storeIdle(c) || yields(c, leader)) return;
  if (leader.contested) {
    lookOut(c);
    return;
  }
  if (s.store.undecided !== null) {
    if (now - s.store.askedAt >= s.config.durations.leaseMs / 20) repeatUndecided(c);
    return;
  }
  const changes = planChanges(c, leader);
  const due =
    now - leader.renewedAt >= s.config.durations.leaseMs / 3 &&
    now - s.store.askedAt >= s.config.durations.leaseMs / 30;
  const news = changes.changed && now - s.store.askedAt >= s.config.durations.leaseMs / 50;
  if (!due && !news) return;
  leader.adding = changes.adding;
  leader.removing = changes.removing;
  for (const key of changes.removeMembers) {
    const peer = leader.peers.get(key);
    if (peer !== undefined) peer.evicting = true;
  }
  askStore(c, 'renew', {
    kind: 'write',
    expect: leader.record,
    record: renewed(c, leader),
    removeMembers: changes.removeMembers,
    expectMembers: null,
  });
}

/** Who has no authority yet does not keep others from claiming by a renewal, and has to learn of it when they do. */
function lookOut(c: Context): void {
  if (c.now - c.s.store.askedAt >= c.s.config.durations.leaseMs / 4) askStore(c, 'read', { kind: 'read' });
}

function renewed(c: Context, leader: LeaderState): LeaderRecord {
  const kept = leader.record.established.filter((member) => !leader.removing.includes(member));
  return {
    ...leader.record,
    renewals: leader.record.renewals + 1,
    durations: durationsOfNow(c, leader),
    contested: false,
    established: [...kept, ...leader.adding],
  };
}

/** Once no session of a former leader can run any more, those that this one grants are all there are. */
function durationsOfNow(c: Context, leader: LeaderState): Durations {
  return sessionMayRun(c.s, leader, { grantedAt: leader.beganAt, now: c.now })
    ? leader.record.durations
    : c.s.config.durations;
}

interface Changes {
  readonly adding: readonly MemberKey[];
  readonly removing: readonly MemberKey[];
  readonly removeMembers: readonly MemberKey[];
  readonly changed: boolean;
}

function planChanges(c: Context, leader: LeaderState): Changes {
  const gone = [...leader.peers.values()].filter((peer) => mustGo(c, leader, peer)).map((peer) => peer.key);
  const removing = leader.complete ? mayLeave(c, leader, gone) : [];
  const removeMembers = gone
    .filter((key) => mayLoseRecord(c, leader, { key, removing }))
    .slice(0, c.s.config.removalsMax);
  if (!leader.complete) return { adding: [], removing: [], removeMembers, changed: removeMembers.length > 0 };
  const adding = [...leader.peers.values()]
    .filter((peer) => mayEnter(c, leader, peer))
    .map((peer) => peer.key);
  return {
    adding,
    removing,
    removeMembers,
    changed: adding.length + removing.length + removeMembers.length > 0,
  };
}

/** Removed from the members: it said goodbye, runs no more, or its session must have lapsed. Once sent, it never gets a session again. */
function mustGo(c: Context, leader: LeaderState, peer: Peer): boolean {
  if (peer.key === c.s.self) return false;
  if (peer.evicting || c.s.dead.has(peer.key)) return true;
  if (peer.goodbye && (c.s.replica.digests.get(peer.key)?.count ?? 0) === 0) return true;
  return !sessionMayRun(c.s, leader, { grantedAt: peer.grantedAt, now: c.now });
}

/** A member that left in good order keeps its record until it has stopped counting. */
function mayLoseRecord(
  c: Context,
  leader: LeaderState,
  of: { key: MemberKey; removing: readonly MemberKey[] },
): boolean {
  const peer = leader.peers.get(of.key);
  if (peer?.goodbye !== true || c.s.dead.has(of.key)) return true;
  if (!sessionMayRun(c.s, leader, { grantedAt: peer.grantedAt, now: c.now })) return true;
  return !leader.record.established.includes(of.key) || of.removing.includes(of.key);
}

/** A second holder from here on: it has a complete replica, and everything hosted here. */
function mayEnter(c: Context, leader: LeaderState, peer: Peer): boolean {
  if (peer.key === c.s.self) return !leader.record.established.includes(peer.key);
  if (leader.record.established.includes(peer.key) || peer.evicting || peer.goodbye || c.s.dead.has(peer.key))
    return false;
  return peer.synced && peer.acked >= leader.ownGrant && peer.acked >= 0 && peerSupports(c.s, peer, c.now);
}

/** Who is silent for a lease, gone or leaving stops counting, once another that stays has everything hosted here. */
function mayLeave(c: Context, leader: LeaderState, removed: readonly MemberKey[]): MemberKey[] {
  const others = holders(leader, c.s.self);
  // A lonely leader may be the one that is cut off: it does not shorten the list before the others had their chance.
  const judges = leader.staysLonely || !isLonely(c, leader);
  const leaving = others.filter((member) => {
    const peer = leader.peers.get(member);
    if (peer === undefined || c.s.dead.has(member) || removed.includes(member)) return true;
    return peer.goodbye || (judges && isSilent(c, leader, peer));
  });
  const staying = others.filter((member) => !leaving.includes(member));
  const covered =
    staying.length === 0 ||
    staying.some((member) => (leader.peers.get(member)?.acked ?? -1) >= leader.ownGrant);
  return covered ? leaving : [];
}

function isSilent(c: Context, leader: LeaderState, peer: Peer): boolean {
  if (c.now < leader.graceUntil) return false;
  if (peer.key === leader.silent && peer.promised === null) return true;
  return c.now >= Math.max(peer.supportAt, leader.beganAt) + c.s.config.durations.leaseMs;
}

export function onRenewSettled(c: Context, settled: Settled): void {
  const { s } = c;
  const leader = s.leader;
  if (leader === null || settled.op.kind !== 'write' || settled.op.record.epoch !== leader.epoch) return;
  leader.adding = [];
  leader.removing = [];
  if (!settled.applied) {
    onRefused(c, leader);
    return;
  }
  leader.record = settled.op.record;
  leader.renewedAt = Math.max(leader.renewedAt, settled.sentAt);
  for (const key of settled.op.removeMembers) removePeer(c, leader, key);
  takeMembers(c, leader);
  noteAuthority(c, leader);
  commitOwnGrants(c, leader);
  advanceTakeover(c);
  // The members learn at once what they will count from, should this be the last they hear.
  for (const peer of leader.peers.values()) {
    if (peer.key === s.self) continue;
    peer.pingedAt = -Infinity;
    attend(c, leader, peer);
  }
}

/** A refusal: the record is not what we thought. Where it names another leader the office is lost. */
function onRefused(c: Context, leader: LeaderState): void {
  const record = c.s.store.view?.record ?? null;
  if (record?.epoch === leader.epoch && record.leader === c.s.self) {
    leader.record = record.renewals >= leader.record.renewals ? record : leader.record;
    takeMembers(c, leader);
  } else if (record !== null) depose(c, 'a renewal was refused');
}

function removePeer(c: Context, leader: LeaderState, key: MemberKey): void {
  const peer = leader.peers.get(key);
  if (peer === undefined) return;
  if (peer.goodbye) send(c, key, { type: 'farewell', epoch: leader.epoch });
  leader.peers.delete(key);
  c.s.pulls.delete(key);
  c.s.served.delete(key);
  forgetParkedOf(leader, key);
  releaseHost(c, leader, key);
}

/** Members that were recorded since: they are asked to promise like everybody. */
export function takeMembers(c: Context, leader: LeaderState): void {
  for (const key of c.s.store.view?.members ?? []) {
    if (!leader.peers.has(key)) addPeer(c, leader, { key, fresh: true });
  }
}
