// A small generator of our own (sfc32) so that a seed gives the same run on every machine and every release of the
// host. Integers only: no rounding may differ. Not for secrets.
import type { Random } from './ports.ts';

/** The same seed gives the same numbers for ever; any integer is a seed. */
export function seededRandom(seed: number): Random {
  const next = sfc32(seed);
  return {
    uint32: next,
    bytes(count) {
      const bytes = new Uint8Array(count);
      for (let index = 0; index < count; index++) bytes[index] = next() & 0xff;
      return bytes;
    },
  };
}

function sfc32(seed: number): () => number {
  let a = 0x9e3779b9 | 0;
  let b = Math.floor(seed / 2 ** 32) | 0;
  let c = seed | 0;
  let counter = 1;
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    c |= 0;
    return sum >>> 0;
  };
  // Twelve rounds spread a small seed over the whole state.
  for (let round = 0; round < 12; round++) next();
  return next;
}
