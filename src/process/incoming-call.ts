// A call that came from another node, as it waits in a mailbox here. Its answer goes back the way that it came: under its
// number on its connection, or as a message of the kind that its tag asks for. An answer may wait for room in the link.
import type { Pid } from '../term/pid.ts';
import type { Ref } from '../term/ref.ts';
import type { CallChannel, Outbound } from './distribution-port.ts';
import { aliasOfTag, answerMessage, errorReply } from './gen-protocol.ts';
import type { Waiting } from './outbox.ts';
import type { Peer } from './peers.ts';
import type { OpenRequest, ProcessRecord } from './record.ts';
import type { RemoteAnswers } from './remote-answers.ts';
import { sendReason } from './remote-reason.ts';
import type { CallMessage, From } from './types.ts';

/** Where a call goes, and by whose connection its answer leaves. */
export interface CallEnds {
  readonly callee: ProcessRecord;
  readonly peer: Peer;
  readonly answers: RemoteAnswers;
}

export abstract class IncomingCall implements CallMessage, From, OpenRequest, Waiting {
  readonly kind = 'call';
  /** As far as this node knows. */
  readonly abandoned = false;
  readonly pid: Pid;
  readonly request: unknown;
  readonly callee: ProcessRecord;
  readonly peer: Peer;
  answered = false;
  /** What waits for room in the link. */
  reply: unknown = undefined;
  protected readonly answers: RemoteAnswers;

  constructor(pid: Pid, request: unknown, { callee, peer, answers }: CallEnds) {
    this.pid = pid;
    this.request = request;
    this.callee = callee;
    this.peer = peer;
    this.answers = answers;
  }

  get from(): From {
    return this;
  }

  answer(reply: unknown): void {
    if (this.#end()) this.send(reply);
  }

  fail(error: Error): void {
    if (this.#end()) this.send(this.errorReply(error));
  }

  calleeDied(reason: unknown): void {
    if (this.#end()) this.tellDeath(reason);
  }

  /** The caller has given up, or its node is gone. */
  callerGone(): void {
    this.#end();
  }

  attempt(outbound: Outbound): void {
    this.answers.attempt(this, outbound);
  }

  /** Puts the answer on the link. Throws what `Outbound.send` does. */
  abstract transmit(outbound: Outbound, reply: unknown): void;

  /** An error in the form that the caller understands as one. */
  abstract errorReply(error: Error): unknown;

  protected abstract send(reply: unknown): void;

  protected abstract tellDeath(reason: unknown): void;

  #end(): boolean {
    if (this.answered) return false;
    this.answered = true;
    this.callee.openRequests?.delete(this);
    this.peer.openRequests.delete(this);
    return true;
  }
}

/** A call that came by a channel. */
export class NumberedCall extends IncomingCall {
  /** Set when the call is made. */
  channel!: CallChannel;
  number = 0;

  transmit(_outbound: Outbound, reply: unknown): void {
    this.channel.answer(this.number, reply);
  }

  errorReply(error: Error): unknown {
    return errorReply(error, 'typescript');
  }

  protected send(reply: unknown): void {
    this.answers.send(this, reply);
  }

  protected tellDeath(reason: unknown): void {
    sendReason(reason, (sent) => this.channel.calleeGone(this.number, sent));
  }
}

/** A call in Erlang's form. Between nodes of this library it carries its own monitor, named by its reference; Erlang's callers set one. */
export class TaggedCall extends IncomingCall {
  readonly tag: unknown;
  /** Where the answer goes; undefined: to the pid. Also names the call: a monitor of that reference goes with it. */
  readonly alias: Ref | undefined;

  constructor(call: { readonly pid: Pid; readonly tag: unknown; readonly request: unknown }, ends: CallEnds) {
    super(call.pid, call.request, ends);
    this.tag = call.tag;
    this.alias = aliasOfTag(call.tag);
  }

  transmit(outbound: Outbound, reply: unknown): void {
    const message = answerMessage(this.tag, reply);
    if (this.alias === undefined) outbound.send(this.callee.pid, this.pid, message);
    else outbound.sendAlias(this.callee.pid, this.alias, message);
  }

  errorReply(error: Error): unknown {
    return errorReply(error, this.peer.kind);
  }

  protected send(reply: unknown): void {
    if (!this.#isHome) this.answers.send(this, reply);
    else if (this.alias !== undefined) this.answers.loopback(this.alias, answerMessage(this.tag, reply));
  }

  protected tellDeath(reason: unknown): void {
    const { alias } = this;
    if (alias === undefined || this.#isHome || this.peer.kind !== 'typescript') return;
    this.answers.sendDown(this, alias, reason);
  }

  /** From a process of this very node, by way of another. */
  get #isHome(): boolean {
    return this.pid.node === this.callee.pid.node;
  }
}
