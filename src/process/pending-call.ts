// A call that waits for its answer, as the caller's node sees it. It ends once: with an answer, an error, its deadline,
// the caller's abort signal, or the death of either side. The ways that come late find it ended.
import { DGenError } from '../errors/error.ts';
import type { CallParts, Calls } from './calls.ts';
import { Deadline } from './deadlines.ts';
import { noconnection, noproc } from './reasons.ts';
import type { ProcessRecord } from './record.ts';

export type EndOfCall = 'answered' | 'callee gone' | 'given up';

type Settle = (value: unknown) => void;

// One executor for all: the two functions leave through variables instead of a closure per call.
let resolveOfLast: Settle;
let rejectOfLast: Settle;
const capture = (resolve: Settle, reject: Settle): void => {
  resolveOfLast = resolve;
  rejectOfLast = reject;
};

export abstract class PendingCall extends Deadline {
  readonly caller: ProcessRecord;
  readonly timeoutMs: number;
  readonly promise: Promise<unknown>;
  answered = false;
  /** No deadline yet: it gets one when the turn of the event loop is over, which most calls within a node never see. */
  unstamped = true;
  /** Neighbours in the caller's list. */
  older: PendingCall | undefined = undefined;
  newer: PendingCall | undefined = undefined;
  stopListening: (() => void) | undefined = undefined;
  request: unknown = undefined;
  protected readonly calls: Calls;
  private readonly resolve: Settle;
  private readonly reject: Settle;

  constructor(calls: Calls, caller: ProcessRecord, timeoutMs: number) {
    super();
    this.calls = calls;
    this.caller = caller;
    this.timeoutMs = timeoutMs;
    this.promise = new Promise(capture);
    this.resolve = resolveOfLast;
    this.reject = rejectOfLast;
  }

  answer(reply: unknown): void {
    if (this.answered) return;
    this.end('answered');
    this.resolve(reply);
  }

  /** The caller waits no longer, or the callee answered with an error. */
  fail(error: unknown, how: EndOfCall = 'given up'): void {
    if (this.answered) return;
    this.end(how);
    this.reject(error);
  }

  /** The callee ended, or is out of reach. */
  calleeDied(reason: unknown): void {
    if (!this.answered) this.fail(calleeError(reason, this.describe()), 'callee gone');
  }

  /** The caller is dead. Its code, if any of it still runs, learns that; but nobody is blamed for not listening. */
  callerDied(error: unknown): void {
    this.promise.catch(() => undefined);
    this.fail(error);
  }

  expire(): void {
    this.fail(this.timeoutError());
  }

  protected timeoutError(): DGenError {
    return new DGenError('timeout', `no answer from ${this.describe()} within ${this.timeoutMs} ms`, {
      details: { timeoutMs: this.timeoutMs },
    });
  }

  /** Sends the request. */
  abstract begin(parts: CallParts): void;

  /** The callee as text. */
  abstract describe(): string;

  /** Leaves what the call hangs on beside its caller. */
  protected abstract released(how: EndOfCall): void;

  private end(how: EndOfCall): void {
    this.answered = true;
    this.calls.release(this);
    this.released(how);
  }
}

/** What a call rejects with when the callee ended for that reason. */
export function calleeError(reason: unknown, callee: string): DGenError {
  if (reason === noproc) return new DGenError('noproc', `${callee} is not alive`);
  if (reason === noconnection) return new DGenError('noconnection', `the connection to ${callee} is gone`);
  return new DGenError('process_exit', `${callee} exited before it answered`, { details: { reason } });
}
