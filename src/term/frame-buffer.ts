// A chunk of memory that frames are written into one behind the other, each behind its 4-byte length. A frame counts
// only once it is ended; until then it can be taken back without a trace. When a chunk is full, its ended frames are
// set aside and the open frame moves to a new chunk: positions that outlive a reservation are therefore relative to
// the frame. Chunks are not recycled, so what `take` has handed out stays untouched for as long as the caller likes.
import { DGenError } from '../errors/error.ts';
import { BYTES_MAX_DEFAULT } from './tags.ts';

const LENGTH_BYTES = 4;
const NO_FRAME = -1;
const EMPTY = new Uint8Array(0);
const VARINT_BYTES_MAX = 8;
/** The most that a reservation may exceed what is then written. */
const SLACK_BYTES = 512;

export interface FrameBufferOptions {
  /** Bytes of one frame without its length; default 64 MiB; at most 2 GiB - 1. Beyond it: `term_too_large`. */
  readonly bytesMax?: number;
  /** Bytes allocated at a time; default 65536. A larger frame gets a chunk of its own. */
  readonly chunkBytes?: number;
}

export class FrameBuffer {
  protected bytes: Uint8Array = EMPTY;
  private view: DataView = new DataView(EMPTY.buffer);
  protected at = 0;
  protected frameStart: number = NO_FRAME;
  private takenTo = 0;
  private full: Uint8Array[] = [];
  private readonly bytesMax: number;
  private readonly chunkBytes: number;

  constructor(options: FrameBufferOptions) {
    this.bytesMax = checkedBytes('bytesMax', options.bytesMax ?? BYTES_MAX_DEFAULT);
    this.chunkBytes = checkedBytes('chunkBytes', options.chunkBytes ?? 65_536);
  }

  /** Opens a frame. Throws `badarg` while one is open: a getter or codec must not write into the frame it is part of. */
  beginFrame(): void {
    if (this.frameStart !== NO_FRAME) throw new DGenError('badarg', 'a frame is being written already');
    this.frameStart = this.at;
    this.reserve(LENGTH_BYTES);
    this.at += LENGTH_BYTES;
  }

  /** Closes the open frame, which from now on is part of what `take` returns. Returns its bytes, length included. */
  endFrame(): number {
    this.checkOpen();
    const size = this.at - this.frameStart;
    this.writeUint32(this.frameStart, size - LENGTH_BYTES);
    this.frameStart = NO_FRAME;
    return size;
  }

  /** Takes the open frame back; nothing of it remains. Without an open frame it does nothing. */
  abortFrame(): void {
    if (this.frameStart === NO_FRAME) return;
    this.at = this.frameStart;
    this.frameStart = NO_FRAME;
  }

  /** Closes the open frame and returns its content alone, without length; it is not part of what `take` returns. The caller owns the bytes. */
  cutFrame(): Uint8Array {
    this.checkOpen();
    const content = this.bytes.subarray(this.frameStart + LENGTH_BYTES, this.at);
    this.setAside(this.frameStart);
    this.frameStart = NO_FRAME;
    this.takenTo = this.at;
    return content;
  }

  /** Bytes written in the open frame, length not counted. */
  get frameBytes(): number {
    return this.at - this.frameStart - LENGTH_BYTES;
  }

  /** Bytes of ended frames that wait for `take`. */
  get bytesPending(): number {
    let sum = this.endOfFrames() - this.takenTo;
    for (const chunk of this.full) sum += chunk.length;
    return sum;
  }

  /** All ended frames, in order, to be written to the socket; the caller owns them. Empty when there are none. */
  take(): Uint8Array[] {
    this.setAside(this.endOfFrames());
    const taken = this.full;
    this.full = [];
    if (this.bytes.length > this.chunkBytes && this.frameStart === NO_FRAME) this.replace(EMPTY);
    return taken;
  }

  /** Appends one byte to the open frame. */
  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.at++] = value;
  }

  /** Appends bytes as they are to the open frame. */
  raw(bytes: Uint8Array): void {
    const length = bytes.length;
    this.reserve(length);
    if (length > 12) {
      this.bytes.set(bytes, this.at);
    } else {
      const target = this.bytes;
      const at = this.at;
      for (let index = 0; index < length; index++) target[at + index] = bytes[index] as number;
    }
    this.at += length;
  }

  /** Appends a whole number from 0 to 2^53-1: seven bits a byte, the low ones first. */
  varint(value: number): void {
    this.reserve(VARINT_BYTES_MAX);
    let rest = value;
    for (; rest > 0x7fff_ffff; rest = Math.floor(rest / 128)) this.bytes[this.at++] = (rest % 128) | 0x80;
    for (; rest > 0x7f; rest >>>= 7) this.bytes[this.at++] = (rest & 0x7f) | 0x80;
    this.bytes[this.at++] = rest;
  }

  protected uint32(value: number): void {
    this.writeUint32(this.at, value);
    this.at += 4;
  }

  protected writeUint32(at: number, value: number): void {
    this.view.setInt32(at, value);
  }

  /** Makes room for that many bytes more. */
  protected reserve(count: number): void {
    if (this.at + count > this.bytes.length) this.grow(count);
  }

  /** The limit is checked here and when the chunk is full, not at every byte. */
  protected checkFrameSize(): void {
    if (this.frameBytes > this.bytesMax) throw this.beyondLimit(this.frameBytes);
  }

  private grow(count: number): void {
    const from = this.frameStart === NO_FRAME ? this.at : this.frameStart;
    const used = this.at - from;
    if (used + count > this.bytesMax + SLACK_BYTES) throw this.beyondLimit(used + count);
    const next = new Uint8Array(Math.max(this.chunkBytes, used + count, used * 2));
    next.set(this.bytes.subarray(from, this.at));
    this.setAside(from);
    this.replace(next);
    this.at = used;
    if (this.frameStart !== NO_FRAME) this.frameStart = 0;
  }

  private setAside(end: number): void {
    if (end > this.takenTo) this.full.push(this.bytes.subarray(this.takenTo, end));
    this.takenTo = end;
  }

  private replace(chunk: Uint8Array): void {
    this.bytes = chunk;
    this.view = new DataView(chunk.buffer);
    this.at = 0;
    this.takenTo = 0;
  }

  private endOfFrames(): number {
    return this.frameStart === NO_FRAME ? this.at : this.frameStart;
  }

  private checkOpen(): void {
    if (this.frameStart === NO_FRAME) throw new DGenError('badarg', 'no frame is open');
  }

  private beyondLimit(bytes: number): DGenError {
    const limit = `at most ${this.bytesMax} bytes`;
    return new DGenError('term_too_large', 'the term', { expected: limit, got: `${bytes} or more` });
  }
}

function checkedBytes(name: string, value: number): number {
  if (Number.isInteger(value) && value > 0 && value < 2 ** 31) return value;
  throw new DGenError('bad_option', name, {
    expected: 'an integer from 1 to 2147483647',
    got: String(value),
  });
}
