// Random walks through a scope, with numbers from a seed.
import type { Actions } from '../../src/explore/actions.ts';

export function numbers(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** One of what may happen next; what is no fault and no client's wish is more likely. */
export function draw(actions: Actions, random: () => number): number | undefined {
  const codes = actions.enabled();
  const likely = codes.filter((code) => (code & 15) < 7);
  const from = likely.length > 0 && random() < 0.85 ? likely : codes;
  return from[Math.floor(random() * from.length)];
}
