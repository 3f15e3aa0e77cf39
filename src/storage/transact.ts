// The retry loop over single-shot commits. A body is run on a snapshot; what it reads is recorded, what it writes is
// collected, and both become one commit. Refused commits are tried again from the start, after a pause.
//
// Exactly once. A commit may be lost on its way there or its reply on the way back; either way the store says "unknown".
//   1. Attempt 0 commits with id X; the reply is lost. Attempt 0 is now in doubt, and stays so: it may even land later.
//   2. The body runs again as attempt 1, and whatever it says is committed with the same id X - also when it
//      wrote nothing, and also (with nothing to write) when it threw.
//   3. Either the marker of X is there: attempt 0 had been applied, and its value is the result. Or attempt 1 creates the
//      marker, and attempt 0 can no longer be applied by anybody.
import { DGenError, hasCode } from '../errors/error.ts';
import { Lifetime } from './lifetime.ts';
import { type Bytes, type CommitResult, limits, type StoreTransaction, type WaitOptions } from './port.ts';
import { RecordingTransaction, type Transaction } from './recording.ts';
import type { KeySpace } from './store.ts';

export interface TransactOptions {
  /** Milliseconds for all attempts together, more than 0. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /**
   * 1 to 64 bytes that no other transaction has. Default: random. With an id of the caller's, its writes are applied at most once
   * even over several calls; a call that finds them applied by another one resolves with the value of its own last
   * run of the body. A call that threw after an unknown outcome has spent the id: later calls reject with `store_invalid`.
   */
  readonly id?: Bytes;
}

/**
 * Runs `body` in a transaction until it is committed, and resolves with the value of the run that was. The body may run
 * several times, so it must have no other effects. A body that writes nothing is not committed: its reads are of one snapshot.
 *
 * Rejects with what the body threw, if it threw; with `timeout` or `aborted` (nothing applied, `maybeExecuted` false;
 * the cause tells the last refusal); with `store_commit_unknown` when the outcome could not be found out in time; with
 * `store_invalid`, `store_too_large`, `store_fatal`, `closed`.
 */
export async function transact<T>(
  space: KeySpace,
  body: (tx: Transaction) => Promise<T> | T,
  options: TransactOptions,
): Promise<T> {
  if (!(options.timeoutMs > 0)) {
    throw new DGenError('bad_option', 'timeoutMs', {
      expected: 'more than 0',
      got: String(options.timeoutMs),
    });
  }
  const attempts = new Attempts(space, body, options);
  try {
    return await attempts.run();
  } finally {
    attempts.end();
  }
}

type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };

const randomIdBytes = 16;
/** The attempt number that a body which threw leaves in the marker: nothing was or will be written under this id. */
const spentAttempt = 0x7fffffff;
/** Short: with longer pauses those who lose fall ever further behind those who win (shares of one key, test/postgres/contention.test.ts). */
const conflictPauseMsMax = 16;
const outagePauseMsMax = 500;
const retried = [
  'store_conflict',
  'store_too_old',
  'store_unavailable',
  'store_commit_unknown',
  'timeout',
] as const;

class Attempts<T> {
  readonly #space: KeySpace;
  readonly #body: (tx: Transaction) => Promise<T> | T;
  readonly #signal: AbortSignal | undefined;
  readonly #lifetime: Lifetime;
  readonly #endsAt: number;
  readonly #hasOwnId: boolean;
  readonly #id: Bytes;
  /** Of the attempts in doubt. */
  readonly #outcomes: Map<number, Outcome<T>> = new Map();
  #doubt: DGenError | undefined;
  /** The last error that was no end of a wait. */
  #refusal: unknown;

  constructor(space: KeySpace, body: (tx: Transaction) => Promise<T> | T, options: TransactOptions) {
    const { clock, timers, random } = space.host;
    this.#space = space;
    this.#body = body;
    this.#signal = options.signal;
    this.#hasOwnId = options.id === undefined;
    this.#id = options.id ?? random.bytes(randomIdBytes);
    this.#endsAt = clock.now() + options.timeoutMs;
    const { timeoutMs, signal } = options;
    this.#lifetime = new Lifetime({ timers, timeoutMs, signal, what: 'transaction' });
  }

  async run(): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      const outcome = await this.#attempt(attempt).catch((error: unknown) => this.#pause(error, attempt));
      if (outcome === undefined) continue;
      if (outcome.ok) return outcome.value;
      throw outcome.error;
    }
  }

  end(): void {
    this.#lifetime.end(new DGenError('closed', 'transaction'));
  }

  /** Rejects with errors of the store only. */
  async #attempt(attempt: number): Promise<Outcome<T>> {
    const inner = await this.#space.begin(this.#wait());
    try {
      const tx = new RecordingTransaction(inner);
      const outcome = await this.#runBody(tx);
      const needsNoCommit = !outcome.ok || (tx.writes.length === 0 && this.#hasOwnId);
      if (needsNoCommit && this.#doubt === undefined) return outcome;
      return await this.#commit(inner, { tx, outcome, attempt });
    } finally {
      inner.close();
    }
  }

  async #runBody(tx: RecordingTransaction): Promise<Outcome<T>> {
    try {
      const value = await this.#lifetime.race((async () => this.#body(tx))());
      if (tx.failure !== undefined) throw tx.failure;
      return { ok: true, value };
    } catch (error) {
      if (tx.failure !== undefined) throw tx.failure;
      this.#lifetime.check();
      return { ok: false, error };
    }
  }

  async #commit(inner: StoreTransaction, run: Run<T>): Promise<Outcome<T>> {
    const { tx, outcome, attempt } = run;
    const id = this.#id;
    const request = outcome.ok
      ? { reads: tx.reads(), writes: tx.writes, id, attempt }
      : { reads: [], writes: [], id, attempt: spentAttempt };
    try {
      return this.#settle(await inner.commit(request), outcome);
    } catch (error) {
      if (hasCode(error, 'store_commit_unknown')) this.#outcomes.set(request.attempt, outcome);
      throw error;
    }
  }

  #settle(result: CommitResult, outcome: Outcome<T>): Outcome<T> {
    if (result.applied === 'now') return outcome;
    const earlier = this.#outcomes.get(result.attempt);
    if (earlier !== undefined) return earlier;
    if (result.attempt === spentAttempt) {
      throw new DGenError('store_invalid', 'transaction id', { expected: 'one that is not spent' });
    }
    return outcome;
  }

  /** Waits before the next attempt, or throws what ends them. */
  async #pause(error: unknown, attempt: number): Promise<undefined> {
    if (hasCode(error, 'store_commit_unknown')) this.#doubt = error as DGenError;
    if (!hasCode(error, 'timeout') && !hasCode(error, 'aborted')) this.#refusal = error;
    if (this.#lifetime.reason === undefined && !retried.some((code) => hasCode(error, code)))
      throw this.#final(error);
    const maxMs = hasCode(error, 'store_conflict')
      ? Math.min(conflictPauseMsMax, 2 ** attempt)
      : Math.min(outagePauseMsMax, 5 * 2 ** attempt);
    const pauseMs = (this.#space.host.random.uint32() / 2 ** 32) * maxMs;
    await this.#lifetime.sleep(pauseMs).catch((reason: unknown) => {
      throw this.#final(reason);
    });
    return undefined;
  }

  #final(error: unknown): unknown {
    if (this.#doubt !== undefined)
      return new DGenError('store_commit_unknown', 'transaction', { cause: error });
    const { reason } = this.#lifetime;
    const cause = this.#refusal;
    if (error !== reason || cause === undefined) return error;
    const code = hasCode(reason, 'aborted') ? 'aborted' : 'timeout';
    return new DGenError(code, 'transaction', { cause, maybeExecuted: false });
  }

  #wait(): WaitOptions {
    this.#lifetime.check();
    const leftMs = Math.max(1, this.#endsAt - this.#space.host.clock.now());
    const timeoutMs = Math.min(limits.transactionMsMax, leftMs);
    return this.#signal === undefined ? { timeoutMs } : { timeoutMs, signal: this.#signal };
  }
}

interface Run<T> {
  readonly tx: RecordingTransaction;
  readonly outcome: Outcome<T>;
  readonly attempt: number;
}
