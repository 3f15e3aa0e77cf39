// Encoded map entries in the order of their encoded keys, so that equal maps have equal bytes whatever the order in
// which they were filled.

export interface Spans {
  readonly bytes: Uint8Array;
  /** For each entry where its key and its value start; then the end of the last entry. */
  readonly marks: readonly number[];
}

/** Sorts the entries in place. Returns the index of an entry whose key another one has too, or -1. */
export function sortEntries(spans: Spans): number {
  const { bytes, marks } = spans;
  const count = marks.length >> 1;
  const order = Array.from({ length: count }, (_, index) => index);
  let twin = -1;
  order.sort((left, right) => {
    const difference = compareKeys(spans, left, right);
    if (difference === 0 && left !== right) twin = Math.max(left, right);
    return difference;
  });
  if (twin < 0) rearrange(bytes, marks, order);
  return twin;
}

function rearrange(bytes: Uint8Array, marks: readonly number[], order: readonly number[]): void {
  const start = marks[0] ?? 0;
  const copy = bytes.slice(start, marks[marks.length - 1]);
  let at = start;
  for (const index of order) {
    const entry = copy.subarray(
      (marks[2 * index] as number) - start,
      (marks[2 * index + 2] as number) - start,
    );
    bytes.set(entry, at);
    at += entry.length;
  }
}

function compareKeys({ bytes, marks }: Spans, left: number, right: number): number {
  const leftStart = marks[2 * left] as number;
  const rightStart = marks[2 * right] as number;
  const leftLength = (marks[2 * left + 1] as number) - leftStart;
  const rightLength = (marks[2 * right + 1] as number) - rightStart;
  const common = Math.min(leftLength, rightLength);
  for (let index = 0; index < common; index++) {
    const difference = (bytes[leftStart + index] as number) - (bytes[rightStart + index] as number);
    if (difference !== 0) return difference;
  }
  return leftLength - rightLength;
}
