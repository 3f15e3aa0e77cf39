// What a transaction knows of its snapshot: the revision of each key that it has seen, and which intervals it has seen whole. With
// that a commit can name exactly what it rests on, deletions included: each known key has still its revision, and no key
// of the interval is newer than the snapshot.
import { compareBytes, isEmptyRange, keyAfter } from '../bytes.ts';
import type { Bytes, KeyRange, RangePage } from '../port.ts';
import { mergeRanges } from '../recording.ts';

/** A key, and the revision that last changed it; "0" when it is not there. */
export interface KnownKey {
  readonly key: Bytes;
  readonly revision: string;
}

export class ReadLog {
  readonly #keys: Map<string, KnownKey> = new Map();
  #seen: KeyRange[] = [];
  /** The keys that are there, in order; made when it is asked for. */
  #sorted: readonly KnownKey[] | undefined;
  #isMerged = true;

  noteKey(key: Bytes, revision: string): void {
    this.#keys.set(nameOf(key), { key, revision });
    this.#sorted = undefined;
  }

  /** A whole interval, and the keys that are in it. */
  noteRange(range: KeyRange, keys: readonly KnownKey[]): void {
    if (isEmptyRange(range)) return;
    for (const known of keys) this.#keys.set(nameOf(known.key), known);
    this.#seen.push(range);
    this.#sorted = undefined;
    this.#isMerged = false;
  }

  /** What is known of one key; undefined: nothing. */
  revisionOf(key: Bytes): string | undefined {
    const known = this.#keys.get(nameOf(key));
    if (known !== undefined) return known.revision;
    return this.#hasSeen({ begin: key, end: keyAfter(key) }) ? '0' : undefined;
  }

  /** The keys that are in an interval; undefined if it was not seen whole, or has more than `max` of them. */
  keysIn(range: KeyRange, max: number): readonly KnownKey[] | undefined {
    if (!this.#hasSeen(range)) return undefined;
    const sorted = this.#inOrder();
    const from = firstNotBelow(sorted, range.begin);
    const found = sorted.slice(from, from + max + 1).filter(({ key }) => compareBytes(key, range.end) < 0);
    return found.length > max ? undefined : found;
  }

  #inOrder(): readonly KnownKey[] {
    this.#sorted ??= [...this.#keys.values()]
      .filter(({ revision }) => revision !== '0')
      .sort((a, b) => compareBytes(a.key, b.key));
    return this.#sorted;
  }

  #hasSeen({ begin, end }: KeyRange): boolean {
    if (!this.#isMerged) this.#seen = [...mergeRanges(this.#seen, Number.POSITIVE_INFINITY)];
    this.#isMerged = true;
    return this.#seen.some(
      (seen) => compareBytes(seen.begin, begin) <= 0 && compareBytes(end, seen.end) <= 0,
    );
  }
}

/** The place of the first key that is not below `bound`. */
function firstNotBelow(sorted: readonly KnownKey[], bound: Bytes): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBytes((sorted[middle] as KnownKey).key, bound) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The part of `range` that a page has told about. */
export function coveredBy(page: RangePage, range: KeyRange, reverse: boolean): KeyRange {
  const last = page.items.at(-1)?.[0];
  if (!page.more || last === undefined) return range;
  return reverse ? { begin: last, end: range.end } : { begin: range.begin, end: keyAfter(last) };
}

/** Bytes as the key of a Map. */
export function nameOf(key: Bytes): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1');
}
