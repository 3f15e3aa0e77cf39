// Waiting for the end of a process from outside of any.

import { DGenError } from '../errors/error.ts';
import type { Pid } from '../term/pid.ts';
import { Deadline } from './deadlines.ts';
import type { DownMonitor } from './monitors.ts';
import type { RuntimeParts } from './parts.ts';
import type { WaitOptions } from './types.ts';
import { onAbort, timeoutOf } from './wait-options.ts';

type WatchParts = Pick<RuntimeParts, 'monitors' | 'deadlines' | 'client' | 'downWaits'>;

const TIMEOUT_DEFAULT_MS = 5000;

/** See `Runtime.whenDown`. Never throws: rejects with `timeout`, `aborted` or `bad_option`. */
export function whenDown(parts: WatchParts, pid: Pid, options: WaitOptions = {}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timeoutMs = timeoutOf(options, TIMEOUT_DEFAULT_MS);
    const wait = new DownWait(parts, { timeoutMs, resolve, reject });
    wait.begin(pid, options.signal);
  });
}

interface Wait {
  readonly timeoutMs: number;
  readonly resolve: (reason: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class DownWait extends Deadline {
  readonly #parts: WatchParts;
  readonly #wait: Wait;
  #monitor: DownMonitor | undefined;
  #stopListening: (() => void) | undefined;
  #done = false;

  constructor(parts: WatchParts, wait: Wait) {
    super();
    this.#parts = parts;
    this.#wait = wait;
  }

  begin(pid: Pid, signal: AbortSignal | undefined): void {
    this.#monitor = this.#parts.monitors.watch(this.#parts.client, pid, (reason) => {
      this.#end();
      this.#wait.resolve(reason);
    });
    if (this.#done) return;
    this.#parts.downWaits.add(this);
    this.#parts.deadlines.add(this, this.#wait.timeoutMs);
    if (signal !== undefined) this.#stopListening = onAbort(signal, (error) => this.giveUp(error));
  }

  expire(): void {
    const what = `the process did not end within ${this.#wait.timeoutMs} ms`;
    this.giveUp(
      new DGenError('timeout', what, { details: { timeoutMs: this.#wait.timeoutMs }, maybeExecuted: false }),
    );
  }

  giveUp(error: Error): void {
    this.#end();
    if (this.#monitor !== undefined) this.#parts.monitors.unwatch(this.#monitor);
    this.#wait.reject(error);
  }

  #end(): void {
    this.#done = true;
    this.#parts.downWaits.delete(this);
    this.#parts.deadlines.remove(this);
    this.#stopListening?.();
  }
}
