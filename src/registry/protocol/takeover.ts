// Taking over. Every recorded member is asked to promise the new epoch; with its promise a host's own word about its
// names becomes the truth. Until every host is heard, is dead, or is known from a complete set of witnesses, nothing is
// decided and nothing is streamed: half a take-over must not be taken for a replica by anybody.
import { heartbeatMs } from './authority.ts';
import { serveWaiting } from './decide.ts';
import { unhide } from './host.ts';
import type { Entry } from './messages.ts';
import { startPull } from './pull.ts';
import { dropHost, putEntry, removeEntry, totalOf } from './replica.ts';
import { adoptPeer, appendOp, endLoser } from './replicate.ts';
import { type Context, flushSoon, type LeaderState, type Peer, send } from './state.ts';
import type { MemberKey } from './types.ts';
import { compareVersions } from './version.ts';

/** Does whatever can be done now towards a complete take-over. Idempotent; called whenever something was learned. */
export function advanceTakeover(c: Context): void {
  const leader = c.s.leader;
  if (leader === null || leader.stopped) return;
  askPromises(c, leader);
  dropTheDead(c, leader);
  for (const peer of leader.peers.values()) {
    if (peer.promised !== null && !peer.synced && !c.s.dead.has(peer.key)) syncPeer(c, leader, peer);
  }
  if (leader.complete) return;
  const missing = [...leader.peers.values()].filter((peer) => !peer.synced && !c.s.dead.has(peer.key));
  const known = (peer: Peer): boolean => peer.fresh || namesAreKnown(c, leader, peer.key);
  if (missing.every((peer) => peer.promised === null && known(peer))) complete(c, leader, missing);
}

function askPromises(c: Context, leader: LeaderState): void {
  const retryMs = heartbeatMs(c.s) / 2;
  for (const peer of leader.peers.values()) {
    const answered = peer.promised !== null && (peer.free || !leader.contested);
    if (answered || c.s.dead.has(peer.key) || peer.evicting || c.now - peer.followedAt < retryMs) continue;
    peer.followedAt = c.now;
    send(c, peer.key, { type: 'follow', epoch: leader.epoch, durations: c.s.config.durations });
  }
}

/** Names of incarnations that run no more, or whose record an earlier leader removed, are free. */
function dropTheDead(c: Context, leader: LeaderState): void {
  for (const host of [...c.s.replica.digests.keys()]) {
    const known = leader.peers.has(host);
    if (known && !c.s.dead.has(host)) continue;
    releaseHost(c, leader, host);
  }
  for (const host of [...leader.reserved]) if (c.s.dead.has(host)) releaseHost(c, leader, host);
}

/** Frees all names of a host that can hold them no longer. */
export function releaseHost(c: Context, leader: LeaderState, host: MemberKey): void {
  const dropped = dropHost(c.s.replica, host);
  leader.reserved.delete(host);
  unhide(c);
  for (const entry of dropped) leader.uncommitted.delete(entry.key);
  if (leader.complete && dropped.length > 0) appendOp(c, leader, { type: 'dropHost', host });
  serveWaiting(c, leader);
}

/** The host promised: compare what it says with what we hold. */
function syncPeer(c: Context, leader: LeaderState, peer: Peer): void {
  const theirs = peer.promised;
  if (theirs === null) return;
  const ours = totalOf(c.s.replica, peer.key);
  if (ours.count === theirs.count && ours.low === theirs.low && ours.high === theirs.high)
    peerSynced(c, leader, peer);
  else startPull(c, { source: peer.key, purpose: 'truth', scope: peer.key, epoch: leader.epoch });
}

function peerSynced(c: Context, leader: LeaderState, peer: Peer): void {
  peer.synced = true;
  // What was asked before is answered by what was true then: from here on the host gets grants.
  if (c.s.pulls.get(peer.key)?.purpose === 'truth') c.s.pulls.delete(peer.key);
  leader.reserved.delete(peer.key);
  if (!leader.complete) return;
  adoptPeer(c, leader, peer);
  send(c, peer.key, { type: 'expect', epoch: leader.epoch, seq: peer.expect });
  serveWaiting(c, leader);
}

/** The host's own word has arrived: what stands here of it, and not there, goes; what stands there, comes. */
export function onTruth(
  c: Context,
  host: MemberKey,
  pulled: { stale: readonly Entry[]; entries: readonly Entry[] },
): void {
  const leader = c.s.leader;
  const peer = leader?.peers.get(host);
  if (leader === null || peer === undefined || peer.synced) return;
  const kept = new Map(pulled.entries.map((entry) => [entry.key, entry]));
  for (const old of pulled.stale) {
    const same = kept.get(old.key);
    if (same !== undefined && compareVersions(same.token, old.token) === 0) continue;
    removeEntry(c.s.replica, old.key, old.token);
    if (leader.complete) appendOp(c, leader, { type: 'remove', key: old.key, token: old.token });
  }
  for (const entry of pulled.entries) takeIn(c, leader, { entry, hearsay: false });
  unhide(c);
  peerSynced(c, leader, peer);
  advanceTakeover(c);
}

/**
 * Where another host stands for the name: what nobody but an old table says of a host that has not spoken is no claim of
 * that host, and the later grant is the one that holds. Two hosts that claim it are a conflict: the higher token stays.
 */
function takeIn(c: Context, leader: LeaderState, what: { entry: Entry; hearsay: boolean }): void {
  const { entry, hearsay } = what;
  const holder = c.s.replica.entries.get(entry.key);
  const order = holder === undefined ? -1 : compareVersions(holder.token, entry.token);
  if (order === 0 || (hearsay && order > 0)) return;
  if (holder !== undefined && holder.host !== entry.host) {
    const spoken = leader.peers.get(holder.host)?.synced === true;
    if (spoken || order > 0) {
      c.out.push({ type: 'alarm', what: `two hosts claim one name: ${holder.host} and ${entry.host}` });
      endLoser(c, leader, order > 0 ? entry : holder);
    }
    if (order > 0) return;
  }
  putEntry(c.s.replica, entry);
  if (leader.complete) appendOp(c, leader, { type: 'put', entry, seq: 0 });
}

/**
 * The names of a missing host are known when every established member other than it has promised, each with the
 * incarnation on the list: every grant had two holders among the host and the established, so one of those who promised
 * has it, and the freshest has all. What is on the list but not recorded, or is dead, has not promised.
 */
function namesAreKnown(c: Context, leader: LeaderState, host: MemberKey): boolean {
  let freshest: Peer | undefined;
  for (const member of leader.record.established) {
    if (member === host) continue;
    const peer = leader.peers.get(member);
    if (peer?.promised == null) return false;
    if (freshest?.promised == null || compareVersions(peer.promised.version, freshest.promised.version) > 0)
      freshest = peer;
  }
  // Nobody but the host itself counted: it held its names alone.
  if (freshest?.promised == null) return false;
  if (freshest.key === c.s.self) return true;
  if (compareVersions(freshest.promised.version, c.s.replica.version) <= 0) return true;
  if (freshest.missing?.has(host)) return true;
  startPull(c, { source: freshest.key, purpose: 'missing', scope: host, epoch: leader.epoch });
  return false;
}

/** The freshest witness has told what it holds of a missing host. */
export function onMissing(
  c: Context,
  source: MemberKey,
  pulled: { host: MemberKey; stale: readonly Entry[]; entries: readonly Entry[] },
): void {
  const leader = c.s.leader;
  const peer = leader?.peers.get(source);
  if (leader === null || peer === undefined || leader.complete) return;
  // The host may have spoken for itself since: nobody knows better.
  if (leader.peers.get(pulled.host)?.promised === null) {
    for (const old of pulled.stale) removeEntry(c.s.replica, old.key, old.token);
    for (const entry of pulled.entries) takeIn(c, leader, { entry, hearsay: true });
  }
  peer.missing ??= new Set();
  peer.missing.add(pulled.host);
  advanceTakeover(c);
}

function complete(c: Context, leader: LeaderState, missing: readonly Peer[]): void {
  leader.complete = true;
  for (const peer of missing) leader.reserved.add(peer.key);
  c.s.replica.version = { epoch: leader.epoch, n: 0 };
  c.s.follow.adopted = true;
  c.s.follow.stoodBack = false;
  const self = leader.peers.get(c.s.self);
  if (self !== undefined) {
    self.sent = 0;
    self.acked = 0;
  }
  for (const peer of leader.peers.values()) {
    if (peer.key === c.s.self || !peer.synced) continue;
    adoptPeer(c, leader, peer);
  }
  c.todo.push({ type: 'authority' });
  flushSoon(c);
}
