// The terms that Erlang has and JavaScript lacks. All are immutable values: compare with `equals`, not with `===`.
import { DGenError } from '../errors/error.ts';
import type { Atom } from './atom.ts';

/** A number that is a float for Erlang though it is whole: `float(5)` is 5.0. */
export class Float {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }

  valueOf(): number {
    return this.value;
  }
}

/** Makes a `Float`; throws `badarg` for NaN and the infinities, which Erlang lacks. */
export function float(value: number): Float {
  if (!Number.isFinite(value)) {
    throw new DGenError('badarg', 'the value of a float', {
      expected: 'a finite number',
      got: String(value),
    });
  }
  return new Float(value);
}

/** A list whose end is not a list: Erlang's `[1, 2 | tail]`. */
export class ImproperList {
  /** At least one. */
  readonly items: readonly unknown[];
  /** Never a list. */
  readonly tail: unknown;

  constructor(items: readonly unknown[], tail: unknown) {
    this.items = items;
    this.tail = tail;
  }
}

/** Makes `[...items | tail]`; an improper tail is joined. Throws `badarg` without items, or with an array as tail: that is a proper list. */
export function improper(items: readonly unknown[], tail: unknown): ImproperList {
  if (items.length === 0) {
    throw new DGenError('badarg', 'the items of an improper list', { expected: 'at least one', got: 'none' });
  }
  if (Array.isArray(tail)) {
    throw new DGenError('badarg', 'the tail of an improper list', { expected: 'no list', got: 'an array' });
  }
  if (tail instanceof ImproperList) return new ImproperList([...items, ...tail.items], tail.tail);
  return new ImproperList(items, tail);
}

/** A sequence of bits whose count is no multiple of 8. The unused low bits of the last byte are 0. */
export class BitString {
  readonly bytes: Uint8Array;
  /** Bits used in the last byte, from the highest: 1 to 7. */
  readonly bitsInLast: number;

  constructor(bytes: Uint8Array, bitsInLast: number) {
    this.bytes = bytes;
    this.bitsInLast = bitsInLast;
  }
}

/** Makes a `BitString` of a copy of the bytes, unused bits cleared. Throws `badarg` without bytes, or unless `bitsInLast` is 1 to 7. */
export function bitString(bytes: Uint8Array, bitsInLast: number): BitString {
  if (bytes.length === 0 || !Number.isInteger(bitsInLast) || bitsInLast < 1 || bitsInLast > 7) {
    throw new DGenError('badarg', 'a bit string', {
      expected: 'at least one byte and 1 to 7 bits in the last',
      got: `${bytes.length} bytes and ${bitsInLast} bits`,
    });
  }
  const copy = new Uint8Array(bytes);
  const last = copy.length - 1;
  copy[last] = (copy[last] as number) & (0xff << (8 - bitsInLast));
  return new BitString(copy, bitsInLast);
}

/** A port of an Erlang node. Opaque: it can be kept, compared and sent back. */
export class Port {
  readonly node: Atom;
  /** 64 bits. */
  readonly id: bigint;
  readonly creation: number;

  constructor(node: Atom, id: bigint, creation: number) {
    this.node = node;
    this.id = id;
    this.creation = creation;
  }
}

/** A function of an Erlang node, local or `fun M:F/A`. Opaque: the checked bytes it came in, sent back as they are. */
export class Fun {
  readonly bytes: Uint8Array;

  /** @internal Made by the decoder, which has checked the bytes. */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/** An instance of a class that the sender has registered and this side has not. It is sent on as it came. */
export class Unregistered {
  readonly type: string;
  readonly data: unknown;

  constructor(type: string, data: unknown) {
    this.type = type;
    this.data = data;
  }
}
