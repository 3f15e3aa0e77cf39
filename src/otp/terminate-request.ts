// The one message of OTP's `sys` protocol that a server understands: the request to end.
import { Atom } from '../term/atom.ts';
import { Pid } from '../term/pid.ts';
import { Tuple } from '../term/tuple.ts';

/** A request of OTP's `sys` protocol that asks the process to end: what `GenServer.stop` of Elixir sends. */
export interface TerminateRequest {
  readonly reason: unknown;
  readonly from: Pid;
  readonly tag: unknown;
}

/** The request inside `{system, {From, Tag}, {terminate, Reason}}`. */
export function terminateRequest(message: unknown): TerminateRequest | undefined {
  const [sender, request] = tagged(message, 'system', 3) ?? [];
  const order = tagged(request, 'terminate', 2);
  if (order === undefined || !(sender instanceof Tuple)) return undefined;
  const [from, tag] = sender.elements as readonly unknown[];
  return from instanceof Pid ? { reason: order[0], from, tag } : undefined;
}

/** What follows the atom in `{tag, ...}` of that size. */
function tagged(term: unknown, tag: string, size: number): readonly unknown[] | undefined {
  if (!(term instanceof Tuple) || term.size !== size) return undefined;
  const [first, ...rest] = term.elements as readonly unknown[];
  return first instanceof Atom && first.name === tag ? rest : undefined;
}
