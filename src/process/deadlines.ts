// Everything that waits, waits here: a binary heap of deadlines under one timer of the host. An entry knows its place
// in the heap, so that a wait which ends early is taken out at once instead of lingering until its time.
import type { Host, TimerHandle } from '../host/ports.ts';

/** Less than this is no time to wait: the sum of an instant and a delay is rounded. */
const RESOLUTION_MS = 0.001;

export abstract class Deadline {
  /** By the clock of the host, milliseconds. */
  due = 0;
  /** Those due at the same time expire in the order in which they were added. */
  order = 0;
  /** Place in the heap; -1 outside of it. */
  place = -1;

  abstract expire(): void;
}

export class Deadlines {
  readonly #host: Host;
  readonly #heap: Deadline[] = [];
  #order = 0;
  #timer: TimerHandle | undefined;
  #timerDue = Number.POSITIVE_INFINITY;
  #idleCheckQueued = false;
  #announced = false;

  constructor(host: Host) {
    this.#host = host;
  }

  get size(): number {
    return this.#heap.length;
  }

  now(): number {
    return this.#host.clock.now();
  }

  /** `delayMs` from `now`; an infinite delay is no deadline. */
  add(entry: Deadline, delayMs: number, now: number = this.now()): void {
    if (delayMs === Number.POSITIVE_INFINITY) return;
    entry.due = now + delayMs;
    entry.order = this.#order++;
    entry.place = this.#heap.length;
    this.#heap.push(entry);
    this.#siftUp(entry);
    if (entry.due < this.#timerDue) this.#arm(now);
  }

  /** Entries will be added before this turn is over, which `settle` ends: until then an empty heap keeps its timer, as arming it costs more than a call. */
  announce(): void {
    this.#announced = true;
  }

  settle(): void {
    this.#announced = false;
    if (this.#heap.length === 0) this.#checkIdle();
  }

  /** Takes the entry out if it is in. */
  remove(entry: Deadline): void {
    if (entry.place < 0) return;
    const last = this.#heap.pop() as Deadline;
    if (last !== entry) {
      last.place = entry.place;
      this.#heap[last.place] = last;
      this.#siftUp(last);
      this.#siftDown(last);
    }
    entry.place = -1;
    if (this.#heap.length === 0) this.#checkIdle();
  }

  #arm(now: number): void {
    this.#timer?.cancel();
    const first = this.#heap[0] as Deadline;
    this.#timerDue = first.due;
    this.#timer = this.#host.timers.after(first.due - now, () => this.#sweep());
  }

  #sweep(): void {
    this.#timer = undefined;
    this.#timerDue = Number.POSITIVE_INFINITY;
    const now = this.now();
    for (
      let first = this.#heap[0];
      first !== undefined && first.due - now < RESOLUTION_MS;
      first = this.#heap[0]
    ) {
      this.remove(first);
      first.expire();
    }
    if (this.#heap.length > 0 && this.#timer === undefined) this.#arm(now);
  }

  /** An empty heap needs no timer, which would keep the process alive. But calls come in trains: look again when the turn is over. */
  #checkIdle(): void {
    if (this.#idleCheckQueued || this.#timer === undefined) return;
    this.#idleCheckQueued = true;
    this.#host.timers.defer(() => {
      this.#idleCheckQueued = false;
      if (this.#heap.length > 0 || this.#announced) return;
      this.#timer?.cancel();
      this.#timer = undefined;
      this.#timerDue = Number.POSITIVE_INFINITY;
    });
  }

  #siftUp(entry: Deadline): void {
    const heap = this.#heap;
    let place = entry.place;
    while (place > 0) {
      const above = (place - 1) >>> 1;
      const parent = heap[above] as Deadline;
      if (!isBefore(entry, parent)) break;
      heap[place] = parent;
      parent.place = place;
      place = above;
    }
    heap[place] = entry;
    entry.place = place;
  }

  #siftDown(entry: Deadline): void {
    const heap = this.#heap;
    let place = entry.place;
    for (let below = 2 * place + 1; below < heap.length; below = 2 * place + 1) {
      const right = heap[below + 1];
      if (right !== undefined && isBefore(right, heap[below] as Deadline)) below += 1;
      const child = heap[below] as Deadline;
      if (!isBefore(child, entry)) break;
      heap[place] = child;
      child.place = place;
      place = below;
    }
    heap[place] = entry;
    entry.place = place;
  }
}

function isBefore(one: Deadline, other: Deadline): boolean {
  return one.due < other.due || (one.due === other.due && one.order < other.order);
}
