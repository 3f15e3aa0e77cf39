// The terms without terms inside, as received. Atoms, pids and short map keys come from bounded tables. Whether an
// Erlang binary is text cannot be told from its tag: valid UTF-8 becomes a string unless bytes were asked for.
import { type Atom, atom, isAtomName } from './atom.ts';
import { ByteReader } from './byte-reader.ts';
import { ByteTable, CACHED_BYTES_MAX, PidTable, startsWith } from './decode-caches.ts';
import type { Pid } from './pid.ts';
import { Ref } from './ref.ts';
import * as tags from './tags.ts';
import { latin1, readText, utf16 } from './utf8.ts';
import { type BitString, bitString, Float, Port } from './values.ts';

export interface ScalarReaderOptions {
  /** Which forms the sender may use; default 'typescript'. */
  readonly dialect?: tags.Dialect;
  /** What a binary becomes: 'string' (default) is a string where the bytes are valid UTF-8, else a Uint8Array; 'bytes' always a Uint8Array, but for the keys of maps. */
  readonly binaries?: 'string' | 'bytes';
}

const UINT32_MAX = 0xffff_ffff;

const atoms = new ByteTable<Atom>();
const keys = new ByteTable<string>();
const pids = new PidTable();

export class ScalarReader extends ByteReader {
  readonly dialect: tags.Dialect;
  protected privateForms: boolean;
  private readonly binaries: 'string' | 'bytes';
  /** The nodes of the two ends take turns on a connection. */
  private lastNode: Atom | undefined;
  private otherNode: Atom | undefined;

  constructor(options: ScalarReaderOptions) {
    super();
    this.dialect = options.dialect ?? 'typescript';
    this.privateForms = this.dialect === 'typescript';
    this.binaries = options.binaries ?? 'string';
  }

  protected newFloat(): number | Float {
    const value = this.finite(this.float64());
    // Between TypeScript nodes a whole float is one only because its sender said so.
    const marked = this.privateForms && Number.isSafeInteger(value) && !Object.is(value, -0);
    return marked ? new Float(value) : value;
  }

  /** As a key of a map 1.0 must not fall together with 1. */
  protected floatKey(): number | Float {
    const value = this.finite(this.float64());
    return Number.isSafeInteger(value) && !Object.is(value, -0) ? new Float(value) : value;
  }

  /** The float of old senders: text in 31 bytes. */
  protected oldFloat(): number {
    this.need(31);
    const text = latin1(this.bytes, this.at, this.at + 31).replace(/\0+$/, '');
    const value = /^[ +-]*\d+\.\d+(e[+-]?\d+)?$/.test(text) ? Number(text.trim()) : Number.NaN;
    this.finite(value);
    this.at += 31;
    return value;
  }

  private finite(value: number): number {
    if (Number.isFinite(value)) return value;
    throw this.bad('a finite float', 'another');
  }

  protected specialNumber(): number {
    const kind = this.byte();
    if (kind > 2) throw this.bad('a kind of number from 0 to 2', String(kind));
    return kind === 0 ? Number.NaN : kind === 1 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  }

  /** LARGE_BIG marks a bigint between TypeScript nodes; everywhere else the size decides. */
  protected big(count: number, marked: boolean): number | bigint {
    this.need(1 + count);
    if (count > tags.BIGINT_BYTES_MAX)
      throw this.bad(`a bigint of at most ${tags.BIGINT_BYTES_MAX} bytes`, `${count}`);
    const sign = this.byte();
    if (sign > 1) throw this.bad('the sign 0 or 1', String(sign));
    const start = this.at;
    this.at += count;
    if (!marked && count <= 7) {
      const value = littleEndian(this.bytes, start, count);
      if (value <= Number.MAX_SAFE_INTEGER) return sign === 1 && value !== 0 ? -value : value;
    }
    const value = bigLittleEndian(this.bytes, start, count);
    const signed = sign === 1 ? -value : value;
    const asNumber = Number(signed);
    return !marked && Number.isSafeInteger(asNumber) ? asNumber : signed;
  }

  protected text(count: number): string | Uint8Array {
    this.need(count);
    if (this.binaries === 'bytes') return this.copy(count);
    const from = this.at;
    const text = readText(this.bytes, from, from + count);
    if (text === undefined) return this.copy(count);
    this.at = from + count;
    return text;
  }

  protected keyText(count: number): string | Uint8Array {
    this.need(count);
    const from = this.at;
    const to = from + count;
    if (count > CACHED_BYTES_MAX) return this.longKey(from, to);
    const known = keys.get(this.bytes, from, to);
    if (known !== undefined) {
      this.at = to;
      return known;
    }
    const text = readText(this.bytes, from, to);
    if (text === undefined) return this.copy(count);
    keys.keep(this.bytes.subarray(from, to), text);
    this.at = to;
    return text;
  }

  private longKey(from: number, to: number): string | Uint8Array {
    const text = readText(this.bytes, from, to);
    if (text === undefined) return this.copy(to - from);
    this.at = to;
    return text;
  }

  /** Text with a lone surrogate. */
  protected utf16(): string {
    const count = this.count(2);
    const text = utf16(this.bytes, this.at, count);
    this.at += 2 * count;
    return text;
  }

  protected bits(): Uint8Array | BitString {
    const count = this.count(1);
    const bits = this.byte();
    if (count === 0 ? bits !== 0 && bits !== 8 : bits < 1 || bits > 8) {
      throw this.bad('1 to 8 bits in the last byte', `${bits} with ${count} bytes`);
    }
    const bytes = this.copy(count);
    return bits === 8 || count === 0 ? bytes : bitString(bytes, bits);
  }

  /** The atom whose tag is the next byte. */
  protected node(): Atom {
    const last = this.lastNode;
    if (last !== undefined && this.skips(last)) return last;
    const other = this.otherNode;
    this.otherNode = last;
    this.lastNode = other !== undefined && this.skips(other) ? other : this.atomTerm();
    return this.lastNode;
  }

  /** True when that atom comes next, in the form in which it was last sent; then it is read. */
  private skips(node: Atom): boolean {
    const { wire } = node;
    if (wire === undefined) return false;
    const to = this.at + wire.length;
    if (to > this.end || !startsWith(this.bytes, this.at, wire)) return false;
    this.at = to;
    return true;
  }

  protected atomTerm(): Atom {
    const tag = this.byte();
    switch (tag) {
      case tags.SMALL_ATOM_UTF8:
        return this.atom(this.byte());
      case tags.ATOM_UTF8:
        return this.atom(this.uint16());
      case tags.SMALL_ATOM:
        return this.latin1Atom(this.byte());
      case tags.ATOM:
        return this.latin1Atom(this.uint16());
      default:
        throw this.bad('an atom', `tag ${tag}`);
    }
  }

  protected atom(count: number): Atom {
    this.need(count);
    const from = this.at;
    const to = from + count;
    const known = count <= CACHED_BYTES_MAX ? atoms.get(this.bytes, from, to) : undefined;
    if (known !== undefined) {
      this.at = to;
      return known;
    }
    const name = readText(this.bytes, from, to);
    if (name === undefined || !isAtomName(name))
      throw this.bad('an atom of at most 255 characters', 'another');
    const value = atom(name);
    atoms.keep(this.bytes.subarray(from, to), value);
    this.at = to;
    return value;
  }

  protected latin1Atom(count: number): Atom {
    this.need(count);
    const name = latin1(this.bytes, this.at, this.at + count);
    if (!isAtomName(name)) throw this.bad('an atom of at most 255 characters', `${count}`);
    this.at += count;
    return atom(name);
  }

  protected pid(wide: boolean): Pid {
    const node = this.node();
    const id = this.uint32();
    const serial = this.uint32();
    return pids.intern(node, id, serial, wide ? this.uint32() : this.byte());
  }

  /** Reads the number of a pid, two varints, whose node and creation are known. Throws `bad_term` for more than 32 bits. */
  pidOf(node: Atom, creation: number): Pid {
    const id = this.varint();
    const serial = this.varint();
    if (id > UINT32_MAX || serial > UINT32_MAX) throw this.bad('the numbers of a pid', `${id}.${serial}`);
    return pids.intern(node, id, serial, creation);
  }

  /** Reads an atom with its tag. Throws `bad_term` for another term. */
  name(): Atom {
    return this.atomTerm();
  }

  protected newerRef(wide: boolean): Ref {
    const count = this.uint16();
    if (count < 1 || count > 5) throw this.bad('a reference of 1 to 5 words', `${count}`);
    const node = this.node();
    const creation = wide ? this.uint32() : this.byte();
    this.need(4 * count);
    return new Ref(node, creation, this.words(count));
  }

  /** Three, the count of our own references, are written out: an array that grows by push takes room for many more. */
  private words(count: number): number[] {
    if (count === 3) return [this.uint32(), this.uint32(), this.uint32()];
    const words: number[] = [];
    for (let index = 0; index < count; index++) words.push(this.uint32());
    return words;
  }

  protected oldRef(): Ref {
    const node = this.node();
    const word = this.uint32();
    return new Ref(node, this.byte(), [word]);
  }

  protected port(tag: number): Port {
    const node = this.node();
    const high = tag === tags.V4_PORT ? BigInt(this.uint32()) << 32n : 0n;
    const id = high | BigInt(this.uint32());
    return new Port(node, id, tag === tags.OLD_PORT ? this.byte() : this.uint32());
  }
}

function littleEndian(bytes: Uint8Array, start: number, count: number): number {
  let value = 0;
  for (let index = count - 1; index >= 0; index--) value = value * 256 + (bytes[start + index] as number);
  return value;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

function bigLittleEndian(bytes: Uint8Array, start: number, count: number): bigint {
  let digits = '0x0';
  for (let index = count - 1; index >= 0; index--) digits += HEX[bytes[start + index] as number];
  return BigInt(digits);
}
