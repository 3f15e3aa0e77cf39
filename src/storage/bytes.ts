// Arithmetic on keys: unsigned byte order, neighbours, intervals, and the mutations that compute with a stored value.
// Shared by the backends that judge conflicts themselves.
import { DGenError } from '../errors/error.ts';
import type { Bytes, Commit, KeyRange, Mutation } from './port.ts';

/** Negative, 0 or positive, by unsigned byte order; a prefix comes before its extensions. */
export function compareBytes(a: Bytes, b: Bytes): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export function concatBytes(...parts: readonly Bytes[]): Bytes {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    result.set(part, offset);
    offset += part.length;
  }
  return result;
}

/** The smallest key above `key`. */
export function keyAfter(key: Bytes): Bytes {
  return concatBytes(key, Uint8Array.of(0));
}

/** The interval of exactly one key. */
export function rangeOfKey(key: Bytes): KeyRange {
  return { begin: key, end: keyAfter(key) };
}

/** The interval that a mutation may change. */
export function rangeOfMutation(mutation: Mutation): KeyRange {
  return mutation.type === 'clearRange' ? mutation : rangeOfKey(mutation.key);
}

export function isEmptyRange(range: KeyRange): boolean {
  return compareBytes(range.begin, range.end) >= 0;
}

/** Whether two intervals share a key. */
export function rangesMeet(a: KeyRange, b: KeyRange): boolean {
  if (isEmptyRange(a) || isEmptyRange(b)) return false;
  return compareBytes(a.begin, b.end) < 0 && compareBytes(b.begin, a.end) < 0;
}

/** A copy that shares no array with the caller's: what a backend holds while the caller may already reuse its buffers. */
export function copyCommit(commit: Commit): Commit {
  const range = ({ begin, end }: KeyRange): KeyRange => ({ begin: begin.slice(), end: end.slice() });
  const mutation = (m: Mutation): Mutation => {
    if (m.type === 'clearRange') return { type: m.type, ...range(m) };
    if (m.type === 'clear') return { type: m.type, key: m.key.slice() };
    return { type: m.type, key: m.key.slice(), value: m.value.slice() };
  };
  const copy = {
    reads: commit.reads.map(range),
    writes: commit.writes.map(mutation),
    attempt: commit.attempt ?? 0,
  };
  return commit.id === undefined ? copy : { ...copy, id: commit.id.slice() };
}

/**
 * The value that a mutation with an operand leaves behind; `old` is asked for only if it matters. Throws `store_invalid`
 * for an addition to what is no number.
 */
export function valueAfter(type: 'set' | 'add' | 'max', operand: Bytes, old: () => Bytes | undefined): Bytes {
  switch (type) {
    case 'set':
      return operand;
    case 'add':
      return addBytes(old(), operand);
    case 'max':
      return maxBytes(old(), operand);
  }
}

function maxBytes(old: Bytes | undefined, operand: Bytes): Bytes {
  return old === undefined || compareBytes(old, operand) < 0 ? operand : old;
}

function addBytes(old: Bytes | undefined, operand: Bytes): Bytes {
  const before = old ?? new Uint8Array(8);
  if (before.length !== 8 || operand.length !== 8) {
    const got = `${before.length} and ${operand.length} bytes`;
    throw new DGenError('store_invalid', 'add', { expected: 'two values of 8 bytes', got });
  }
  const sum = new Uint8Array(8);
  let carry = 0;
  for (let i = 0; i < 8; i++) {
    carry += (before[i] as number) + (operand[i] as number);
    sum[i] = carry & 0xff;
    carry >>= 8;
  }
  return sum;
}
