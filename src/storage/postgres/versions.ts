// What a client knows of the versions of its store. Each commit makes the next one, and rings with the keys that it changed.
// So rings that come without a gap tell everything, and nothing has to be asked: each of them proves that none was lost
// before. What a gap hides, and what no ring has told for a while, is looked up in the change log.
import type { Instant } from '../../host/ports.ts';

/** Rings of different clients overtake each other; after so long one that is missing is lost. */
const graceMs = 100;
/** Rings that wait for an earlier one. Beyond, a look is cheaper. */
const aheadMax = 1_000;

export class Versions {
  #newest = 0;
  #seen = 0;
  /** Of rings beyond `seen`, between which others are missing. */
  readonly #ahead: Set<number> = new Set();
  #soundAt: Instant = Number.NEGATIVE_INFINITY;
  #behindAt: Instant = 0;

  /** The newest that anybody here has heard of. */
  get newest(): number {
    return this.#newest;
  }

  /** What changed up to here is known. */
  get seen(): number {
    return this.#seen;
  }

  /** Whether there are changes that nobody has told. */
  get behind(): boolean {
    return this.#newest > this.#seen;
  }

  /** Whether rings have come for what is beyond `seen`. */
  get rung(): boolean {
    return this.#ahead.size > 0;
  }

  /** Whether a look is due whatever comes. */
  get doubted(): boolean {
    return this.#soundAt === Number.NEGATIVE_INFINITY;
  }

  /** The store was seen at this version. */
  learn(version: number, now: Instant): void {
    if (version <= this.#newest) return;
    if (!this.behind) this.#behindAt = now;
    this.#newest = version;
  }

  /** A ring has told what this version changed. */
  told(version: number, now: Instant): void {
    if (version <= this.#seen) return;
    this.learn(version, now);
    this.#ahead.add(version);
    if (this.#ahead.size > aheadMax) this.doubt();
    else this.#close(now);
  }

  /** What came before is of no interest to anybody. */
  forget(): void {
    this.#seen = this.#newest;
    this.#ahead.clear();
  }

  /** A look is due. */
  doubt(): void {
    this.#soundAt = Number.NEGATIVE_INFINITY;
    this.#ahead.clear();
  }

  /** A look has told all changes up to this version. */
  looked(version: number, now: Instant): void {
    this.learn(version, now);
    this.#seen = Math.max(this.#seen, version);
    this.#soundAt = now;
    for (const early of this.#ahead) if (early <= this.#seen) this.#ahead.delete(early);
    this.#close(now);
  }

  /** This is another store, at this version. */
  restart(version: number, now: Instant): void {
    this.#newest = version;
    this.forget();
    this.#soundAt = now;
  }

  /** When the next look is due, if rings can be relied on for `pollMs`. */
  dueAt(pollMs: number): Instant {
    const pollAt = this.#soundAt + pollMs;
    if (!this.behind) return pollAt;
    return Math.min(pollAt, Math.max(this.#soundAt, this.#behindAt) + graceMs);
  }

  #close(now: Instant): void {
    while (this.#ahead.delete(this.#seen + 1)) {
      this.#seen += 1;
      this.#soundAt = now;
    }
  }
}
