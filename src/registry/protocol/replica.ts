// The replica: every registration of the cluster, with digests per host so that two replicas find out in one message
// whether, and in which buckets, they differ. Digests are sums over the entries: free of order, kept while entries
// come and go. Not here: who may change it.
import type { Digest, Entry, Op } from './messages.ts';
import type { MemberKey, NameKey } from './types.ts';
import { sameVersion, type Version, zeroVersion } from './version.ts';

export interface HostDigest {
  count: number;
  /** Two lanes of 32 bits for each bucket, interleaved. */
  readonly lanes: number[];
  low: number;
  high: number;
}

export interface Replica {
  readonly entries: Map<NameKey, Entry>;
  readonly digests: Map<MemberKey, HostDigest>;
  /** Everything up to this version is in it. */
  version: Version;
  readonly buckets: number;
}

export function createReplica(buckets: number): Replica {
  return { entries: new Map(), digests: new Map(), version: zeroVersion, buckets };
}

export function putEntry(replica: Replica, entry: Entry): void {
  const old = replica.entries.get(entry.key);
  if (old !== undefined) account(replica, old, -1);
  replica.entries.set(entry.key, entry);
  account(replica, entry, 1);
}

/** Removes the entry with that token; another registration of the name stays. */
export function removeEntry(replica: Replica, key: NameKey, token: Version): Entry | undefined {
  const entry = replica.entries.get(key);
  if (entry === undefined || !sameVersion(entry.token, token)) return undefined;
  replica.entries.delete(key);
  account(replica, entry, -1);
  return entry;
}

/** Removes and returns all entries of a host. Walks the table. */
export function dropHost(replica: Replica, host: MemberKey): Entry[] {
  if (!replica.digests.has(host)) return [];
  const dropped: Entry[] = [];
  for (const entry of replica.entries.values()) if (entry.host === host) dropped.push(entry);
  for (const entry of dropped) replica.entries.delete(entry.key);
  replica.digests.delete(host);
  return dropped;
}

export function applyOp(replica: Replica, op: Op): void {
  switch (op.type) {
    case 'put':
      putEntry(replica, op.entry);
      return;
    case 'remove':
      removeEntry(replica, op.key, op.token);
      return;
    case 'dropHost':
      dropHost(replica, op.host);
      return;
    default:
      op satisfies never;
  }
}

export function digestOf(replica: Replica, host: MemberKey): Digest {
  return replica.digests.get(host)?.lanes.slice() ?? [];
}

export function totalOf(replica: Replica, host: MemberKey): { count: number; low: number; high: number } {
  const digest = replica.digests.get(host);
  return { count: digest?.count ?? 0, low: digest?.low ?? 0, high: digest?.high ?? 0 };
}

/** The buckets in which `theirs` differs from this replica's digest of the host. */
export function differingBuckets(replica: Replica, host: MemberKey, theirs: Digest | undefined): number[] {
  const ours = replica.digests.get(host)?.lanes;
  const result: number[] = [];
  for (let bucket = 0; bucket < replica.buckets; bucket++) {
    const low = (ours?.[2 * bucket] ?? 0) !== (theirs?.[2 * bucket] ?? 0);
    const high = (ours?.[2 * bucket + 1] ?? 0) !== (theirs?.[2 * bucket + 1] ?? 0);
    if (low || high) result.push(bucket);
  }
  return result;
}

/** All entries of the named hosts in the named buckets. Walks the table once. */
export function entriesIn(replica: Replica, wanted: ReadonlyMap<MemberKey, ReadonlySet<number>>): Entry[] {
  const found: Entry[] = [];
  if (![...wanted.values()].some((set) => set.size > 0)) return found;
  for (const entry of replica.entries.values()) {
    if (wanted.get(entry.host)?.has(bucketOf(entry.key, replica.buckets)) === true) found.push(entry);
  }
  return found;
}

function bucketOf(key: NameKey, buckets: number): number {
  return (hashKey(key, 0x9e3779b9) >>> 0) % buckets;
}

function account(replica: Replica, entry: Entry, sign: 1 | -1): void {
  let digest = replica.digests.get(entry.host);
  if (digest === undefined) {
    digest = { count: 0, lanes: new Array<number>(2 * replica.buckets).fill(0), low: 0, high: 0 };
    replica.digests.set(entry.host, digest);
  }
  const first = hashKey(entry.key, 0x9e3779b9);
  const slot = 2 * ((first >>> 0) % replica.buckets);
  const low = mix(first ^ Math.imul(entry.token.n, 0x85ebca6b) ^ Math.imul(entry.token.epoch, 0xc2b2ae35));
  const high = mix(hashKey(entry.key, low) ^ entry.token.n);
  digest.lanes[slot] = ((digest.lanes[slot] ?? 0) + sign * low) | 0;
  digest.lanes[slot + 1] = ((digest.lanes[slot + 1] ?? 0) + sign * high) | 0;
  digest.low = (digest.low + sign * low) | 0;
  digest.high = (digest.high + sign * high) | 0;
  digest.count += sign;
  if (digest.count === 0) replica.digests.delete(entry.host);
}

function hashKey(key: NameKey, seed: number): number {
  const text = typeof key === 'string' ? key : `\u0001${key}`;
  let hash = seed ^ text.length;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
    hash ^= hash >>> 15;
  }
  return mix(hash);
}

function mix(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
