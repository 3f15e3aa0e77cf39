// References of this node. Each carries a number that is never used twice in the life of a runtime, so that what hangs
// on a reference (a pending call, a monitor, an alias, a timer) is found in a map of numbers.
//
// Words: 18 low bits of the number, its 32 bits above, and a random word of this runtime. The last one keeps a
// reference of a former start out, should a creation ever be used again.
import type { Random } from '../host/ports.ts';
import type { Atom } from '../term/atom.ts';
import { Ref } from '../term/ref.ts';

const LOW_SIZE = 2 ** 18;

export class References {
  readonly #node: Atom;
  readonly #creation: number;
  readonly #salt: number;
  #last = 0;

  constructor(node: Atom, creation: number, random: Random) {
    this.#node = node;
    this.#creation = creation;
    this.#salt = random.uint32();
  }

  nextNumber(): number {
    this.#last += 1;
    return this.#last;
  }

  refOf(number: number): Ref {
    return new Ref(this.#node, this.#creation, [
      number % LOW_SIZE,
      Math.floor(number / LOW_SIZE) >>> 0,
      this.#salt,
    ]);
  }

  next(): Ref {
    return this.refOf(this.nextNumber());
  }

  /** The number inside a reference of this runtime; undefined for every other. */
  numberOf(ref: Ref): number | undefined {
    const words = ref.words;
    if (ref.node !== this.#node || ref.creation !== this.#creation) return undefined;
    if (words.length !== 3 || words[2] !== this.#salt) return undefined;
    return (words[1] as number) * LOW_SIZE + (words[0] as number);
  }
}
