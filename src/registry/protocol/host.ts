// The host: what this member's own clients ask, and what is registered on it. Its word about its own names is the
// truth; a grant counts from the moment at which it is recorded here, and a removal begun here is done at once.

import type { Pid } from '../../term/pid.ts';
import { heartbeatMs } from './authority.ts';
import type { Answer, Entry, Message, RemoveItem, Request } from './messages.ts';
import { putEntry, removeEntry } from './replica.ts';
import { type Context, flushSoon, type LeaderState, type OutRequest, send } from './state.ts';
import type { Event, NameKey, Result } from './types.ts';
import { compareVersions, sameVersion, type Version } from './version.ts';

type EventOf<T extends Event['type']> = Extract<Event, { type: T }>;

const requestsPerMessageMax = 2_000;

function reply(c: Context, id: number, result: Result): void {
  if (id !== 0) c.out.push({ type: 'reply', id, result });
}

function refuse(c: Context, id: number): boolean {
  const { s } = c;
  const phase = s.phase;
  if (phase === 'draining' || phase === 'left') {
    reply(c, id, {
      type: 'error',
      code: phase === 'left' ? 'closed' : 'draining',
      why: 'the member is leaving',
      maybeExecuted: false,
    });
    return true;
  }
  if (s.host.outbox.size + s.host.asks.size >= s.config.requestsMax) {
    reply(c, id, {
      type: 'error',
      code: 'overloaded',
      why: 'too many requests wait at this member',
      maybeExecuted: false,
    });
    return true;
  }
  return false;
}

export function onRegister(c: Context, event: EventOf<'register'>): void {
  const { s } = c;
  const mine = s.host.hosted.get(event.pid.key)?.names.has(event.key)
    ? s.replica.entries.get(event.key)
    : undefined;
  if (mine !== undefined) {
    reply(c, event.id, { type: 'registered', token: mine.token });
    return;
  }
  if (refuse(c, event.id)) return;
  const { key, name, pid, metadata } = event;
  ask(c, { type: 'register', key, name, pid, metadata }, event.id);
}

function ask(c: Context, request: Request, id: number): number {
  const host = c.s.host;
  const seq = host.nextSeq++;
  host.outbox.set(seq, { seq, request, id, sent: false, asOf: c.s.replica.version });
  if (id !== 0) host.seqOf.set(id, seq);
  flushSoon(c);
  return seq;
}

/**
 * Sends the requests that were not sent in this epoch. Not without a session: a grant that is recorded while none runs
 * would hold for ever here, and be given away there.
 */
export function flushRequests(c: Context): void {
  const { host, follow } = c.s;
  if (follow.sessionUntil === null) return;
  while (follow.leader !== null && host.sentSeq < host.nextSeq - 1) {
    const first = host.sentSeq + 1;
    const requests: Request[] = [];
    for (let seq = first; seq < host.nextSeq && requests.length < requestsPerMessageMax; seq++) {
      const one = host.outbox.get(seq);
      if (one !== undefined) one.sent = true;
      requests.push(one?.request ?? { type: 'nothing' });
    }
    host.sentSeq = first + requests.length - 1;
    host.sentAt = c.now;
    send(c, follow.leader, {
      type: 'requests',
      epoch: follow.promised,
      first,
      answered: firstUnanswered(c),
      requests,
    });
  }
}

export function firstUnanswered(c: Context): number {
  for (const seq of c.s.host.outbox.keys()) return seq;
  return c.s.host.nextSeq;
}

/** The leader has taken all requests before `seq`, and none from there on. */
export function onExpect(c: Context, seq: number): void {
  const host = c.s.host;
  if (seq < 1 || seq > host.sentSeq) return;
  host.sentSeq = seq - 1;
  flushSoon(c);
}

/** A new epoch counts requests anew; what was not answered is asked again, in the same order. */
export function rebase(c: Context): void {
  const host = c.s.host;
  const waiting = [...host.outbox.values()].filter((one) => one.request.type !== 'nothing' || one.id !== 0);
  host.outbox = new Map();
  host.seqOf.clear();
  host.givenBack.clear();
  host.sentSeq = 0;
  host.nextSeq = 1;
  for (const one of waiting) {
    const request = askedAgain(one);
    const seq = ask(c, request, one.id);
    host.outbox.set(seq, { ...one, request, seq });
  }
}

/**
 * A former leader may have taken it. Of what is held since before it was first asked, that is certainly not so: it would
 * have ended. Of what was granted later nobody knows.
 */
function askedAgain({ request, sent, asOf }: OutRequest): Request {
  return request.type === 'unregister' && sent ? { ...request, upTo: request.upTo ?? asOf } : request;
}

/** Asks again whatever may have been lost. */
export function resendAll(c: Context): void {
  const host = c.s.host;
  if (host.outbox.size > 0) {
    host.sentSeq = firstUnanswered(c) - 1;
    flushSoon(c);
  }
  for (const [id, asked] of host.asks) sendAsk(c, id, asked);
}

export function resendOld(c: Context): void {
  const host = c.s.host;
  const patience = 2 * heartbeatMs(c.s);
  if (host.outbox.size > 0 && c.now - host.sentAt >= patience) {
    host.sentSeq = firstUnanswered(c) - 1;
    flushSoon(c);
  }
  for (const [id, asked] of host.asks) if (c.now - asked.sentAt >= patience) sendAsk(c, id, asked);
}

function sendAsk(c: Context, id: number, asked: { readonly key: NameKey; sentAt: number }): void {
  const { follow } = c.s;
  if (follow.leader === null) return;
  asked.sentAt = c.now;
  send(c, follow.leader, { type: 'read', epoch: follow.promised, id, key: asked.key });
}

export function onReadName(c: Context, event: EventOf<'read'>): void {
  if (refuse(c, event.id)) return;
  const asked = { key: event.key, sentAt: -Infinity };
  c.s.host.asks.set(event.id, asked);
  sendAsk(c, event.id, asked);
}

/** Begun at the host it is done at once; elsewhere the leader asks the host, and local lookups miss the name from here on. */
export function onUnregister(c: Context, event: EventOf<'unregister'>): void {
  const { s } = c;
  const entry = s.replica.entries.get(event.key);
  if (entry !== undefined && isHosted(c, entry)) {
    removeOwn(c, [entry], event.id);
    return;
  }
  if (refuse(c, event.id)) return;
  if (entry !== undefined) s.host.hidden.set(event.key, entry.token);
  ask(c, { type: 'unregister', key: event.key, upTo: null }, event.id);
}

export function onResult(c: Context, message: Extract<Message, { type: 'result' }>): void {
  if (c.s.host.asks.delete(message.id)) reply(c, message.id, message.result);
}

/** What is hidden is one registration; once it is gone there is nothing to hide. */
export function unhide(c: Context): void {
  const { entries } = c.s.replica;
  for (const [key, token] of c.s.host.hidden) {
    const entry = entries.get(key);
    if (entry === undefined || !sameVersion(entry.token, token)) c.s.host.hidden.delete(key);
  }
}

/** A grant that arrives by the stream or by a transfer (`seq` 0). Without a request that still wants it, it is given back. */
export function onGranted(c: Context, entry: Entry, seq: number): void {
  const { s } = c;
  const held = s.replica.entries.get(entry.key);
  if (held !== undefined && sameVersion(held.token, entry.token) && isHosted(c, held)) return;
  const ended = s.host.ended.get(entry.key);
  if (ended !== undefined && compareVersions(entry.token, ended) <= 0) return;
  const wanted = seq === 0 ? findRequest(c, entry) : s.host.outbox.get(seq);
  if (wanted === undefined || !wants(wanted, entry)) {
    if (wanted?.request.type === 'nothing') finish(c, wanted, { type: 'done' });
    giveBack(c, entry);
    return;
  }
  putEntry(s.replica, entry);
  record(c, entry, wanted);
}

/** Until the leader has taken it back the grant is not acknowledged: to the leader it would count as committed. */
function giveBack(c: Context, entry: Entry): void {
  // Everywhere else the grant has replaced what stood there, and goes when it is taken back.
  const held = c.s.replica.entries.get(entry.key);
  if (held !== undefined && !isHosted(c, held)) removeEntry(c.s.replica, held.key, held.token);
  noteEnd(c, entry);
  const seq = ask(c, { type: 'remove', items: [{ key: entry.key, token: entry.token }] }, 0);
  if (entry.token.epoch === c.s.follow.promised) c.s.host.givenBack.set(seq, entry.token.n);
}

/** Until the leader has taken the name back, a transfer may show it once more; that must not revive it. */
function noteEnd(c: Context, entry: Entry): void {
  c.s.host.ended.set(entry.key, entry.token);
}

/** The leader has taken back what ended here with that token. */
export function forgetEnd(c: Context, key: NameKey, token: Version): void {
  const ended = c.s.host.ended.get(key);
  if (ended !== undefined && compareVersions(ended, token) <= 0) c.s.host.ended.delete(key);
}

/** The leader's table is ours: it has taken back all that ended here. */
export function forgetAllEnds(c: Context): void {
  c.s.host.ended.clear();
}

/**
 * What a transfer does not show any more cannot come back, unless it ended while the transfer was under way: a bucket
 * that agreed when it was compared is not shown. Then the request that tells the leader is not answered yet.
 */
export function forgetEnds(c: Context, shown: readonly Entry[]): void {
  const { ended, outbox } = c.s.host;
  const kept = new Set<NameKey>();
  for (const entry of shown) if (entry.host === c.s.self) kept.add(entry.key);
  for (const { request } of outbox.values())
    if (request.type === 'remove') for (const { key } of request.items) kept.add(key);
  for (const key of [...ended.keys()]) if (!kept.has(key)) ended.delete(key);
}

function findRequest(c: Context, entry: Entry): OutRequest | undefined {
  for (const one of c.s.host.outbox.values()) if (wants(one, entry)) return one;
  return undefined;
}

function wants(one: OutRequest, entry: Entry): boolean {
  return (
    one.request.type === 'register' && one.request.key === entry.key && one.request.pid.equals(entry.pid)
  );
}

/** The commit point: from here on the name is held. */
function record(c: Context, entry: Entry, wanted: OutRequest): void {
  const { hosted } = c.s.host;
  const names = hosted.get(entry.pid.key)?.names ?? new Set();
  names.add(entry.key);
  hosted.set(entry.pid.key, { pid: entry.pid, names });
  finish(c, wanted, { type: 'registered', token: entry.token });
}

function finish(c: Context, one: OutRequest, result: Result): void {
  const host = c.s.host;
  host.outbox.delete(one.seq);
  host.givenBack.delete(one.seq);
  host.seqOf.delete(one.id);
  if (one.request.type === 'unregister') {
    if (result.type === 'error') host.hidden.delete(one.request.key);
    else unhide(c);
  }
  // A transfer that is under way may have been fixed before the leader took it.
  if (one.request.type === 'remove' && c.s.pulls.size === 0)
    for (const { key, token } of one.request.items) forgetEnd(c, key, token);
  reply(c, one.id, result);
}

/** This leader's own grant has its second copy. */
export function ownGrantCommitted(c: Context, grant: { n: number; key: NameKey; seq: number }): void {
  const { s } = c;
  const entry = s.replica.entries.get(grant.key);
  if (entry === undefined || entry.host !== s.self || entry.token.n !== grant.n) return;
  const wanted = s.host.outbox.get(grant.seq);
  if (wanted !== undefined && wants(wanted, entry)) {
    record(c, entry, wanted);
    return;
  }
  if (wanted?.request.type === 'nothing') finish(c, wanted, { type: 'done' });
  noteEnd(c, entry);
  removeEntry(s.replica, entry.key, entry.token);
  ask(c, { type: 'remove', items: [{ key: entry.key, token: entry.token }] }, 0);
}

/** Grants of this leader to itself that had no second copy when it lost the office never happened. */
export function revertOwnGrants(c: Context, leader: LeaderState): void {
  for (const grant of leader.peers.get(c.s.self)?.uncommitted ?? []) {
    const entry = c.s.replica.entries.get(grant.key);
    if (entry?.host === c.s.self && !isHosted(c, entry)) removeEntry(c.s.replica, entry.key, entry.token);
  }
}

/** True when grants that were given back are settled by it: the member may acknowledge further. */
export function onAnswers(c: Context, answers: readonly Answer[]): boolean {
  const { host } = c.s;
  const before = host.givenBack.size;
  for (const { seq, result } of answers) {
    const one = host.outbox.get(seq);
    if (one !== undefined) finish(c, one, result);
  }
  return host.givenBack.size < before;
}

/** One message for all names of a process that exited. */
export function onExited(c: Context, pid: Pid): void {
  const { s } = c;
  for (const one of s.host.outbox.values()) {
    if (one.request.type === 'register' && one.request.pid.equals(pid))
      withdraw(c, one, { code: 'noproc', why: 'the process exited' });
  }
  const names = s.host.hosted.get(pid.key)?.names;
  if (names === undefined) return;
  const entries = [...names].map((key) => s.replica.entries.get(key)).filter((entry) => entry !== undefined);
  removeOwn(c, entries, 0);
}

/** The request keeps its place in the order and asks for nothing; a grant that is under way is given back. */
function withdraw(
  c: Context,
  one: OutRequest,
  why: { code: 'noproc' | 'timeout' | 'unavailable'; why: string },
): void {
  const { request } = one;
  if (request.type === 'unregister') c.s.host.hidden.delete(request.key);
  reply(c, one.id, { type: 'error', ...why, maybeExecuted: one.sent && request.type === 'unregister' });
  c.s.host.seqOf.delete(one.id);
  one.request = { type: 'nothing' };
  one.id = 0;
}

function isHosted(c: Context, entry: Entry): boolean {
  return entry.host === c.s.self && c.s.host.hosted.get(entry.pid.key)?.names.has(entry.key) === true;
}

function removeOwn(c: Context, entries: readonly Entry[], id: number): void {
  const { s } = c;
  const items: RemoveItem[] = [];
  for (const entry of entries) {
    const held = s.host.hosted.get(entry.pid.key);
    held?.names.delete(entry.key);
    if (held?.names.size === 0) s.host.hosted.delete(entry.pid.key);
    removeEntry(s.replica, entry.key, entry.token);
    items.push({ key: entry.key, token: entry.token });
    noteEnd(c, entry);
  }
  ask(c, { type: 'remove', items }, id);
}

/** Somebody else unregistered the name. */
export function dropOwnName(c: Context, key: NameKey, token: Version): void {
  const entry = c.s.replica.entries.get(key);
  if (entry !== undefined && isHosted(c, entry) && sameVersion(entry.token, token)) removeOwn(c, [entry], 0);
}

/** Another host holds the name with a higher token: the process here ends. */
export function loseName(c: Context, key: NameKey, token: Version): void {
  const entry = c.s.replica.entries.get(key);
  if (entry === undefined || !isHosted(c, entry) || !sameVersion(entry.token, token)) return;
  c.out.push({ type: 'end', pid: entry.pid, key });
  removeOwn(c, [entry], 0);
}

/** Why nobody decided: there is a leader and it was slow, or nobody had the right to. */
function whyNot(c: Context): { code: 'timeout' | 'unavailable'; why: string } {
  const { follow } = c.s;
  if (c.now >= follow.decidesUntil)
    return { code: 'unavailable', why: 'the store has been away for longer than the tolerance' };
  if (follow.leader === null || !follow.serving) return { code: 'unavailable', why: 'no leader may decide' };
  return { code: 'timeout', why: 'no decision within the deadline' };
}

/** The caller waits no longer. What was not recorded here never counts, so the answer is certain for a registration. */
export function onCancel(c: Context, id: number): void {
  const { host } = c.s;
  const { code, why } = whyNot(c);
  const one = host.outbox.get(host.seqOf.get(id) ?? 0);
  if (one?.request.type === 'register' || one?.request.type === 'unregister') withdraw(c, one, { code, why });
  else if (one !== undefined) {
    host.seqOf.delete(id);
    one.id = 0;
    reply(c, id, { type: 'error', code, why, maybeExecuted: true });
  }
  if (host.asks.delete(id)) reply(c, id, { type: 'error', code, why, maybeExecuted: false });
}
