// Answers to calls from other nodes. An answer that finds no room in the link waits for it; one that cannot be encoded
// becomes an error for the caller, who is the one to be told.
import { DGenError, hasCode } from '../errors/error.ts';
import type { Log } from '../host/ports.ts';
import type { Ref } from '../term/ref.ts';
import type { Outbound } from './distribution-port.ts';
import { answerMessage, errorReply } from './gen-protocol.ts';
import type { IncomingCall } from './incoming-call.ts';
import type { Waiting } from './outbox.ts';
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
    const message = answerMessage(call.tag, reply);
    if (isHome(call)) {
      if (call.alias !== undefined) this.loopback(call.alias, message);
      return;
    }
    const { outbound } = this.#peers;
    if (outbound === undefined) return;
    if (call.peer.outbox.size >= this.#waitingMax) {
      this.#log.warn(
        { node: call.peer.node.name, waiting: call.peer.outbox.size },
        'answer dropped: no room',
      );
      return;
    }
    call.peer.outbox.send(call.peer.node, outbound, this.#waiting(call, message));
  }

  sendError(call: IncomingCall, error: Error): void {
    this.send(call, errorReply(error, call.peer.kind));
  }

  /**
   * A call between nodes of this library carries its own monitor, named by its reference; Erlang's callers set one themselves.
   * A down signal is not subject to the bound of the link.
   */
  sendDown(call: IncomingCall, reason: unknown): void {
    const { alias } = call;
    if (alias === undefined || isHome(call)) return;
    if (call.peer.kind !== 'typescript') return;
    sendReason(reason, (sent) => this.#peers.outbound?.down(call.callee.pid, call.pid, alias, sent));
  }

  #waiting(call: IncomingCall, message: unknown): Waiting {
    return {
      abandoned: false,
      attempt: (outbound) => this.#attempt(call, message, outbound),
    };
  }

  #attempt(call: IncomingCall, message: unknown, outbound: Outbound): void {
    try {
      transmit(outbound, call, message);
    } catch (error) {
      if (hasCode(error, 'send_buffer_full')) throw error;
      this.#log.warn(
        { error, callee: String(call.callee) },
        'the answer cannot be sent; the caller gets an error',
      );
      transmit(outbound, call, answerMessage(call.tag, errorReply(refusalOf(error), call.peer.kind)));
    }
  }
}

function isHome(call: IncomingCall): boolean {
  return call.pid.node === call.callee.pid.node;
}

/** Made anew: what could not be sent may hang on the first one. */
function refusalOf(error: unknown): DGenError {
  const code = hasCode(error, 'term_too_large') ? 'term_too_large' : 'not_encodable';
  return new DGenError(code, 'the answer cannot be sent', { got: String(error) });
}

function transmit(outbound: Outbound, call: IncomingCall, message: unknown): void {
  const from = call.callee.pid;
  if (call.alias === undefined) outbound.send(from, call.pid, message);
  else outbound.sendAlias(from, call.alias, message);
}
