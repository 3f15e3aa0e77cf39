import type { Atom } from './atom.ts';

/**
 * A process identifier: node, creation of that node, and a number of the node's own. A value: pids that arrive from elsewhere are
 * other objects, so compare with `equals` or by `key`, not with `===`.
 */
export class Pid {
  readonly node: Atom;
  /** 28 bits. */
  readonly id: number;
  /** 32 bits: grows when `id` wraps. */
  readonly serial: number;
  /** 32 bits: which start of the node; never 0 for a running node. */
  readonly creation: number;

  // biome-ignore lint/complexity/useMaxParams: the four parts of a pid, in the order in which Erlang writes them
  constructor(node: Atom, id: number, serial: number, creation: number) {
    this.node = node;
    this.id = id;
    this.serial = serial;
    this.creation = creation;
  }

  equals(other: unknown): boolean {
    return (
      other instanceof Pid &&
      this.id === other.id &&
      this.serial === other.serial &&
      this.creation === other.creation &&
      this.node === other.node
    );
  }

  /** Equal pids have equal keys: for use in a `Map`. */
  get key(): string {
    return `${this.id}.${this.serial}.${this.creation}@${this.node.name}`;
  }

  toString(): string {
    return `#PID<${this.node.name}.${this.id}.${this.serial}>`;
  }
}
