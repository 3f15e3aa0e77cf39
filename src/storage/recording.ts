// What a transaction body gets hold of: it reads from a snapshot, notes what it has read, and collects what is to be
// written. Nothing here talks to a store but the reads.
import { compareBytes, isEmptyRange, keyAfter, rangeOfKey } from './bytes.ts';
import type { RangeOptions, RangePage, StoreTransaction } from './port.ts';
import { type Bytes, type KeyRange, limits, type Mutation } from './port.ts';

/** What a body sees. Reads show the snapshot, not the body's own writes, and the commit rests on all of them. */
export interface Transaction {
  get(key: Bytes): Promise<Bytes | undefined>;
  /** One page. The commit rests on the part of the range that the page covers. */
  getRange(range: KeyRange, options: RangeOptions): Promise<RangePage>;
  set(key: Bytes, value: Bytes): void;
  clear(key: Bytes): void;
  clearRange(range: KeyRange): void;
  /** Adds modulo 2^64 to a little-endian number of 8 bytes; absent is 0. Two additions do not conflict. */
  add(key: Bytes, amount: bigint): void;
  /** Keeps the larger value by unsigned byte order. */
  max(key: Bytes, value: Bytes): void;
}

export class RecordingTransaction implements Transaction {
  readonly writes: Mutation[] = [];
  /** The first error of the store that a read gave: the body cannot hide it from the retry. */
  failure: unknown;
  readonly #inner: StoreTransaction;
  readonly #reads: KeyRange[] = [];

  constructor(inner: StoreTransaction) {
    this.#inner = inner;
  }

  async get(key: Bytes): Promise<Bytes | undefined> {
    const value = await this.#observe(this.#inner.get(key));
    this.#reads.push(rangeOfKey(key.slice()));
    return value;
  }

  async getRange(range: KeyRange, options: RangeOptions): Promise<RangePage> {
    const page = await this.#observe(this.#inner.getRange(range, options));
    this.#reads.push(coveredBy(page, { begin: range.begin.slice(), end: range.end.slice() }, options));
    return page;
  }

  set(key: Bytes, value: Bytes): void {
    this.writes.push({ type: 'set', key: key.slice(), value: value.slice() });
  }

  clear(key: Bytes): void {
    this.writes.push({ type: 'clear', key: key.slice() });
  }

  clearRange({ begin, end }: KeyRange): void {
    this.writes.push({ type: 'clearRange', begin: begin.slice(), end: end.slice() });
  }

  add(key: Bytes, amount: bigint): void {
    this.writes.push({ type: 'add', key: key.slice(), value: encodeAmount(amount) });
  }

  max(key: Bytes, value: Bytes): void {
    this.writes.push({ type: 'max', key: key.slice(), value: value.slice() });
  }

  reads(): readonly KeyRange[] {
    return mergeRanges(this.#reads, limits.readRangesMax);
  }

  async #observe<T>(read: Promise<T>): Promise<T> {
    try {
      return await read;
    } catch (error) {
      this.failure ??= error;
      throw error;
    }
  }
}

/** The part of `range` that a page has told about. */
function coveredBy(page: RangePage, range: KeyRange, { reverse }: RangeOptions): KeyRange {
  const last = page.items.at(-1)?.[0];
  if (!page.more || last === undefined) return range;
  return reverse === true ? { begin: last, end: range.end } : { begin: range.begin, end: keyAfter(last) };
}

/** The same keys in few intervals; more keys when there would be more than `max` of them: that only conflicts more. */
export function mergeRanges(ranges: readonly KeyRange[], max: number): readonly KeyRange[] {
  const sorted = ranges
    .filter((range) => !isEmptyRange(range))
    .sort((a, b) => compareBytes(a.begin, b.begin));
  let merged = joinNeighbours(sorted, (previous, next) => compareBytes(next.begin, previous.end) <= 0);
  while (merged.length > max) {
    let index = 0;
    merged = joinNeighbours(merged, () => index++ % 2 === 0);
  }
  return merged;
}

function joinNeighbours(
  sorted: readonly KeyRange[],
  join: (a: KeyRange, b: KeyRange) => boolean,
): KeyRange[] {
  const joined: KeyRange[] = [];
  for (const range of sorted) {
    const previous = joined.at(-1);
    if (previous === undefined || !join(previous, range)) joined.push(range);
    else if (compareBytes(range.end, previous.end) > 0)
      joined[joined.length - 1] = { ...previous, end: range.end };
  }
  return joined;
}

function encodeAmount(amount: bigint): Bytes {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, amount), true);
  return bytes;
}
