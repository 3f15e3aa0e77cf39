// The messages by which Erlang's behaviours call, cast and answer, and the one form that is ours: an error as answer.
//
//   call    {'$gen_call', {Pid, Tag}, Request}      cast    {'$gen_cast', Request}      answer  {Tag, Reply}
//
// A tag is echoed as it came. `[alias | Ref]` and `[[alias | Ref] | Label]` want the answer at the alias, any other at
// the pid. An error is the reply `{'$dgen_error', Error}` to a node of this library; Erlang gets
// `{error, {dgen_error, Code, Message}}`.
import { codes } from '../errors/codes.ts';
import { type Atom, atom } from '../term/atom.ts';
import { Pid } from '../term/pid.ts';
import { Ref } from '../term/ref.ts';
import { Tuple, tuple } from '../term/tuple.ts';
import { ImproperList } from '../term/values.ts';

const genCallAtom = atom('$gen_call');
const genCastAtom = atom('$gen_cast');
const aliasAtom = atom('alias');
const errorAtom = atom('error');
const privateErrorAtom = atom('$dgen_error');
const plainErrorAtom = atom('dgen_error');

export type GenRequest =
  | { readonly kind: 'call'; readonly pid: Pid; readonly tag: unknown; readonly request: unknown }
  | { readonly kind: 'cast'; readonly request: unknown };

export function genCall(from: Pid, alias: Ref, request: unknown): Tuple {
  return tuple(genCallAtom, tuple(from, new ImproperList([aliasAtom], alias)), request);
}

export function genCast(request: unknown): Tuple {
  return tuple(genCastAtom, request);
}

/** Undefined for a message that is no request. */
export function parseRequest(message: unknown): GenRequest | undefined {
  if (!(message instanceof Tuple)) return undefined;
  const elements: readonly unknown[] = message.elements;
  if (elements.length === 3 && elements[0] === genCallAtom) return parseCall(elements);
  if (elements.length === 2 && elements[0] === genCastAtom) return { kind: 'cast', request: elements[1] };
  return undefined;
}

/** Undefined for a message that answers no alias. */
export function parseAnswer(message: unknown): { readonly alias: Ref; readonly reply: unknown } | undefined {
  if (!(message instanceof Tuple) || message.size !== 2) return undefined;
  const [tag, reply] = message.elements as readonly unknown[];
  const alias = aliasOfTag(tag);
  return alias === undefined ? undefined : { alias, reply };
}

function parseCall(elements: readonly unknown[]): GenRequest | undefined {
  const from = elements[1];
  if (!(from instanceof Tuple) || from.size !== 2) return undefined;
  const [pid, tag] = from.elements as readonly unknown[];
  return pid instanceof Pid ? { kind: 'call', pid, tag, request: elements[2] } : undefined;
}

/** Where a tag wants its answer; undefined: at the pid. */
export function aliasOfTag(tag: unknown): Ref | undefined {
  if (tag instanceof ImproperList) return aliasOfPair(tag) ?? aliasOfPair(tag.items[0]);
  // With a proper list as label, the second shape is a proper list.
  return Array.isArray(tag) ? aliasOfPair(tag[0]) : undefined;
}

function aliasOfPair(pair: unknown): Ref | undefined {
  if (!(pair instanceof ImproperList) || pair.items.length !== 1) return undefined;
  return pair.items[0] === aliasAtom && pair.tail instanceof Ref ? pair.tail : undefined;
}

export function answerMessage(tag: unknown, reply: unknown): Tuple {
  return tuple(tag, reply);
}

export function errorReply(error: Error, peerKind: 'typescript' | 'erlang' | undefined): Tuple {
  if (peerKind === 'typescript') return tuple(privateErrorAtom, error);
  return tuple(errorAtom, tuple(plainErrorAtom, codeAtom(error), error.message));
}

/** The error inside a reply that is one. */
export function errorOfReply(reply: unknown): Error | undefined {
  if (!(reply instanceof Tuple) || reply.size !== 2) return undefined;
  const [mark, error] = reply.elements as readonly unknown[];
  return mark === privateErrorAtom && error instanceof Error ? error : undefined;
}

/** Only the codes of the table become atoms: Erlang never forgets an atom. */
function codeAtom(error: Error): Atom {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && Object.hasOwn(codes, code) ? atom(code) : errorAtom;
}
