// Puts fragmented messages together. A sender numbers its messages; the fragments of one come in order and count down to
// 1, and fragments of several messages may be interleaved. What waits here is bounded in messages and in bytes, or a
// peer could fill the memory with beginnings.
import { DGenError } from '../../errors/error.ts';

export interface FragmentLimits {
  /** Bytes of all unfinished messages together. */
  readonly bytesMax: number;
  /** Unfinished messages. */
  readonly messagesMax: number;
}

export interface Fragment {
  /** Number of the message. */
  readonly sequence: bigint;
  /** How many fragments follow, this one included. */
  readonly remaining: bigint;
  readonly first: boolean;
  readonly data: Uint8Array;
}

interface Unfinished {
  next: bigint;
  readonly parts: Uint8Array[];
}

export class Reassembly {
  readonly #limits: FragmentLimits;
  readonly #unfinished = new Map<bigint, Unfinished>();
  #bytes = 0;

  constructor(limits: FragmentLimits) {
    this.#limits = limits;
  }

  /** The whole message when this was its last fragment. Throws `bad_peer` out of order, `frame_too_large` at a limit. */
  add(fragment: Fragment): Uint8Array | undefined {
    const message = fragment.first ? this.#begin(fragment) : this.#unfinished.get(fragment.sequence);
    if (message === undefined || message.next !== fragment.remaining || fragment.remaining === 0n) {
      throw new DGenError('bad_peer', 'a fragment out of order', { got: `fragment ${fragment.remaining}` });
    }
    this.#bytes += fragment.data.length;
    if (this.#bytes > this.#limits.bytesMax) {
      throw tooLarge(`at most ${this.#limits.bytesMax} bytes in unfinished messages`);
    }
    message.parts.push(fragment.data.slice());
    message.next -= 1n;
    return message.next === 0n ? this.#finish(fragment.sequence, message.parts) : undefined;
  }

  #begin(fragment: Fragment): Unfinished {
    if (this.#unfinished.has(fragment.sequence)) {
      throw new DGenError('bad_peer', 'a fragmented message began twice');
    }
    if (this.#unfinished.size >= this.#limits.messagesMax) {
      throw tooLarge(`at most ${this.#limits.messagesMax} unfinished messages`);
    }
    const begun: Unfinished = { next: fragment.remaining, parts: [] };
    this.#unfinished.set(fragment.sequence, begun);
    return begun;
  }

  #finish(sequence: bigint, parts: readonly Uint8Array[]): Uint8Array {
    this.#unfinished.delete(sequence);
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let offset = 0;
    for (const part of parts) {
      whole.set(part, offset);
      offset += part.length;
    }
    this.#bytes -= whole.length;
    return whole;
  }
}

function tooLarge(expected: string): DGenError {
  return new DGenError('frame_too_large', 'fragments of a peer', { expected });
}
