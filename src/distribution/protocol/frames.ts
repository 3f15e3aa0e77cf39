// Cuts the connected protocol's byte stream into frames: a 4-byte length, then as many bytes. A frame that lies within one
// chunk, as nearly all do, is handed out where it is; one that spans chunks is put together when its last byte has come,
// so that a length alone, however large, makes nobody allocate.
import { DGenError } from '../../errors/error.ts';

/** `bytes` may be the caller's chunk: keep nothing of it after the return. Start and end delimit the frame without its length. */
export type OnFrame = (bytes: Uint8Array, start: number, end: number) => void;

const headBytes = 4;

export class FrameReader {
  readonly #frameBytesMax: number;
  readonly #onFrame: OnFrame;
  /** Chunks of an incomplete frame, its length field included. */
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  /** Bytes that complete what is pending: the length field first, then the whole frame. */
  #neededBytes = headBytes;
  #stopped = false;

  /** Frames of length 0, the ticks, are not handed out. */
  constructor(frameBytesMax: number, onFrame: OnFrame) {
    this.#frameBytesMax = frameBytesMax;
    this.#onFrame = onFrame;
  }

  /** No frame is handed out after it, also not from the chunk that is being read. */
  stop(): void {
    this.#stopped = true;
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  /** Throws `frame_too_large`; the stream cannot be read any further then. */
  push(chunk: Uint8Array): void {
    let offset = 0;
    while (this.#pendingBytes > 0 && offset < chunk.length && !this.#stopped) {
      offset = this.#complete(chunk, offset);
    }
    if (offset < chunk.length) this.#readWhole(chunk, offset);
  }

  /** Frames that lie in the chunk; what is left over becomes pending. */
  #readWhole(chunk: Uint8Array, from: number): void {
    let offset = from;
    while (!this.#stopped && chunk.length - offset >= headBytes) {
      const length = readLength(chunk, offset);
      this.#check(length);
      const end = offset + headBytes + length;
      if (end > chunk.length) {
        this.#neededBytes = headBytes + length;
        break;
      }
      if (length > 0) this.#onFrame(chunk, offset + headBytes, end);
      offset = end;
    }
    if (!this.#stopped && offset < chunk.length) this.#keep(chunk.subarray(offset));
  }

  /** Takes from the chunk what the pending frame lacks, hands the frame out when it is whole. Returns the next offset. */
  #complete(chunk: Uint8Array, offset: number): number {
    const taken = Math.min(this.#neededBytes - this.#pendingBytes, chunk.length - offset);
    this.#keep(chunk.subarray(offset, offset + taken));
    if (this.#pendingBytes < this.#neededBytes) return offset + taken;
    if (this.#neededBytes === headBytes) {
      const length = readLength(this.#join(), 0);
      this.#check(length);
      this.#neededBytes = headBytes + length;
      if (length > 0) return offset + taken;
    }
    const frame = this.#join();
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#neededBytes = headBytes;
    if (frame.length > headBytes) this.#onFrame(frame, headBytes, frame.length);
    return offset + taken;
  }

  #keep(bytes: Uint8Array): void {
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
  }

  #join(): Uint8Array {
    const [only] = this.#pending;
    if (this.#pending.length === 1 && only !== undefined) return only;
    const joined = new Uint8Array(this.#pendingBytes);
    let offset = 0;
    for (const bytes of this.#pending) {
      joined.set(bytes, offset);
      offset += bytes.length;
    }
    this.#pending = [joined];
    return joined;
  }

  #check(length: number): void {
    if (length <= this.#frameBytesMax) return;
    throw new DGenError('frame_too_large', 'a peer announced a frame beyond the limit', {
      expected: `at most ${this.#frameBytesMax} bytes`,
      got: `${length}`,
    });
  }
}

function readLength(bytes: Uint8Array, offset: number): number {
  return (
    (((bytes[offset] ?? 0) << 24) |
      ((bytes[offset + 1] ?? 0) << 16) |
      ((bytes[offset + 2] ?? 0) << 8) |
      (bytes[offset + 3] ?? 0)) >>>
    0
  );
}
