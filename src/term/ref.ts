import type { Atom } from './atom.ts';

/** A reference: unique on its node for one creation. Opaque when it comes from elsewhere: 1 to 5 words of 32 bits. A value: compare with `equals`. */
export class Ref {
  readonly node: Atom;
  readonly creation: number;
  readonly words: readonly number[];

  constructor(node: Atom, creation: number, words: readonly number[]) {
    this.node = node;
    this.creation = creation;
    this.words = words;
  }

  equals(other: unknown): boolean {
    return (
      other instanceof Ref &&
      this.node === other.node &&
      this.creation === other.creation &&
      this.words.length === other.words.length &&
      this.words.every((word, index) => word === other.words[index])
    );
  }

  /** Equal references have equal keys: for use in a `Map`. */
  get key(): string {
    return `${this.words.join('.')}.${this.creation}@${this.node.name}`;
  }

  toString(): string {
    return `#Ref<${this.node.name}.${this.words.join('.')}>`;
  }
}
