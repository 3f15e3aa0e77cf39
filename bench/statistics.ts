/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** Rounds of both, taking turns, the first of which only warms up: the medians. */
export async function sideBySide(
  rounds: number,
  value: (round: number) => number | Promise<number>,
  baseline: (round: number) => number | Promise<number>,
): Promise<{ value: number; baseline: number }> {
  const values: number[] = [];
  const baselines: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const one = await value(round);
    const other = await baseline(round);
    if (round > 0) {
      values.push(one);
      baselines.push(other);
    }
  }
  return { value: median(values), baseline: median(baselines) };
}
