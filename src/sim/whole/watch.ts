// Where a broken invariant is reported: the first one ends the run. The names are those of the catalogue, and a few of the
// runtime below it.
import type { InvariantName } from '../../invariants/catalogue.ts';
import type { VirtualTime } from './virtual-time.ts';

/**
 * `calls`: each call settles once, by its deadline, and is carried out once. `monitors`: each fires exactly once. `terms`: values
 * arrive as they were sent, in order. `fenced-writes`: no acknowledged write is lost. `quiet`: nothing is logged as an error, thrown at nobody,
 * or left as an unhandled rejection. `leaks`: nothing is left behind.
 */
export type Broken = InvariantName | 'calls' | 'monitors' | 'terms' | 'fenced-writes' | 'quiet' | 'leaks';

export class Violation extends Error {
  readonly invariant: Broken;

  constructor(invariant: Broken, what: string) {
    super(`${invariant}: ${what}`);
    this.invariant = invariant;
  }
}

export class Watch {
  readonly #time: VirtualTime;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  /** Ends the run after the event that runs now. */
  broken(invariant: Broken, what: string): void {
    this.#time.failure ??= new Violation(invariant, what);
  }
}
