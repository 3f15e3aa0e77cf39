// Exit reasons, as OTP reads them.
import { normal, shutdown } from '../process/reasons.ts';
import { Atom, atom } from '../term/atom.ts';
import { Tuple } from '../term/tuple.ts';

/** The strings `normal`, `shutdown` and `kill` stand for the atoms; every other value is a reason as it is. */
export function exitReason(reason: unknown): unknown {
  return reason === 'normal' || reason === 'shutdown' || reason === 'kill' ? atom(reason) : reason;
}

/** True for `normal`, `shutdown` and `{shutdown, term}`: ends that nobody calls a failure. */
export function isNormalExit(reason: unknown): boolean {
  if (reason instanceof Atom) return reason === normal || reason === shutdown;
  return reason instanceof Tuple && reason.size === 2 && reason.elements[0] === shutdown;
}
