// How often a supervisor may restart before it gives up: at most `maxRestarts` within any `maxSeconds`.
import { DGenError } from '../errors/error.ts';
import type { Instant } from '../host/ports.ts';

export interface IntensityOptions {
  /** Restarts allowed within `maxSeconds`; default 3; 0 allows none. */
  readonly maxRestarts?: number;
  /** Default 5. */
  readonly maxSeconds?: number;
}

export class RestartIntensity {
  readonly #max: number;
  readonly #windowMs: number;
  /** Of the restarts in the window, oldest first: never more than `#max`. */
  #times: Instant[] = [];

  /** Throws `badarg`. */
  constructor({ maxRestarts = 3, maxSeconds = 5 }: IntensityOptions) {
    if (!(maxRestarts >= 0))
      throw new DGenError('badarg', 'maxRestarts', { expected: '0 or more', got: String(maxRestarts) });
    if (!(maxSeconds > 0))
      throw new DGenError('badarg', 'maxSeconds', { expected: 'above 0', got: String(maxSeconds) });
    this.#max = maxRestarts;
    this.#windowMs = maxSeconds * 1000;
  }

  /** Counts a restart; false when it is one too many. A restart that is exactly `maxSeconds` old still counts. */
  allow(now: Instant): boolean {
    this.#times = this.#times.filter((time) => now - time <= this.#windowMs);
    if (this.#times.length >= this.#max) return false;
    this.#times.push(now);
    return true;
  }
}
