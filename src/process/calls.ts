// Calls from here. A call within this node is a promise and a message; one to another node also has a number, by which
// its answer is found and which is never used again, so a late answer reaches nobody.
//
// Deadlines: most calls are answered before the turn of the event loop ends, so a call has no deadline until then. At
// the end of the turn those that still wait get one, counted from that instant: late by the length of a turn, never early.
import { DGenError } from '../errors/error.ts';
import type { Host } from '../host/ports.ts';
import { Pid } from '../term/pid.ts';
import type { Ref } from '../term/ref.ts';
import { CallTable } from './call-table.ts';
import type { Deadlines } from './deadlines.ts';
import { type Delivery, mailboxIsFull } from './delivery.ts';
import type { CallChannel } from './distribution-port.ts';
import { LocalCall } from './local-call.ts';
import { OutgoingCall, type RemoteAddress } from './outgoing-call.ts';
import type { Peer, Peers } from './peers.ts';
import { calleeError, type PendingCall } from './pending-call.ts';
import { noconnection, noproc } from './reasons.ts';
import { ProcessRecord } from './record.ts';
import type { References } from './references.ts';
import { isRequest } from './requests.ts';
import type { Router } from './router.ts';
import type { Destination, WaitOptions } from './types.ts';
import { onAbort, rejectQuietly, timeoutOf } from './wait-options.ts';

export interface CallParts {
  readonly host: Host;
  readonly router: Router;
  readonly delivery: Delivery;
  readonly deadlines: Deadlines;
  readonly references: References;
  readonly peers: Peers;
  readonly pendingMax: number;
}

const TIMEOUT_DEFAULT_MS = 5000;

export class Calls {
  readonly #parts: CallParts;
  /** Calls to other nodes by number. */
  readonly #outgoing = new CallTable();
  #pending = 0;
  #unstampedCallers: ProcessRecord[] = [];
  readonly #stamp: () => void;

  constructor(parts: CallParts) {
    this.#parts = parts;
    this.#stamp = () => this.#stampDeadlines();
  }

  get pending(): number {
    return this.#pending;
  }

  /** Never throws: every failure is a rejection. */
  // biome-ignore lint/complexity/useMaxParams: the hottest path of all; an options object would be allocated per call
  start(caller: ProcessRecord, to: Destination, request: unknown, options?: WaitOptions): Promise<unknown> {
    try {
      if (!caller.alive) return rejectQuietly(deadCaller(caller));
      const timeoutMs = options === undefined ? TIMEOUT_DEFAULT_MS : timeoutOf(options, TIMEOUT_DEFAULT_MS);
      this.#checkLimit();
      const target = this.#parts.router.resolve(to);
      if (target === undefined) return Promise.reject(calleeError(noproc, nameOf(to)));
      const call =
        target instanceof ProcessRecord
          ? this.#toProcess(caller, timeoutMs, target)
          : this.#toPeer(caller, timeoutMs, target);
      call.request = request;
      this.#enlist(call, caller);
      call.begin(this.#parts);
      if (options?.signal !== undefined && !call.answered) listen(call, options.signal);
      return call.promise;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Takes a call that has ended off its caller and out of the deadlines. */
  release(call: PendingCall): void {
    this.#pending -= 1;
    const { older, newer } = call;
    if (newer === undefined) call.caller.lastCall = older;
    else newer.older = older;
    if (older !== undefined) older.newer = newer;
    // A call may be kept for long, as the address of its answer: it must not keep its neighbours.
    call.older = undefined;
    call.newer = undefined;
    if (call.lane !== undefined) this.#parts.deadlines.remove(call);
    if (call.stopListening !== undefined) call.stopListening();
  }

  refOf(number: number): Ref {
    return this.#parts.references.refOf(number);
  }

  /** The call of that number, if it waits for an answer on that connection. */
  waitingOn(channel: CallChannel, number: number): OutgoingCall | undefined {
    const call = this.#outgoing.get(number);
    return call?.channel === channel ? call : undefined;
  }

  /** From now on an answer to the call finds nobody. */
  forget(call: OutgoingCall): void {
    this.#outgoing.delete(call);
  }

  onAnswer(number: number, reply: unknown): void {
    this.#outgoing.get(number)?.hear(reply);
  }

  onDown(number: number, reason: unknown): void {
    this.#outgoing.get(number)?.calleeDied(reason);
  }

  onNodeDown(peer: Peer): void {
    for (const call of peer.calls.list()) call.calleeDied(noconnection);
    for (const request of [...peer.openRequests]) request.callerGone();
    peer.outbox.clear();
  }

  /** The process's own calls fail, and so do the calls that wait for it. */
  bury(record: ProcessRecord, reason: unknown): void {
    this.failAll(record, new DGenError('aborted', `${record} ended while it waited for an answer`));
    for (const request of [...(record.openRequests ?? [])]) request.calleeDied(reason);
    for (let index = 0; index < record.mailbox.size; index++) {
      const message = record.mailbox.at(index);
      if (isRequest(message)) message.calleeDied(reason);
    }
  }

  /** Fails the calls of a caller that will not listen. */
  failAll(caller: ProcessRecord, error: Error): void {
    for (let call = caller.lastCall; call !== undefined; call = caller.lastCall) call.callerDied(error);
  }

  #toProcess(caller: ProcessRecord, timeoutMs: number, callee: ProcessRecord): PendingCall {
    if (callee.mailbox.size >= callee.mailboxMax) throw mailboxIsFull(callee);
    const call = new LocalCall(this, caller, timeoutMs);
    call.callee = callee;
    return call;
  }

  #toPeer(caller: ProcessRecord, timeoutMs: number, to: RemoteAddress): PendingCall {
    if (this.#parts.peers.outbound === undefined) {
      throw new DGenError('noconnection', `${to.node.name} is not connected`, { maybeExecuted: false });
    }
    const call = new OutgoingCall(this, caller, timeoutMs);
    call.to = to;
    call.peer = this.#parts.peers.of(to.node);
    call.number = this.#parts.references.nextNumber();
    this.#outgoing.add(call);
    return call;
  }

  #enlist(call: PendingCall, caller: ProcessRecord): void {
    this.#pending += 1;
    const last = caller.lastCall;
    call.older = last;
    if (last !== undefined) last.newer = call;
    caller.lastCall = call;
    if (caller.hasUnstampedCalls) return;
    caller.hasUnstampedCalls = true;
    if (this.#unstampedCallers.length === 0) {
      this.#parts.host.timers.defer(this.#stamp);
      this.#parts.deadlines.announce();
    }
    this.#unstampedCallers.push(caller);
  }

  #stampDeadlines(): void {
    const callers = this.#unstampedCallers;
    this.#unstampedCallers = [];
    const now = this.#parts.deadlines.now();
    for (const caller of callers) {
      caller.hasUnstampedCalls = false;
      for (let call = firstUnstampedOf(caller); call !== undefined; call = call.newer) {
        call.unstamped = false;
        this.#parts.deadlines.add(call, call.timeoutMs, now);
      }
    }
    this.#parts.deadlines.settle();
  }

  #checkLimit(): void {
    const { pendingMax } = this.#parts;
    if (this.#pending < pendingMax) return;
    throw new DGenError('system_limit', 'too many calls wait for an answer', {
      details: { pendingCallsMax: pendingMax },
    });
  }
}

/** The oldest of them: all that are newer have no deadline either. */
function firstUnstampedOf(caller: ProcessRecord): PendingCall | undefined {
  let first: PendingCall | undefined;
  for (let call = caller.lastCall; call?.unstamped === true; call = call.older) first = call;
  return first;
}

function nameOf(to: Destination): string {
  if (to instanceof Pid || typeof to === 'string') return String(to);
  return 'name' in to ? String(to.name) : String(to);
}

function deadCaller(caller: ProcessRecord): DGenError {
  return new DGenError('noproc', `${caller} has ended and calls nobody`);
}

function listen(call: PendingCall, signal: AbortSignal): void {
  call.stopListening = onAbort(signal, (error) => call.fail(error));
}
