// Everything that waits, waits here, under one timer of the host. Most waits have the same few durations and end long
// before their time. So those of one duration stand in a lane, first come, first due: joining and leaving it is a matter
// of two neighbours. A binary heap of lanes tells which is due first; a lane whose head has left stays where it is,
// with the time of the one that left, until that time comes.
import type { Host, TimerHandle } from '../host/ports.ts';

/** Less than this is no time to wait: the sum of an instant and a delay is rounded. */
const RESOLUTION_MS = 0.001;

export abstract class Deadline {
  /** By the clock of the host, milliseconds. */
  due = 0;
  /** Those due at the same time expire in the order in which they were added. */
  order = 0;
  /** While it waits. */
  lane: Lane | undefined = undefined;
  sooner: Deadline | undefined = undefined;
  later: Deadline | undefined = undefined;

  abstract expire(): void;
}

/** The waits of one duration, soonest first. */
class Lane {
  readonly delayMs: number;
  first: Deadline | undefined = undefined;
  last: Deadline | undefined = undefined;
  /** Of the first, or of one before it that has left. */
  due = 0;
  order = 0;
  /** Place in the heap; -1 outside of it, which is while it is empty. */
  place = -1;

  constructor(delayMs: number) {
    this.delayMs = delayMs;
  }

  /** At the end, but before those that are due later, should the clock of the caller be behind. */
  insert(entry: Deadline): void {
    let before = this.last;
    while (before !== undefined && before.due > entry.due) before = before.sooner;
    const after = before === undefined ? this.first : before.later;
    entry.lane = this;
    entry.sooner = before;
    entry.later = after;
    if (before === undefined) this.first = entry;
    else before.later = entry;
    if (after === undefined) this.last = entry;
    else after.sooner = entry;
  }

  take(entry: Deadline): void {
    const { sooner, later } = entry;
    if (sooner === undefined) this.first = later;
    else sooner.later = later;
    if (later === undefined) this.last = sooner;
    else later.sooner = sooner;
    entry.lane = undefined;
    entry.sooner = undefined;
    entry.later = undefined;
  }
}

export class Deadlines {
  readonly #host: Host;
  readonly #heap: Lane[] = [];
  /** The lanes in the heap, by duration. */
  readonly #lanes = new Map<number, Lane>();
  /** The lane that was used last; it may be empty. */
  #lane = new Lane(0);
  #size = 0;
  #order = 0;
  #timer: TimerHandle | undefined;
  #timerDue = Number.POSITIVE_INFINITY;
  #idleCheckQueued = false;
  #announced = false;

  constructor(host: Host) {
    this.#host = host;
  }

  get size(): number {
    return this.#size;
  }

  now(): number {
    return this.#host.clock.now();
  }

  /** `delayMs` from `now`; an infinite delay is no deadline. */
  add(entry: Deadline, delayMs: number, now: number = this.now()): void {
    if (delayMs === Number.POSITIVE_INFINITY) return;
    entry.due = now + delayMs;
    entry.order = this.#order++;
    const lane = this.#laneOf(delayMs);
    lane.insert(entry);
    this.#size += 1;
    if (lane.first === entry) this.#lead(lane, entry);
    if (entry.due < this.#timerDue) this.#arm(now);
  }

  /** Entries will be added before this turn is over, which `settle` ends: until then an empty heap keeps its timer, as arming it costs more than a call. */
  announce(): void {
    this.#announced = true;
  }

  settle(): void {
    this.#announced = false;
    if (this.#size === 0) this.#checkIdle();
  }

  /** Takes the entry out if it is in. */
  remove(entry: Deadline): void {
    const { lane } = entry;
    if (lane === undefined) return;
    lane.take(entry);
    this.#size -= 1;
    if (lane.first !== undefined) return;
    this.#leaveHeap(lane);
    if (this.#size === 0) this.#checkIdle();
  }

  #laneOf(delayMs: number): Lane {
    if (this.#lane.delayMs !== delayMs) this.#lane = this.#lanes.get(delayMs) ?? new Lane(delayMs);
    return this.#lane;
  }

  /** The entry is the first of its lane now. */
  #lead(lane: Lane, { due, order }: Deadline): void {
    if (lane.place < 0) {
      lane.place = this.#heap.length;
      this.#heap.push(lane);
      this.#lanes.set(lane.delayMs, lane);
    }
    lane.due = due;
    lane.order = order;
    this.#siftUp(lane);
  }

  #leaveHeap(lane: Lane): void {
    const last = this.#heap.pop() as Lane;
    if (last !== lane) {
      last.place = lane.place;
      this.#heap[last.place] = last;
      this.#siftUp(last);
      this.#siftDown(last);
    }
    lane.place = -1;
    this.#lanes.delete(lane.delayMs);
  }

  #arm(now: number): void {
    this.#timer?.cancel();
    const { due } = this.#heap[0] as Lane;
    this.#timerDue = due;
    this.#timer = this.#host.timers.after(Math.max(0, due - now), () => this.#sweep());
  }

  #sweep(): void {
    this.#timer = undefined;
    this.#timerDue = Number.POSITIVE_INFINITY;
    const now = this.now();
    for (let first = this.#first(); first !== undefined; first = this.#first()) {
      if (first.due - now >= RESOLUTION_MS) break;
      this.remove(first);
      first.expire();
    }
    if (this.#size > 0 && this.#timer === undefined) this.#arm(now);
  }

  /** The deadline that is due first. Lanes whose first has left get their true place on the way. */
  #first(): Deadline | undefined {
    for (let lane = this.#heap[0]; lane !== undefined; lane = this.#heap[0]) {
      const first = lane.first as Deadline;
      if (first.order === lane.order) return first;
      lane.due = first.due;
      lane.order = first.order;
      this.#siftDown(lane);
    }
    return undefined;
  }

  /** When nothing waits no timer is needed, which would keep the process alive. But calls come in trains: look again when the turn is over. */
  #checkIdle(): void {
    if (this.#idleCheckQueued || this.#timer === undefined) return;
    this.#idleCheckQueued = true;
    this.#host.timers.defer(() => {
      this.#idleCheckQueued = false;
      if (this.#size > 0 || this.#announced) return;
      this.#timer?.cancel();
      this.#timer = undefined;
      this.#timerDue = Number.POSITIVE_INFINITY;
    });
  }

  #siftUp(lane: Lane): void {
    const heap = this.#heap;
    let place = lane.place;
    while (place > 0) {
      const above = (place - 1) >>> 1;
      const parent = heap[above] as Lane;
      if (!isBefore(lane, parent)) break;
      heap[place] = parent;
      parent.place = place;
      place = above;
    }
    heap[place] = lane;
    lane.place = place;
  }

  #siftDown(lane: Lane): void {
    const heap = this.#heap;
    let place = lane.place;
    for (let below = 2 * place + 1; below < heap.length; below = 2 * place + 1) {
      const right = heap[below + 1];
      if (right !== undefined && isBefore(right, heap[below] as Lane)) below += 1;
      const child = heap[below] as Lane;
      if (!isBefore(child, lane)) break;
      heap[place] = child;
      child.place = place;
      place = below;
    }
    heap[place] = lane;
    lane.place = place;
  }
}

function isBefore(one: Lane, other: Lane): boolean {
  return one.due < other.due || (one.due === other.due && one.order < other.order);
}
