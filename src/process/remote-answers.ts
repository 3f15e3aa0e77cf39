// Answers to calls from other nodes. An answer that finds no room in the link waits for it; one that cannot be encoded
// becomes an error for the caller, who is the one to be told.
import { DGenError, hasCode } from '../errors/error.ts';
import type { Log } from '../host/ports.ts';
import type { Ref } from '../term/ref.ts';
import type { Outbound } from './distribution-port.ts';
import type { IncomingCall } from './incoming-call.ts';
import type { Peers } from './peers.ts';
import { sendReason } from './remote-reason.ts';

/** An answer to a process of this very node, whose call came back here by way of another. */
export type Loopback = (alias: Ref, message: unknown) => void;

export class RemoteAnswers {
  readonly #peers: Peers;
  readonly #waitingMax: number;
  readonly #log: Log;
  /** Set when the runtime is put together. */
  loopback: Loopback = () => undefined;

  constructor(peers: Peers, options: { waitingMax: number; log: Log }) {
    this.#peers = peers;
    this.#waitingMax = options.waitingMax;
    this.#log = options.log;
  }

  send(call: IncomingCall, reply: unknown): void {
    const { outbound } = this.#peers;
    if (outbound === undefined) return;
    const { node, outbox } = call.peer;
    if (outbox.size >= this.#waitingMax) {
      this.#log.warn({ node: node.name, waiting: outbox.size }, 'answer dropped: no room');
      return;
    }
    call.reply = reply;
    outbox.send(node, outbound, call);
  }

  /** Throws `send_buffer_full`; every other failure is dealt with. */
  attempt(call: IncomingCall, outbound: Outbound): void {
    try {
      call.transmit(outbound, call.reply);
    } catch (error) {
      if (hasCode(error, 'send_buffer_full')) throw error;
      this.#log.warn(
        { error, callee: String(call.callee) },
        'the answer cannot be sent; the caller gets an error',
      );
      call.transmit(outbound, call.errorReply(refusalOf(error)));
    }
    call.reply = undefined;
  }

  /** A down signal is not subject to the bound of the link. */
  sendDown(call: IncomingCall, alias: Ref, reason: unknown): void {
    const { callee, pid } = call;
    sendReason(reason, (sent) => this.#peers.outbound?.down(callee.pid, pid, alias, sent));
  }
}

/** Made anew: what could not be sent may hang on the first one. */
function refusalOf(error: unknown): DGenError {
  const code = hasCode(error, 'term_too_large') ? 'term_too_large' : 'not_encodable';
  return new DGenError(code, 'the answer cannot be sent', { got: String(error) });
}
