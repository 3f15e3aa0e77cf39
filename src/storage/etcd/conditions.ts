// What a commit rests on, as comparisons. A server takes 128 of them, so they are spent with care: one for each key that was
// read; one for each interval, and one more for each key in it while there is room; an interval for which there is no room is
// guarded instead (`guards.ts`), and when there are too many intervals neighbours become one. That only conflicts more.
import { compareBytes, isEmptyRange, keyAfter } from '../bytes.ts';
import type { Bytes, KeyRange } from '../port.ts';
import { mergeRanges } from '../recording.ts';
import { guardsToRestOn } from './guards.ts';
import type { Layout } from './layout.ts';
import type { Compare } from './messages.ts';
import type { ReadLog } from './read-log.ts';

export interface ConditionOptions {
  readonly layout: Layout;
  readonly log: ReadLog;
  /** Of the snapshot. */
  readonly revision: bigint;
  /** Comparisons at most; 16 or more. */
  readonly room: number;
}

/** Wide, and one for each group that reads rest on. */
const guardsMax = 5;

/** Comparisons that hold as long as nothing in `reads` has changed since the snapshot. */
export function conditionsOf(reads: readonly KeyRange[], options: ConditionOptions): readonly Compare[] {
  const wanted = reads.filter((range) => !isEmptyRange(range));
  const room = options.room - guardsMax;
  const ranges = wanted.length <= room ? wanted : mergeRanges(wanted, room);
  return new Conditions(options).of(ranges);
}

/** The key has this revision; "0": it is not there. */
export function isAt(key: Bytes, revision: string): Compare {
  return { result: 'EQUAL', target: 'MOD', key, mod_revision: revision };
}

class Conditions {
  readonly #options: ConditionOptions;
  readonly #compares: Compare[] = [];
  readonly #guarded: KeyRange[] = [];

  constructor(options: ConditionOptions) {
    this.#options = options;
  }

  of(ranges: readonly KeyRange[]): readonly Compare[] {
    let left = this.#options.room - guardsMax - ranges.length;
    for (const range of ranges) left -= this.#addRange(range, left);
    if (this.#guarded.length > 0) this.#addGuards();
    return this.#compares;
  }

  /** Returns how many comparisons beyond one it took. */
  #addRange(range: KeyRange, spare: number): number {
    const { layout, log } = this.#options;
    if (compareBytes(range.end, keyAfter(range.begin)) === 0) {
      const revision = log.revisionOf(range.begin);
      if (revision !== undefined) {
        this.#compares.push(isAt(layout.key(range.begin), revision));
        return 0;
      }
    }
    this.#compares.push(this.#notNewer(layout.range(range)));
    const known = log.keysIn(range, spare);
    if (known === undefined) {
      this.#guarded.push(range);
      return 0;
    }
    for (const { key, revision } of known) this.#compares.push(isAt(layout.key(key), revision));
    return known.length;
  }

  #addGuards(): void {
    const { layout } = this.#options;
    const names = guardsToRestOn(this.#guarded);
    const { begin, end } = layout.guards;
    if (names === undefined) this.#compares.push(this.#notNewer({ key: begin, range_end: end }));
    else for (const name of names) this.#compares.push(this.#notNewer({ key: layout.guard(name) }));
  }

  #notNewer(where: { readonly key: Bytes; readonly range_end?: Bytes }): Compare {
    return { ...where, result: 'LESS', target: 'MOD', mod_revision: String(this.#options.revision + 1n) };
  }
}
