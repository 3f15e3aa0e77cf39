// What the options of a wait mean.
import { DGenError } from '../errors/error.ts';
import type { WaitOptions } from './types.ts';

/** Throws `bad_option` for a timeout that is no number from 0 up, `aborted` for a signal that is aborted already. */
export function timeoutOf(options: WaitOptions, defaultMs: number): number {
  const { timeoutMs = defaultMs, signal } = options;
  if (!(timeoutMs >= 0)) {
    throw new DGenError('bad_option', 'timeoutMs', { expected: '0 or more', got: String(timeoutMs) });
  }
  if (signal?.aborted === true) {
    throw new DGenError('aborted', 'the signal was aborted before', {
      cause: signal.reason,
      maybeExecuted: false,
    });
  }
  return timeoutMs;
}

/** Runs `onAbort` when the signal aborts, until the returned function is called. */
export function onAbort(signal: AbortSignal, run: (error: DGenError) => void): () => void {
  const listener = (): void =>
    run(new DGenError('aborted', 'the caller aborted the wait', { cause: signal.reason }));
  signal.addEventListener('abort', listener, { once: true });
  return () => signal.removeEventListener('abort', listener);
}

/** A rejection that nobody need handle: the code that it is for belongs to a process that has ended. */
export function rejectQuietly(error: unknown): Promise<never> {
  const promise = Promise.reject(error);
  promise.catch(() => undefined);
  return promise;
}
