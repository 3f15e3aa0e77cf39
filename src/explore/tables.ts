// Small tables that make an enumeration fast: values interned to small numbers by their text, pairs of numbers to
// numbers, and rows of numbers to the order in which they were first seen. All exact: rows are compared in full, so no
// two states are ever taken for one.

/** Values by their text: the first of each gets the next number, from 1 on. */
export class Interner<T> {
  readonly #ids: Map<string, number> = new Map();
  readonly #values: (T | undefined)[] = [undefined];

  /** `make` is called for a text that is new. */
  intern(text: string, make: () => T): number {
    const known = this.#ids.get(text);
    if (known !== undefined) return known;
    const id = this.#values.length;
    this.#ids.set(text, id);
    this.#values.push(make());
    return id;
  }

  get(id: number): T {
    const value = this.#values[id];
    if (value === undefined) throw new Error(`nothing is interned as ${id}`);
    return value;
  }

  get size(): number {
    return this.#values.length - 1;
  }
}

/** Numbers in the order of their pushing. */
export class IntList {
  #items: Int32Array = new Int32Array(1024);
  length = 0;

  push(value: number): void {
    if (this.length === this.#items.length) {
      const wider = new Int32Array(2 * this.#items.length);
      wider.set(this.#items);
      this.#items = wider;
    }
    this.#items[this.length++] = value;
  }

  /** 0 beyond the end. */
  at(index: number): number {
    return index < this.length ? (this.#items[index] as number) : 0;
  }

  put(index: number, value: number): void {
    while (this.length <= index) this.push(0);
    this.#items[index] = value;
  }
}

function mixed(a: number, b: number): number {
  let hash = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b + 0x165667b1, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 15), 0x27d4eb2f);
  return (hash ^ (hash >>> 13)) >>> 0;
}

/** From two numbers, of which the first is not 0, to a number that is not negative. */
export class PairTable {
  #slots: Int32Array = new Int32Array(3 * 1024);
  #used = 0;

  /** -1 where nothing was set. */
  get(a: number, b: number): number {
    const slots = this.#slots;
    const count = slots.length / 3;
    let at = mixed(a, b) & (count - 1);
    for (;;) {
      const found = slots[3 * at] as number;
      if (found === 0) return -1;
      if (found === a && slots[3 * at + 1] === b) return slots[3 * at + 2] as number;
      at = (at + 1) & (count - 1);
    }
  }

  /** The pair has no number yet. */
  set(a: number, b: number, value: number): void {
    if (2 * (this.#used + 1) > this.#slots.length / 3) this.#grow();
    this.#used++;
    this.#put(a, b, value);
  }

  #put(a: number, b: number, value: number): void {
    const slots = this.#slots;
    const count = slots.length / 3;
    let at = mixed(a, b) & (count - 1);
    while (slots[3 * at] !== 0) at = (at + 1) & (count - 1);
    slots[3 * at] = a;
    slots[3 * at + 1] = b;
    slots[3 * at + 2] = value;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Int32Array(2 * old.length);
    for (let at = 0; at < old.length; at += 3)
      if (old[at] !== 0) this.#put(old[at] as number, old[at + 1] as number, old[at + 2] as number);
  }
}

const chunkRows = 1 << 16;

/** Rows of equally many numbers, each kept once, in the order in which they were first seen. */
export class RowTable {
  readonly width: number;
  size = 0;
  readonly #chunks: Int32Array[] = [];
  #index: Int32Array = new Int32Array(1 << 16);

  constructor(width: number) {
    this.width = width;
  }

  /** The place of the row, or -1 - place when it is new. */
  add(row: Int32Array): number {
    if (2 * (this.size + 1) > this.#index.length) this.#grow();
    const mask = this.#index.length - 1;
    let at = this.#hash(row, 0) & mask;
    for (;;) {
      const held = this.#index[at] as number;
      if (held === 0) break;
      if (this.#same(held - 1, row)) return held - 1;
      at = (at + 1) & mask;
    }
    this.#index[at] = this.size + 1;
    this.#store(row);
    return -1 - this.size++;
  }

  read(place: number, into: Int32Array): void {
    const chunk = this.#chunks[place >>> 16] as Int32Array;
    const from = (place & (chunkRows - 1)) * this.width;
    for (let at = 0; at < this.width; at++) into[at] = chunk[from + at] as number;
  }

  #store(row: Int32Array): void {
    if (this.size >>> 16 === this.#chunks.length) this.#chunks.push(new Int32Array(chunkRows * this.width));
    (this.#chunks[this.size >>> 16] as Int32Array).set(row, (this.size & (chunkRows - 1)) * this.width);
  }

  #same(place: number, row: Int32Array): boolean {
    const chunk = this.#chunks[place >>> 16] as Int32Array;
    const from = (place & (chunkRows - 1)) * this.width;
    for (let at = 0; at < this.width; at++) if (chunk[from + at] !== row[at]) return false;
    return true;
  }

  #hash(row: Int32Array, from: number): number {
    let hash = 0x2545f491;
    for (let at = 0; at < this.width; at++) {
      hash = Math.imul(hash ^ (row[from + at] as number), 0x9e3779b1);
      hash = (hash << 13) | (hash >>> 19);
    }
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    return (hash ^ (hash >>> 13)) >>> 0;
  }

  #grow(): void {
    this.#index = new Int32Array(2 * this.#index.length);
    const mask = this.#index.length - 1;
    for (let place = 0; place < this.size; place++) {
      const chunk = this.#chunks[place >>> 16] as Int32Array;
      let at = this.#hash(chunk, (place & (chunkRows - 1)) * this.width) & mask;
      while (this.#index[at] !== 0) at = (at + 1) & mask;
      this.#index[at] = place + 1;
    }
  }
}
