// Chance for the simulator: integers only, from a seed, so that a seed means the same run for ever. Each part draws
// from a generator of its own, so that one part which draws more does not change what the others see.
import { seededRandom } from '../host/seeded-random.ts';

export interface Draw {
  /** An integer from 0 to `n` - 1; 0 when `n` is 1 or less. */
  below(n: number): number;
  /** An integer from `low` to `high`, both possible. */
  between(low: number, high: number): number;
  /** True in `perMille` of 1000 cases. */
  chance(perMille: number): boolean;
  /** One of the list, which must not be empty. */
  pick<T>(list: readonly T[]): T;
}

/** The generator of the part numbered `stream` in the run of `seed`. */
export function createDraw(seed: number, stream: number): Draw {
  const random = seededRandom(seed * 64 + stream);
  const below = (n: number): number => (n <= 1 ? 0 : random.uint32() % n);
  return {
    below,
    between: (low, high) => low + below(high - low + 1),
    chance: (perMille) => below(1000) < perMille,
    pick: (list) => list[below(list.length)] as (typeof list)[number],
  };
}
