// The storage port: a transactional ordered key-value store in the manner of FoundationDB. A backend sees bytes and
// versions, nothing of the protocol: read snapshots, one conditional commit, watch handles, a closed set of failures.
// Retry, exactly-once, limits and key prefixes are written once, above it (`store.ts`, `transact.ts`). What is said here
// is checked by `conformance/`, with the memory backend as the reference.
//
// Who owns bytes: a backend neither changes nor keeps the arrays it is given beyond the settling of the call; the
// arrays it returns belong to the caller. Keys are ordered by unsigned bytes, a prefix before its extensions; there is
// no empty key. An interval whose begin is not below its end is empty, not an error.

export type Bytes = Uint8Array;

/** A half-open interval of keys, [begin, end), by unsigned byte order. */
export interface KeyRange {
  readonly begin: Bytes;
  readonly end: Bytes;
}

export type Mutation =
  | { readonly type: 'set'; readonly key: Bytes; readonly value: Bytes }
  | { readonly type: 'clear'; readonly key: Bytes }
  | { readonly type: 'clearRange'; readonly begin: Bytes; readonly end: Bytes }
  /** 64-bit little-endian addition modulo 2^64; an absent value counts as 0; a value of another length is `store_invalid`. */
  | { readonly type: 'add'; readonly key: Bytes; readonly value: Bytes }
  /** Keeps the larger by unsigned byte order; an absent value is smaller than any. */
  | { readonly type: 'max'; readonly key: Bytes; readonly value: Bytes };

export interface Commit {
  /**
   * What the decision rests on. The commit is refused with `store_conflict` if any of it changed after the snapshot.
   * A transaction that has read nothing has no snapshot yet: its commit cannot conflict.
   */
  readonly reads: readonly KeyRange[];
  /** Applied in this order. */
  readonly writes: readonly Mutation[];
  /**
   * Idempotency id, 1 to 64 bytes; a backend gets it with the tenant's prefix, and takes up to `keyBytesMax` bytes. A marker of it is created inside the transaction, create-only, also when there are
   * no writes: of all attempts with one id at most one is ever applied. Markers are kept for at least 10 minutes.
   * So a commit of unknown outcome is settled by another commit with its id: that one answers 'earlier', or, once it
   * is applied itself, the unknown one never will be.
   */
  readonly id?: Bytes;
  /** Distinguishes the attempts of one `id`; 0 to 2^31-1; kept in the marker. */
  readonly attempt?: number;
}

export type CommitResult =
  | { readonly applied: 'now' }
  /** An earlier attempt of the same id had been applied; this one was not. Found before conflicts are looked for. */
  | { readonly applied: 'earlier'; readonly attempt: number };

/** The same limits for every backend, enforced by the shared layer before the backend is asked. */
export const limits: {
  readonly keyBytesMax: number;
  readonly valueBytesMax: number;
  readonly idBytesMax: number;
  readonly writesMax: number;
  readonly readRangesMax: number;
  readonly transactionBytesMax: number;
  readonly transactionMsMax: number;
  readonly rangeItemsMax: number;
  readonly pageBytesMax: number;
} = {
  /** Of the whole key, a tenant's prefix included. The bounds of a range may be one byte longer. */
  keyBytesMax: 1024,
  valueBytesMax: 65_536,
  idBytesMax: 64,
  writesMax: 100,
  readRangesMax: 100,
  /** All keys, values and bounds of one commit together. */
  transactionBytesMax: 1_048_576,
  transactionMsMax: 5_000,
  rangeItemsMax: 10_000,
  /** A page ends early once its keys and values have reached this. */
  pageBytesMax: 1_048_576,
};

export interface WaitOptions {
  /** Milliseconds until the transaction ends by itself; more than 0, at most `limits.transactionMsMax`. */
  readonly timeoutMs: number;
  /** Ends the transaction when aborted. */
  readonly signal?: AbortSignal;
}

export interface RangeOptions {
  /** 1 to `limits.rangeItemsMax`. */
  readonly limit: number;
  /** From the end of the range downwards. Default false. */
  readonly reverse?: boolean;
}

export interface RangePage {
  readonly items: readonly (readonly [key: Bytes, value: Bytes])[];
  /** True when the range holds more than these items: `limit` was reached, or `limits.pageBytesMax`. */
  readonly more: boolean;
}

/**
 * All reads show one snapshot, fixed by the first read: everything whose commit had been acknowledged to anybody before
 * that read began. The transaction's own writes are not in it.
 *
 * The deadline and the signal of `begin` cover the whole transaction. After them every method rejects with `timeout`
 * or `aborted`; both then carry `maybeExecuted: false`, for nothing has been applied. A commit that had been
 * handed to the store when they struck rejects with `store_commit_unknown` instead.
 */
export interface StoreTransaction {
  /** The value, or undefined. Rejects with `store_too_old`, `store_unavailable`, `timeout`, `aborted`, `store_fatal`, `closed`. */
  get(key: Bytes): Promise<Bytes | undefined>;
  /** One page of a range. Rejects like `get`. */
  getRange(range: KeyRange, options: RangeOptions): Promise<RangePage>;
  /**
   * Applies all of `commit.writes`, or nothing, and ends the transaction. Serialisable and real-time ordered.
   *
   * Rejects with: `store_conflict`, `store_too_old`, `store_unavailable` (none applied, may be retried);
   * `timeout`, `aborted` (not applied, see above);
   * `store_commit_unknown` (may be applied, or be applied later: once the request was handed to the transport only an
   * explicit refusal by the store is definite); `store_too_large`, `store_invalid` (never retry); `store_fatal`, `closed`.
   * So `maybeExecuted` of the error is true if and only if the code is `store_commit_unknown`.
   * A backend never retries a write whose outcome it does not know. False conflicts are allowed, lost ones never.
   */
  commit(commit: Commit): Promise<CommitResult>;
  /** Releases the snapshot. Idempotent, never rejects. Does not call back a commit that is under way. */
  close(): void;
}

/** A handle, not a promise: a promise returned from an async body would be awaited. */
export interface Watch {
  /**
   * Resolves once: after a commit that came after the call of `watch` has changed the range, and also after `cancel`
   * and `close`. May be spurious; may miss A-B-A. Always re-read. Never rejects, and has no deadline: the holder
   * cancels. To miss nothing, watch first and read then.
   */
  readonly changed: Promise<void>;
  /** Releases everything. Idempotent. */
  cancel(): void;
}

export interface Backend {
  /** For humans and `status`: "sqlite", "memory", with no secret in it. */
  readonly description: string;
  /** Starts a transaction. Rejects with `store_unavailable`, `timeout`, `aborted`, `store_fatal`, `closed`. */
  begin(options: WaitOptions): Promise<StoreTransaction>;
  /** Watches all keys in `range` for a commit after this call. Backends re-check by themselves after a reconnect. */
  watch(range: KeyRange): Watch;
  /** Ends open transactions and watches, releases everything. Idempotent, never rejects. */
  close(): Promise<void>;
}
