// The smallest part of a list that still does it, by leaving out chunks, and smaller chunks, until no single element can
// go. Each question may be expensive, so whoever asks says when to stop.

export interface Search<T> {
  /** Whether the list still does what it is for. */
  readonly holds: (list: readonly T[]) => boolean;
  readonly outOfTime: () => boolean;
}

/** `list` must hold; the result does, too. */
export function ddmin<T>(list: readonly T[], search: Search<T>): readonly T[] {
  let kept = list;
  if (kept.length > 0 && search.holds([])) return [];
  for (let size = Math.ceil(kept.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < kept.length && !search.outOfTime(); ) {
      const fewer = [...kept.slice(0, start), ...kept.slice(start + size)];
      if (search.holds(fewer)) kept = fewer;
      else start += size;
    }
  }
  return kept;
}
