// Signals for a node that is being dialled. Payloads are encoded when they are queued, so that they cannot change any
// more and what cannot travel throws at its sender. They are kept in the richer form that TypeScript nodes share; for a
// peer that turns out to be Erlang they are translated, and what Erlang cannot hold is dropped with a word in the log.
import { DGenError, hasCode } from '../errors/error.ts';
import type { Log } from '../host/ports.ts';
import type { TermCodecs } from '../term/codecs.ts';
import { TermReader } from '../term/reader.ts';
import { Refusal, refusalError } from '../term/refusal.ts';
import { TermWriter } from '../term/writer.ts';
import type { OutgoingControl } from './protocol/control.ts';
import { EncodedPayload } from './protocol/control-encode.ts';

/** What a queued signal is taken to cost beside its payload. */
const signalBytes = 256;

export interface SignalQueueOptions {
  /** Bytes at which the sends throw; other signals go on to twice as many. */
  readonly bytesMax: number;
  readonly frameBytesMax: number;
  readonly codecs: TermCodecs | undefined;
}

export class SignalQueue {
  readonly #options: SignalQueueOptions;
  readonly #writer: TermWriter;
  #signals: OutgoingControl[] = [];
  #bytes = 0;

  constructor(options: SignalQueueOptions) {
    this.#options = options;
    const { frameBytesMax: bytesMax, codecs } = options;
    this.#writer = new TermWriter({
      bytesMax,
      chunkBytes: 4096,
      ...(codecs === undefined ? {} : { codecs }),
    });
  }

  /**
   * Returns false when not even a signal that must not be lost has room: the attempt is to be given up.
   * Throws `not_encodable`, `term_too_large`; `send_buffer_full` for the three sends.
   */
  add(control: OutgoingControl): boolean {
    const isSend = control.kind === 'send' || control.kind === 'send_named' || control.kind === 'send_alias';
    const { bytesMax } = this.#options;
    if (isSend && this.#bytes >= bytesMax) {
      throw new DGenError('send_buffer_full', 'the signals for a node that is being dialled', {
        details: { bytesBuffered: this.#bytes, bytesMax },
        maybeExecuted: false,
      });
    }
    if (this.#bytes >= 2 * bytesMax) return false;
    const queued = mapPayload(control, (payload) => this.#encode(payload));
    this.#signals.push(queued);
    this.#bytes += signalBytes;
    return true;
  }

  /** Empties the queue into `write`, in order. */
  drain(kind: 'typescript' | 'erlang', log: Log, write: (control: OutgoingControl) => void): void {
    const signals = this.#signals;
    this.#signals = [];
    this.#bytes = 0;
    for (const signal of signals) {
      try {
        write(kind === 'typescript' ? signal : mapPayload(signal, (payload) => this.#decode(payload)));
      } catch (error) {
        if (!hasCode(error, 'not_encodable')) throw error;
        log.warn({ kind: signal.kind, error }, 'distribution: dropped a signal that the peer cannot take');
      }
    }
  }

  #encode(payload: unknown): EncodedPayload {
    const writer = this.#writer;
    writer.beginFrame();
    try {
      writer.term(payload);
    } catch (thrown) {
      writer.abortFrame();
      throw thrown instanceof Refusal ? refusalError(thrown) : thrown;
    }
    const bytes = writer.cutFrame();
    this.#bytes += bytes.length;
    return new EncodedPayload(bytes);
  }

  #decode(payload: unknown): unknown {
    const { codecs } = this.#options;
    const { bytes } = payload as EncodedPayload;
    const reader = new TermReader(codecs === undefined ? {} : { codecs });
    reader.reset(bytes);
    return reader.term();
  }
}

function mapPayload(control: OutgoingControl, map: (payload: unknown) => unknown): OutgoingControl {
  switch (control.kind) {
    case 'send':
    case 'send_named':
    case 'send_alias':
      return { ...control, message: map(control.message) };
    case 'exit':
    case 'exit2':
    case 'down':
      return { ...control, reason: map(control.reason) };
    default:
      return control;
  }
}
