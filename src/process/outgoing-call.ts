// A call to a process of another node. Towards Erlang it is what `gen` does there: a monitor, the request, and at the end
// a demonitor. A node of this library takes the request as the monitor too, which saves two frames of three; giving
// up is told by the same demonitor signal. On a connection with a channel for calls none of that form is needed, only a
// number. The request waits for room in the link, as long as its deadline allows.
import { DGenError, hasCode } from '../errors/error.ts';
import { Pid } from '../term/pid.ts';
import { Ref } from '../term/ref.ts';
import type { CallParts } from './calls.ts';
import type { CallChannel, NamedTarget, Outbound, OutgoingRequest } from './distribution-port.ts';
import { errorOfReply, genCall } from './gen-protocol.ts';
import type { Waiting } from './outbox.ts';
import type { Peer } from './peers.ts';
import { type EndOfCall, PendingCall } from './pending-call.ts';

/** Where processes of other nodes are: by pid, by name, by alias. */
export type RemoteAddress = Pid | NamedTarget | Ref;

export class OutgoingCall extends PendingCall implements Waiting, OutgoingRequest {
  number = 0;
  to!: RemoteAddress;
  peer!: Peer;
  /** Neighbours in the list of the peer's calls. */
  olderOfPeer: OutgoingCall | undefined = undefined;
  newerOfPeer: OutgoingCall | undefined = undefined;
  /** Set once the request is on its way: one of the two. */
  channel: CallChannel | undefined = undefined;
  #sentThrough: Outbound | undefined = undefined;
  #monitored = false;

  get abandoned(): boolean {
    return this.answered;
  }

  begin({ peers }: CallParts): void {
    this.peer.calls.add(this);
    if (peers.outbound !== undefined) this.peer.outbox.send(this.peer.node, peers.outbound, this);
  }

  attempt(outbound: Outbound): void {
    try {
      this.#send(outbound);
      this.request = undefined;
    } catch (error) {
      if (hasCode(error, 'send_buffer_full')) throw error;
      this.fail(error);
    }
  }

  #send(outbound: Outbound): void {
    const { channel } = this.peer;
    if (channel === undefined || this.to instanceof Ref) {
      this.#sendMessage(outbound);
      return;
    }
    channel.call(this.caller.pid, this.to, this);
    this.channel = channel;
  }

  #sendMessage(outbound: Outbound): void {
    const from = this.caller.pid;
    const message = genCall(from, this.ref, this.request);
    if (this.to instanceof Pid) outbound.send(from, this.to, message);
    else if (this.to instanceof Ref) outbound.sendAlias(from, this.to, message);
    else outbound.sendNamed(from, this.to, message);
    this.#sentThrough = outbound;
    if (this.peer.kind === 'typescript' || this.to instanceof Ref) return;
    this.#monitored = true;
    outbound.monitor(from, this.to, this.ref);
  }

  /** Names the call where it goes as a message. */
  get ref(): Ref {
    return this.calls.refOf(this.number);
  }

  /** An answer came; it may be an error. */
  hear(reply: unknown): void {
    const error = errorOfReply(reply);
    if (error === undefined) this.answer(reply);
    else this.fail(error, 'answered');
  }

  describe(): string {
    if (this.to instanceof Pid || this.to instanceof Ref) return String(this.to);
    return `${this.to.name.name} on ${this.to.node.name}`;
  }

  protected override timeoutError(): DGenError {
    if (this.channel !== undefined || this.#sentThrough !== undefined) return super.timeoutError();
    return new DGenError('send_buffer_full', `no room in the link to ${this.peer.node.name}`, {
      details: { timeoutMs: this.timeoutMs },
    });
  }

  protected released(how: EndOfCall): void {
    this.peer.calls.delete(this);
    this.calls.forget(this);
    if (this.channel !== undefined) {
      if (how === 'given up') this.channel.givenUp(this.number);
      return;
    }
    const implied = how === 'given up' && this.peer.kind === 'typescript';
    if (how === 'callee gone' || !(this.#monitored || implied)) return;
    // An alias cannot be monitored: its peer forgets the request when it answers or ends.
    if (!(this.to instanceof Ref)) this.#sentThrough?.demonitor(this.caller.pid, this.to, this.ref);
  }
}
