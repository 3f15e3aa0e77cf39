// Options of a registry, checked once, with every default and unit in one place.
import { DGenError } from '../errors/error.ts';
import type { Config } from './protocol/types.ts';

export interface RegistryOptions {
  /** L, in milliseconds; default 5,000, at least 100: how long the lease of the leader and the support of a member last. A silent leader is replaced after about L. */
  readonly leaseMs?: number;
  /** S, in milliseconds; default 3 L, at least 2 L: how long a member keeps its names without hearing from a leader with authority; then it ends their processes. That of the leader counts for all. */
  readonly sessionMs?: number;
  /** T, in milliseconds; default 120,000, at least L: how long a leader that all support, of three and more all but one, decides without the store. */
  readonly storeOutageToleranceMs?: number;
  /**
   * H, in milliseconds; default 600,000 or T, at least T: how long a leader that all support renews sessions without the store.
   * Between T and H nothing new is decided, and what is registered stays. Where all established members are lost and nobody can
   * prove it, a newcomer takes over after H: that is its price.
   */
  readonly storeOutageHoldMs?: number;
  /** Largest relative error of any machine's clock rate; default 0.05, at least 0 and below 0.5. */
  readonly clockRateBound?: number;
  /** Requests that may wait at one member; default 100,000. Beyond it a request rejects with `overloaded`. */
  readonly requestsMax?: number;
  /**
   * Milliseconds that `startLink` waits until the member can serve; 0: not at all. Default: as long as the protocol may need at most,
   * `(H + 2 S + 8 L) (1 + ρ) / (1 − ρ)`, since a member that gives up earlier and is started anew begins its wait anew. What it waits
   * for is logged.
   */
  readonly readyTimeoutMs?: number;
  /** Milliseconds that a request waits unless it says otherwise; default 5,000. */
  readonly timeoutMs?: number;
  /** Milliseconds for leaving in good order when the registry is closed; default 5,000. Then it leaves as one that died. */
  readonly drainTimeoutMs?: number;
}

export interface CheckedOptions {
  readonly config: Config;
  readonly readyTimeoutMs: number;
  readonly timeoutMs: number;
  readonly drainTimeoutMs: number;
}

type Bounds = readonly [defaultValue: number, min: number, max: number];

/** Throws `bad_option` for an unknown option, or a value out of its range. */
export function checkOptions(options: RegistryOptions): CheckedOptions {
  const leaseMs = number(options, 'leaseMs', [5_000, 100, 600_000]);
  const storeOutageToleranceMs = number(options, 'storeOutageToleranceMs', [
    Math.max(120_000, leaseMs),
    leaseMs,
    86_400_000,
  ]);
  const known: Record<keyof RegistryOptions, number> = {
    leaseMs,
    sessionMs: number(options, 'sessionMs', [3 * leaseMs, 2 * leaseMs, 3_600_000]),
    storeOutageToleranceMs,
    storeOutageHoldMs: number(options, 'storeOutageHoldMs', [
      Math.max(600_000, storeOutageToleranceMs),
      storeOutageToleranceMs,
      86_400_000,
    ]),
    clockRateBound: number(options, 'clockRateBound', [0.05, 0, 0.49]),
    requestsMax: number(options, 'requestsMax', [100_000, 1, 10_000_000]),
    readyTimeoutMs: 0,
    timeoutMs: number(options, 'timeoutMs', [5_000, 0, Infinity]),
    drainTimeoutMs: number(options, 'drainTimeoutMs', [5_000, 0, 600_000]),
  };
  known.readyTimeoutMs = number(options, 'readyTimeoutMs', [longestWaitMs(known), 0, Infinity]);
  for (const key of Object.keys(options)) {
    if (!Object.hasOwn(known, key))
      throw new DGenError('bad_option', `registry option ${key}`, {
        expected: Object.keys(known).join(', '),
      });
  }
  return {
    config: {
      durations: {
        leaseMs,
        sessionMs: known.sessionMs,
        toleranceMs: storeOutageToleranceMs,
        holdMs: known.storeOutageHoldMs,
        clockRateBound: known.clockRateBound,
      },
      buckets: 256,
      logOpsMax: 200_000,
      windowOpsMax: 50_000,
      partEntriesMax: 2_000,
      removalsMax: 64,
      requestsMax: known.requestsMax,
      claimStaggerMs: Math.min(50, leaseMs / 20),
    },
    readyTimeoutMs: known.readyTimeoutMs,
    timeoutMs: known.timeoutMs,
    drainTimeoutMs: known.drainTimeoutMs,
  };
}

/** The longest that a member waits until it serves, once faults have ended: that of newcomers where all who counted are lost. */
function longestWaitMs(known: Record<keyof RegistryOptions, number>): number {
  const { leaseMs, sessionMs, storeOutageHoldMs, clockRateBound } = known;
  return Math.ceil(
    ((storeOutageHoldMs + 2 * sessionMs + 8 * leaseMs) * (1 + clockRateBound)) / (1 - clockRateBound),
  );
}

function number(
  options: RegistryOptions,
  key: keyof RegistryOptions,
  [defaultValue, min, max]: Bounds,
): number {
  const value = options[key] ?? defaultValue;
  if (typeof value === 'number' && value >= min && value <= max) return value;
  throw new DGenError('bad_option', `registry option ${key}`, {
    expected: `a number from ${min} to ${max}`,
    got: String(value),
  });
}
