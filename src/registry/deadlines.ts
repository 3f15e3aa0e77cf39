// Deadlines of many requests with one timer: whoever is late is found by a sweep at the earliest deadline.
import type { Clock, TimerHandle, Timers } from '../host/ports.ts';

const sweepMsMin = 5;

export class Deadlines {
  readonly #host: { readonly clock: Clock; readonly timers: Timers };
  readonly #expire: (id: number) => void;
  readonly #until: Map<number, number> = new Map();
  #timer: TimerHandle | undefined;
  #timerAt = Infinity;

  constructor(host: { readonly clock: Clock; readonly timers: Timers }, expire: (id: number) => void) {
    this.#host = host;
    this.#expire = expire;
  }

  /** Calls `expire` once after so many milliseconds, unless cleared before; never for `Infinity`. */
  set(id: number, timeoutMs: number): void {
    if (timeoutMs === Infinity) return;
    const at = this.#host.clock.now() + timeoutMs;
    this.#until.set(id, at);
    if (at < this.#timerAt) this.#schedule(at);
  }

  clear(id: number): void {
    this.#until.delete(id);
  }

  close(): void {
    this.#until.clear();
    this.#timer?.cancel();
    this.#timerAt = Infinity;
  }

  #schedule(at: number): void {
    this.#timer?.cancel();
    this.#timerAt = at;
    const delay = Math.max(at - this.#host.clock.now(), sweepMsMin);
    this.#timer = this.#host.timers.after(delay, () => this.#sweep());
  }

  #sweep(): void {
    const now = this.#host.clock.now();
    this.#timerAt = Infinity;
    const late: number[] = [];
    let next = Infinity;
    for (const [id, at] of this.#until) {
      if (at <= now) late.push(id);
      else if (at < next) next = at;
    }
    for (const id of late) {
      this.#until.delete(id);
      this.#expire(id);
    }
    if (next < this.#timerAt) this.#schedule(next);
  }
}
