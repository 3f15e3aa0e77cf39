// A follower's replica: it adopts the state of a new leader, applies the stream, asks for what it missed, and takes in
// what it pulled, in one step. Its own names it knows better than anybody: there its own word stands.
import { heartbeatMs } from './authority.ts';
import { forgetAllEnds, forgetEnd, forgetEnds, onGranted, resendAll, unhide } from './host.ts';
import type { Message, Op } from './messages.ts';
import { startPull } from './pull.ts';
import { applyOp, dropHost, putEntry, removeEntry, totalOf } from './replica.ts';
import { type CaughtUp, type Context, send } from './state.ts';
import type { MemberKey } from './types.ts';
import { compareVersions, sameVersion, type Version } from './version.ts';

type Adopt = Extract<Message, { type: 'adopt' }>;
type Stream = Extract<Message, { type: 'stream' }>;

function isFromMyLeader(c: Context, from: MemberKey, epoch: number): boolean {
  return c.s.leader === null && epoch === c.s.follow.promised && from === c.s.follow.leader;
}

export function onAdopt(c: Context, from: MemberKey, message: Adopt): void {
  const { s } = c;
  if (!isFromMyLeader(c, from, message.epoch) || s.pulls.get(from)?.epoch === message.epoch) return;
  if (s.follow.adopted && compareVersions(s.replica.version, message.version) >= 0) {
    acknowledge(c);
    return;
  }
  const gone = hostsGone(c, message);
  if (totalsMatch(c, message, gone.length)) {
    // The usual fail-over ends here: nothing is missing, and what the dead had registered goes.
    for (const host of gone) dropHost(s.replica, host);
    unhide(c);
    forgetAllEnds(c);
    adopted(c, message.version);
  } else startPull(c, { source: from, purpose: 'catchup', scope: null, epoch: message.epoch });
}

/** Hosts of which the leader has nothing any more. What we host ourselves we know better. */
function hostsGone(c: Context, message: Adopt): MemberKey[] {
  const named = new Set(message.totals.map(([host]) => host));
  return [...c.s.replica.digests.keys()].filter((host) => host !== c.s.self && !named.has(host));
}

function totalsMatch(c: Context, message: Adopt, gone: number): boolean {
  const { replica } = c.s;
  if (message.totals.length !== replica.digests.size - gone) return false;
  return message.totals.every(([host, count, low, high]) => {
    const ours = totalOf(replica, host);
    return ours.count === count && ours.low === low && ours.high === high;
  });
}

function adopted(c: Context, version: Version): void {
  const { s } = c;
  s.replica.version = version;
  s.follow.adopted = true;
  s.follow.stoodBack = false;
  acknowledge(c);
  resendAll(c);
}

export function acknowledge(c: Context): void {
  const { s } = c;
  if (s.follow.leader === null) return;
  const { epoch } = s.replica.version;
  const n = Math.min(s.replica.version.n, ...[...s.host.givenBack.values()].map((given) => given - 1));
  send(c, s.follow.leader, { type: 'ack', epoch: s.follow.promised, version: { epoch, n } });
}

export function onStream(c: Context, from: MemberKey, message: Stream): void {
  const { s } = c;
  // During a transfer the stream waits: what is pulled is compared with the table as it was when it was asked for.
  if (!isFromMyLeader(c, from, message.epoch) || !s.follow.adopted || s.pulls.has(from)) return;
  const at = s.replica.version;
  if (compareVersions(message.version, at) <= 0) {
    acknowledge(c);
    return;
  }
  if (compareVersions(message.previous, at) > 0) {
    askResend(c);
    return;
  }
  const known = at.n - message.previous.n;
  for (let index = known; index < message.ops.length; index++) applyStreamed(c, message.ops[index]);
  s.replica.version = message.version;
  acknowledge(c);
}

/** A gap: the leader is asked once, and again after a while. */
export function askResend(c: Context): void {
  const { s } = c;
  if (c.now < s.follow.resendAt || s.follow.leader === null || s.pulls.has(s.follow.leader)) return;
  s.follow.resendAt = c.now + heartbeatMs(s) / 2;
  send(c, s.follow.leader, { type: 'resend', epoch: s.follow.promised, after: s.replica.version });
}

function applyStreamed(c: Context, op: Op | undefined): void {
  const { s } = c;
  if (op === undefined) return;
  if (op.type === 'put' && op.entry.host === s.self) {
    onGranted(c, op.entry, op.seq);
    if (s.host.hidden.size > 0) unhide(c);
    return;
  }
  if (op.type === 'dropHost' && op.host === s.self) {
    // Our names were given away: whatever we believe, the session is over.
    s.follow.sessionUntil = c.now;
    return;
  }
  applyOp(s.replica, op);
  if (op.type === 'remove') forgetEnd(c, op.key, op.token);
  if (s.host.hidden.size > 0) unhide(c);
}

/** Everything that differed from the leader has arrived. */
export function onCaughtUp(c: Context, pulled: CaughtUp): void {
  const { s } = c;
  const fresh = new Map(pulled.entries.map((entry) => [entry.key, entry]));
  for (const old of pulled.stale) {
    const same = fresh.get(old.key);
    if (old.host !== s.self && (same === undefined || !sameVersion(same.token, old.token)))
      removeEntry(s.replica, old.key, old.token);
  }
  const named = new Set(pulled.differing.map(([host]) => host));
  for (const host of [...s.replica.digests.keys()])
    if (host !== s.self && !named.has(host)) dropHost(s.replica, host);
  for (const entry of pulled.entries) {
    if (entry.host === s.self) onGranted(c, entry, 0);
    else if (s.replica.entries.get(entry.key)?.host !== s.self) putEntry(s.replica, entry);
  }
  forgetEnds(c, pulled.entries);
  unhide(c);
  adopted(c, pulled.version);
}
