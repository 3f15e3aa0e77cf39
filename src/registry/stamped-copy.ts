// A copy of a list that stands in the store, is long, and seldom changes. Beside the list stands its stamp: random, and
// another one after every change. While the stamp in the store is that of the copy, the copy is right, and the list need not
// be read: so what a renewal of the leader's lease costs does not grow with the members.
export class StampedCopy<T> {
  #stamp: string | undefined;
  #value: T | undefined;

  /** The list with this stamp; undefined when it has to be read. */
  at(stamp: string): T | undefined {
    return stamp === this.#stamp ? this.#value : undefined;
  }

  /** `value` was read in one transaction with its stamp, or written with it by one that was committed. */
  keep(stamp: string, value: T): T {
    this.#stamp = stamp;
    this.#value = value;
    return value;
  }

  /** The next one who asks has to read. */
  drop(): void {
    this.#stamp = undefined;
  }
}
