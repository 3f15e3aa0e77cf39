// The leader's decisions: who gets a name, what a name is, who is asked to let go. Nothing here depends on an entry
// that is not committed, or on a name whose host is missing: such requests are parked at the name and served in the
// order of arrival once it is certain.
import { heartbeatMs, mayDecide } from './authority.ts';
import { dropOwnName, forgetEnd, unhide } from './host.ts';
import type { Answer, Entry, Message, RemoveItem, Request } from './messages.ts';
import { putEntry, removeEntry } from './replica.ts';
import { appendOp, commitOwnGrants } from './replicate.ts';
import { type Context, flushSoon, type LeaderState, type Parked, type Peer, send } from './state.ts';
import type { MemberKey, NameKey, Result } from './types.ts';
import { compareVersions, sameVersion, type Version } from './version.ts';

type RegisterRequest = Extract<Request, { type: 'register' }>;

/** Decides now, or not at all: a leader without authority is silent, and askers ask again. */
function serving(c: Context, leader: LeaderState): boolean {
  return mayDecide(c.s, leader, c.now);
}

/** Requests of a host are taken strictly in the order of their numbers, each once. */
export function onRequests(
  c: Context,
  from: MemberKey,
  message: Extract<Message, { type: 'requests' }>,
): void {
  const leader = c.s.leader;
  if (leader === null || message.epoch !== leader.epoch) return;
  const peer = leader.peers.get(from);
  if (peer === undefined || !peer.synced || peer.evicting || !serving(c, leader)) return;
  forgetAnswered(peer, message.answered);
  const abandoned = new Set<number>();
  message.requests.forEach((request, index) => {
    const seq = message.first + index;
    if (seq === peer.expect) {
      peer.expect++;
      decide(c, leader, { peer, seq, request });
    } else if (seq < peer.expect) {
      const answer = peer.answers.get(seq);
      if (answer !== undefined) queueAnswer(c, peer, answer);
      else if (request.type === 'nothing') abandoned.add(seq);
    }
  });
  if (abandoned.size > 0) forgetAbandoned(c, leader, { peer, abandoned });
  if (message.first > peer.expect) send(c, from, { type: 'expect', epoch: leader.epoch, seq: peer.expect });
}

/** The host has these answers. They came in about this order; one that came late goes when those before it have gone. */
export function forgetAnswered(peer: Peer, answered: number): void {
  for (const seq of peer.answers.keys()) {
    if (seq >= answered) return;
    peer.answers.delete(seq);
  }
}

function decide(c: Context, leader: LeaderState, asked: { peer: Peer; seq: number; request: Request }): void {
  const { peer, seq, request } = asked;
  switch (request.type) {
    case 'nothing':
      answer(c, leader, { to: peer.key, seq, result: { type: 'done' } });
      return;
    case 'remove':
      removeNames(c, leader, { peer, items: request.items });
      answer(c, leader, { to: peer.key, seq, result: { type: 'done' } });
      return;
    case 'register':
      parkOrServe(c, leader, {
        key: request.key,
        parked: { type: 'register', from: peer.key, seq, request },
      });
      return;
    case 'unregister':
      parkOrServe(c, leader, {
        key: request.key,
        parked: { type: 'unregister', from: peer.key, seq, upTo: request.upTo },
      });
      return;
    default:
      request satisfies never;
  }
}

function removeNames(
  c: Context,
  leader: LeaderState,
  what: { peer: Peer; items: readonly RemoveItem[] },
): void {
  for (const { key, token } of what.items) {
    const entry = c.s.replica.entries.get(key);
    // Where the leader is the host, its replica has let go already: the followers are told all the same.
    const own = what.peer.key === c.s.self && entry === undefined;
    if (!own && (entry === undefined || entry.host !== what.peer.key || !sameVersion(entry.token, token))) {
      finishLeaving(c, leader, key);
      continue;
    }
    removeEntry(c.s.replica, key, token);
    unhide(c);
    if (what.peer.key === c.s.self) forgetEnd(c, key, token);
    leader.uncommitted.delete(key);
    appendOp(c, leader, { type: 'remove', key, token });
    serveKey(c, leader, key);
  }
}

/** Consistent reads: asked again until they are answered, so the same one may wait already. */
export function onRead(c: Context, from: MemberKey, message: Extract<Message, { type: 'read' }>): void {
  const leader = c.s.leader;
  if (leader === null || message.epoch !== leader.epoch || !serving(c, leader)) return;
  const again = (other: Parked): boolean =>
    other.type === 'read' && other.id === message.id && other.from === from;
  if (leader.parked.get(message.key)?.some(again)) return;
  parkOrServe(c, leader, { key: message.key, parked: { type: 'read', from, id: message.id } });
}

function parkOrServe(c: Context, leader: LeaderState, what: { key: NameKey; parked: Parked }): void {
  const waiting = leader.parked.get(what.key);
  if (waiting === undefined && serve(c, leader, what)) return;
  if (leader.parkedCount >= c.s.config.requestsMax) {
    refuse(c, leader, what.parked);
    return;
  }
  leader.parkedCount++;
  if (waiting === undefined) leader.parked.set(what.key, [what.parked]);
  else waiting.push(what.parked);
}

function refuse(c: Context, leader: LeaderState, parked: Parked): void {
  const result: Result = {
    type: 'error',
    code: 'overloaded',
    why: 'too many requests wait at the leader',
    maybeExecuted: false,
  };
  if (parked.type === 'read')
    send(c, parked.from, { type: 'result', epoch: leader.epoch, id: parked.id, result });
  else answer(c, leader, { to: parked.from, seq: parked.seq, result });
}

/** True when the request got its decision. */
function serve(c: Context, leader: LeaderState, what: { key: NameKey; parked: Parked }): boolean {
  if (!serving(c, leader)) {
    // Authority may be back before anybody looks: then nobody else would notice that somebody was left waiting.
    leader.wasServing = false;
    return false;
  }
  const entry = c.s.replica.entries.get(what.key);
  if (leader.uncommitted.has(what.key)) return false;
  if (entry !== undefined && leader.reserved.has(entry.host)) return false;
  const { parked } = what;
  switch (parked.type) {
    case 'register':
      serveRegister(c, leader, { parked, entry });
      return true;
    case 'read':
      send(c, parked.from, { type: 'result', epoch: leader.epoch, id: parked.id, result: found(entry) });
      return true;
    case 'unregister':
      serveUnregister(c, leader, { key: what.key, parked, entry });
      return true;
    default:
      return parked satisfies never;
  }
}

function found(entry: Entry | undefined): Result {
  if (entry === undefined) return { type: 'absent' };
  return { type: 'found', pid: entry.pid, token: entry.token, metadata: entry.metadata };
}

function serveRegister(
  c: Context,
  leader: LeaderState,
  what: { parked: Extract<Parked, { type: 'register' }>; entry: Entry | undefined },
): void {
  const { from, seq, request } = what.parked;
  const { entry } = what;
  if (entry === undefined) {
    const peer = leader.peers.get(from);
    // A host that is dead or being evicted gets nothing any more; it will not be there to hear a refusal either.
    if (peer?.synced && !peer.evicting && !c.s.dead.has(from)) grant(c, leader, { from, seq, request });
    return;
  }
  const same = entry.pid.equals(request.pid) && entry.host === from;
  const result: Result = same
    ? { type: 'registered', token: entry.token }
    : { type: 'taken', pid: entry.pid, token: entry.token };
  answer(c, leader, { to: from, seq, result });
}

/** The entry takes the next version as its token; the stream message to the host is also its answer. */
function grant(
  c: Context,
  leader: LeaderState,
  to: { from: MemberKey; seq: number; request: RegisterRequest },
): void {
  const { key, name, pid, metadata } = to.request;
  const entry: Entry = {
    key,
    name,
    pid,
    host: to.from,
    token: { epoch: leader.epoch, n: leader.n + 1 },
    metadata,
  };
  putEntry(c.s.replica, entry);
  appendOp(c, leader, { type: 'put', entry, seq: to.seq });
  leader.uncommitted.set(key, leader.n);
  leader.peers.get(to.from)?.uncommitted.push({ n: leader.n, key, seq: to.seq });
  if (to.from === c.s.self) {
    leader.ownGrant = leader.n;
    commitOwnGrants(c, leader);
  }
}

/** The host lets go, for its word counts; the answer follows when it has. Others need not wait behind it. */
function serveUnregister(
  c: Context,
  leader: LeaderState,
  what: { key: NameKey; parked: Extract<Parked, { type: 'unregister' }>; entry: Entry | undefined },
): void {
  const { key, entry } = what;
  const { from, seq, upTo } = what.parked;
  if (entry === undefined) {
    answer(c, leader, { to: from, seq, result: { type: 'done' } });
    return;
  }
  if (upTo !== null && compareVersions(entry.token, upTo) > 0) {
    const why = 'the leader changed, and the former one may have done it';
    answer(c, leader, {
      to: from,
      seq,
      result: { type: 'error', code: 'unavailable', why, maybeExecuted: true },
    });
    return;
  }
  const others = leader.leaving.get(key) ?? [];
  leader.leaving.set(key, [...others, { from, seq, token: entry.token }]);
  askHostToDrop(c, key, entry.token);
}

/** Answers those who asked for a registration to end that has ended. */
function finishLeaving(c: Context, leader: LeaderState, key: NameKey): void {
  const asked = leader.leaving.get(key);
  if (asked === undefined) return;
  const token = c.s.replica.entries.get(key)?.token;
  const kept = asked.filter((one) => token !== undefined && sameVersion(one.token, token));
  for (const one of asked) {
    if (!kept.includes(one)) answer(c, leader, { to: one.from, seq: one.seq, result: { type: 'done' } });
  }
  if (kept.length === 0) leader.leaving.delete(key);
  else leader.leaving.set(key, kept);
}

/** Whether it was the word to the host that was lost, or its answer: it is asked again. */
export function retryDrops(c: Context, leader: LeaderState): void {
  if (leader.leaving.size === 0 || c.now - leader.dropsAskedAt < heartbeatMs(c.s)) return;
  leader.dropsAskedAt = c.now;
  for (const key of [...leader.leaving.keys()]) {
    finishLeaving(c, leader, key);
    const token = leader.leaving.get(key)?.[0]?.token;
    if (token !== undefined) askHostToDrop(c, key, token);
  }
}

function askHostToDrop(c: Context, key: NameKey, token: Version): void {
  const entry = c.s.replica.entries.get(key);
  if (entry === undefined || !sameVersion(entry.token, token)) return;
  if (entry.host === c.s.self) dropOwnName(c, key, token);
  else send(c, entry.host, { type: 'drop', epoch: c.s.follow.promised, key, token });
}

function answer(c: Context, leader: LeaderState, what: { to: MemberKey; seq: number; result: Result }): void {
  const peer = leader.peers.get(what.to);
  if (peer === undefined) return;
  const given: Answer = { seq: what.seq, result: what.result };
  peer.answers.set(what.seq, given);
  queueAnswer(c, peer, given);
}

function queueAnswer(c: Context, peer: Peer, given: Answer): void {
  peer.outAnswers.push(given);
  flushSoon(c);
}

export function flushAnswers(c: Context, leader: LeaderState): void {
  for (const peer of leader.peers.values()) {
    if (peer.outAnswers.length === 0) continue;
    const answers = peer.outAnswers;
    peer.outAnswers = [];
    send(c, peer.key, { type: 'answers', epoch: leader.epoch, answers });
  }
}

/** Something about the name is certain now: serve those who wait at it, in order, as far as it goes. */
export function serveKey(c: Context, leader: LeaderState, key: NameKey): void {
  finishLeaving(c, leader, key);
  const waiting = leader.parked.get(key);
  if (waiting === undefined) return;
  leader.parked.delete(key);
  let served = 0;
  while (served < waiting.length) {
    const parked = waiting[served];
    if (parked === undefined || !serve(c, leader, { key, parked })) break;
    served++;
  }
  leader.parkedCount -= served;
  if (served < waiting.length)
    leader.parked.set(key, [...waiting.slice(served), ...(leader.parked.get(key) ?? [])]);
}

/** Serves all names at which somebody waits. */
export function serveWaiting(c: Context, leader: LeaderState): void {
  for (const key of new Set([...leader.parked.keys(), ...leader.leaving.keys()])) serveKey(c, leader, key);
}

/** The take-over is complete, or authority is back. */
export function serveParked(c: Context, leader: LeaderState): void {
  serveWaiting(c, leader);
  commitOwnGrants(c, leader);
}

/** Requests of a host that is gone wait for nothing. */
export function forgetParkedOf(leader: LeaderState, host: MemberKey): void {
  unpark(leader, (parked) => parked.from === host);
}

/** Who asked has given up, and says so when it asks again: what still waits need not be served. */
function forgetAbandoned(
  c: Context,
  leader: LeaderState,
  what: { peer: Peer; abandoned: ReadonlySet<number> },
): void {
  const { peer, abandoned } = what;
  const gone = unpark(
    leader,
    (parked) => parked.type !== 'read' && parked.from === peer.key && abandoned.has(parked.seq),
  );
  for (const parked of gone)
    if (parked.type !== 'read')
      answer(c, leader, { to: peer.key, seq: parked.seq, result: { type: 'done' } });
}

function unpark(leader: LeaderState, which: (parked: Parked) => boolean): Parked[] {
  const gone: Parked[] = [];
  for (const [key, waiting] of leader.parked) {
    const kept = waiting.filter((parked) => !which(parked));
    if (kept.length === waiting.length) continue;
    for (const parked of waiting) if (which(parked)) gone.push(parked);
    if (kept.length === 0) leader.parked.delete(key);
    else leader.parked.set(key, kept);
  }
  leader.parkedCount -= gone.length;
  return gone;
}
