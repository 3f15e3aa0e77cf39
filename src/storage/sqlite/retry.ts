// Waiting for a lock of another process. SQLite's own way blocks the event loop and starves whoever comes late
// (measured: one transaction in four seconds); so locks fail at once here, and are tried again after a short
// random pause.
import type { Timers } from '../../host/ports.ts';
import type { Lifetime } from '../lifetime.ts';
import { isBusy } from './errors.ts';

const pauseMsMax = 2;

/** A pause of 0 to 2 ms; the shortest ones only let waiting input pass. */
function pauseMs(): number {
  return Math.random() * pauseMsMax;
}

/** Runs `action` until it does not fail with BUSY. Rejects with the lifetime's reason, or any other error of `action`. */
export async function retryWhileBusy<T>(lifetime: Lifetime, action: () => T): Promise<T> {
  for (;;) {
    lifetime.check();
    try {
      return action();
    } catch (error) {
      if (!isBusy(error)) throw error;
    }
    await lifetime.sleep(pauseMs());
  }
}

/** Calls back after such a pause, or after waiting input when it is very short. */
export function afterPause(timers: Timers, callback: () => void): void {
  const ms = pauseMs();
  if (ms < 0.5) timers.defer(callback);
  else timers.after(ms, callback);
}
