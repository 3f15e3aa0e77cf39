// The limits, judged in one place and before any backend is asked, so that what one backend accepts no other refuses.
import { DGenError } from '../errors/error.ts';
import type { RangeOptions, WaitOptions } from './port.ts';
import { type Bytes, type Commit, type KeyRange, limits, type Mutation } from './port.ts';

/** Throws `store_invalid` for an empty key, `store_too_large` for one beyond the limit. */
export function checkKey(key: Bytes): void {
  checkBytes(key, 'key');
  if (key.length === 0) throw new DGenError('store_invalid', 'key', { expected: 'at least one byte' });
  checkSize('key', key.length, limits.keyBytesMax);
}

export function checkRange(range: KeyRange): void {
  for (const bound of [range.begin, range.end]) {
    checkBytes(bound, 'range bound');
    checkSize('range bound', bound.length, limits.keyBytesMax + 1);
  }
}

export function checkRangeOptions({ limit }: RangeOptions): void {
  if (!Number.isInteger(limit) || limit < 1 || limit > limits.rangeItemsMax) {
    const expected = `an integer from 1 to ${limits.rangeItemsMax}`;
    throw new DGenError('store_invalid', 'limit', { expected, got: String(limit) });
  }
}

export function checkWait({ timeoutMs }: WaitOptions): void {
  if (!(timeoutMs > 0 && timeoutMs <= limits.transactionMsMax)) {
    const expected = `more than 0, at most ${limits.transactionMsMax}`;
    throw new DGenError('bad_option', 'timeoutMs', { expected, got: String(timeoutMs) });
  }
}

export function checkCommit(commit: Commit): void {
  checkSize('read ranges', commit.reads.length, limits.readRangesMax);
  checkSize('writes', commit.writes.length, limits.writesMax);
  for (const range of commit.reads) checkRange(range);
  for (const write of commit.writes) checkMutation(write);
  checkId(commit);
  const bytes =
    commit.reads.reduce((sum, range) => sum + range.begin.length + range.end.length, 0) +
    commit.writes.reduce((sum, write) => sum + mutationBytes(write), 0);
  checkSize('transaction bytes', bytes, limits.transactionBytesMax);
}

function checkMutation(write: Mutation): void {
  if (write.type === 'clearRange') {
    checkRange(write);
    return;
  }
  checkKey(write.key);
  if (write.type === 'clear') return;
  checkBytes(write.value, 'value');
  checkSize('value', write.value.length, limits.valueBytesMax);
  if (write.type === 'add' && write.value.length !== 8) {
    throw new DGenError('store_invalid', 'add', { expected: '8 bytes', got: `${write.value.length} bytes` });
  }
}

function mutationBytes(write: Mutation): number {
  if (write.type === 'clearRange') return write.begin.length + write.end.length;
  return write.key.length + (write.type === 'clear' ? 0 : write.value.length);
}

function checkId({ id, attempt }: Commit): void {
  if (id !== undefined) {
    checkBytes(id, 'id');
    if (id.length === 0) throw new DGenError('store_invalid', 'id', { expected: 'at least one byte' });
    checkSize('id', id.length, limits.idBytesMax);
  }
  const number = attempt ?? 0;
  if (!Number.isInteger(number) || number < 0 || number > 0x7fffffff) {
    throw new DGenError('store_invalid', 'attempt', { expected: '0 to 2^31-1', got: String(number) });
  }
}

function checkBytes(value: unknown, what: string): asserts value is Bytes {
  if (!(value instanceof Uint8Array)) {
    throw new DGenError('store_invalid', what, { expected: 'Uint8Array', got: typeof value });
  }
}

function checkSize(what: string, got: number, max: number): void {
  if (got > max) {
    throw new DGenError('store_too_large', what, { expected: `at most ${max}`, got: String(got) });
  }
}
