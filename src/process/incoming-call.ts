// A call that came from another node, as it waits in a mailbox here. Its answer goes back the way that its tag asks for.
import type { Pid } from '../term/pid.ts';
import type { Ref } from '../term/ref.ts';
import { aliasOfTag } from './gen-protocol.ts';
import type { Peer } from './peers.ts';
import type { OpenRequest, ProcessRecord } from './record.ts';
import type { RemoteAnswers } from './remote-answers.ts';
import type { CallMessage, From } from './types.ts';

export class IncomingCall implements CallMessage, From, OpenRequest {
  readonly kind = 'call';
  readonly request: unknown;
  readonly pid: Pid;
  readonly tag: unknown;
  /** Where the answer goes; undefined: to the pid. Also names the call: a monitor of that reference goes with it. */
  readonly alias: Ref | undefined;
  readonly callee: ProcessRecord;
  readonly peer: Peer;
  answered = false;
  readonly #answers: RemoteAnswers;

  constructor(
    answers: RemoteAnswers,
    call: { readonly pid: Pid; readonly tag: unknown; readonly request: unknown },
    at: { readonly callee: ProcessRecord; readonly peer: Peer },
  ) {
    this.#answers = answers;
    this.pid = call.pid;
    this.tag = call.tag;
    this.request = call.request;
    this.alias = aliasOfTag(call.tag);
    this.callee = at.callee;
    this.peer = at.peer;
  }

  get from(): From {
    return this;
  }

  answer(reply: unknown): void {
    if (this.#end()) this.#answers.send(this, reply);
  }

  fail(error: Error): void {
    if (this.#end()) this.#answers.sendError(this, error);
  }

  calleeDied(reason: unknown): void {
    if (this.#end()) this.#answers.sendDown(this, reason);
  }

  /** The caller has given up, or its node is gone. */
  callerGone(): void {
    this.#end();
  }

  #end(): boolean {
    if (this.answered) return false;
    this.answered = true;
    this.callee.openRequests?.delete(this);
    this.peer.openRequests.delete(this);
    return true;
  }
}
