// A host for tests: time stands still until the test moves it, chance comes from a seed. Timers fire in the order of
// their due times, those of one instant in the order in which they were set. Between two events all promise
// continuations run, so a run depends on nothing but the seed and what the test does.
//
// The real `setImmediate` is used for one thing only: by the time it fires, the microtask queue is empty.
import { setImmediate as afterMicrotasks } from 'node:timers';
import type { Host, Instant, Log, Random, TimerHandle, Timers } from './ports.ts';
import { silentLog } from './ports.ts';
import { seededRandom } from './seeded-random.ts';

export interface SimulatedHostOptions {
  /** Default 1. */
  readonly seed?: number;
  /** What the clock shows at first; default 0. */
  readonly startMs?: number;
  readonly log?: Log;
  /** How many rounds of deferred callbacks one instant may take before `settle` throws; default 100,000. */
  readonly roundsMax?: number;
}

interface SimulatedTimer extends TimerHandle {
  readonly due: Instant;
  readonly callback: () => void;
  cancelled: boolean;
}

export class SimulatedHost implements Host {
  readonly clock: { now(): Instant };
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
  #now: Instant;
  readonly #roundsMax: number;
  #timers: SimulatedTimer[] = [];
  #deferred: (() => void)[] = [];

  constructor(options: SimulatedHostOptions = {}) {
    this.#now = options.startMs ?? 0;
    this.#roundsMax = options.roundsMax ?? 100_000;
    this.random = seededRandom(options.seed ?? 1);
    this.log = options.log ?? silentLog;
    this.clock = { now: () => this.#now };
    this.timers = {
      after: (delayMs, callback) => this.#after(delayMs, callback),
      defer: (callback) => void this.#deferred.push(callback),
    };
  }

  /** Timers that are set and not cancelled. */
  get timersPending(): number {
    return this.#timers.length;
  }

  /** When the next timer is due; undefined without one. */
  get nextDue(): Instant | undefined {
    return this.#timers[0]?.due;
  }

  /**
   * Moves the clock and runs what falls due, deferred callbacks included, without letting promise continuations run
   * in between: for code without promises. Others want `runFor`.
   */
  advance(ms: number): void {
    const end = this.#now + ms;
    this.#runDeferred();
    for (let timer = this.#takeDue(end); timer !== undefined; timer = this.#takeDue(end)) {
      timer.callback();
      this.#runDeferred();
    }
    this.#now = end;
  }

  /** Runs everything that needs no time: promise continuations and deferred callbacks, until none is left. */
  async settle(): Promise<void> {
    await microtasks();
    for (let round = 0; this.#deferred.length > 0; round++) {
      if (round >= this.#roundsMax) throw new Error(`no rest after ${round} rounds at ${this.#now} ms`);
      const batch = this.#deferred;
      this.#deferred = [];
      for (const callback of batch) callback();
      await microtasks();
    }
  }

  /** Lets `ms` milliseconds pass: settles, then fires timer by timer, settling after each. */
  async runFor(ms: number): Promise<void> {
    const end = this.#now + ms;
    await this.settle();
    for (let timer = this.#takeDue(end); timer !== undefined; timer = this.#takeDue(end)) {
      timer.callback();
      await this.settle();
    }
    this.#now = end;
  }

  /** Runs until `promise` settles, for at most `ms` milliseconds of simulated time; then rejects. */
  async runUntil<T>(promise: Promise<T>, ms = 60_000): Promise<T> {
    let settled = false;
    const mark = (): void => {
      settled = true;
    };
    promise.then(mark, mark);
    const end = this.#now + ms;
    await this.settle();
    while (!settled) {
      const timer = this.#takeDue(end);
      if (timer === undefined) throw new Error(`the promise did not settle within ${ms} simulated ms`);
      timer.callback();
      await this.settle();
    }
    return promise;
  }

  #after(delayMs: number, callback: () => void): TimerHandle {
    const delay = Math.min(Math.max(delayMs, 0), 2 ** 31 - 1);
    const timer: SimulatedTimer = {
      due: this.#now + delay,
      callback,
      cancelled: false,
      cancel: () => {
        if (timer.cancelled) return;
        timer.cancelled = true;
        const index = this.#timers.indexOf(timer);
        if (index >= 0) this.#timers.splice(index, 1);
      },
    };
    this.#timers.splice(this.#indexFor(timer.due), 0, timer);
    return timer;
  }

  /** After every timer that is due at the same instant or earlier. */
  #indexFor(due: Instant): number {
    let low = 0;
    let high = this.#timers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#timers[middle] as SimulatedTimer).due <= due) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #takeDue(end: Instant): SimulatedTimer | undefined {
    const timer = this.#timers[0];
    if (timer === undefined || timer.due > end) return undefined;
    this.#timers.shift();
    timer.cancelled = true;
    this.#now = Math.max(this.#now, timer.due);
    return timer;
  }

  #runDeferred(): void {
    for (let round = 0; this.#deferred.length > 0; round++) {
      if (round >= this.#roundsMax) throw new Error(`no rest after ${round} rounds at ${this.#now} ms`);
      const batch = this.#deferred;
      this.#deferred = [];
      for (const callback of batch) callback();
    }
  }
}

/** A host whose time moves by `advance`, `settle`, `runFor` and `runUntil` only. */
export function simulatedHost(options?: SimulatedHostOptions): SimulatedHost {
  return new SimulatedHost(options);
}

function microtasks(): Promise<void> {
  return new Promise((resolve) => {
    afterMicrotasks(resolve);
  });
}
