// One member of a registry as a pure state machine: `step(state, event, now) → effects`. The production member, the
// simulator and the explorer run this very function. It branches here and decides elsewhere: each part of the protocol
// is a file of its own, and docs/PROTOCOL.md tells the whole.
import { heartbeatMs, peerSupports } from './authority.ts';
import { acknowledge, onAdopt, onCaughtUp, onStream } from './catchup.ts';
import { considerOffice, onClaimSettled, onView } from './claims.ts';
import { flushAnswers, onRead, onRequests, serveKey } from './decide.ts';
import { onFollow, onGrant, onPing, onResigned, onStale, openClaimEpoch } from './follow.ts';
import {
  leaderTick,
  noteAuthority,
  onPong,
  onPromise,
  onRenewSettled,
  takeMembers,
  welcome,
} from './heartbeat.ts';
import {
  dropOwnName,
  flushRequests,
  loseName,
  onAnswers,
  onCancel,
  onExited,
  onExpect,
  onReadName,
  onRegister,
  onResult,
  onUnregister,
  resendAll,
  resendOld,
} from './host.ts';
import type { Message } from './messages.ts';
import { depose, onResignSettled, resign } from './office.ts';
import { onPull, onPulled, retryPulls } from './pull.ts';
import { commitOwnGrants, flushStreams, onAck, onResend } from './replicate.ts';
import { type Context, createMember, type MemberState, send, type Todo } from './state.ts';
import { askStore, onStoreOutcome, type Settled, storeIdle } from './store-client.ts';
import { advanceTakeover, onMissing, onTruth } from './takeover.ts';
import type { Effect, Event, Instant, MemberKey } from './types.ts';
import { memberKey, nodeOf } from './types.ts';

/** Takes one event in at time `now`, which never goes back, and returns what has to be done. Changes `s`. */
export function step(s: MemberState, event: Event, now: Instant): Effect[] {
  const c: Context = { s, now, out: [], loop: [], todo: [] };
  if (s.phase === 'left') return refuseAll(c, event);
  // Every entry looks at the session first: a member that was paused past it does nothing else.
  if (s.phase !== 'fenced' && s.follow.sessionUntil !== null && now >= s.follow.sessionUntil) fence(c);
  if (
    s.phase === 'fenced' &&
    event.type !== 'restart' &&
    event.type !== 'drain' &&
    event.type !== 'provenDead' &&
    event.type !== 'store'
  )
    return refuseAll(c, event);
  dispatch(c, event);
  settle(c);
  return c.out;
}

/** The next moment at which a `tick` is wanted: not after the session, for a member fences itself in time. */
export function wakeAt(s: MemberState, now: Instant): Instant {
  const session = s.phase === 'fenced' ? Infinity : (s.follow.sessionUntil ?? Infinity);
  return Math.min(now + heartbeatMs(s) / 4, Math.max(now, s.follow.claimAt), Math.max(now, session));
}

/** Messages to oneself, and work found on the way, until nothing is left. */
function settle(c: Context): void {
  for (;;) {
    const message = c.loop.shift();
    if (message !== undefined) {
      onMessage(c, c.s.self, message);
      continue;
    }
    const todo = c.todo.shift();
    if (todo === undefined) break;
    doTodo(c, todo);
  }
  notePhase(c);
}

function doTodo(c: Context, todo: Todo): void {
  const leader = c.s.leader;
  switch (todo.type) {
    case 'truth':
      onTruth(c, todo.host, todo);
      return;
    case 'missing':
      onMissing(c, todo.source, todo);
      return;
    case 'caughtUp':
      onCaughtUp(c, todo.transfer);
      return;
    case 'serve':
      if (leader !== null) serveKey(c, leader, todo.key);
      return;
    case 'authority':
      if (leader !== null) noteAuthority(c, leader);
      return;
    default:
      todo satisfies never;
  }
}

function dispatch(c: Context, event: Event): void {
  switch (event.type) {
    case 'start':
      if (c.s.phase === 'idle') c.s.phase = 'joining';
      tick(c);
      return;
    case 'tick':
      tick(c);
      return;
    case 'flush':
      flush(c);
      return;
    case 'store':
      onStore(c, onStoreOutcome(c, event.id, event.outcome));
      return;
    case 'message':
      if (event.to === c.s.self && !c.s.dead.has(event.from)) onMessage(c, event.from, event.message);
      return;
    case 'provenDead':
      onProvenDead(c, event.member);
      return;
    case 'link':
      onLink(c, event);
      return;
    case 'register':
      onRegister(c, event);
      return;
    case 'unregister':
      onUnregister(c, event);
      return;
    case 'read':
      onReadName(c, event);
      return;
    case 'cancel':
      onCancel(c, event.id);
      return;
    case 'exited':
      onExited(c, event.pid);
      return;
    case 'drain':
      onDrain(c);
      return;
    case 'restart':
      onRestart(c, event.incarnation);
      return;
    default:
      event satisfies never;
  }
}

function tick(c: Context): void {
  const { s } = c;
  if (!s.store.joined) {
    if (storeIdle(c) && c.now - s.store.askedAt >= heartbeatMs(s) / 4)
      askStore(c, 'join', { kind: 'join', member: s.self });
  } else if (s.leader !== null) leaderTick(c);
  else considerOffice(c);
  retryPulls(c);
  resendOld(c);
  sayHello(c);
  leaveWhenDone(c);
}

/** Sends what the steps of this turn have gathered: requests first, for a leader answers its own at once. */
function flush(c: Context): void {
  c.s.flushAsked = false;
  flushRequests(c);
  settle(c);
  const leader = c.s.leader;
  if (leader === null) return;
  commitOwnGrants(c, leader);
  flushAnswers(c, leader);
  flushStreams(c, leader);
  // Answers to ourselves may have made new requests: they go with the next flush.
}

function onStore(c: Context, settled: readonly Settled[]): void {
  const { s } = c;
  for (const one of settled) {
    if (one.purpose === 'claim') onClaimSettled(c, one);
    else if (one.purpose === 'renew') onRenewSettled(c, one);
    else if (one.purpose === 'resign') onResignSettled(c, one);
  }
  onView(c);
  forgetDead(c);
  if (wasRemoved(c)) return;
  if (s.leader !== null && !s.leader.stopped) {
    takeMembers(c, s.leader);
    advanceTakeover(c);
    c.todo.push({ type: 'authority' });
  } else if (s.leader === null && s.phase !== 'fenced') considerOffice(c);
}

/** Of the dead that no record mentions any more nobody will ask. */
function forgetDead(c: Context): void {
  const { dead, store } = c.s;
  if (dead.size === 0 || store.view === null) return;
  const { members, record } = store.view;
  for (const member of dead.keys()) {
    const mentioned =
      members.includes(member) || record?.leader === member || record?.established.includes(member) === true;
    if (!mentioned && c.s.leader?.peers.has(member) !== true) dead.delete(member);
  }
}

/** The record of this incarnation is gone, and never comes back: it left, or it was evicted and starts anew. */
function wasRemoved(c: Context): boolean {
  const { s } = c;
  if (s.phase === 'fenced' || s.phase === 'left') return true;
  if (!s.store.joined || s.leader !== null || s.store.view?.members.includes(s.self) !== false) return false;
  if (s.follow.goodbye) leave(c);
  else fence(c);
  return true;
}

type Handlers = {
  readonly [T in Message['type']]: (
    c: Context,
    from: MemberKey,
    message: Extract<Message, { type: T }>,
  ) => void;
};

/** Wraps what only the leader of the promised epoch may say. */
function leadersWord<T extends Message & { epoch: number }>(take: (c: Context, message: T) => void) {
  return (c: Context, from: MemberKey, message: T): void => {
    if (message.epoch === c.s.follow.promised && from === c.s.follow.leader) take(c, message);
  };
}

const handlers: Handlers = {
  follow: onFollow,
  ping: onPing,
  grant: onGrant,
  adopt: onAdopt,
  stream: onStream,
  answers: leadersWord((c, message) => {
    if (onAnswers(c, message.answers) && c.s.leader === null) acknowledge(c);
  }),
  expect: leadersWord((c, message) => onExpect(c, message.seq)),
  drop: leadersWord((c, message) => dropOwnName(c, message.key, message.token)),
  lost: leadersWord((c, message) => loseName(c, message.key, message.token)),
  result: leadersWord(onResult),
  resigned: (c, from, message) => {
    onResigned(c, from, message);
    considerOffice(c);
  },
  farewell: onFarewell,
  hello: onHello,
  promise: onPromise,
  pong: onPong,
  ack: (c, from, message) => {
    onAck(c, from, message.version);
    welcome(c, from);
  },
  resend: (c, from, message) => onResend(c, from, message.after),
  requests: onRequests,
  read: onRead,
  goodbye: (c, from, message) => onGoodbye(c, from, message.epoch),
  stale: (c, _from, message) => onStale(c, message),
  pull: onPull,
  pulled: onPulled,
};

function onMessage(c: Context, from: MemberKey, message: Message): void {
  const handler = handlers[message.type] as (c: Context, from: MemberKey, message: Message) => void;
  handler(c, from, message);
}

function onProvenDead(c: Context, member: MemberKey): void {
  const { s } = c;
  if (member === s.self || s.dead.has(member)) return;
  s.dead.set(member, c.now);
  const peer = s.leader?.peers.get(member);
  // Who died while its support ran has not claimed. One whose support had lapsed may have, unseen, before it died.
  if (peer !== undefined && peerSupports(s, peer, c.now)) s.leader?.deadSupport.add(member);
  if (s.phase === 'fenced') return;
  if (s.follow.leader === member) {
    // Our own proof: the support that we owed it ends with it.
    s.follow.supportUntil = -Infinity;
    s.follow.serving = false;
    s.follow.decidesUntil = Infinity;
  }
  if (s.leader !== null) {
    advanceTakeover(c);
    leaderTick(c);
  } else considerOffice(c);
}

/** A link that came up may have lost messages before; one that went down is a reason to look. */
function onLink(c: Context, event: Extract<Event, { type: 'link' }>): void {
  const { s } = c;
  const leader = s.follow.leader;
  if (s.leader !== null) {
    for (const peer of s.leader.peers.values())
      if (nodeOf(peer.key) === event.node) peer.pingedAt = -Infinity;
    if (event.up) leaderTick(c);
  } else if (leader !== null && nodeOf(leader) === event.node) {
    if (event.up) resendAll(c);
    else c.out.push({ type: 'suspect', member: leader });
  }
}

function onHello(c: Context, from: MemberKey, message: Extract<Message, { type: 'hello' }>): void {
  // A node knows best which of its own incarnations has ended.
  if (message.former !== null && nodeOf(message.former) === nodeOf(from)) onProvenDead(c, message.former);
  const leader = c.s.leader;
  if (leader === null || leader.stopped || leader.peers.has(from)) return;
  if (storeIdle(c) && c.s.store.undecided === null) askStore(c, 'read', { kind: 'read' });
}

/** A member without a session makes itself known to whoever the store names. */
function sayHello(c: Context): void {
  const { s } = c;
  if (
    s.phase !== 'joining' ||
    s.leader !== null ||
    !s.store.joined ||
    c.now - s.follow.helloAt < heartbeatMs(s)
  )
    return;
  const leader = s.store.view?.record?.leader;
  if (leader == null || leader === s.self || s.follow.leader === leader) return;
  s.follow.helloAt = c.now;
  send(c, leader, { type: 'hello', former: s.former });
}

function onGoodbye(c: Context, from: MemberKey, epoch: number): void {
  const leader = c.s.leader;
  if (leader === null || epoch !== leader.epoch) return;
  const peer = leader.peers.get(from);
  if (peer === undefined) send(c, from, { type: 'farewell', epoch });
  else if (!peer.goodbye) {
    peer.goodbye = true;
    leaderTick(c);
  }
}

function onFarewell(c: Context, from: MemberKey): void {
  if (c.s.follow.goodbye && from === c.s.follow.leader) leave(c);
}

function leave(c: Context): void {
  c.s.phase = 'left';
  c.out.push({ type: 'left' });
}

/** Who never had a session has no names, and nobody to take leave of. */
function onDrain(c: Context): void {
  const { s } = c;
  if (s.phase !== 'fenced' && s.follow.sessionUntil !== null) {
    s.phase = 'draining';
    tick(c);
    return;
  }
  if (s.phase !== 'fenced') answerAll(c, { code: 'draining', why: 'the member is leaving' });
  leave(c);
}

/** Draining: once no name is left here, resign, or say goodbye until the leader has heard it. */
function leaveWhenDone(c: Context): void {
  const { s } = c;
  if (s.phase !== 'draining' || s.host.hosted.size > 0 || s.host.outbox.size > 0) return;
  // "This incarnation shall never claim" is not true while a claim of it may still be applied.
  if (openClaimEpoch(c) > 0) return;
  if (s.leader !== null) {
    if (!s.leader.stopped) resign(c);
  } else if (s.follow.leader !== null && c.now - s.follow.helloAt >= heartbeatMs(s)) {
    s.follow.goodbye = true;
    s.follow.helloAt = c.now;
    send(c, s.follow.leader, { type: 'goodbye', epoch: s.follow.promised });
  }
}

function notePhase(c: Context): void {
  const { s } = c;
  if (s.phase !== 'joining') return;
  const replicated = s.leader === null ? s.follow.adopted : s.leader.complete;
  if (s.follow.sessionUntil !== null && replicated) s.phase = 'active';
}

/** The names are no longer ours. Clients learn it, their processes end, and nothing else is done. */
function fence(c: Context): void {
  const { s } = c;
  const pids = [...s.host.hosted.values()].map((one) => one.pid);
  if (s.leader !== null) depose(c, 'fenced');
  answerAll(c, { code: 'fenced', why: 'the session of this member lapsed' });
  const draining = s.phase === 'draining';
  s.phase = 'fenced';
  c.out.push({ type: 'fence', pids });
  // Who was leaving has nothing to come back for.
  if (draining) leave(c);
}

function answerAll(c: Context, error: { code: 'fenced' | 'draining'; why: string }): void {
  const { host } = c.s;
  for (const id of [...host.seqOf.keys(), ...host.asks.keys()])
    c.out.push({ type: 'reply', id, result: { type: 'error', ...error, maybeExecuted: true } });
}

function refuseAll(c: Context, event: Event): Effect[] {
  if (event.type === 'register' || event.type === 'unregister' || event.type === 'read') {
    const code = c.s.phase === 'left' ? 'closed' : 'fenced';
    c.out.push({
      type: 'reply',
      id: event.id,
      result: { type: 'error', code, why: `the member is ${c.s.phase}`, maybeExecuted: false },
    });
  }
  return c.out;
}

/** A fenced member only ever returns as a new incarnation, which knows nothing of what it was granted. */
function onRestart(c: Context, incarnation: string): void {
  const { s } = c;
  if (s.phase !== 'fenced') return;
  const fresh = createMember(s.config, memberKey(nodeOf(s.self), incarnation));
  fresh.nextId = s.nextId;
  fresh.phase = 'joining';
  for (const [dead, since] of s.dead) fresh.dead.set(dead, since);
  fresh.dead.set(s.self, c.now);
  fresh.former = s.self;
  fresh.follow.stoodBack = s.follow.stoodBack;
  Object.assign(s, fresh);
  tick(c);
}
