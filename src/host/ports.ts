// The ports through which everything above reaches time, chance and the log. Nothing in the pure layers calls
// the real ones: the composition root passes the host's, the simulator passes its own.

/** Milliseconds of a monotonic clock, fractional. Only differences on one machine mean anything. */
export type Instant = number;

export interface Clock {
  /** Monotonic milliseconds; never goes back; unrelated to any other machine's clock. */
  now(): Instant;
}

export interface TimerHandle {
  /** Cancels the timer. Idempotent; after it the callback never runs. */
  cancel(): void;
}

export interface Timers {
  /** Runs `callback` once, not before `delayMs` (0 or more, clamped to 2^31-1) have passed. Does not keep the host alive when `background`. */
  after(delayMs: number, callback: () => void, options?: { readonly background?: boolean }): TimerHandle;
  /** Runs `callback` once, after the input that is waiting now has been handled (setImmediate on Node.js). */
  defer(callback: () => void): void;
}

export interface Random {
  /** Unpredictable bytes in production; seeded in simulation. */
  bytes(count: number): Uint8Array;
  /** Uniform integer in [0, 2^32). */
  uint32(): number;
}

/** A pino-shaped logger. Calls never throw and never block. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

const ignore = (): void => undefined;

export const silentLog: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore };

export interface Host {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
}
