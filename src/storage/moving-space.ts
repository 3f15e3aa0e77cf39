// Transactions of a store that is being moved: each belongs to the old store or to the new one. In the old one the seal
// means to come again; in the new one an id is settled with the old store's markers first (`moving.ts` says why).
import { DGenError, hasCode } from '../errors/error.ts';
import type { Clock } from '../host/ports.ts';
import { checkWait } from './check.ts';
import type {
  Bytes,
  Commit,
  CommitResult,
  KeyRange,
  RangeOptions,
  RangePage,
  StoreTransaction,
  WaitOptions,
  Watch,
} from './port.ts';
import { shutOutAttempt } from './prefixed.ts';
import type { KeySpace, StoreHost } from './store.ts';

/** What is known of the move, and who is to hear of it. */
export interface Switch {
  /** The new store is in use, for good. */
  readonly usesNew: boolean;
  /** Where a transaction belongs that begins now. Rejects with `store_unavailable` while the copy runs. */
  sideFor(options: WaitOptions): Promise<'from' | 'to'>;
  /** A transaction has met the seal. */
  sealed(): void;
  /** Has the watch fire at the switch, too. */
  watchUntilSwitch(watch: Watch): Watch;
}

/** What several waits in a row have together: each takes what those before it have left. */
export function timeLeft(clock: Clock, options: WaitOptions): () => WaitOptions {
  const endsAt = clock.now() + options.timeoutMs;
  return () => ({ ...options, timeoutMs: Math.max(1, endsAt - clock.now()) });
}

export function beingMoved(cause?: unknown): DGenError {
  return new DGenError('store_unavailable', 'store', { expected: 'the end of its move', cause });
}

export interface Sides {
  readonly from: KeySpace;
  readonly to: KeySpace;
  /** The old one, without regard to its seal. */
  readonly unguarded: KeySpace;
}

export class MovingSpace implements KeySpace {
  readonly host: StoreHost;
  readonly #switch: Switch;
  readonly #sides: Sides;

  constructor(over: Switch, sides: Sides, host: StoreHost) {
    this.host = host;
    this.#switch = over;
    this.#sides = sides;
  }

  async begin(options: WaitOptions): Promise<StoreTransaction> {
    checkWait(options);
    const left = timeLeft(this.host.clock, options);
    const side = await this.#switch.sideFor(options);
    const inner = await this.#sides[side].begin(left());
    if (side === 'from') return new LeavingTransaction(inner, () => this.#switch.sealed());
    return new ArrivedTransaction(inner, (id) => shutOut(this.#sides.unguarded, id, left()));
  }

  watch(range: KeyRange): Watch {
    if (this.#switch.usesNew) return this.#sides.to.watch(range);
    return this.#switch.watchUntilSwitch(this.#sides.from.watch(range));
  }
}

/** In the old store: that it was sealed means to come again. */
class LeavingTransaction implements StoreTransaction {
  readonly #inner: StoreTransaction;
  readonly #sealed: () => void;

  constructor(inner: StoreTransaction, sealed: () => void) {
    this.#inner = inner;
    this.#sealed = sealed;
  }

  get(key: Bytes): Promise<Bytes | undefined> {
    return this.#orComeAgain(this.#inner.get(key));
  }

  getRange(range: KeyRange, options: RangeOptions): Promise<RangePage> {
    return this.#orComeAgain(this.#inner.getRange(range, options));
  }

  commit(commit: Commit): Promise<CommitResult> {
    return this.#orComeAgain(this.#inner.commit(commit));
  }

  close(): void {
    this.#inner.close();
  }

  async #orComeAgain<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (!hasCode(error, 'store_moved')) throw error;
      this.#sealed();
      throw beingMoved(error);
    }
  }
}

/** In the new store: what an id stands for there was settled in the old one before. */
class ArrivedTransaction implements StoreTransaction {
  readonly #inner: StoreTransaction;
  readonly #shutOut: (id: Bytes) => Promise<CommitResult>;

  constructor(inner: StoreTransaction, shutOutOld: (id: Bytes) => Promise<CommitResult>) {
    this.#inner = inner;
    this.#shutOut = shutOutOld;
  }

  get(key: Bytes): Promise<Bytes | undefined> {
    return this.#inner.get(key);
  }

  getRange(range: KeyRange, options: RangeOptions): Promise<RangePage> {
    return this.#inner.getRange(range, options);
  }

  async commit(commit: Commit): Promise<CommitResult> {
    try {
      if (commit.id !== undefined) {
        const old = await this.#shutOut(commit.id);
        if (old.applied === 'earlier' && old.attempt !== shutOutAttempt) return old;
      }
      return await this.#inner.commit(commit);
    } finally {
      this.#inner.close();
    }
  }

  close(): void {
    this.#inner.close();
  }
}

/** Leaves a marker in the old store, unless an attempt that was applied there has left its own. */
async function shutOut(old: KeySpace, id: Bytes, options: WaitOptions): Promise<CommitResult> {
  const tx = await old.begin(options);
  try {
    return await tx.commit({ reads: [], writes: [], id, attempt: shutOutAttempt });
  } catch (error) {
    // Whether the marker is there makes no difference to the next attempt, and nothing else was tried.
    if (!hasCode(error, 'store_commit_unknown')) throw error;
    // biome-ignore lint/style/useErrorCause: it is in the options.
    throw new DGenError('store_unavailable', 'old store', { expected: 'an answer', cause: error });
  } finally {
    tx.close();
  }
}
