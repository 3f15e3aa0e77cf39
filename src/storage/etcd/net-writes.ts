// What the writes of a commit come to. etcd applies the parts of a transaction at once and refuses two that touch the same key,
// so they are carried out here, one after the other, on what is known; what remains are values to put, keys to delete and
// intervals to clear, with no key in two of them. `add` and `max` need the value before, where no earlier write of the same
// commit has set it.
import { compareBytes, isEmptyRange, keyAfter, rangeOfKey, rangesMeet, valueAfter } from '../bytes.ts';
import type { Bytes, KeyRange, Mutation } from '../port.ts';
import { mergeRanges } from '../recording.ts';
import { nameOf } from './read-log.ts';

export interface NetWrites {
  readonly puts: readonly (readonly [key: Bytes, value: Bytes])[];
  readonly deletes: readonly Bytes[];
  readonly clears: readonly KeyRange[];
}

/** The keys whose values `netWrites` will ask for. */
export function keysToRead(writes: readonly Mutation[]): readonly Bytes[] {
  const found: Bytes[] = [];
  const draft = new Draft((key) => {
    found.push(key);
    return undefined;
  });
  // A placeholder stands for the value, so nothing is computed but which keys are asked for.
  for (const write of writes) draft.apply(withoutArithmetic(write));
  return found;
}

/** Throws `store_invalid` for an addition to what is no number. */
export function netWrites(
  writes: readonly Mutation[],
  valueBefore: (key: Bytes) => Bytes | undefined,
): NetWrites {
  const draft = new Draft(valueBefore);
  for (const write of writes) draft.apply(write);
  return draft.result();
}

function withoutArithmetic(write: Mutation): Mutation {
  return write.type === 'add' ? { ...write, type: 'max' } : write;
}

interface Entry {
  readonly key: Bytes;
  /** Undefined: deleted. */
  readonly value: Bytes | undefined;
  /** Nothing is to be done: it is what was there before. */
  readonly same: boolean;
}

class Draft {
  readonly #entries: Map<string, Entry> = new Map();
  readonly #cleared: KeyRange[] = [];
  readonly #valueBefore: (key: Bytes) => Bytes | undefined;

  constructor(valueBefore: (key: Bytes) => Bytes | undefined) {
    this.#valueBefore = valueBefore;
  }

  apply(write: Mutation): void {
    if (write.type === 'clearRange') {
      this.#clear(write);
      return;
    }
    const { key, type } = write;
    if (type === 'clear') this.#put(key, undefined);
    else if (type === 'set') this.#put(key, write.value);
    else this.#compute(type, key, write.value);
  }

  result(): NetWrites {
    const entries = [...this.#entries.values()].filter(({ same }) => !same);
    const puts = entries.flatMap(({ key, value }) => (value === undefined ? [] : [[key, value] as const]));
    const deletes = entries.flatMap(({ key, value }) =>
      value === undefined && !this.#isCleared(key) ? [key] : [],
    );
    const keys = puts.map(([key]) => key).sort(compareBytes);
    const clears = mergeRanges(this.#cleared, Number.POSITIVE_INFINITY).flatMap((range) =>
      without(range, keys),
    );
    return { puts, deletes, clears };
  }

  #clear({ begin, end }: KeyRange): void {
    const range = { begin, end };
    if (isEmptyRange(range)) return;
    for (const [name, { key }] of this.#entries) {
      if (rangesMeet(rangeOfKey(key), range)) this.#entries.delete(name);
    }
    this.#cleared.push(range);
  }

  #compute(type: 'add' | 'max', key: Bytes, operand: Bytes): void {
    const entry = this.#entries.get(nameOf(key));
    const isKnown = entry !== undefined || this.#isCleared(key);
    const old = isKnown ? entry?.value : this.#valueBefore(key);
    const value = valueAfter(type, operand, () => old);
    if (value !== old) this.#put(key, value);
    else if (!isKnown) this.#entries.set(nameOf(key), { key, value, same: true });
  }

  #put(key: Bytes, value: Bytes | undefined): void {
    this.#entries.set(nameOf(key), { key, value, same: false });
  }

  #isCleared(key: Bytes): boolean {
    return this.#cleared.some((range) => rangesMeet(rangeOfKey(key), range));
  }
}

/** An interval without some keys, which are sorted. */
function without({ begin, end }: KeyRange, keys: readonly Bytes[]): KeyRange[] {
  const pieces: KeyRange[] = [];
  let from = begin;
  for (const key of keys) {
    if (compareBytes(key, begin) < 0 || compareBytes(key, end) >= 0) continue;
    pieces.push({ begin: from, end: key });
    from = keyAfter(key);
  }
  return [...pieces, { begin: from, end }].filter((piece) => !isEmptyRange(piece));
}
