// What the counters must come to: everything that was acknowledged, and of what was not nothing or all.
import type { Watch } from './watch.ts';

interface Sum {
  certain: number;
  most: number;
}

export class Sums {
  readonly #watch: Watch;
  readonly #sums: Map<string, Sum> = new Map();

  constructor(watch: Watch) {
    this.#watch = watch;
  }

  tried(name: string, by: number): void {
    this.#of(name).most += by;
  }

  /** A counter said that it came to `sum` with it. */
  acknowledged(name: string, by: number, sum: number): void {
    const known = this.#of(name);
    known.certain += by;
    if (sum > known.most)
      this.#watch.broken('fenced-writes', `${name} came to ${sum} of ${known.most} that were tried`);
  }

  check(name: string, value: number): void {
    const { certain, most } = this.#of(name);
    if (value < certain || value > most)
      this.#watch.broken('fenced-writes', `${name} is ${value}, not between ${certain} and ${most}`);
  }

  #of(name: string): Sum {
    const sum = this.#sums.get(name) ?? { certain: 0, most: 0 };
    this.#sums.set(name, sum);
    return sum;
  }
}
