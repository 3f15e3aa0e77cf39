// Something to sleep on: a wait ends when the latch is opened, at once if that happened since the last wait, or when its
// time is over. One waits at a time.
import type { Timers } from '../../host/ports.ts';

export class Latch {
  readonly #timers: Timers;
  #isOpen = false;
  #wake: (() => void) | undefined;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  open(): void {
    this.#isOpen = true;
    this.#wake?.();
  }

  /** Without `ms` for as long as it takes. Does not keep the process alive. */
  async wait(ms?: number): Promise<void> {
    if (!this.#isOpen) {
      await new Promise<void>((resolve) => {
        const timer = ms === undefined ? undefined : this.#timers.after(ms, resolve, { background: true });
        this.#wake = () => {
          timer?.cancel();
          resolve();
        };
      });
    }
    this.#wake = undefined;
    this.#isOpen = false;
  }
}
