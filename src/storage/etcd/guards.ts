// Deletions, made visible to those who have read an interval. etcd can be asked whether any key of an interval is newer than a
// revision, but a key that is gone is not newer than anything. So whoever deletes also touches a guard, and whoever
// rests on an interval without knowing each key in it also rests on the guards that such a deletion touches.
//
// A false conflict comes from a deletion elsewhere under the same guard. To keep these few, keys are grouped by their first part
// as `keyOf` writes it, which for the users of a store is the tenant; a group has one of 256 guards. What spans groups
// has the wide guard, which everybody rests on. Guards are never deleted.
import { isEmptyRange } from '../bytes.ts';
import { rangeUnder } from '../keys.ts';
import type { Bytes, KeyRange } from '../port.ts';

/** Beyond so many groups in one commit the wide guard, or all guards, take their place. */
const groupsMax = 4;
const wide = 'wide';

/** The guards that deletions in these places touch. */
export function guardsToTouch(deleted: {
  keys: readonly Bytes[];
  ranges: readonly KeyRange[];
}): readonly string[] {
  const names = new Set<string>();
  for (const key of deleted.keys) names.add(guardOf(groupOf(key)));
  for (const range of deleted.ranges) names.add(guardOfRange(range) ?? wide);
  return names.size > groupsMax ? [wide] : [...names];
}

/** The guards that reads of these intervals rest on; undefined: all of them. */
export function guardsToRestOn(reads: readonly KeyRange[]): readonly string[] | undefined {
  const names = new Set<string>([wide]);
  for (const range of reads) {
    const name = guardOfRange(range);
    if (name === undefined) return undefined;
    names.add(name);
  }
  return names.size > groupsMax + 1 ? undefined : [...names];
}

/** Undefined when the interval is not within one group. */
function guardOfRange(range: KeyRange): string | undefined {
  const group = groupOf(range.begin);
  if (group.length === 0 || isEmptyRange(range)) return undefined;
  const { end } = rangeUnder(group);
  return isEmptyRange({ begin: end, end: range.end }) ? guardOf(group) : undefined;
}

/** The bytes up to the first 00 01, which end a part of `keyOf`; none if there is no such end. */
function groupOf(key: Bytes): Bytes {
  for (let i = 0; i + 1 < key.length; i++) {
    if (key[i] === 0 && key[i + 1] === 1) return key.subarray(0, i + 2);
  }
  return key.subarray(0, 0);
}

/** FNV-1a, folded to one byte. */
function guardOf(group: Bytes): string {
  let hash = 0x811c9dc5;
  for (const byte of group) hash = Math.imul(hash ^ byte, 0x01000193);
  const folded = (hash ^ (hash >>> 8) ^ (hash >>> 16) ^ (hash >>> 24)) & 0xff;
  return folded.toString(16).padStart(2, '0');
}
