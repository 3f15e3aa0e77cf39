// The storage port: a transactional ordered key-value store in the manner of FoundationDB. A backend sees bytes and
// versions, nothing of the protocol. Read snapshots, one conditional commit, watch handles, a closed set of failures.

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
  /** What the decision rests on. The commit is refused with `store_conflict` if any of it changed after the snapshot. */
  readonly reads: readonly KeyRange[];
  readonly writes: readonly Mutation[];
  /** Idempotency id, 1 to 64 bytes. The marker is created inside the transaction, create-only: of several attempts with one id at most one is ever applied. */
  readonly id?: Bytes;
  /** Distinguishes the attempts of one `id`; 0 to 2^31-1; kept in the marker. */
  readonly attempt?: number;
}

export type CommitResult =
  | { readonly applied: 'now' }
  /** An earlier attempt of the same id had been applied; this one was not. */
  | { readonly applied: 'earlier'; readonly attempt: number };

/** The same limits for every backend, enforced by the shared layer before the backend is asked. */
export const limits: {
  readonly keyBytesMax: number;
  readonly valueBytesMax: number;
  readonly writesMax: number;
  readonly readRangesMax: number;
  readonly transactionBytesMax: number;
  readonly transactionMsMax: number;
  readonly rangeItemsMax: number;
} = {
  keyBytesMax: 1024,
  valueBytesMax: 65_536,
  writesMax: 100,
  readRangesMax: 100,
  transactionBytesMax: 1_048_576,
  transactionMsMax: 5_000,
  rangeItemsMax: 10_000,
};

export interface WaitOptions {
  /** Milliseconds until the wait rejects with `timeout`; at most `limits.transactionMsMax`. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface RangePage {
  readonly items: readonly (readonly [key: Bytes, value: Bytes])[];
  /** True when the range holds more than `limit` items. */
  readonly more: boolean;
}

/** All reads show one snapshot, fixed by the first read. Any method may reject with a `DGenError` of the closed set below. */
export interface StoreTransaction {
  get(key: Bytes): Promise<Bytes | undefined>;
  getRange(range: KeyRange, options: { readonly limit: number; readonly reverse?: boolean }): Promise<RangePage>;
  /**
   * Applies all of `commit.writes`, or nothing. Serialisable and real-time ordered.
   *
   * Rejects with: `store_conflict`, `store_too_old`, `store_unavailable` (none applied, may be retried);
   * `store_commit_unknown` (may be applied, or be applied later: once the request was handed to the transport only an
   * explicit refusal by the store is definite); `store_too_large`, `store_invalid` (never retry); `store_fatal`, `closed`.
   * A backend never retries a write by itself.
   */
  commit(commit: Commit): Promise<CommitResult>;
  /** Releases the snapshot. Idempotent, never rejects. */
  close(): void;
}

/** A handle, not a promise: a promise returned from an async body would be awaited. */
export interface Watch {
  /** Resolves at least once after the value differs from the base; may be spurious; may miss A-B-A. Always re-read. Never rejects; after `cancel` or `close` it resolves. */
  readonly changed: Promise<void>;
  cancel(): void;
}

export interface Backend {
  /** For humans and `status`: "sqlite", "memory", with no secret in it. */
  readonly description: string;
  begin(options: WaitOptions): Promise<StoreTransaction>;
  /** Watches all keys in `range` for a commit after this call. Backends re-check by themselves after a reconnect. */
  watch(range: KeyRange): Watch;
  /** Ends open transactions and watches, releases everything. Idempotent. */
  close(): Promise<void>;
}
