// A copy of a member as a snapshot of its machine keeps it: everything that `step` may change, down to the last map.
import type { MemberState } from '../registry/protocol/state.ts';
import { Atom } from '../term/atom.ts';
import { Pid } from '../term/pid.ts';

export function copyState(state: MemberState): MemberState {
  return copy(state) as MemberState;
}

/** Pids and atoms are values: they are shared. */
function copy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Pid || value instanceof Atom) return value;
  if (Array.isArray(value)) return value.map(copy);
  if (value instanceof Map) return new Map([...value].map(([key, one]) => [copy(key), copy(one)]));
  if (value instanceof Set) return new Set([...value].map(copy));
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, copy(one)]));
}
