// One ordered stream from the leader to every member. A gap is filled from the tail of the log; a member whose gap is
// wider, or that comes from another epoch, compares digests and pulls what differs.
import { heartbeatMs, ownGrantsCommittedTo } from './authority.ts';
import { loseName, ownGrantCommitted } from './host.ts';
import type { Entry, Op } from './messages.ts';
import { totalOf } from './replica.ts';
import { type Context, flushSoon, type LeaderState, type Peer, send } from './state.ts';
import type { MemberKey } from './types.ts';
import type { Version } from './version.ts';

/** Gives the operation its place in the order. The replica of the leader has it already. */
export function appendOp(c: Context, leader: LeaderState, op: Op): void {
  leader.n++;
  leader.log.ops.push(op);
  const keep = c.s.config.logOpsMax;
  if (leader.log.ops.length > 2 * keep) {
    const cut = leader.log.ops.length - keep;
    leader.log.ops = leader.log.ops.slice(cut);
    leader.log.base += cut;
  }
  c.s.replica.version = { epoch: leader.epoch, n: leader.n };
  const self = leader.peers.get(c.s.self);
  if (self !== undefined) self.acked = leader.n;
  flushSoon(c);
}

/** Tells the member where the leader's replica stands; it compares, and pulls what differs. */
export function adoptPeer(c: Context, leader: LeaderState, peer: Peer): void {
  peer.sent = -1;
  peer.adoptedAt = c.now;
  const totals: [MemberKey, number, number, number][] = [];
  for (const host of c.s.replica.digests.keys()) {
    const { count, low, high } = totalOf(c.s.replica, host);
    totals.push([host, count, low, high]);
  }
  send(c, peer.key, {
    type: 'adopt',
    epoch: leader.epoch,
    version: { epoch: leader.epoch, n: leader.n },
    totals,
  });
}

/** Sends every member what it lacks, within its window. */
export function flushStreams(c: Context, leader: LeaderState): void {
  if (!leader.complete || leader.stopped) return;
  for (const peer of leader.peers.values())
    if (peer.key !== c.s.self && peer.synced) flushStream(c, leader, peer);
}

function flushStream(c: Context, leader: LeaderState, peer: Peer): void {
  if (peer.sent < 0 || peer.sent >= leader.n) return;
  if (peer.sent < leader.log.base) {
    adoptPeer(c, leader, peer);
    return;
  }
  const room = c.s.config.windowOpsMax - (peer.sent - Math.max(peer.acked, 0));
  const to = Math.min(leader.n, peer.sent + room);
  if (to <= peer.sent) return;
  const ops = leader.log.ops.slice(peer.sent - leader.log.base, to - leader.log.base);
  send(c, peer.key, {
    type: 'stream',
    epoch: leader.epoch,
    previous: { epoch: leader.epoch, n: peer.sent },
    version: { epoch: leader.epoch, n: to },
    ops,
  });
  peer.sent = to;
}

export function onAck(c: Context, from: MemberKey, version: Version): void {
  const leader = c.s.leader;
  const peer = leader?.peers.get(from);
  if (leader === null || peer === undefined || version.epoch !== leader.epoch || version.n > leader.n) return;
  if (peer.sent < 0) peer.sent = version.n;
  if (version.n > peer.acked) peer.acked = version.n;
  commitThrough(c, leader, { peer, n: peer.acked });
  commitOwnGrants(c, leader);
  if (peer.sent < leader.n) flushSoon(c);
}

/** What is hosted at a member is committed when that member has it: then host and leader hold it. */
function commitThrough(c: Context, leader: LeaderState, to: { peer: Peer; n: number }): void {
  const queue = to.peer.uncommitted;
  let count = 0;
  for (const grant of queue) {
    if (grant.n > to.n) break;
    count++;
    if (leader.uncommitted.get(grant.key) === grant.n) leader.uncommitted.delete(grant.key);
    if (to.peer.key === c.s.self) ownGrantCommitted(c, grant);
    // Whoever got the grant by a transfer, and had given up, learns here what became of the request.
    else to.peer.answers.set(grant.seq, { seq: grant.seq, result: { type: 'done' } });
  }
  const committed = queue.splice(0, count);
  for (const grant of committed)
    if (leader.parked.has(grant.key)) c.todo.push({ type: 'serve', key: grant.key });
}

/** What is hosted at the leader waits for a second copy, where there is anybody to hold one. */
export function commitOwnGrants(c: Context, leader: LeaderState): void {
  const self = leader.peers.get(c.s.self);
  if (self === undefined || self.uncommitted.length === 0) return;
  commitThrough(c, leader, { peer: self, n: ownGrantsCommittedTo(c.s, leader) });
}

export function onResend(c: Context, from: MemberKey, after: Version): void {
  const leader = c.s.leader;
  const peer = leader?.peers.get(from);
  if (leader === null || peer === undefined || !leader.complete || !peer.synced) return;
  if (after.epoch === leader.epoch && after.n >= leader.log.base && after.n <= leader.n) {
    peer.sent = after.n;
    flushSoon(c);
  } else if (c.now - peer.adoptedAt >= heartbeatMs(c.s) / 2) {
    adoptPeer(c, leader, peer);
  }
}

/** A name that two hosts claimed: the process of this entry loses it. */
export function endLoser(c: Context, leader: LeaderState, entry: Entry): void {
  if (entry.host === c.s.self) loseName(c, entry.key, entry.token);
  else send(c, entry.host, { type: 'lost', epoch: leader.epoch, key: entry.key, token: entry.token });
}
