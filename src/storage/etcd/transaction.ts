// A transaction: reads of one revision, what they have told, and a commit that rests on it.
import { DGenError } from '../../errors/error.ts';
import { copyCommit, isEmptyRange, keyAfter } from '../bytes.ts';
import type { Lifetime } from '../lifetime.ts';
import type { Bytes, Commit, CommitResult, KeyRange, RangeOptions, RangePage } from '../port.ts';
import { limits, type StoreTransaction } from '../port.ts';
import type { Cluster } from './cluster.ts';
import { applyCommit } from './commit.ts';
import type { Layout } from './layout.ts';
import type { MarkerLeases } from './marker-leases.ts';
import type { KeyValue, RangeReply } from './messages.ts';
import { coveredBy, ReadLog } from './read-log.ts';
import { SnapshotReads } from './snapshot-reads.ts';

export interface TransactionParts {
  readonly cluster: Cluster;
  readonly layout: Layout;
  readonly leases: MarkerLeases;
  readonly lifetime: Lifetime;
}

/** A server bounds a reply by the number of keys only. The first one of a page is small, for the keys may have large values. */
const firstKeysMax = 64;
const furtherKeysMax = 256;

export class EtcdTransaction implements StoreTransaction {
  readonly #parts: TransactionParts;
  readonly #log: ReadLog = new ReadLog();
  readonly #reads: SnapshotReads;

  constructor(parts: TransactionParts) {
    this.#parts = parts;
    this.#reads = new SnapshotReads(parts.cluster, parts.lifetime);
  }

  async get(key: Bytes): Promise<Bytes | undefined> {
    const { layout, lifetime } = this.#parts;
    lifetime.check();
    const own = key.slice();
    const reply = await this.#reads.range({ key: layout.key(own) });
    const found = reply.kvs[0];
    this.#log.noteKey(own, found?.mod_revision ?? '0');
    return found && new Uint8Array(found.value);
  }

  async getRange(range: KeyRange, { limit, reverse = false }: RangeOptions): Promise<RangePage> {
    this.#parts.lifetime.check();
    if (isEmptyRange(range)) return { items: [], more: false };
    const whole = { begin: range.begin.slice(), end: range.end.slice() };
    const found: KeyValue[] = [];
    let bytes = 0;
    let rest: KeyRange | undefined = whole;
    while (rest !== undefined && found.length < limit && bytes < limits.pageBytesMax) {
      const batch = found.length === 0 ? firstKeysMax : furtherKeysMax;
      const reply: RangeReply = await this.#batch(rest, {
        limit: Math.min(batch, limit - found.length),
        reverse,
      });
      for (const item of reply.kvs) {
        if (bytes >= limits.pageBytesMax) break;
        found.push(item);
        bytes += this.#keyAt(item).length + item.value.length;
      }
      rest = this.#beyond(rest, reply, { last: found.at(-1), reverse });
    }
    const page = { items: found.map((item) => this.#item(item)), more: rest !== undefined };
    const known = found.map((item) => ({ key: this.#keyAt(item), revision: item.mod_revision }));
    this.#log.noteRange(coveredBy(page, whole, reverse), known);
    return page;
  }

  async commit(commit: Commit): Promise<CommitResult> {
    const { lifetime } = this.#parts;
    lifetime.check();
    const request = copyCommit(commit);
    try {
      await this.#reads.settled();
      const needsNobody =
        request.writes.length === 0 && request.id === undefined && request.reads.length === 0;
      if (needsNobody) return { applied: 'now' };
      return await applyCommit({ ...this.#parts, log: this.#log, revision: this.#reads.revision }, request);
    } finally {
      this.close();
    }
  }

  close(): void {
    this.#parts.lifetime.end(new DGenError('closed', 'etcd store'));
  }

  #batch(range: KeyRange, { limit, reverse }: { limit: number; reverse: boolean }): Promise<RangeReply> {
    const order = reverse ? ({ sort_order: 'DESCEND' } as const) : {};
    return this.#reads.range({ ...this.#parts.layout.range(range), limit, ...order });
  }

  /** What is still to be read after a reply; undefined: nothing. */
  #beyond(
    { begin, end }: KeyRange,
    { more, kvs }: RangeReply,
    { last, reverse }: { last: KeyValue | undefined; reverse: boolean },
  ): KeyRange | undefined {
    if (last === undefined || (!more && last === kvs.at(-1))) return undefined;
    const key = this.#keyAt(last);
    return reverse ? { begin, end: key } : { begin: keyAfter(key), end };
  }

  #keyAt({ key }: KeyValue): Bytes {
    return this.#parts.layout.keyAt(key);
  }

  #item(item: KeyValue): readonly [Bytes, Bytes] {
    return [this.#keyAt(item), new Uint8Array(item.value)];
  }
}
