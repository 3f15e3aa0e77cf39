// Versions and tokens are pairs (epoch, n), ordered. A counter that went on over a change of leader could repeat a
// number that the lost leader had given out; the epoch in front makes that impossible.

export interface Version {
  readonly epoch: number;
  readonly n: number;
}

export const zeroVersion: Version = { epoch: 0, n: 0 };

/** Negative when `a` is older, 0 when equal, positive when `a` is newer. */
export function compareVersions(a: Version, b: Version): number {
  return a.epoch === b.epoch ? a.n - b.n : a.epoch - b.epoch;
}

export function sameVersion(a: Version, b: Version): boolean {
  return a.epoch === b.epoch && a.n === b.n;
}
