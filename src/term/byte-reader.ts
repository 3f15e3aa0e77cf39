// A cursor over received bytes that never leaves them. Every read checks first that its bytes are there; a claimed
// count is compared with what remains before anything is allocated for it.
import { DGenError } from '../errors/error.ts';

const EMPTY = new Uint8Array(0);
const VARINT_BYTES_MAX = 8;
const scratch = new DataView(new ArrayBuffer(8));

export class ByteReader {
  protected bytes: Uint8Array = EMPTY;
  protected at = 0;
  protected end = 0;

  /** Reads from now on those bytes, from `start` to before `end`. They must not change while they are read. */
  reset(bytes: Uint8Array, start = 0, end: number = bytes.length): void {
    if (!(start >= 0 && start <= end && end <= bytes.length)) {
      throw new DGenError('badarg', 'the range to read', {
        expected: `within 0 to ${bytes.length}`,
        got: `${start} to ${end}`,
      });
    }
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  /** Where the next byte is read. */
  get offset(): number {
    return this.at;
  }

  /** Bytes not yet read. */
  get remaining(): number {
    return this.end - this.at;
  }

  /** Reads one byte. */
  byte(): number {
    if (this.at >= this.end) throw this.truncated(1);
    return this.bytes[this.at++] as number;
  }

  /** Reads a whole number as `FrameBuffer.varint` writes it. Throws `bad_term` beyond 2^53-1. */
  varint(): number {
    const first = this.byte();
    return first < 0x80 ? first : this.longVarint(first & 0x7f);
  }

  private longVarint(low: number): number {
    let value = low;
    let weight = 128;
    for (let count = 1; count < VARINT_BYTES_MAX; count++) {
      const byte = this.byte();
      value += (byte & 0x7f) * weight;
      weight *= 128;
      if (byte < 0x80 && value <= Number.MAX_SAFE_INTEGER) return value;
    }
    throw this.bad('a number below 2^53', 'more');
  }

  /** Throws `bad_term` unless everything is read. */
  expectEnd(): void {
    if (this.at !== this.end) throw this.bad('the end of the term', `${this.end - this.at} bytes more`);
  }

  protected need(count: number): void {
    if (this.at + count > this.end) throw this.truncated(count);
  }

  /** A count of things of at least `least` bytes each. */
  protected count(least: number): number {
    const count = this.uint32();
    if (count * least > this.end - this.at) throw this.truncated(count * least);
    return count;
  }

  protected uint16(): number {
    this.need(2);
    const value = ((this.bytes[this.at] as number) << 8) | (this.bytes[this.at + 1] as number);
    this.at += 2;
    return value;
  }

  protected int32(): number {
    this.need(4);
    const { bytes, at } = this;
    this.at = at + 4;
    return (
      ((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)
    );
  }

  protected uint32(): number {
    return this.int32() >>> 0;
  }

  protected float64(): number {
    this.need(8);
    scratch.setInt32(0, this.int32());
    scratch.setInt32(4, this.int32());
    return scratch.getFloat64(0);
  }

  /** A copy of the next bytes: what is received is reused or large, and a value must not hold on to it. */
  protected copy(count: number): Uint8Array {
    this.need(count);
    const copy = new Uint8Array(count);
    if (count < 32) {
      for (let index = 0; index < count; index++) copy[index] = this.bytes[this.at + index] as number;
    } else {
      copy.set(this.bytes.subarray(this.at, this.at + count));
    }
    this.at += count;
    return copy;
  }

  protected bad(expected: string, got: string, cause?: unknown): DGenError {
    const offset = this.at;
    return new DGenError('bad_term', `at byte ${offset}`, { expected, got, details: { offset }, cause });
  }

  private truncated(count: number): DGenError {
    return this.bad(`${count} bytes more`, `${this.end - this.at}`);
  }
}
