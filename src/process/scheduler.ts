// Who runs next. Processes with something to do stand in one queue, drained in a microtask: a call that nobody holds
// up is answered within the same turn of the event loop. After a slice of messages or milliseconds the next drain waits
// for the host's `defer`, so that sockets, timers and other promises get their turn however busy the processes are.
import type { Host } from '../host/ports.ts';
import { Queue } from './queue.ts';
import type { ProcessRecord } from './record.ts';

const SLICE_MESSAGES = 4096;
const SLICE_MS = 5;
/** How often a slice looks at the clock. */
const CLOCK_EVERY = 256;
/** What one process may handle before the next one is let in. */
export const MESSAGES_PER_TURN = 64;

/** Runs one process for at most `MESSAGES_PER_TURN` messages; returns how many it took. Never throws. */
export type RunProcess = (record: ProcessRecord) => number;

const settled: Promise<void> = Promise.resolve();

export class Scheduler {
  readonly #host: Host;
  readonly #run: RunProcess;
  readonly #runnable = new Queue<ProcessRecord>();
  #drainQueued = false;
  #sliceStart: number;
  #sliceMessages = 0;
  #clockCheckAt = CLOCK_EVERY;
  #sliceOver = false;
  readonly #drain: () => void;
  readonly #drainFresh: () => void;

  constructor(host: Host, run: RunProcess) {
    this.#host = host;
    this.#run = run;
    this.#sliceStart = host.clock.now();
    this.#drain = () => this.#drainRound();
    this.#drainFresh = () => {
      this.#startSlice();
      this.#drainRound();
    };
  }

  /** The process has something to do. */
  wake(record: ProcessRecord): void {
    if (record.queued || record.busy) return;
    record.queued = true;
    this.#runnable.push(record);
    if (!this.#drainQueued) this.#queueDrain();
  }

  #queueDrain(): void {
    this.#drainQueued = true;
    if (this.#sliceOver) this.#host.timers.defer(this.#drainFresh);
    else void settled.then(this.#drain);
  }

  /** One turn for each process that is in the queue now; what they wake comes in the next round, after other promises. */
  #drainRound(): void {
    try {
      for (let left = this.#runnable.size; left > 0 && !this.#sliceOver; left--) {
        const record = this.#runnable.shift() as ProcessRecord;
        record.queued = false;
        this.#sliceMessages += this.#run(record);
        if (this.#sliceMessages >= this.#clockCheckAt) this.#checkSlice();
      }
    } finally {
      // Also when a logger throws in spite of its contract: the other processes must not stand still.
      this.#drainQueued = false;
      if (this.#runnable.size > 0) this.#queueDrain();
    }
  }

  #checkSlice(): void {
    this.#clockCheckAt = this.#sliceMessages + CLOCK_EVERY;
    const spent = this.#host.clock.now() - this.#sliceStart;
    this.#sliceOver = spent >= SLICE_MS || this.#sliceMessages >= SLICE_MESSAGES;
  }

  #startSlice(): void {
    this.#sliceOver = false;
    this.#sliceMessages = 0;
    this.#clockCheckAt = CLOCK_EVERY;
    this.#sliceStart = this.#host.clock.now();
  }
}
