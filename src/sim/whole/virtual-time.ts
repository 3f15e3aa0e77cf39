// The time of a whole-stack run: a heap of what will happen when. Between two events one real turn of the event loop
// passes, at whose end no promise continuation is left, so that what runs depends on nothing but the order of the heap.
// Real time passes nowhere: the turns are `setImmediate`, some queued at once, since Node empties its microtask queue
// between two callbacks of one phase.
import { setImmediate as nextTurn } from 'node:timers';

const turnsAtOnce = 64;

export interface Planned {
  readonly at: number;
  /** Idempotent; the callback never runs after it. */
  cancel(): void;
}

interface Entry extends Planned {
  readonly order: number;
  readonly run: () => void;
  cancelled: boolean;
}

export class VirtualTime {
  /** True time, in milliseconds. */
  now = 0;
  /** Events that have run. */
  events = 0;
  /** Looked at before each event: ends the run with a rejection. */
  failure: Error | undefined;
  #order = 0;
  #live = 0;
  readonly #heap: Entry[] = [];

  /** Events planned and neither run nor cancelled. */
  get pending(): number {
    return this.#live;
  }

  /** Of one instant those planned first run first. */
  after(delay: number, run: () => void): Planned {
    const entry: Entry = {
      at: this.now + Math.max(delay, 0),
      order: this.#order++,
      run,
      cancelled: false,
      cancel: () => {
        if (entry.cancelled) return;
        entry.cancelled = true;
        this.#live--;
      },
    };
    this.#live++;
    this.#push(entry);
    return entry;
  }

  /** Runs what is due up to `end`, or until `done` says so between two events. Rejects with what an event threw. */
  runUntil(end: number, done: () => boolean = () => false): Promise<void> {
    return new Promise((resolve, reject) => {
      let over = false;
      const turn = (): void => {
        if (over) return;
        try {
          over = this.failure !== undefined || done() || !this.#runNext(end);
          if (this.failure !== undefined) reject(this.failure);
          else if (over) resolve();
        } catch (error) {
          over = true;
          reject(error);
        }
      };
      const batch = (): void => {
        if (over) return;
        for (let count = 0; count < turnsAtOnce; count++) nextTurn(turn);
        nextTurn(batch);
      };
      batch();
    });
  }

  /** False when nothing is due: then the clock shows `end`. */
  #runNext(end: number): boolean {
    for (let next = this.#heap[0]; next !== undefined && next.at <= end; next = this.#heap[0]) {
      this.#removeFirst();
      if (next.cancelled) continue;
      next.cancelled = true;
      this.#live--;
      this.now = next.at;
      this.events++;
      next.run();
      return true;
    }
    if (end !== Number.POSITIVE_INFINITY) this.now = Math.max(this.now, end);
    return false;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let index = heap.push(entry) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent] as Entry;
      if (!isBefore(entry, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = entry;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop() as Entry;
    if (heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, heap[child] as Entry)) child++;
      if (!isBefore(heap[child] as Entry, last)) break;
      heap[index] = heap[child] as Entry;
      index = child;
    }
    heap[index] = last;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
