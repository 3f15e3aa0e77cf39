// What everybody but a backend uses: a store that is ours (a format record says so), divided into tenants that share
// nothing but the store. A tenant's keys live under a prefix of its own and are seen without it; the limits are judged
// here, alike for every backend.
import { DGenError } from '../errors/error.ts';
import type { Host } from '../host/ports.ts';
import { concatBytes } from './bytes.ts';
import { checkCommit, checkKey, checkRange, checkRangeOptions, checkWait } from './check.ts';
import { allKeys, keyOf } from './keys.ts';
import type { Mutation, RangeOptions, RangePage, StoreTransaction, WaitOptions, Watch } from './port.ts';
import { type Backend, type Bytes, type Commit, type CommitResult, type KeyRange, limits } from './port.ts';
import type { Transaction } from './recording.ts';
import { transact } from './transact.ts';

export type StoreHost = Pick<Host, 'clock' | 'timers' | 'random'>;

/** An ordered set of keys with transactions over it; see the port for the semantics of `begin` and `watch`. */
export interface KeySpace {
  readonly host: StoreHost;
  /**
   * One transaction of the port, checked against the limits: `store_invalid` and `store_too_large` are found before
   * the backend is asked, and `bad_option` says that `timeoutMs` is out of its range. Nothing is retried: who decides
   * himself what an unknown outcome means uses this, everybody else `transact`.
   */
  begin(options: WaitOptions): Promise<StoreTransaction>;
  watch(range: KeyRange): Watch;
}

/** The keys of one cluster in a store. */
export interface Tenant extends KeySpace {
  readonly store: Store;
  readonly name: string;
}

export interface Store {
  /** Of the backend: for humans. */
  readonly description: string;
  /** Throws `bad_option` unless `name` is text of 1 to 128 bytes. Two calls with one name see the same keys. */
  tenant(name: string): Tenant;
  /** Closes the backend. Idempotent, never rejects. */
  close(): Promise<void>;
}

export interface OpenStoreOptions {
  readonly host: StoreHost;
  /** For reading, and at first writing, the format record. Default 5000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

const formatNumber = 1;
const formatKey = Uint8Array.of(0, ...new TextEncoder().encode('format'));
const tenantByte = Uint8Array.of(1);
const tenantNameBytesMax = 128;

/**
 * Takes over `backend` and checks that the store behind it is ours, or empty; then marks it as ours.
 *
 * Rejects with: `store_not_ours` (it holds something else), `store_format` (a newer release wrote it), and the errors
 * of `transact`. The backend is closed then.
 */
export async function openStore(backend: Backend, options: OpenStoreOptions): Promise<Store> {
  const { host, timeoutMs = limits.transactionMsMax, signal } = options;
  const root: KeySpace = new PrefixedSpace(backend, host, new Uint8Array(0));
  try {
    await transact(root, claimFormat, signal === undefined ? { timeoutMs } : { timeoutMs, signal });
  } catch (error) {
    await backend.close();
    throw error;
  }
  const store: Store = {
    description: backend.description,
    tenant: (name) => new TenantSpace(store, name, { backend, host }),
    close: () => backend.close(),
  };
  return store;
}

async function claimFormat(tx: Transaction): Promise<void> {
  const written = await tx.get(formatKey);
  if (written !== undefined) {
    checkFormat(new TextDecoder().decode(written));
    return;
  }
  const others = await tx.getRange(allKeys(), { limit: 1 });
  if (others.items.length > 0) {
    throw new DGenError('store_not_ours', 'store', {
      expected: 'an empty one',
      got: 'keys of something else',
    });
  }
  tx.set(formatKey, new TextEncoder().encode(`dgen ${formatNumber}`));
}

function checkFormat(written: string): void {
  const number = /^dgen (\d{1,9})$/.exec(written)?.[1];
  if (number === undefined) {
    throw new DGenError('store_not_ours', 'store', { expected: 'a format record' });
  }
  if (Number(number) > formatNumber) {
    throw new DGenError('store_format', 'store', { expected: `at most ${formatNumber}`, got: number });
  }
}

class PrefixedSpace implements KeySpace {
  readonly host: StoreHost;
  readonly #backend: Backend;
  readonly #prefix: Bytes;

  constructor(backend: Backend, host: StoreHost, prefix: Bytes) {
    this.host = host;
    this.#backend = backend;
    this.#prefix = prefix;
  }

  async begin(options: WaitOptions): Promise<StoreTransaction> {
    checkWait(options);
    return new PrefixedTransaction(await this.#backend.begin(options), this.#prefix);
  }

  watch(range: KeyRange): Watch {
    checkRange(range);
    return this.#backend.watch(underPrefix(this.#prefix, range));
  }
}

class TenantSpace extends PrefixedSpace implements Tenant {
  readonly store: Store;
  readonly name: string;

  constructor(store: Store, name: string, { backend, host }: { backend: Backend; host: StoreHost }) {
    super(backend, host, concatBytes(tenantByte, tenantKey(name)));
    this.store = store;
    this.name = name;
  }
}

function tenantKey(name: string): Bytes {
  const valid = typeof name === 'string' && name !== '' && !/\p{Surrogate}/u.test(name);
  if (!valid || new TextEncoder().encode(name).length > tenantNameBytesMax) {
    const expected = `well-formed text of 1 to ${tenantNameBytesMax} bytes`;
    throw new DGenError('bad_option', 'tenant name', { expected, got: String(name).slice(0, 64) });
  }
  return keyOf(name);
}

/** Adds the prefix on the way in, checks, and takes it off on the way out. */
class PrefixedTransaction implements StoreTransaction {
  readonly #inner: StoreTransaction;
  readonly #prefix: Bytes;
  #committed = false;

  constructor(inner: StoreTransaction, prefix: Bytes) {
    this.#inner = inner;
    this.#prefix = prefix;
  }

  async get(key: Bytes): Promise<Bytes | undefined> {
    this.#checkOpen();
    return this.#inner.get(this.#key(key));
  }

  async getRange(range: KeyRange, options: RangeOptions): Promise<RangePage> {
    this.#checkOpen();
    checkRange(range);
    checkRangeOptions(options);
    const { items, more } = await this.#inner.getRange(this.#range(range), options);
    const from = this.#prefix.length;
    return { items: items.map(([key, value]) => [key.subarray(from), value]), more };
  }

  async commit(commit: Commit): Promise<CommitResult> {
    this.#checkOpen();
    this.#committed = true;
    try {
      return await this.#inner.commit(this.#checked(commit));
    } finally {
      this.#inner.close();
    }
  }

  close(): void {
    this.#inner.close();
  }

  #checkOpen(): void {
    if (this.#committed)
      throw new DGenError('store_invalid', 'transaction', { expected: 'one before its commit' });
  }

  #checked(commit: Commit): Commit {
    checkCommit(commit);
    const full = {
      ...commit,
      reads: commit.reads.map((range) => this.#range(range)),
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
