// Atoms are values of their own: a name, compared by identity. Equal atoms are identical while one of them is alive;
// the table holds them weakly, so a peer that sends ever new atoms fills nothing.

const table = new Map<string, WeakRef<Atom>>();
const reclaim = new FinalizationRegistry<string>((name) => {
  if (table.get(name)?.deref() === undefined) table.delete(name);
});

export class Atom {
  readonly name: string;

  /** @internal Use `atom(name)`. */
  constructor(name: string) {
    this.name = name;
  }

  toString(): string {
    return `:${this.name}`;
  }
}

/** The atom of that name; at most 255 characters, else `badarg`. */
export function atom(name: string): Atom {
  const known = table.get(name)?.deref();
  if (known !== undefined) return known;
  const created = new Atom(name);
  table.set(name, new WeakRef(created));
  reclaim.register(created, name);
  return created;
}
