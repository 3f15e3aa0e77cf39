// A first-in first-out queue over a ring: push and shift are O(1) and keep nothing alive that has left. Mailboxes and
// the run queue are made of it. Selective receive takes from the middle, which costs the distance to the nearer end.

const CAPACITY_FIRST = 8;

export class Queue<T> {
  /** Length 0 or a power of two, so that an index wraps by a mask. */
  #slots: (T | undefined)[] = [];
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(item: T): void {
    if (this.#size === this.#slots.length) this.#grow();
    this.#slots[(this.#head + this.#size) & (this.#slots.length - 1)] = item;
    this.#size += 1;
  }

  /** The oldest item. An empty queue gives undefined, as does an item that is undefined: ask `size` first. */
  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const item = this.#slots[this.#head];
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#slots.length - 1);
    this.#size -= 1;
    return item;
  }

  /** The item `index` places behind the oldest; `index` must be below `size`. */
  at(index: number): T {
    return this.#slots[(this.#head + index) & (this.#slots.length - 1)] as T;
  }

  /** Takes out the item at `index`; the others keep their order. */
  removeAt(index: number): T {
    const item = this.at(index);
    if (index < this.#size / 2) this.#closeGapFromHead(index);
    else this.#closeGapFromTail(index);
    this.#size -= 1;
    return item;
  }

  clear(): void {
    this.#slots = [];
    this.#head = 0;
    this.#size = 0;
  }

  #closeGapFromHead(index: number): void {
    const mask = this.#slots.length - 1;
    for (let place = index; place > 0; place--) {
      this.#slots[(this.#head + place) & mask] = this.#slots[(this.#head + place - 1) & mask];
    }
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) & mask;
  }

  #closeGapFromTail(index: number): void {
    const mask = this.#slots.length - 1;
    const last = this.#size - 1;
    for (let place = index; place < last; place++) {
      this.#slots[(this.#head + place) & mask] = this.#slots[(this.#head + place + 1) & mask];
    }
    this.#slots[(this.#head + last) & mask] = undefined;
  }

  #grow(): void {
    const capacity = this.#slots.length === 0 ? CAPACITY_FIRST : this.#slots.length * 2;
    const slots: (T | undefined)[] = new Array(capacity);
    for (let index = 0; index < this.#size; index++) slots[index] = this.at(index);
    this.#slots = slots.fill(undefined, this.#size);
    this.#head = 0;
  }
}
