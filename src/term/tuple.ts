/** A fixed sequence of values: Erlang's tuple. Elements are read by index: `pair.elements[0]`. */
export class Tuple<Elements extends readonly unknown[] = readonly unknown[]> {
  readonly elements: Elements;

  constructor(elements: Elements) {
    this.elements = elements;
  }

  get size(): number {
    return this.elements.length;
  }

  [Symbol.iterator](): Iterator<unknown> {
    return this.elements[Symbol.iterator]();
  }
}

export function tuple<const Elements extends readonly unknown[]>(...elements: Elements): Tuple<Elements> {
  return new Tuple(elements);
}
