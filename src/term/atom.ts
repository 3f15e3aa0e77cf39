// Atoms are values of their own: a name, compared by identity. Equal atoms are identical while one of them is alive;
// the table holds them weakly, so a peer that sends ever new atoms fills nothing.
import { DGenError } from '../errors/error.ts';
import { isWellFormed } from './utf8.ts';

const CHARACTERS_MAX = 255;

const table = new Map<string, WeakRef<Atom>>();
const reclaim = new FinalizationRegistry<string>((name) => {
  if (table.get(name)?.deref() === undefined) table.delete(name);
});

export class Atom {
  readonly name: string;
  #wire: Uint8Array | undefined;

  /** @internal Use `atom(name)`. */
  constructor(name: string) {
    this.name = name;
  }

  /** @internal The encoded form, kept by the encoder after the first use. */
  get wire(): Uint8Array | undefined {
    return this.#wire;
  }

  set wire(bytes: Uint8Array) {
    this.#wire = bytes;
  }

  toString(): string {
    return `:${this.name}`;
  }
}

/** The atom of that name; at most 255 characters and no lone surrogate, else `badarg`. */
export function atom(name: string): Atom {
  const known = table.get(name)?.deref();
  if (known !== undefined) return known;
  checkName(name);
  const created = new Atom(name);
  table.set(name, new WeakRef(created));
  reclaim.register(created, name);
  return created;
}

/** True when `atom(name)` would not throw. */
export function isAtomName(name: string): boolean {
  // A character outside the basic plane is two code units, so only the middle range has to be counted.
  if (name.length > 2 * CHARACTERS_MAX) return false;
  return isWellFormed(name) && (name.length <= CHARACTERS_MAX || [...name].length <= CHARACTERS_MAX);
}

function checkName(name: unknown): asserts name is string {
  if (typeof name === 'string' && isAtomName(name)) return;
  throw new DGenError('badarg', 'the name of an atom', {
    expected: `a well-formed string of at most ${CHARACTERS_MAX} characters`,
    got: typeof name === 'string' ? `a string of ${name.length} code units` : typeof name,
  });
}
