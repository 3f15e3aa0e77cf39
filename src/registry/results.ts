// What the protocol answers, as what users get: closed unions for verdicts, coded errors for everything that is none.
import { codes } from '../errors/codes.ts';
import { DGenError } from '../errors/error.ts';
import { inspect, type Pid } from '../term/index.ts';
import type { Result } from './protocol/types.ts';
import type { Version } from './protocol/version.ts';

/**
 * Proves to systems outside which owner of a name is the later one: of two tokens of one registry the larger was given
 * later. Store it with every write, and refuse a write with a smaller one.
 */
export interface FencingToken {
  readonly epoch: number;
  readonly n: number;
  /** The same order in one number of at most 63 bits, for a column of a database: epoch below 2^23, n below 2^40. */
  readonly value: bigint;
}

export function fencingToken({ epoch, n }: Version): FencingToken {
  return { epoch, n, value: (BigInt(epoch) << 40n) | BigInt(n) };
}

/** Negative, zero or positive, as `a` was given before, with or after `b`. */
export function compareTokens(a: Version, b: Version): number {
  return a.epoch === b.epoch ? a.n - b.n : a.epoch - b.epoch;
}

export type Registration =
  /** The process holds the name: now, or since an earlier call. */
  | { readonly status: 'registered'; readonly token: FencingToken }
  /** At some moment during the call the name belonged to `holder`. */
  | { readonly status: 'taken'; readonly holder: Pid; readonly token: FencingToken };

export interface Lookup {
  readonly pid: Pid;
  readonly token: FencingToken;
  readonly metadata: unknown;
}

export function asRegistration(result: Result, name: unknown): Registration {
  if (result.type === 'registered') return { status: 'registered', token: fencingToken(result.token) };
  if (result.type === 'taken')
    return { status: 'taken', holder: result.pid, token: fencingToken(result.token) };
  throw asError(result, name);
}

export function asLookup(result: Result, name: unknown): Lookup | undefined {
  if (result.type === 'absent') return undefined;
  if (result.type === 'found')
    return { pid: result.pid, token: fencingToken(result.token), metadata: result.metadata };
  throw asError(result, name);
}

export function asError(result: Result, name: unknown): DGenError {
  const what = inspect(name);
  if (result.type !== 'error')
    return new DGenError('bad_return', what, { expected: 'another answer', got: result.type });
  const why = `${what}: ${result.why}`;
  const { maybeExecuted } = codes[result.code];
  // Some codes say that nothing was done: they must not stand for what may have been.
  if (result.maybeExecuted && !maybeExecuted) return new DGenError('unknown_outcome', why);
  const certain = !result.maybeExecuted && maybeExecuted;
  return new DGenError(result.code, why, certain ? { maybeExecuted: false } : {});
}
