// The canonical form of a member's state: every instant relative to the member's own now, and no older than anything
// asks. Two states with one form behave alike for ever, which makes an enumeration over time finite in scope.
//
// Why clamping is sound. An instant in the past is only ever compared as an age with a duration (`now - x >= d`), taken
// into a maximum with a later instant, or put in front of an instant by `x + d` that is compared with now. For each
// field `limits` is at least the longest such duration, so all ages beyond it answer every comparison alike, now and
// later, for ages only grow. A deadline that has passed is only asked whether it has. `-Infinity` is the oldest age.
// Not changed: the order of maps and sets, and all counters but the ids of store operations (see local.ts).
import { slower } from '../registry/protocol/authority.ts';
import type { LeaderState, MemberState, Peer } from '../registry/protocol/state.ts';
import type { Durations, Event } from '../registry/protocol/types.ts';
import { Pid } from '../term/pid.ts';

export interface Limits {
  readonly third: number;
  readonly lease: number;
  readonly session: number;
  readonly hold: number;
}

/** What all members of a cluster may have to compare with. */
export function limitsOf(all: readonly Durations[]): Limits {
  const most = all.reduce((a, b) => slower(a, b));
  const longer = 1 + most.clockRateBound;
  return {
    third: most.leaseMs / 3,
    lease: most.leaseMs * longer,
    session: most.sessionMs * longer + 1,
    hold: Math.max(most.holdMs, most.toleranceMs) * longer,
  };
}

/** Makes all instants relative to `now`, in place. */
export function rebaseTimes(s: MemberState, now: number, limits: Limits): void {
  const past = (at: number, limit: number): number => Math.max(at - now, -limit);
  const until = (at: number): number => Math.max(at - now, 0);
  const { store, follow, host } = s;
  store.movedAt = past(store.movedAt, limits.hold);
  store.answeredAt = past(store.answeredAt, limits.lease);
  store.askedAt = past(store.askedAt, limits.third);
  const sent: number[] = [];
  if (store.inflight !== null) {
    store.inflight = { ...store.inflight, sentAt: past(store.inflight.sentAt, limits.hold) };
    sent.push(store.inflight.sentAt);
  }
  if (store.undecided !== null) {
    store.undecided = { ...store.undecided, sentAt: past(store.undecided.sentAt, limits.hold) };
    sent.push(store.undecided.sentAt);
  }
  follow.supportUntil = until(follow.supportUntil);
  follow.owedUntil = until(follow.owedUntil);
  follow.contactAt = past(follow.contactAt, limits.third);
  follow.decidesUntil = until(follow.decidesUntil);
  if (follow.sessionUntil !== null) follow.sessionUntil = until(follow.sessionUntil);
  for (const [nonce, at] of follow.nonces) follow.nonces.set(nonce, past(at, limits.session));
  follow.standBackUntil = until(follow.standBackUntil);
  follow.claimAt = until(follow.claimAt);
  follow.helloAt = past(follow.helloAt, limits.third);
  follow.resendAt = until(follow.resendAt);
  host.sentAt = past(host.sentAt, limits.third);
  for (const asked of host.asks.values()) asked.sentAt = past(asked.sentAt, limits.third);
  for (const pull of s.pulls.values()) pull.askedAt = past(pull.askedAt, limits.third);
  // Asked only whether a death was known before a claim was sent: of those known before any that is open, all is said.
  for (const [member, since] of s.dead)
    s.dead.set(member, since - now < Math.min(0, ...sent) ? -Infinity : since - now);
  if (s.leader !== null) rebaseLeader(s.leader, { past, until, limits });
}

interface Rebase {
  readonly past: (at: number, limit: number) => number;
  readonly until: (at: number) => number;
  readonly limits: Limits;
}

function rebaseLeader(leader: LeaderState, by: Rebase): void {
  const { past, until, limits } = by;
  leader.renewedAt = past(leader.renewedAt, limits.hold);
  leader.beganAt = past(leader.beganAt, Math.max(limits.session, limits.hold));
  leader.dropsAskedAt = past(leader.dropsAskedAt, limits.third);
  if (leader.yieldUntil !== -Infinity) leader.yieldUntil = until(leader.yieldUntil);
  leader.tickedAt = past(leader.tickedAt, limits.third);
  leader.graceUntil = until(leader.graceUntil);
  for (const peer of leader.peers.values()) rebasePeer(peer, by);
}

function rebasePeer(peer: Peer, { past, limits }: Rebase): void {
  peer.followedAt = past(peer.followedAt, limits.third);
  peer.pingedAt = past(peer.pingedAt, limits.third);
  for (const [number, at] of peer.pings) peer.pings.set(number, past(at, limits.lease));
  peer.supportAt = past(peer.supportAt, limits.lease);
  peer.grantedAt = past(peer.grantedAt, limits.session);
  peer.adoptedAt = past(peer.adoptedAt, limits.third);
}

/**
 * Numbers of heartbeats that nothing can mention any more. Links keep the order, and each number is answered once: when
 * the answer to one has come, those before it were answered, or lost on either way. So they are forgotten; and where no
 * number is open, none is under way in this epoch, and counting begins anew. The window of 16 is that of the protocol,
 * which deletes by number.
 */
export function forgetNumbers(before: MemberState, event: Event, after: MemberState): void {
  const { follow, leader } = after;
  if (event.type === 'message' && event.to === before.self) {
    const { message, from } = event;
    const peer = leader?.peers.get(from);
    const heard = !before.dead.has(from) && before.phase !== 'fenced';
    if (heard && message.type === 'pong' && message.epoch === leader?.epoch && peer !== undefined) {
      forgetUpTo(peer.pings, Math.max(message.ping, peer.ping - 16));
      if (peer.pings.size === 0) peer.ping = 0;
    }
    if (heard && message.type === 'grant' && message.epoch === follow.promised && from === follow.leader)
      forgetUpTo(follow.nonces, message.nonce);
  }
  forgetUpTo(follow.nonces, follow.nonce - 16);
  if (follow.nonces.size === 0) follow.nonce = 0;
  for (const peer of leader?.peers.values() ?? []) forgetUpTo(peer.pings, peer.ping - 16);
}

function forgetUpTo(numbers: Map<number, number>, last: number): void {
  for (const number of numbers.keys()) if (number <= last) numbers.delete(number);
}

/** One text for equal values; maps and sets in their order. */
export function textOf(value: unknown): string {
  if (value === null || typeof value !== 'object')
    return typeof value === 'string' ? `'${value}'` : String(value);
  if (Array.isArray(value)) {
    let text = '[';
    for (const one of value) text += `${textOf(one)},`;
    return `${text}]`;
  }
  if (value instanceof Pid) return `<${value.key}>`;
  if (value instanceof Map) {
    let text = 'M(';
    for (const [key, one] of value) text += `${textOf(key)}:${textOf(one)},`;
    return `${text})`;
  }
  if (value instanceof Set) {
    let text = 'S(';
    for (const one of value) text += `${textOf(one)},`;
    return `${text})`;
  }
  let text = '{';
  for (const key in value) text += `${key}:${textOf((value as Record<string, unknown>)[key])},`;
  return `${text}}`;
}

/** A copy that shares nothing that can change. */
export function copyOf<T>(value: T): T {
  if (value === null || typeof value !== 'object' || value instanceof Pid) return value;
  if (Array.isArray(value)) return value.map((one) => copyOf(one)) as T;
  if (value instanceof Map) {
    const copy = new Map<unknown, unknown>();
    for (const [key, one] of value) copy.set(key, copyOf(one));
    return copy as T;
  }
  if (value instanceof Set) return new Set(value) as T;
  const copy: Record<string, unknown> = {};
  for (const key in value) copy[key] = copyOf((value as Record<string, unknown>)[key]);
  return copy as T;
}
