// What a store is, in its simplest form: one immutable sorted array per version, so that a snapshot is a reference and
// nothing has to be cleaned up; a log of changed intervals to judge conflicts by; the markers; the watches. Every
// method is one indivisible step. Faults, waiting and clients are in `memory.ts`.
import { DGenError } from '../errors/error.ts';
import type { Clock } from '../host/ports.ts';
import { compareBytes, rangeOfMutation, rangesMeet, valueAfter } from './bytes.ts';
import type { RangeOptions, RangePage } from './port.ts';
import { type Bytes, type Commit, type CommitResult, type KeyRange, limits, type Mutation } from './port.ts';

type Item = readonly [key: Bytes, value: Bytes];

/** The whole content at one version. Never changed. */
export interface Snapshot {
  readonly version: number;
  readonly items: readonly Item[];
}

interface Change {
  readonly version: number;
  readonly ranges: readonly KeyRange[];
}

interface Marker {
  readonly attempt: number;
  readonly createdAt: number;
}

/** Versions that stay in the log. A snapshot older than these cannot be judged any more: `store_too_old`. */
const logVersionsMax = 10_000;
const markerAgeMs = 600_000;

export class MemoryState {
  readonly #clock: Clock;
  #current: Snapshot = { version: 0, items: [] };
  #log: Change[] = [];
  readonly #markers: Map<string, Marker> = new Map();
  readonly #watches: Map<() => void, KeyRange> = new Map();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get snapshot(): Snapshot {
    return this.#current;
  }

  /** Applies `commit`, which was decided on `snapshot`, or throws and changes nothing. */
  apply(commit: Commit, snapshot: Snapshot | undefined): CommitResult {
    const earlier = this.#findMarker(commit.id);
    if (earlier !== undefined) return { applied: 'earlier', attempt: earlier.attempt };
    if (snapshot !== undefined) this.#checkReads(commit.reads, snapshot.version);
    const items = mutate(this.#current.items, commit.writes);
    if (commit.id !== undefined) this.#addMarker(commit.id, commit.attempt ?? 0);
    if (commit.writes.length > 0) this.#publish(items, commit.writes.map(rangeOfMutation));
    return { applied: 'now' };
  }

  /** Calls `changed` after each commit that touches `range`, until the returned function is called. */
  watch(range: KeyRange, changed: () => void): () => void {
    this.#watches.set(changed, range);
    return () => this.#watches.delete(changed);
  }

  #checkReads(reads: readonly KeyRange[], version: number): void {
    const known = this.#log[0]?.version ?? this.#current.version + 1;
    if (version < known - 1 && reads.length > 0) {
      throw new DGenError('store_too_old', 'memory store', { details: { version, known } });
    }
    for (const change of this.#log) {
      if (change.version <= version) continue;
      if (change.ranges.some((written) => reads.some((read) => rangesMeet(read, written)))) {
        throw new DGenError('store_conflict', 'memory store');
      }
    }
  }

  #publish(items: readonly Item[], ranges: readonly KeyRange[]): void {
    const version = this.#current.version + 1;
    this.#current = { version, items };
    this.#log.push({ version, ranges });
    if (this.#log.length > 2 * logVersionsMax) this.#log = this.#log.slice(-logVersionsMax);
    for (const [changed, watched] of [...this.#watches]) {
      if (ranges.some((range) => rangesMeet(range, watched))) changed();
    }
  }

  #findMarker(id: Bytes | undefined): Marker | undefined {
    return id === undefined ? undefined : this.#markers.get(id.join());
  }

  #addMarker(id: Bytes, attempt: number): void {
    const createdAt = this.#clock.now();
    // A Map iterates in the order of insertion: the oldest come first.
    for (const [key, marker] of this.#markers) {
      if (createdAt - marker.createdAt <= markerAgeMs) break;
      this.#markers.delete(key);
    }
    this.#markers.set(id.join(), { attempt, createdAt });
  }
}

/** The value of `key`, or undefined; the caller owns it. */
export function readKey(snapshot: Snapshot, key: Bytes): Bytes | undefined {
  const item = snapshot.items[lowerBound(snapshot.items, key)];
  return item !== undefined && compareBytes(item[0], key) === 0 ? item[1].slice() : undefined;
}

/** One page of a range; the caller owns it. */
export function readRange(snapshot: Snapshot, range: KeyRange, options: RangeOptions): RangePage {
  const begin = lowerBound(snapshot.items, range.begin);
  const end = Math.max(begin, lowerBound(snapshot.items, range.end));
  const items: Item[] = [];
  let bytes = 0;
  for (let taken = 0; taken < end - begin; taken++) {
    if (items.length >= options.limit || bytes >= limits.pageBytesMax) return { items, more: true };
    const index = options.reverse === true ? end - 1 - taken : begin + taken;
    const [key, value] = snapshot.items[index] as Item;
    items.push([key.slice(), value.slice()]);
    bytes += key.length + value.length;
  }
  return { items, more: false };
}

/** The index of the first item whose key is not below `key`. */
function lowerBound(items: readonly Item[], key: Bytes): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBytes((items[middle] as Item)[0], key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function mutate(before: readonly Item[], writes: readonly Mutation[]): readonly Item[] {
  const items = [...before];
  for (const write of writes) {
    if (write.type === 'clearRange') {
      const begin = lowerBound(items, write.begin);
      items.splice(begin, Math.max(0, lowerBound(items, write.end) - begin));
      continue;
    }
    const index = lowerBound(items, write.key);
    const found = items[index];
    const old = found !== undefined && compareBytes(found[0], write.key) === 0 ? found[1] : undefined;
    const value = write.type === 'clear' ? undefined : valueAfter(write.type, write.value, () => old);
    const replacement: Item[] = value === undefined ? [] : [[write.key, value]];
    items.splice(index, old === undefined ? 0 : 1, ...replacement);
  }
  return items;
}
