// The part of a store under one prefix: keys get it on the way in and lose it on the way out, limits are judged, and the
// format record is read beside the first read and added to what each commit rests on. So once a store is sealed, no
// transaction reads from it or commits to it any more, wherever it began and whatever its process has heard.
import { DGenError } from '../errors/error.ts';
import { concatBytes } from './bytes.ts';
import { checkCommit, checkKey, checkRange, checkRangeOptions, checkWait } from './check.ts';
import { formatKey, formatRange, recordCheck } from './format.ts';
import {
  type Backend,
  type Bytes,
  type Commit,
  type CommitResult,
  type KeyRange,
  limits,
  type Mutation,
  type RangeOptions,
  type RangePage,
  type StoreTransaction,
  type WaitOptions,
  type Watch,
} from './port.ts';
import type { KeySpace, StoreHost } from './store.ts';

/**
 * In a sealed store's marker: no attempt with this id was applied here, and none will be. Who knows the target too has left
 * it there before committing to the target (`moving.ts`).
 */
export const shutOutAttempt = 0x7ffffffe;

export interface SpaceParts {
  readonly backend: Backend;
  readonly host: StoreHost;
  readonly prefix: Bytes;
  /** Whether transactions rest on the format record. Only who changes that record himself says false. */
  readonly guarded: boolean;
}

export class PrefixedSpace implements KeySpace {
  readonly host: StoreHost;
  readonly #backend: Backend;
  readonly #prefix: Bytes;
  readonly #check: RecordCheck | undefined;

  constructor({ backend, host, prefix, guarded }: SpaceParts) {
    this.host = host;
    this.#backend = backend;
    this.#prefix = prefix;
    this.#check = guarded ? recordCheck() : undefined;
  }

  async begin(options: WaitOptions): Promise<StoreTransaction> {
    checkWait(options);
    return new PrefixedTransaction(await this.#backend.begin(options), this.#prefix, this.#check);
  }

  watch(range: KeyRange): Watch {
    checkRange(range);
    return this.#backend.watch(underPrefix(this.#prefix, range));
  }
}

type RecordCheck = (record: Bytes | undefined) => void;

class PrefixedTransaction implements StoreTransaction {
  readonly #inner: StoreTransaction;
  readonly #prefix: Bytes;
  readonly #check: RecordCheck | undefined;
  #checked: Promise<void> | undefined;
  #committed = false;

  constructor(inner: StoreTransaction, prefix: Bytes, check: RecordCheck | undefined) {
    this.#inner = inner;
    this.#prefix = prefix;
    this.#check = check;
  }

  async get(key: Bytes): Promise<Bytes | undefined> {
    this.#checkOpen();
    const full = this.#key(key);
    const [, value] = await Promise.all([this.#usable(), this.#inner.get(full)]);
    return value;
  }

  async getRange(range: KeyRange, options: RangeOptions): Promise<RangePage> {
    this.#checkOpen();
    checkRange(range);
    checkRangeOptions(options);
    const full = this.#range(range);
    const [, { items, more }] = await Promise.all([this.#usable(), this.#inner.getRange(full, options)]);
    const from = this.#prefix.length;
    return { items: items.map(([key, value]) => [key.subarray(from), value]), more };
  }

  async commit(commit: Commit): Promise<CommitResult> {
    this.#checkOpen();
    this.#committed = true;
    try {
      const full = this.#withPrefix(commit);
      await this.#usable();
      return this.#resultOf(await this.#inner.commit(full));
    } finally {
      this.#inner.close();
    }
  }

  close(): void {
    this.#inner.close();
  }

  /** The record is read once, at the snapshot of everything else; who reads nothing gets a snapshot by it. */
  #usable(): Promise<void> | undefined {
    const check = this.#check;
    if (check !== undefined) this.#checked ??= this.#inner.get(formatKey).then(check);
    return this.#checked;
  }

  /** Backends look for markers before conflicts: who began before the seal may find one that was left after it. */
  #resultOf(result: CommitResult): CommitResult {
    const isShutOut = result.applied === 'earlier' && result.attempt === shutOutAttempt;
    if (!isShutOut || this.#check === undefined) return result;
    throw new DGenError('store_conflict', 'store', { expected: 'one that was not sealed meanwhile' });
  }

  #checkOpen(): void {
    if (this.#committed)
      throw new DGenError('store_invalid', 'transaction', { expected: 'one before its commit' });
  }

  #withPrefix(commit: Commit): Commit {
    checkCommit(commit);
    const reads = commit.reads.map((range) => this.#range(range));
    const full = {
      ...commit,
      reads: this.#check === undefined ? reads : [...reads, formatRange],
      writes: commit.writes.map((write) => this.#mutation(write)),
    };
    return commit.id === undefined ? full : { ...full, id: concatBytes(this.#prefix, commit.id) };
  }

  #mutation(write: Mutation): Mutation {
    if (write.type === 'clearRange') return { type: write.type, ...this.#range(write) };
    return { ...write, key: this.#key(write.key) };
  }

  #key(key: Bytes): Bytes {
    checkKey(key);
    if (this.#prefix.length === 0) return key;
    const full = concatBytes(this.#prefix, key);
    checkKey(full);
    return full;
  }

  #range(range: KeyRange): KeyRange {
    return underPrefix(this.#prefix, range);
  }
}

/**
 * The interval under the prefix. Bounds are cut to one byte more than a key may have, which changes nothing: a key between
 * a bound and its cut would have to be that long itself.
 */
function underPrefix(prefix: Bytes, { begin, end }: KeyRange): KeyRange {
  const bound = (bytes: Bytes) => concatBytes(prefix, bytes).subarray(0, limits.keyBytesMax + 1);
  return { begin: bound(begin), end: bound(end) };
}
