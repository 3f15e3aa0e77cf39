// The terms without terms inside: numbers, text, bytes, atoms, pids, references. Each method reserves its room once
// and then writes without checks. Short text is the commonest term by far and takes the shortest way.
import { DGenError } from '../errors/error.ts';
import type { Atom } from './atom.ts';
import { FrameBuffer, type FrameBufferOptions } from './frame-buffer.ts';
import type { Pid } from './pid.ts';
import type { Ref } from './ref.ts';
import { notEncodable, tooLarge } from './refusal.ts';
import * as tags from './tags.ts';
import { isWellFormed, SHORT_TEXT_MAX, utf8Bytes, writeLongText, writeText } from './utf8.ts';
import type { BitString, Port } from './values.ts';

const TRUE = Uint8Array.of(tags.SMALL_ATOM_UTF8, 4, 116, 114, 117, 101);
const FALSE = Uint8Array.of(tags.SMALL_ATOM_UTF8, 5, 102, 97, 108, 115, 101);
const NULL = Uint8Array.of(tags.SMALL_ATOM_UTF8, 3, 110, 105, 108);
const UNDEFINED = Uint8Array.of(tags.SMALL_ATOM_UTF8, 9, 117, 110, 100, 101, 102, 105, 110, 101, 100);

const scratch = new DataView(new ArrayBuffer(8));

export interface ScalarWriterOptions extends FrameBufferOptions {
  /** Default 'typescript'. */
  readonly dialect?: tags.Dialect;
  /** @internal One form per value as Erlang compares them, whatever type it has here: the form of names. */
  readonly canonical?: boolean;
}

export class ScalarWriter extends FrameBuffer {
  readonly dialect: tags.Dialect;
  protected readonly canonical: boolean;
  protected readonly privateForms: boolean;

  constructor(options: ScalarWriterOptions) {
    super(options);
    this.canonical = options.canonical ?? false;
    this.dialect = this.canonical ? 'erlang' : (options.dialect ?? 'typescript');
    this.privateForms = this.dialect === 'typescript';
  }

  /** Appends a number to the open frame. */
  number(value: number): void {
    if (value === (value | 0)) {
      if (value === 0 && 1 / value < 0) this.float(value);
      else this.small(value);
    } else if (Number.isSafeInteger(value)) {
      this.safeInteger(value);
    } else if (Number.isFinite(value)) {
      this.float(value);
    } else {
      this.specialNumber(value);
    }
  }

  /** Appends an atom to the open frame. */
  atom(value: Atom): void {
    this.raw(value.wire ?? atomWire(value));
  }

  /** Appends a pid to the open frame. */
  pid(value: Pid): void {
    this.byte(tags.NEW_PID);
    this.atom(value.node);
    this.reserve(12);
    this.uint32(value.id);
    this.uint32(value.serial);
    this.uint32(value.creation);
  }

  /** Appends a reference to the open frame. */
  ref(value: Ref): void {
    const count = value.words.length;
    if (count < 1 || count > 5) {
      throw new DGenError('not_encodable', 'a reference', { expected: '1 to 5 words', got: `${count}` });
    }
    this.reserve(3);
    this.bytes[this.at] = tags.NEWER_REFERENCE;
    this.bytes[this.at + 1] = 0;
    this.bytes[this.at + 2] = count;
    this.at += 3;
    this.atom(value.node);
    this.reserve(4 + 4 * count);
    this.uint32(value.creation);
    for (let index = 0; index < count; index++) this.uint32(value.words[index] as number);
  }

  protected boolean(value: boolean): void {
    this.raw(value ? TRUE : FALSE);
  }

  protected null(): void {
    this.raw(NULL);
  }

  protected undefined(): void {
    this.raw(UNDEFINED);
  }

  protected string(value: string): void {
    const length = value.length;
    if (length > SHORT_TEXT_MAX) {
      this.longString(value);
      return;
    }
    this.reserve(5 + 3 * SHORT_TEXT_MAX);
    const start = this.at + 5;
    const end = writeText(value, this.bytes, start);
    if (end < 0) {
      this.malformedString(value);
      return;
    }
    this.bytes[this.at] = tags.BINARY;
    this.writeUint32(this.at + 1, end - start);
    this.at = end;
  }

  private longString(value: string): void {
    if (!isWellFormed(value)) {
      this.malformedString(value);
      return;
    }
    // One byte per code unit is the least, and mostly enough; only then is room made for the worst.
    this.reserve(5 + value.length);
    const lengthAt = this.at + 1 - this.frameStart;
    this.bytes[this.at] = tags.BINARY;
    this.at += 5;
    let rest = value;
    while (true) {
      const { read, written } = writeLongText(rest, this.bytes, this.at);
      this.at += written;
      if (read === rest.length) break;
      rest = rest.slice(read);
      this.reserve(Math.min(3 * rest.length, rest.length + 256));
    }
    const lengthStart = this.frameStart + lengthAt;
    this.writeUint32(lengthStart, this.at - lengthStart - 4);
  }

  private malformedString(value: string): void {
    if (!this.privateForms) throw notEncodable('well-formed text', 'a string with a lone surrogate');
    const length = value.length;
    this.reserve(5 + 2 * length);
    this.bytes[this.at++] = tags.PRIVATE_STRING;
    this.uint32(length);
    for (let index = 0; index < length; index++) {
      const unit = value.charCodeAt(index);
      this.bytes[this.at++] = unit;
      this.bytes[this.at++] = unit >>> 8;
    }
  }

  /** An integer of 32 bits with sign. */
  protected small(value: number): void {
    this.reserve(5);
    if (value >= 0 && value < 256) {
      this.bytes[this.at] = tags.SMALL_INTEGER;
      this.bytes[this.at + 1] = value;
      this.at += 2;
    } else {
      this.bytes[this.at++] = tags.INTEGER;
      this.uint32(value);
    }
  }

  protected float(value: number): void {
    this.reserve(9);
    this.bytes[this.at++] = tags.NEW_FLOAT;
    this.float64(value);
  }

  protected float64(value: number): void {
    scratch.setFloat64(0, value);
    this.uint32(scratch.getUint32(0));
    this.uint32(scratch.getUint32(4));
  }

  private specialNumber(value: number): void {
    if (!this.privateForms) throw notEncodable('a finite number', String(value));
    this.reserve(2);
    this.bytes[this.at++] = tags.PRIVATE_NUMBER;
    this.bytes[this.at++] = Number.isNaN(value) ? 0 : value > 0 ? 1 : 2;
  }

  private safeInteger(value: number): void {
    this.reserve(11);
    const start = this.at;
    let rest = Math.abs(value);
    this.at += 3;
    while (rest > 0) {
      this.bytes[this.at++] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    this.bytes[start] = tags.SMALL_BIG;
    this.bytes[start + 1] = this.at - start - 3;
    this.bytes[start + 2] = value < 0 ? 1 : 0;
  }

  protected bigint(value: bigint): void {
    if (this.canonical) this.canonicalBigint(value);
    else this.magnitude(value, true);
  }

  private canonicalBigint(value: bigint): void {
    const asNumber = Number(value);
    if (Number.isSafeInteger(asNumber)) this.number(asNumber);
    else this.magnitude(value, false);
  }

  private magnitude(value: bigint, alwaysLarge: boolean): void {
    const negative = value < 0n;
    const digits = hexDigits(negative ? -value : value);
    const count = digits.length / 2;
    this.reserve(6 + count);
    if (alwaysLarge || count > 255) {
      this.bytes[this.at++] = tags.LARGE_BIG;
      this.uint32(count);
    } else {
      this.bytes[this.at++] = tags.SMALL_BIG;
      this.bytes[this.at++] = count;
    }
    this.bytes[this.at++] = negative ? 1 : 0;
    for (let index = digits.length - 2; index >= 0; index -= 2) {
      this.bytes[this.at++] = Number.parseInt(digits.slice(index, index + 2), 16);
    }
  }

  protected binary(value: Uint8Array): void {
    const length = value.length;
    this.reserve(6 + length);
    // Erlang refuses an empty BIT_BINARY and drops the connection.
    const marked = length === 0 ? this.privateForms : !this.canonical;
    this.bytes[this.at++] = marked ? tags.BIT_BINARY : tags.BINARY;
    this.uint32(length);
    if (marked) this.bytes[this.at++] = 8;
    this.raw(value);
  }

  protected bitString(value: BitString): void {
    this.reserve(6 + value.bytes.length);
    this.bytes[this.at++] = tags.BIT_BINARY;
    this.uint32(value.bytes.length);
    this.bytes[this.at++] = value.bitsInLast;
    this.raw(value.bytes);
  }

  protected port(value: Port): void {
    const wide = value.id > 0xffff_ffffn;
    this.byte(wide ? tags.V4_PORT : tags.NEW_PORT);
    this.atom(value.node);
    this.reserve(12);
    if (wide) this.uint32(Number(value.id >> 32n));
    this.uint32(Number(value.id & 0xffff_ffffn));
    this.uint32(value.creation);
  }
}

function atomWire(value: Atom): Uint8Array {
  const text = utf8Bytes(value.name);
  const head = text.length < 256 ? [tags.SMALL_ATOM_UTF8] : [tags.ATOM_UTF8, text.length >> 8];
  const wire = Uint8Array.of(...head, text.length, ...text);
  value.wire = wire;
  return wire;
}

const BIGINT_LIMIT = 1n << BigInt(8 * tags.BIGINT_BYTES_MAX);

function hexDigits(magnitude: bigint): string {
  if (magnitude >= BIGINT_LIMIT) throw tooLarge(`a bigint of at most ${tags.BIGINT_BYTES_MAX} bytes`, 'more');
  const digits = magnitude.toString(16);
  return digits.length % 2 === 0 ? digits : `0${digits}`;
}
