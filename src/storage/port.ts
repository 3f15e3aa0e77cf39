// The storage port: a transactional ordered key-value store in the manner of FoundationDB. A backend sees bytes and
// versions, nothing of the protocol: read snapshots, one conditional commit, watch handles, a closed set of
// failures. Retry, exactly-once, limits and key prefixes are written once, above it (`store.ts`, `transact.ts`).
// What is said here is checked by `conformance/`, with the memory backend as the reference; docs/BACKENDS.md is the
// guide to it.
//
// Who owns bytes: a backend neither changes nor keeps the arrays it is given beyond the settling of the call; the
// arrays it returns belong to the caller. Keys are ordered by unsigned bytes, a prefix before its extensions; there
// is no empty key, but there are empty values. An interval whose begin is not below its end is empty, not an error.
//
// Who waits: every promise of a transaction settles by its deadline, whatever the store and the network do; the few
// milliseconds of a busy machine are all that may come on top. Methods throw nothing: what fails rejects. A
// rejection is a `DGenError` with a code that the method names, and no other.

export type Bytes = Uint8Array;

/** A half-open interval of keys, [begin, end), by unsigned byte order. */
export interface KeyRange {
  readonly begin: Bytes;
  readonly end: Bytes;
}

/** One write. A mutation of an empty interval, or a `clear` of a key that is absent, changes nothing and is no error. */
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
   * What the decision rests on. The commit is applied only if it makes no difference to it that its reads are older
   * than itself. Most backends refuse with `store_conflict` whenever any of it was written after the snapshot; one
   * that follows dependencies may let a commit pass that can be ordered before those writes. A key that came or
   * went where the snapshot has none counts like any other change. A transaction that has read nothing has no
   * snapshot yet: its commit cannot conflict. The shared layer adds one range to those of its caller, the format
   * record, so a backend is given up to `readRangesMax` + 1. They may overlap, repeat and be empty, and need not
   * have been read.
   */
  readonly reads: readonly KeyRange[];
  /** Applied in this order: a later one sees what an earlier one left. The same key may occur several times. */
  readonly writes: readonly Mutation[];
  /**
   * Idempotency id, 1 to 64 bytes; a backend gets it with the tenant's prefix, and takes up to `keyBytesMax` bytes.
   * A marker of it is created inside the transaction, create-only, also when there are no writes: of all attempts
   * with one id at most one is ever applied. Markers are kept for at least 10 minutes, and are not seen by reads,
   * ranges or watches. So a commit of unknown outcome is settled by another commit with its id: that one answers
   * 'earlier', or, once it is applied itself, the unknown one never will be. A refused commit leaves no marker.
   */
  readonly id?: Bytes;
  /** Distinguishes the attempts of one `id`; 0 to 2^31-1; kept in the marker. Default 0. */
  readonly attempt?: number;
}

export type CommitResult =
  | { readonly applied: 'now' }
  /**
   * An earlier attempt of the same id had been applied, the one with this number; this one was not, and never will
   * be. Found before conflicts are looked for: a repetition must not be told that it conflicts with itself.
   */
  | { readonly applied: 'earlier'; readonly attempt: number };

/**
 * The same limits for every backend, enforced by the shared layer before the backend is asked: so whatever one
 * takes, all take. A backend must take all that is within them, all at once, and need not check them again. Beyond
 * them: `store_too_large` for sizes and counts, `store_invalid` for an empty key or id, `bad_option` for a time.
 */
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
  /** Of the caller's part; the tenant's prefix comes on top. */
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
 * One snapshot, and at most one commit that rests on it.
 *
 * All reads show one snapshot, fixed by the first read: everything whose commit had been acknowledged to anybody,
 * by whatever client, before that read began; and of each commit all or nothing. The transaction's own writes are
 * not in it. Reads may be under way at once, also the first ones. Nothing is called after `commit` but `close`.
 *
 * The deadline and the signal of `begin` cover the whole transaction. After them every method rejects with
 * `timeout` or `aborted`; both then carry `maybeExecuted: false`, for nothing has been applied. A commit that had
 * been handed to the store when they struck rejects with `store_commit_unknown` instead.
 *
 * A transaction that is neither committed nor closed is released at its deadline by the backend itself. How many
 * may hold a snapshot at once is the backend's affair, but at least four; whoever has to wait for one waits no
 * longer than his deadline, and many short ones always come through.
 */
export interface StoreTransaction {
  /**
   * The value, or undefined for a key that is absent.
   *
   * Rejects with `store_too_old` (the store has given up the snapshot), `store_unavailable`, `timeout`, `aborted`,
   * `store_fatal`, `closed` (the transaction or its client was closed).
   */
  get(key: Bytes): Promise<Bytes | undefined>;
  /**
   * One page of a range, in the order of the keys, or downwards from its end. Rejects like `get`. Whoever wants
   * more asks for the range behind the last key, in the same transaction or not.
   */
  getRange(range: KeyRange, options: RangeOptions): Promise<RangePage>;
  /**
   * Applies all of `commit.writes`, or nothing, and ends the transaction. Serialisable and real-time ordered: there
   * is one order of all commits which explains all that was read, and in which nothing comes before what was
   * acknowledged when it began. An acknowledged commit survives the death of any process, and of the machine as far
   * as the options of the backend say so.
   *
   * Rejects with:
   * - `store_conflict`, `store_too_old`, `store_unavailable`: not applied, and never will be; may be retried, with
   *   a new snapshot;
   * - `timeout`, `aborted`: the same, see above;
   * - `store_commit_unknown`: may be applied, or be applied later. Once the request was handed to the transport
   *   only an explicit refusal by the store is definite: not a lost connection, nor a deadline, nor a second try
   *   that conflicts;
   * - `store_invalid`: an `add` to a value that is no number; nothing of the commit is applied. Never retry;
   * - `store_too_large`, `store_fatal`, `closed`: not applied.
   *
   * So `maybeExecuted` of the error is true if and only if the code is `store_commit_unknown`. A backend never
   * retries a write whose outcome it does not know, and makes sure that its driver does not either. False conflicts
   * are allowed but must be rare, and rarer the less a commit has to do with others; lost ones never. A commit
   * without `reads` should not conflict.
   */
  commit(commit: Commit): Promise<CommitResult>;
  /** Releases the snapshot. Idempotent, never throws. Does not call back a commit that is under way. */
  close(): void;
}

/** A handle, not a promise: a promise returned from an async body would be awaited. */
export interface Watch {
  /**
   * Resolves once: after a commit that came after the call of `watch` has changed the range, and also after
   * `cancel` and `close`. May miss A-B-A. Never rejects, and has no deadline: the holder cancels.
   *
   * It may be spurious, so always re-read; but that is for moments such as the loss of a connection, not for every
   * commit. It may be late, but not for ever: once the store can be reached it resolves within seconds, whatever
   * was lost in between. To miss nothing, watch first and read then.
   */
  readonly changed: Promise<void>;
  /** Releases everything. Idempotent. `changed` resolves at once, also without a way to the store. */
  cancel(): void;
}

/**
 * One client of a store. Two clients of one store, in whatever processes, see the same keys. It connects by itself,
 * and again after each loss, for as long as it is not closed; nothing that it does becomes an unhandled rejection
 * or keeps a program running after `close`.
 */
export interface Backend {
  /** For humans and `status`: "sqlite", "memory", with no secret in it. */
  readonly description: string;
  /**
   * Starts a transaction; it may well ask the store at the first read only. Rejects with `store_unavailable`,
   * `timeout`, `aborted`, `store_fatal`, `closed`; a signal that was aborted before rejects at once.
   */
  begin(options: WaitOptions): Promise<StoreTransaction>;
  /**
   * Watches all keys in `range` for a commit after this call. It takes effect at once, although it cannot ask the
   * store: so a networked client keeps the newest version it has heard of and watches from there, after a reconnect
   * too; where the store has forgotten that version, it resolves. Without a way to the store it is taken as well.
   * Of a closed client it resolves at once. Thousands at a time must be cheap.
   */
  watch(range: KeyRange): Watch;
  /**
   * Ends open transactions (`closed`; a commit under way: `store_commit_unknown`) and watches, releases everything.
   * Idempotent, never rejects, and takes no longer than seconds, also without a way to the store. What was
   * committed stays.
   */
  close(): Promise<void>;
}
