// A member under a leader: it promises an epoch for good, supports while it hears the leader, and holds a session for
// as long as a leader with authority renewed it. It lets go of its support by lapse only, or by a higher promise.
import { lengthen, shorten, slower } from './authority.ts';
import { acknowledge, askResend } from './catchup.ts';
import { isFree, oweSupport } from './contest.ts';
import { firstUnanswered, onExpect, rebase, resendAll } from './host.ts';
import type { Message } from './messages.ts';
import { depose } from './office.ts';
import { totalOf } from './replica.ts';
import { type Context, send } from './state.ts';
import { askStore, hearRecord, storeIdle } from './store-client.ts';
import type { MemberKey } from './types.ts';
import { compareVersions } from './version.ts';

type MessageOf<T extends Message['type']> = Extract<Message, { type: T }>;

/** The epoch of a claim whose fate is open, 0 without one: until it is certain this member supports nobody. */
export function openClaimEpoch(c: Context): number {
  const { inflight, undecided } = c.s.store;
  if (inflight?.purpose === 'claim' && inflight.op.kind === 'write') return inflight.op.record.epoch;
  return undecided?.purpose === 'claim' ? undecided.op.record.epoch : 0;
}

export function onFollow(c: Context, from: MemberKey, message: MessageOf<'follow'>): void {
  const { s } = c;
  const { follow } = s;
  if (s.phase === 'fenced' || s.phase === 'left' || s.phase === 'idle') return;
  if (message.epoch < follow.promised) {
    send(c, from, { type: 'stale', epoch: follow.promised });
    return;
  }
  if (message.epoch < openClaimEpoch(c)) return;
  if (message.epoch === follow.promised && follow.leader !== from) return;
  if (message.epoch > follow.promised) promise(c, from, message.epoch);
  follow.sessionMs = message.durations.sessionMs;
  support(c, message.durations.leaseMs);
  const { count, low, high } = totalOf(s.replica, s.self);
  send(c, from, {
    type: 'promise',
    epoch: message.epoch,
    free: isFree(c),
    version: s.replica.version,
    count,
    low,
    high,
  });
}

/** Immediate and for good: nothing of a lower epoch is obeyed from here on. */
function promise(c: Context, leader: MemberKey, epoch: number): void {
  const { s } = c;
  if (s.leader !== null) depose(c, 'promised a higher epoch');
  // The leader of this epoch committed its claim: one of ours that expected the record before it never can be.
  if (s.store.undecided?.purpose === 'claim' && s.store.undecided.op.record.epoch <= epoch)
    s.store.undecided = null;
  oweSupport(c);
  s.follow.promised = epoch;
  s.follow.leader = leader;
  s.follow.adopted = false;
  s.follow.serving = false;
  s.follow.decidesUntil = Infinity;
  s.follow.contactAt = c.now;
  s.follow.claimAt = Infinity;
  s.follow.nonces.clear();
  s.pulls.clear();
  s.served.clear();
  rebase(c);
}

function support(c: Context, leaderLeaseMs: number): void {
  const durations = c.s.config.durations;
  const until = c.now + lengthen(Math.max(durations.leaseMs, leaderLeaseMs), durations);
  c.s.follow.supportUntil = Math.max(c.s.follow.supportUntil, until);
}

export function onPing(c: Context, from: MemberKey, message: MessageOf<'ping'>): void {
  const { s } = c;
  const { follow } = s;
  if (s.phase === 'fenced' || s.phase === 'left') return;
  if (message.epoch < follow.promised) {
    send(c, from, { type: 'stale', epoch: follow.promised });
    return;
  }
  if (message.epoch > follow.promised || follow.leader !== from || openClaimEpoch(c) > 0) return;
  hearRecord(c, message.record);
  const wasDeciding = follow.serving && c.now < follow.decidesUntil;
  follow.serving = message.serving;
  follow.decidesUntil = message.storeless ? c.now + message.decidesMsLeft : Infinity;
  if (message.serving) follow.contactAt = c.now;
  else if (storeAnswers(c)) return;
  // By the leader's own record: what the store shows may be that of one who contests its office.
  support(c, message.record.durations.leaseMs);
  const nonce = ++follow.nonce;
  follow.nonces.set(nonce, c.now);
  if (follow.nonces.size > 16) follow.nonces.delete(nonce - 16);
  send(c, from, {
    type: 'pong',
    epoch: message.epoch,
    ping: message.ping,
    nonce,
    answered: firstUnanswered(c),
    reachesStore: message.storeless && reachesStore(c),
  });
  if (message.serving && c.now < follow.decidesUntil && !wasDeciding) resendAll(c);
  else onExpectHint(c, message.expect);
  if (!follow.adopted) return;
  // The last acknowledgement may have been lost, and nothing else would repeat it.
  acknowledge(c);
  if (compareVersions(message.head, s.replica.version) > 0) askResend(c);
}

/** Looks into the store, so that the answer is known at the next heartbeat at the latest. */
function reachesStore(c: Context): boolean {
  const { s, now } = c;
  const lease = s.config.durations.leaseMs;
  const mayAsk = s.store.joined && storeIdle(c) && s.store.undecided === null;
  if (mayAsk && now - s.store.askedAt >= lease / 8) askStore(c, 'read', { kind: 'read' });
  return now - s.store.answeredAt < lease / 3;
}

/** A leader that does not serve is supported only by those who could not do better: who reaches the store may claim. */
function storeAnswers(c: Context): boolean {
  return c.now - c.s.store.answeredAt < c.s.config.durations.leaseMs / 2;
}

/** Heartbeats tell which request is expected next: old ones below it were taken, so only a stale position is corrected. */
function onExpectHint(c: Context, expect: number): void {
  const host = c.s.host;
  if (expect <= host.sentSeq && c.now - host.sentAt > c.s.config.durations.leaseMs / 6) onExpect(c, expect);
}

/** A leader with authority renewed the session: it counts from when the pong of that nonce was sent. */
export function onGrant(c: Context, from: MemberKey, message: MessageOf<'grant'>): void {
  const { s } = c;
  const { follow } = s;
  if (message.epoch !== follow.promised || from !== follow.leader) return;
  const sentAt = follow.nonces.get(message.nonce);
  if (sentAt === undefined) return;
  const first = follow.sessionUntil === null;
  extendSession(
    c,
    sentAt + shorten(follow.sessionMs, slower(s.config.durations, s.store.view?.record?.durations)),
  );
  if (first) resendAll(c);
}

export function extendSession(c: Context, until: number): void {
  const { follow } = c.s;
  follow.sessionUntil = Math.max(follow.sessionUntil ?? -Infinity, until);
}

/** Whoever we lead knows of a higher epoch; or we follow one whose time is over. */
export function onStale(c: Context, message: MessageOf<'stale'>): void {
  const { s } = c;
  if (s.leader !== null && message.epoch > s.leader.epoch) depose(c, 'a member promised a higher epoch');
}

export function onResigned(c: Context, from: MemberKey, message: MessageOf<'resigned'>): void {
  const { follow } = c.s;
  if (message.epoch !== follow.promised || from !== follow.leader) return;
  follow.resignedEpoch = message.epoch;
  follow.serving = false;
  follow.decidesUntil = Infinity;
  follow.supportUntil = -Infinity;
}
