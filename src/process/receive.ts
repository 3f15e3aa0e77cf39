// Selective receive of function processes: the first message that matches, the others stay in their order. A waiting
// receive looks at each message once, when it is the process's turn, never in the stack of the sender.
import { DGenError } from '../errors/error.ts';
import { Deadline, type Deadlines } from './deadlines.ts';
import type { ProcessRecord, Receiver } from './record.ts';
import { keepOpen } from './requests.ts';
import type { WaitOptions } from './types.ts';
import { onAbort, rejectQuietly, timeoutOf } from './wait-options.ts';

export type Matches = ((message: unknown) => boolean) | undefined;

/** Never throws: every failure is a rejection (`noproc` for the dead, `badarg` for misuse, `timeout`, `aborted`, and what `matches` throws). */
export function receive(
  record: ProcessRecord,
  deadlines: Deadlines,
  { matches, options = {} }: { readonly matches: Matches; readonly options: WaitOptions | undefined },
): Promise<unknown> {
  if (!record.alive) return rejectQuietly(ended(record, 'noproc'));
  const promise = new Promise((resolve, reject) => {
    checkMayReceive(record);
    const timeoutMs = timeoutOf(options, Number.POSITIVE_INFINITY);
    const died = (error: unknown): void => {
      // Nobody is blamed for not listening: the code that waits belongs to a process that has ended.
      promise.catch(() => undefined);
      reject(error);
    };
    const wait = new Receive(record, matches, { resolve, reject, died, deadlines, timeoutMs });
    wait.offer();
    if (!wait.done) wait.begin(options.signal);
  });
  return promise;
}

interface Wait {
  readonly resolve: (message: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly died: (error: unknown) => void;
  readonly deadlines: Deadlines;
  readonly timeoutMs: number;
}

class Receive extends Deadline implements Receiver {
  done = false;
  readonly #record: ProcessRecord;
  readonly #matches: Matches;
  readonly #wait: Wait;
  /** So many messages from the head of the mailbox do not match. */
  #seen = 0;
  #stopListening: (() => void) | undefined = undefined;

  constructor(record: ProcessRecord, matches: Matches, wait: Wait) {
    super();
    this.#record = record;
    this.#matches = matches;
    this.#wait = wait;
  }

  begin(signal: AbortSignal | undefined): void {
    if (this.#wait.timeoutMs === 0) {
      this.expire();
      return;
    }
    this.#record.receiver = this;
    this.#wait.deadlines.add(this, this.#wait.timeoutMs);
    if (signal !== undefined) this.#stopListening = onAbort(signal, (error) => this.#fail(error));
  }

  offer(): void {
    const { mailbox } = this.#record;
    try {
      for (; this.#seen < mailbox.size; this.#seen++) {
        if (this.#matches !== undefined && !this.#matches(mailbox.at(this.#seen))) continue;
        this.#take();
        return;
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  removedAt(index: number): void {
    if (index < this.#seen) this.#seen -= 1;
  }

  expire(): void {
    this.#fail(
      new DGenError('timeout', `no message within ${this.#wait.timeoutMs} ms`, {
        details: { timeoutMs: this.#wait.timeoutMs },
        maybeExecuted: false,
      }),
    );
  }

  processDied(): void {
    this.#end();
    this.#wait.died(ended(this.#record, 'aborted'));
  }

  #take(): void {
    this.#end();
    const message = this.#record.mailbox.removeAt(this.#seen);
    keepOpen(this.#record, message);
    this.#wait.resolve(message);
  }

  #fail(error: unknown): void {
    this.#end();
    this.#wait.reject(error);
  }

  #end(): void {
    this.done = true;
    this.#wait.deadlines.remove(this);
    this.#stopListening?.();
    if (this.#record.receiver === this) this.#record.receiver = undefined;
  }
}

function checkMayReceive(record: ProcessRecord): void {
  if (record.exitRequest !== undefined) throw ended(record, 'noproc');
  if (record.program.kind !== 'main') {
    throw new DGenError(
      'badarg',
      'receive is for processes of spawn(main); a behaviour is handed its messages',
    );
  }
  if (record.receiver !== undefined) {
    throw new DGenError(
      'badarg',
      `a receive of ${record} waits already: a process waits for one message at a time`,
    );
  }
}

function ended(record: ProcessRecord, code: 'noproc' | 'aborted'): DGenError {
  return new DGenError(code, `${record} has ended`, { maybeExecuted: false });
}
