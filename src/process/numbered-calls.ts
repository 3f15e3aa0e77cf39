// Calls between nodes of this library as their connections bring them: a number, and what the connection does not know.
// A number means something on its connection only, so no peer can answer or take back the calls of another.
import type { Atom } from '../term/atom.ts';
import { Pid } from '../term/pid.ts';
import type { Calls } from './calls.ts';
import type { CallChannel, InboundCalls } from './distribution-port.ts';
import { NumberedCall } from './incoming-call.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Names } from './names.ts';
import type { Peer, Peers } from './peers.ts';
import type { ProcessTable } from './process-table.ts';
import { noproc } from './reasons.ts';
import type { RemoteAnswers } from './remote-answers.ts';

export interface NumberedCallParts {
  readonly table: ProcessTable;
  readonly names: Names;
  readonly lifecycle: Lifecycle;
  readonly calls: Calls;
  readonly answers: RemoteAnswers;
  readonly peers: Peers;
}

export class NumberedCalls implements InboundCalls {
  readonly #parts: NumberedCallParts;
  #lastPeer: Peer | undefined = undefined;

  constructor(parts: NumberedCallParts) {
    this.#parts = parts;
  }

  // biome-ignore lint/complexity/useMaxParams: the port's signature
  onCall(channel: CallChannel, number: number, from: Pid, to: Pid | Atom, request: unknown): void {
    const { table, names, answers, lifecycle } = this.#parts;
    const callee = to instanceof Pid ? table.get(to) : names.get(to);
    if (callee === undefined) {
      channel.calleeGone(number, noproc);
      return;
    }
    const call = new NumberedCall(from, request, { callee, peer: this.#peerOf(channel), answers });
    call.channel = channel;
    call.number = number;
    lifecycle.deliverFromPeer(callee, call);
    if (!callee.alive) call.calleeDied(callee.exitReason);
  }

  /** The peer at the other end: most calls come from where the last one came from. */
  #peerOf(channel: CallChannel): Peer {
    const last = this.#lastPeer;
    if (last !== undefined && last.channel === channel) return last;
    const peer = this.#parts.peers.of(channel.node);
    this.#lastPeer = peer;
    return peer;
  }

  onAnswer(channel: CallChannel, number: number, reply: unknown): void {
    this.#parts.calls.waitingOn(channel, number)?.hear(reply);
  }

  onCalleeGone(channel: CallChannel, number: number, reason: unknown): void {
    this.#parts.calls.waitingOn(channel, number)?.calleeDied(reason);
  }

  onGivenUp(channel: CallChannel, number: number): void {
    const peer = this.#parts.peers.get(channel.node);
    if (peer !== undefined) forgetRequest(peer, channel, number);
  }
}

/** Oldest first: that is who times out. */
function forgetRequest(peer: Peer, channel: CallChannel, number: number): void {
  for (const request of peer.openRequests) {
    if (!(request instanceof NumberedCall) || request.number !== number || request.channel !== channel)
      continue;
    request.callerGone();
    return;
  }
}
