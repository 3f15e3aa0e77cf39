// Transfers of entries: a leader pulls a host's own word, or what the freshest witness holds of a missing host; a
// follower pulls what differs from its leader. The puller sends digests, gets the buckets that differ, part by part at
// its own pace, and applies everything in one step: no reader ever sees half of it.
import { heartbeatMs } from './authority.ts';
import type { Digest, Entry, Message } from './messages.ts';
import { differingBuckets, digestOf, entriesIn } from './replica.ts';
import { type Context, type Pull, send } from './state.ts';
import type { MemberKey } from './types.ts';
import type { Version } from './version.ts';

type PullMessage = Extract<Message, { type: 'pull' }>;
type PulledMessage = Extract<Message, { type: 'pulled' }>;

/** Questions for one part before the transfer starts anew. */
const triesMax = 8;

/** Asks the source, unless a transfer of the same kind from it is under way. One transfer for each source at a time. */
export function startPull(
  c: Context,
  what: { source: MemberKey; purpose: Pull['purpose']; scope: MemberKey | null; epoch: number },
): void {
  const running = c.s.pulls.get(what.source);
  if (running !== undefined && running.epoch === what.epoch) return;
  const pull: Pull = {
    id: c.s.nextId++,
    epoch: what.epoch,
    purpose: what.purpose,
    scope: what.scope,
    part: 0,
    askedAt: c.now,
    tries: 0,
    entries: [],
    differing: [],
  };
  c.s.pulls.set(what.source, pull);
  ask(c, what.source, pull);
}

function ask(c: Context, source: MemberKey, pull: Pull): void {
  pull.askedAt = c.now;
  pull.tries++;
  const hosts = pull.scope === null ? [...c.s.replica.digests.keys()] : [pull.scope];
  const digests =
    pull.part === 0
      ? hosts.map((host): readonly [MemberKey, Digest] => [host, digestOf(c.s.replica, host)])
      : [];
  send(c, source, {
    type: 'pull',
    epoch: pull.epoch,
    id: pull.id,
    part: pull.part,
    scope: pull.scope,
    digests,
  });
}

/** Asks again where the question or its answer was lost; from the beginning where the source may have lost the list. */
export function retryPulls(c: Context): void {
  for (const [source, pull] of [...c.s.pulls]) {
    if (c.now - pull.askedAt < heartbeatMs(c.s)) continue;
    if (pull.part > 0 && pull.tries >= triesMax) {
      c.s.pulls.delete(source);
      startPull(c, { source, purpose: pull.purpose, scope: pull.scope, epoch: pull.epoch });
    } else ask(c, source, pull);
  }
}

export function onPull(c: Context, from: MemberKey, message: PullMessage): void {
  const { s } = c;
  if (message.epoch !== s.follow.promised) return;
  const asLeader = s.leader?.complete === true;
  if (!asLeader && s.follow.leader !== from) return;
  if (message.part === 0) prepare(c, from, message);
  const served = s.served.get(from);
  if (served === undefined || served.id !== message.id || served.epoch !== message.epoch) return;
  const size = s.config.partEntriesMax;
  const start = message.part * size;
  const last = start + size >= served.entries.length;
  send(c, from, {
    type: 'pulled',
    epoch: served.epoch,
    id: served.id,
    part: message.part,
    last,
    version: served.version,
    differing: message.part === 0 ? served.differing : [],
    entries: served.entries.slice(start, start + size),
  });
}

/** Fixes what is sent: entries do not change, so the list is a snapshot at one version. */
function prepare(c: Context, from: MemberKey, message: PullMessage): void {
  const { s } = c;
  // Fixed once: a question that comes late must not mix two snapshots under one number.
  const fixed = s.served.get(from);
  if (fixed !== undefined && fixed.epoch === message.epoch && fixed.id >= message.id) return;
  const theirs = new Map(message.digests);
  const hosts = message.scope === null ? [...s.replica.digests.keys()] : [message.scope];
  const differing = hosts.map((host): readonly [MemberKey, number[]] => [
    host,
    differingBuckets(s.replica, host, theirs.get(host)),
  ]);
  const wanted = new Map(differing.map(([host, buckets]) => [host, new Set(buckets)]));
  s.served.set(from, {
    id: message.id,
    epoch: message.epoch,
    version: s.replica.version,
    differing,
    entries: entriesIn(s.replica, wanted),
  });
  const peer = s.leader?.peers.get(from);
  // The stream goes on behind what is being sent.
  if (peer !== undefined && s.leader !== null && message.scope === null) {
    peer.sent = -1;
    peer.adoptedAt = c.now;
  }
}

export function onPulled(c: Context, from: MemberKey, message: PulledMessage): void {
  const { s } = c;
  const pull = s.pulls.get(from);
  if (
    pull === undefined ||
    pull.id !== message.id ||
    pull.epoch !== message.epoch ||
    pull.part !== message.part
  )
    return;
  if (message.part === 0) pull.differing = message.differing;
  for (const entry of message.entries) pull.entries.push(entry);
  if (!message.last) {
    pull.part++;
    pull.tries = 0;
    ask(c, from, pull);
    return;
  }
  s.pulls.delete(from);
  apply(c, from, { pull, version: message.version });
}

function apply(c: Context, source: MemberKey, done: { pull: Pull; version: Version }): void {
  const { s } = c;
  const { pull } = done;
  const stale = entriesIn(
    s.replica,
    new Map(pull.differing.map(([host, buckets]) => [host, new Set(buckets)])),
  );
  if (pull.epoch !== s.follow.promised) return;
  if (pull.purpose === 'catchup') {
    c.todo.push({
      type: 'caughtUp',
      transfer: { stale, differing: pull.differing, entries: pull.entries, version: done.version },
    });
    return;
  }
  if (s.leader?.epoch !== pull.epoch || pull.scope === null) return;
  const entries: readonly Entry[] = pull.entries.filter((entry) => entry.host === pull.scope);
  if (pull.purpose === 'truth') c.todo.push({ type: 'truth', host: source, stale, entries });
  else c.todo.push({ type: 'missing', source, host: pull.scope, stale, entries });
}
