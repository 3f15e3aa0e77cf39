// Chance for the simulator: integers only, from a seed, so that a seed means the same run for ever. Each part draws
// from a generator of its own, so that one part which draws more does not change what the others see; and each decision
// that can be taken out of a run (a fault, a call, the fate of one message) draws by its own number, so that taking one
// out leaves the others as they were.
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
  return drawFrom(seededRandom(seed * 64 + stream).uint32);
}

/** The generator of decision `number` of the part `stream`. */
export function decisionDraw(seed: number, stream: number, number: number): Draw {
  return rollDraw(keyOf(seed, stream, 'decision'), number);
}

/** Few numbers, cheaply: the draws of the `number`-th thing under `key`. */
export function rollDraw(key: number, number: number): Draw {
  let count = 0;
  return drawFrom(() => mix(mix(key, number), count++));
}

/** A key for `rollDraw`. */
export function keyOf(seed: number, stream: number, name: string): number {
  let key = mix(mix(Math.floor(seed / 2 ** 32), seed | 0), stream);
  for (let index = 0; index < name.length; index++) key = mix(key, name.charCodeAt(index));
  return key;
}

function drawFrom(uint32: () => number): Draw {
  const below = (n: number): number => (n <= 1 ? 0 : uint32() % n);
  return {
    below,
    between: (low, high) => low + below(high - low + 1),
    chance: (perMille) => below(1000) < perMille,
    pick: (list) => list[below(list.length)] as (typeof list)[number],
  };
}

/** Both numbers spread over 32 bits. */
function mix(a: number, b: number): number {
  let h = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b + 0x7f4a7c15, 0xc2b2ae35);
  h ^= h >>> 16;
  h = Math.imul(h, 0x7feb352d);
  h ^= h >>> 15;
  h = Math.imul(h, 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0;
}
