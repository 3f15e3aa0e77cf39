// Private frames, read. They go straight to whom they are for, without an object in between. What a peer gets wrong is a
// coded error before anything was handed over: `bad_peer`, or `bad_term` from the terms.
import { DGenError } from '../../errors/error.ts';
import type { Atom } from '../../term/atom.ts';
import { Pid } from '../../term/pid.ts';
import { type ReaderOptions, TermReader } from '../../term/reader.ts';
import { callee, compact, type NodeIdentity } from './compact.ts';

/** Who takes what private frames say. */
export interface CompactReceiver {
  onCall(number: number, from: Pid, to: Pid | Atom, request: unknown): void;
  onAnswer(number: number, reply: unknown): void;
  onCalleeGone(number: number, reason: unknown): void;
  onGivenUp(number: number): void;
  onSend(from: Pid, to: Pid, message: unknown): void;
  onSendNamed(from: Pid, name: Atom, message: unknown): void;
}

export interface CompactDecoderOptions extends ReaderOptions {
  readonly self: NodeIdentity<Atom>;
  readonly peer: NodeIdentity<Atom>;
  readonly receiver: CompactReceiver;
}

/** Whether a frame that begins so is a private one. */
export function isCompact(firstByte: number | undefined): boolean {
  return firstByte !== undefined && firstByte >= compact.call && firstByte <= compact.sendNamed;
}

export class CompactDecoder {
  readonly #reader: TermReader;
  readonly #self: NodeIdentity<Atom>;
  readonly #peer: NodeIdentity<Atom>;
  readonly #receiver: CompactReceiver;

  constructor(options: CompactDecoderOptions) {
    this.#reader = new TermReader(options);
    this.#self = options.self;
    this.#peer = options.peer;
    this.#receiver = options.receiver;
  }

  /** Takes one frame, whose first byte `isCompact`. */
  read(bytes: Uint8Array, start: number, end: number): void {
    const reader = this.#reader;
    reader.reset(bytes, start + 1, end);
    switch (bytes[start]) {
      case compact.call:
        this.#call();
        break;
      case compact.answer: {
        const number = reader.varint();
        this.#receiver.onAnswer(number, this.#payload());
        break;
      }
      case compact.calleeGone: {
        const number = reader.varint();
        this.#receiver.onCalleeGone(number, this.#payload());
        break;
      }
      case compact.givenUp: {
        const number = reader.varint();
        reader.expectEnd();
        this.#receiver.onGivenUp(number);
        break;
      }
      default:
        this.#send(bytes[start] as number);
    }
  }

  #call(): void {
    const number = this.#reader.varint();
    const from = this.#pidOf(this.#peer);
    const to = this.#callee();
    this.#receiver.onCall(number, from, to, this.#payload());
  }

  #callee(): Pid | Atom {
    const reader = this.#reader;
    const kind = reader.byte();
    switch (kind) {
      case callee.pid:
        return this.#pidOf(this.#self);
      case callee.name:
        return reader.name();
      case callee.pidOfCreation: {
        const { node, id, serial } = this.#pidOf(this.#self);
        return new Pid(node, id, serial, reader.varint());
      }
      default:
        throw broken('the kind of a callee', '0 to 2', kind);
    }
  }

  #send(operation: number): void {
    const from = this.#pidOf(this.#peer);
    if (operation === compact.send) {
      const to = this.#pidOf(this.#self);
      this.#receiver.onSend(from, to, this.#payload());
    } else if (operation === compact.sendNamed) {
      const name = this.#reader.name();
      this.#receiver.onSendNamed(from, name, this.#payload());
    } else throw broken('the first byte of a private frame', '193 to 198', operation);
  }

  #pidOf({ name, creation }: NodeIdentity<Atom>): Pid {
    return this.#reader.pidOf(name, creation);
  }

  #payload(): unknown {
    const payload = this.#reader.term();
    this.#reader.expectEnd();
    return payload;
  }
}

function broken(what: string, expected: string, got: number): DGenError {
  return new DGenError('bad_peer', what, { expected, got: String(got) });
}
