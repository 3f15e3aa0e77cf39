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
  const [from, request] = parts(message, 'system') ?? [];
  const [reason] = parts(request, 'terminate') ?? [];
  if (!(from instanceof Tuple) || !(from.elements[0] instanceof Pid)) return undefined;
  return { reason, from: from.elements[0], tag: from.elements[1] };
}

function parts(term: unknown, tag: string): readonly unknown[] | undefined {
  if (!(term instanceof Tuple)) return undefined;
  const [first, ...rest] = term.elements;
  return first instanceof Atom && first.name === tag ? rest : undefined;
}
