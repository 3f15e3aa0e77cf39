// Values of every kind that nodes can send each other, drawn.
import { atom, BitString, float, improper, type Pid, tuple } from '../../term/index.ts';
import type { Draw } from '../draw.ts';

const texts = ['', 'plain', 'Größe', '\u{1F980} crab', 'zero\0byte'] as const;
const numbers = [0, -1, 255, 256, 2 ** 31, -(2 ** 53) + 1, 0.5, -0, Number.NaN, Number.NEGATIVE_INFINITY];
const depthMax = 3;
const largeBytes = 40_000;

export function drawTerm(draw: Draw, pid: Pid, depth = 0): unknown {
  const kind = draw.below(depth >= depthMax ? 11 : 17);
  const inner = (): unknown => drawTerm(draw, pid, depth + 1);
  const some = (): unknown[] => Array.from({ length: draw.below(4) }, inner);
  if (kind < 11) return drawLeaf(draw, pid, kind);
  switch (kind) {
    case 11:
      return some();
    case 12:
      return tuple(...some());
    case 13:
      return Object.fromEntries(some().map((value, index) => [`k${index}`, value]));
    case 14:
      return new Map(some().map((value, index) => [index % 2 === 0 ? index : `k${index}`, value]));
    case 15:
      return new Set(some().map((_, index) => index));
    default:
      return improper([inner()], 'tail');
  }
}

function drawLeaf(draw: Draw, pid: Pid, kind: number): unknown {
  switch (kind) {
    case 0:
      return draw.pick(texts);
    case 1:
      return draw.pick(numbers);
    case 2:
      return BigInt(draw.below(1000)) ** BigInt(draw.below(30)) * (draw.chance(500) ? 1n : -1n);
    case 3:
      return draw.pick([true, false, null, undefined]);
    case 4:
      return atom(draw.pick(['ok', 'error', 'Grün', '']));
    case 5:
      return Uint8Array.from({ length: draw.below(20) }, (_, index) => index * 7);
    case 6:
      return draw.chance(50) ? new Uint8Array(largeBytes) : 'short';
    case 7:
      return pid;
    case 8:
      // biome-ignore lint/style/noRestrictedGlobals: a value to be sent, not the time.
      return new Date(draw.below(1_000_000_000));
    case 9:
      return float(draw.below(9));
    default:
      return new BitString(Uint8Array.of(0b1010_0000), 3);
  }
}
