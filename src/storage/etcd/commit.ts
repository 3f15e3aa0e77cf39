// One commit: the transaction that is sent, and what its answer means. The conditions are that no marker of the id is there, that
// what was read is as it was, and that the values which `add` and `max` have computed with are still there. When they do not
// hold, the answer brings the marker, if there is one; without it either the reads have changed, which is a conflict, or
// only the computed values have, and then it is computed again: nothing was applied, so that is no retry of a write.
import { DGenError } from '../../errors/error.ts';
import type { Lifetime } from '../lifetime.ts';
import type { Bytes, Commit, CommitResult } from '../port.ts';
import type { Cluster } from './cluster.ts';
import { conditionsOf, isAt } from './conditions.ts';
import { guardsToTouch } from './guards.ts';
import type { Layout } from './layout.ts';
import type { MarkerLeases } from './marker-leases.ts';
import type { Compare, RequestOp, TxnReply, TxnRequest } from './messages.ts';
import { keysToRead, type NetWrites, netWrites } from './net-writes.ts';
import { type KnownKey, nameOf, type ReadLog } from './read-log.ts';
import { handOver, repeatable } from './requests.ts';

export interface CommitParts {
  readonly cluster: Cluster;
  readonly layout: Layout;
  readonly leases: MarkerLeases;
  readonly lifetime: Lifetime;
  readonly log: ReadLog;
  /** Of the snapshot; undefined: nothing was read, so nothing can conflict. */
  readonly revision: bigint | undefined;
}

/** A server takes so many comparisons, and so many operations on each level of a transaction. */
const partsMax = 128;
/** With nested operations the levels share that number. */
const comparesWhenNested = 100;
const nestedMax = partsMax - comparesWhenNested;
const pauseMsMax = 20;

interface Base extends KnownKey {
  readonly value: Bytes | undefined;
}

/** Applies `commit`, whose arrays nobody changes any more. Rejects as `StoreTransaction.commit` does. */
export async function applyCommit(parts: CommitParts, commit: Commit): Promise<CommitResult> {
  const computed = keysToRead(commit.writes);
  for (let attempt = 0; ; attempt++) {
    const bases = computed.length === 0 ? [] : await readBases(parts, commit, computed);
    if ('applied' in bases) return bases;
    const result = await tryCommit(parts, commit, bases);
    if (result !== 'stale') return result;
    if (computed.length === 0) throw new DGenError('store_conflict', 'etcd store');
    await parts.lifetime.sleep(Math.random() * Math.min(pauseMsMax, 2 ** attempt));
  }
}

/** The values to compute with; or the result, if an earlier attempt was applied. Rejects with `store_conflict` if the reads have changed. */
async function readBases(
  parts: CommitParts,
  commit: Commit,
  keys: readonly Bytes[],
): Promise<readonly Base[] | CommitResult> {
  const { cluster, layout, lifetime } = parts;
  const marker = markerReads(layout, commit.id);
  const values = keys.map((key): RequestOp => ({ request_range: { key: layout.key(key) } }));
  const compare = readConditions(parts, commit, partsMax);
  const request = { compare, success: [...marker, ...values], failure: marker };
  const reply = await repeatable(cluster, lifetime, ['Txn', request]);
  const earlier = commit.id === undefined ? undefined : earlierIn(reply);
  if (earlier !== undefined) return earlier;
  if (!reply.succeeded) throw new DGenError('store_conflict', 'etcd store');
  return keys.map((key, i) => {
    const found = reply.responses[marker.length + i]?.response_range?.kvs[0];
    return { key, value: found && new Uint8Array(found.value), revision: found?.mod_revision ?? '0' };
  });
}

async function tryCommit(
  parts: CommitParts,
  commit: Commit,
  bases: readonly Base[],
): Promise<CommitResult | 'stale'> {
  const { cluster, layout, leases, lifetime } = parts;
  const values = new Map(bases.map(({ key, value }) => [nameOf(key), value]));
  const operations = operationsOf(
    layout,
    netWrites(commit.writes, (key) => values.get(nameOf(key))),
  );
  for (;;) {
    const lease = commit.id === undefined ? undefined : await leases.next(lifetime);
    const request = buildRequest(parts, { commit, bases, operations, lease });
    const writes = operations.length > 0 || commit.id !== undefined;
    try {
      const reply = await handOver(cluster, lifetime, { request, writes });
      if (reply.succeeded) return { applied: 'now' };
      return (commit.id === undefined ? undefined : earlierIn(reply)) ?? 'stale';
    } catch (error) {
      if (lease === undefined || !isLeaseLost(error)) throw error;
      leases.forget(lease);
    }
  }
}

interface Draft {
  readonly commit: Commit;
  readonly bases: readonly Base[];
  readonly operations: readonly RequestOp[];
  readonly lease: string | undefined;
}

function buildRequest(parts: CommitParts, { commit, bases, operations, lease }: Draft): TxnRequest {
  const { layout } = parts;
  const { id, attempt = 0 } = commit;
  const marks: RequestOp[] = [];
  const fixed: Compare[] = bases.map(({ key, revision }) => isAt(layout.key(key), revision));
  if (id !== undefined && lease !== undefined) {
    const key = layout.marker(id);
    marks.push({ request_put: { key, value: Buffer.from(String(attempt)), lease } });
    fixed.push(isAt(key, '0'));
  }
  const success = [...marks, ...operations];
  const isNested = success.length > partsMax;
  const room = (isNested ? comparesWhenNested : partsMax) - fixed.length;
  const compare = [...fixed, ...readConditions(parts, commit, room)];
  const failure = markerReads(layout, id);
  // Without a read in it a transaction that changes nothing would be answered from what one member happens to know.
  if (success.length === 0) success.push(...failure);
  return { compare, success: isNested ? nested(success) : success, failure };
}

function readConditions(
  { layout, log, revision }: CommitParts,
  commit: Commit,
  room: number,
): readonly Compare[] {
  return revision === undefined ? [] : conditionsOf(commit.reads, { layout, log, revision, room });
}

/** A read of the marker; without an id a read of nothing, for its place must not be empty. */
function markerReads(layout: Layout, id: Bytes | undefined): RequestOp[] {
  const key = id === undefined ? layout.markers.begin : layout.marker(id);
  return [{ request_range: { key } }];
}

function earlierIn(reply: TxnReply): CommitResult | undefined {
  const marker = reply.responses[0]?.response_range?.kvs[0];
  if (marker === undefined) return undefined;
  return { applied: 'earlier', attempt: Number(Buffer.from(marker.value).toString()) };
}

function operationsOf(layout: Layout, { puts, deletes, clears }: NetWrites): readonly RequestOp[] {
  const guards = guardsToTouch({ keys: deletes, ranges: clears });
  return [
    ...puts.map(([key, value]): RequestOp => ({ request_put: { key: layout.key(key), value } })),
    ...deletes.map((key): RequestOp => ({ request_delete_range: { key: layout.key(key) } })),
    ...clears.map((range): RequestOp => ({ request_delete_range: layout.range(range) })),
    ...guards.map(
      (name): RequestOp => ({ request_put: { key: layout.guard(name), value: new Uint8Array(0) } }),
    ),
  ];
}

/** The same operations as transactions within the transaction, without conditions of their own. */
function nested(operations: readonly RequestOp[]): RequestOp[] {
  const groups: RequestOp[] = [];
  for (let i = 0; i < operations.length; i += nestedMax) {
    const success = operations.slice(i, i + nestedMax);
    groups.push({ request_txn: { compare: [], success, failure: [] } });
  }
  return groups;
}

function isLeaseLost(error: unknown): boolean {
  return error instanceof DGenError && error.details.remedy === 'lease';
}
