// How long something may be waited for: a deadline, an abort signal and an explicit end, whichever comes first. After
// that every wait on it has ended with one and the same reason. Nothing here knows what is waited for.
import { DGenError } from '../errors/error.ts';
import type { TimerHandle, Timers } from '../host/ports.ts';

export interface LifetimeOptions {
  readonly timers: Timers;
  /** Milliseconds. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** For the text of the reason: "store transaction". */
  readonly what: string;
}

export class Lifetime {
  readonly #timers: Timers;
  readonly #deadline: TimerHandle;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: () => void;
  readonly #onEnd: Set<(reason: DGenError) => void> = new Set();
  #reason: DGenError | undefined;

  constructor(options: LifetimeOptions) {
    const { timers, timeoutMs, signal, what } = options;
    this.#timers = timers;
    this.#signal = signal;
    const expired = () => new DGenError('timeout', what, { details: { timeoutMs }, maybeExecuted: false });
    const aborted = () => new DGenError('aborted', what, { cause: signal?.reason, maybeExecuted: false });
    this.#onAbort = () => this.end(aborted());
    this.#deadline = timers.after(timeoutMs, () => this.end(expired()), { background: true });
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (signal?.aborted === true) this.end(aborted());
  }

  /** Why it ended; undefined while it lasts. */
  get reason(): DGenError | undefined {
    return this.#reason;
  }

  /** Throws the reason if it has ended. */
  check(): void {
    if (this.#reason !== undefined) throw this.#reason;
  }

  /** Ends it. Only the first end counts. */
  end(reason: DGenError): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#deadline.cancel();
    this.#signal?.removeEventListener('abort', this.#onAbort);
    for (const listener of this.#onEnd) listener(reason);
    this.#onEnd.clear();
  }

  /** Calls `listener` when it ends, until the returned function is called. Not for one that has ended: `check` first. */
  whenEnded(listener: (reason: DGenError) => void): () => void {
    this.#onEnd.add(listener);
    return () => void this.#onEnd.delete(listener);
  }

  /** Settles like `work`, or rejects with the reason when the lifetime ends first. `work` is never left unobserved. */
  race<T>(work: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#reason !== undefined) reject(this.#reason);
      else this.#onEnd.add(reject);
      const done = () => this.#onEnd.delete(reject);
      work.then(
        (value) => {
          done();
          resolve(value);
        },
        (error: unknown) => {
          done();
          reject(error);
        },
      );
    });
  }

  /** Resolves after `ms`, or rejects with the reason as soon as the lifetime ends. */
  sleep(ms: number): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      if (this.#reason !== undefined) {
        reject(this.#reason);
        return;
      }
      const ended = (reason: DGenError) => {
        timer.cancel();
        reject(reason);
      };
      // Not in the background: somebody is waiting for what comes after it.
      const timer = this.#timers.after(ms, () => {
        this.#onEnd.delete(ended);
        resolve();
      });
      this.#onEnd.add(ended);
    });
  }
}
