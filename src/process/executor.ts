// Runs the code of processes: one message at a time, the next when the promise of the one before has settled. Whatever
// the code throws ends the process and nothing else; no promise made here can become an unhandled rejection.
import type { Log } from '../host/ports.ts';
import type { Lifecycle } from './lifecycle.ts';
import { normal } from './reasons.ts';
import type { ProcessRecord } from './record.ts';
import { keepOpen } from './requests.ts';
import { MESSAGES_PER_TURN } from './scheduler.ts';
import type { Behaviour } from './types.ts';

/** What `self.exit` throws. It is not an error: it is how a process leaves its code. */
export class ProcessExit {
  readonly reason: unknown;

  constructor(reason: unknown) {
    this.reason = reason;
  }
}

export class Executor {
  readonly #lifecycle: Lifecycle;
  readonly #log: Log;
  readonly #wake: (record: ProcessRecord) => void;

  constructor(lifecycle: Lifecycle, log: Log, wake: (record: ProcessRecord) => void) {
    this.#lifecycle = lifecycle;
    this.#log = log;
    this.#wake = wake;
  }

  /** One turn of the process; returns how many messages it took. */
  run(record: ProcessRecord): number {
    // Woken by its own message before its callback returned a promise: it is woken again when that settles.
    if (!record.alive || record.busy) return 0;
    if (!record.started) {
      this.#start(record);
      return 1;
    }
    if (record.program.kind === 'behaviour') return this.#handleMessages(record, record.program.behaviour);
    record.receiver?.offer();
    return 1;
  }

  #start(record: ProcessRecord): void {
    record.started = true;
    const { program } = record;
    if (program.kind === 'main') this.#startMain(record, program.main);
    else this.#startBehaviour(record, program.behaviour);
  }

  #startMain(record: ProcessRecord, main: (self: ProcessRecord['handle']) => void | Promise<void>): void {
    const failed = (error: unknown): void => this.#endByThrow(record, error);
    const returned = (): void => this.#lifecycle.die(record, record.exitRequest?.reason ?? normal);
    try {
      const result = main(record.handle);
      if (isThenable(result)) result.then(returned, failed);
      else returned();
    } catch (error) {
      failed(error);
    }
  }

  #startBehaviour(record: ProcessRecord, behaviour: Behaviour): void {
    // A process that did not come up has nothing to terminate.
    const failed = (error: unknown): void => this.#lifecycle.die(record, this.#reasonOf(record, error));
    const ready = (): void => {
      record.busy = false;
      if (record.exitRequest !== undefined) this.#lifecycle.die(record, record.exitRequest.reason);
      else if (record.mailbox.size > 0) this.#wake(record);
    };
    try {
      const result = behaviour.init?.(record.handle);
      if (isThenable(result)) {
        record.busy = true;
        result.then(ready, failed);
      } else ready();
    } catch (error) {
      failed(error);
    }
  }

  #handleMessages(record: ProcessRecord, behaviour: Behaviour): number {
    const { mailbox } = record;
    let taken = 0;
    while (mailbox.size > 0) {
      if (taken === MESSAGES_PER_TURN) {
        this.#wake(record);
        break;
      }
      taken += 1;
      if (!this.#handle(record, behaviour, mailbox.shift())) break;
    }
    return taken;
  }

  /** True when the next message may follow at once. */
  #handle(record: ProcessRecord, behaviour: Behaviour, message: unknown): boolean {
    let result: void | Promise<void>;
    try {
      result = behaviour.handle(message, record.handle);
    } catch (error) {
      keepOpen(record, message);
      this.#endByThrow(record, error);
      return false;
    }
    keepOpen(record, message);
    if (result !== undefined && isThenable(result)) {
      this.#waitFor(record, result);
      return false;
    }
    if (record.exitRequest !== undefined) this.#end(record, record.exitRequest.reason);
    return record.alive && !record.busy;
  }

  #waitFor(record: ProcessRecord, result: Promise<void>): void {
    record.busy = true;
    record.onSettled ??= () => {
      record.busy = false;
      if (record.exitRequest !== undefined) this.#end(record, record.exitRequest.reason);
      else if (record.mailbox.size > 0) this.#wake(record);
    };
    record.onFailed ??= (error) => this.#endByThrow(record, error);
    result.then(record.onSettled, record.onFailed);
  }

  #endByThrow(record: ProcessRecord, error: unknown): void {
    if (record.alive) this.#end(record, this.#reasonOf(record, error));
  }

  /** The process ends by itself: `terminate` runs first, while it is still alive. */
  #end(record: ProcessRecord, reason: unknown): void {
    if (!record.alive) return;
    const { program } = record;
    if (program.kind === 'main' || program.behaviour.terminate === undefined) {
      this.#lifecycle.die(record, reason);
      return;
    }
    record.busy = true;
    record.exitRequest = undefined;
    const failed = (error: unknown): void => this.#lifecycle.die(record, this.#reasonOf(record, error));
    try {
      const result = program.behaviour.terminate(reason, record.handle);
      if (isThenable(result)) result.then(() => this.#lifecycle.die(record, reason), failed);
      else this.#lifecycle.die(record, reason);
    } catch (error) {
      failed(error);
    }
  }

  #reasonOf(record: ProcessRecord, error: unknown): unknown {
    if (error instanceof ProcessExit) return error.reason;
    if (record.alive && record.exitRequest === undefined) {
      this.#log.error({ pid: String(record.pid), label: record.label, error }, 'a process crashed');
    }
    return record.exitRequest === undefined ? error : record.exitRequest.reason;
  }
}

function isThenable(result: void | Promise<void>): result is Promise<void> {
  return typeof result === 'object' && result !== null && typeof result.then === 'function';
}
