// The watches of a client, by version: each fires for changes after the newest version that was known when it was set.
import { compareBytes, isEmptyRange } from '../bytes.ts';
import type { Bytes, KeyRange, Watch } from '../port.ts';

interface Entry {
  readonly range: KeyRange;
  /** Changes up to this version came before the watch. */
  readonly base: number;
  readonly fire: () => void;
}

export class Watches {
  readonly #entries: Set<Entry> = new Set();

  get size(): number {
    return this.#entries.size;
  }

  /** A watch for changes after `base`. Of an empty range it is only released by `cancel`. */
  add(range: KeyRange, base: number): Watch {
    let resolve: () => void = () => undefined;
    const changed = new Promise<void>((done) => {
      resolve = done;
    });
    const fire = (): void => {
      this.#entries.delete(entry);
      resolve();
    };
    const entry: Entry = { range, base, fire };
    if (!isEmptyRange(range)) this.#entries.add(entry);
    return { changed, cancel: fire };
  }

  /** This version has changed this key. */
  fire(version: number, key: Bytes): void {
    for (const { range, base, fire } of [...this.#entries]) {
      if (version <= base) continue;
      if (compareBytes(range.begin, key) <= 0 && compareBytes(key, range.end) < 0) fire();
    }
  }

  fireAll(): void {
    for (const entry of [...this.#entries]) entry.fire();
  }
}
