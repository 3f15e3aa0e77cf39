// The format record: one key of every store, which says that the store is ours, in which format, and whether it is in
// use. Every transaction of the shared layer rests on it, so a change of it stops all of them at once, in whatever process:
// that is how a store is moved. It is text, for people with other tools: `dgen 1`, or `dgen 1 moved {…}`.
import { DGenError } from '../errors/error.ts';
import { compareBytes, rangeOfKey } from './bytes.ts';
import type { Bytes, KeyRange } from './port.ts';

const formatNumber = 1;

export const formatKey: Bytes = Uint8Array.of(0, ...new TextEncoder().encode('format'));
export const formatRange: KeyRange = rangeOfKey(formatKey);

/**
 * What a store is at present.
 * - `open`: in use. `arrived` is the move that filled it, if one did.
 * - `moved`: sealed by a move into another store, for good unless the move is given up.
 * - `filling`: the target of a move that is not complete.
 * - `abandoned`: the target of a move that was given up; what is in it counts for nothing.
 *
 * `former` are moves that had taken this target before they had copied anything, and lost it to the one named.
 */
export type Standing =
  | { readonly state: 'open'; readonly arrived?: string | undefined }
  | {
      readonly state: 'moved';
      readonly move: string;
      readonly to: string;
      readonly arrived?: string | undefined;
    }
  | {
      readonly state: 'filling';
      readonly move: string;
      readonly from: string;
      readonly former?: readonly string[] | undefined;
    }
  | { readonly state: 'abandoned'; readonly move: string; readonly former?: readonly string[] | undefined };

/** Whether the store was ever taken for this move, and may still be. */
export function isTargetOf(standing: Standing | undefined, move: string): boolean {
  if (standing?.state !== 'filling' && standing?.state !== 'abandoned') return false;
  return standing.move === move || standing.former?.includes(move) === true;
}

/** Another move has taken the target since, and would leave it to this one, which was not given up. */
export function hasLostTarget(standing: Standing | undefined, move: string): boolean {
  return isTargetOf(standing, move) && !(standing?.state !== 'open' && standing?.move === move);
}

/** Whether this move was completed into the store, which may have moved on since. */
export function hasArrived(standing: Standing | undefined, move: string): boolean {
  return (standing?.state === 'open' || standing?.state === 'moved') && standing.arrived === move;
}

export function encodeStanding(standing: Standing): Bytes {
  const { state, ...rest } = standing;
  const plain = state === 'open' && standing.arrived === undefined;
  const tail = plain ? '' : ` ${state} ${JSON.stringify(rest)}`;
  return new TextEncoder().encode(`dgen ${formatNumber}${tail}`);
}

/** Throws `store_format` for a record of a newer release, `store_not_ours` for what is none. */
export function decodeStanding(record: Bytes): Standing {
  const [, number, tail] = /^dgen (\d{1,9})(?: (.*))?$/s.exec(new TextDecoder().decode(record)) ?? [];
  if (number === undefined) throw notOurs();
  if (Number(number) > formatNumber) {
    throw new DGenError('store_format', 'store', { expected: `at most ${formatNumber}`, got: number });
  }
  if (tail === undefined) return { state: 'open' };
  const [, state = '', json = ''] = /^(\w+) (\{.*\})$/s.exec(tail) ?? [];
  return fromParts(state, json);
}

function fromParts(state: string, json: string): Standing {
  const text = (value: unknown): string => {
    if (typeof value === 'string') return value;
    throw notOurs();
  };
  const { move, from, to, arrived, former } = parse(json);
  const origin = arrived === undefined ? {} : { arrived: text(arrived) };
  const losers = Array.isArray(former) ? { former: former.map(text) } : {};
  if (state === 'open') return { state, ...origin };
  if (state === 'moved') return { state, move: text(move), to: text(to), ...origin };
  if (state === 'filling') return { state, move: text(move), from: text(from), ...losers };
  if (state === 'abandoned') return { state, move: text(move), ...losers };
  throw notOurs();
}

function parse(json: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(json) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw notOurs(cause);
  }
}

/** Throws unless the store may be used: `store_moved`, `store_unfinished`, and the errors of `decodeStanding`. */
export function checkOpen(standing: Standing): void {
  if (standing.state === 'moved') throw movedError(standing);
  if (standing.state !== 'open') throw unfinishedError(standing, 'store');
}

export function unfinishedError(
  standing: Extract<Standing, { state: 'filling' | 'abandoned' }>,
  what: string,
): DGenError {
  const { move, state } = standing;
  const isFilling = state === 'filling';
  return new DGenError('store_unfinished', what, {
    expected: 'a store in use',
    got: isFilling
      ? `the target of a move from ${standing.from} that is not complete`
      : 'the target of a move that was taken back',
    details: { move, state },
  });
}

export function movedError({ move, to }: Extract<Standing, { state: 'moved' }>): DGenError {
  return new DGenError('store_moved', 'store', {
    expected: 'a store in use',
    got: `one that was moved to ${to}`,
    details: { move, to },
  });
}

/** A check of the record as a transaction reads it, which remembers what it let pass last: that is quick. */
export function recordCheck(): (record: Bytes | undefined) => void {
  let passed: Bytes | undefined;
  return (record) => {
    if (record === undefined) throw notOurs();
    if (passed !== undefined && compareBytes(passed, record) === 0) return;
    checkOpen(decodeStanding(record));
    passed = record.slice();
  };
}

/** Also for one whose record went away while it was in use: somebody has emptied it, and what it knew with it. */
function notOurs(cause?: unknown): DGenError {
  return new DGenError('store_not_ours', 'store', { expected: 'a format record', cause });
}
