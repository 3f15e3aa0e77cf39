// The form of a named request on the wire, the one that Elixir's servers use: `get` is the atom `get`, and
// `increment` with 5 is the tuple `{increment, 5}`.
import { Atom, atom } from '../term/atom.ts';
import { Tuple } from '../term/tuple.ts';
import type { HandlerTable } from './types.ts';

// The names of requests come from the program, so they are few; a program that makes them up is held to the limit.
const NAMES_MAX = 1024;
const names = new Map<string, Atom>();

/** The term for a request by name. */
export function requestTerm(name: string, args: readonly unknown[]): Atom | Tuple {
  if (args.length === 0) return nameAtom(name);
  return new Tuple(args.length === 1 ? [nameAtom(name), args[0]] : [nameAtom(name), ...args]);
}

/** As `atom`, three times as fast for the names that are used again and again. */
function nameAtom(name: string): Atom {
  const known = names.get(name);
  if (known !== undefined) return known;
  const created = atom(name);
  if (names.size < NAMES_MAX) names.set(name, created);
  return created;
}

/** The name of a request term, `undefined` when it is not one. */
function requestName(request: unknown): string | undefined {
  if (request instanceof Atom) return request.name;
  const first = request instanceof Tuple ? request.elements[0] : undefined;
  return first instanceof Atom ? first.name : undefined;
}

/** Returned by `applyHandler` where the table has no such request. */
export const unknownRequest: unique symbol = Symbol('unknown request');

type Handler = (...args: unknown[]) => unknown;

/** Runs the handler of a request and returns what it returns, or `unknownRequest`. Only the table's own properties count. */
export function applyHandler(table: HandlerTable | undefined, request: unknown): unknown {
  const name = requestName(request);
  if (table === undefined || name === undefined || !Object.hasOwn(table, name)) return unknownRequest;
  const handler = table[name] as Handler;
  if (request instanceof Atom) return handler.call(table);
  const { elements } = request as Tuple;
  return elements.length === 2
    ? handler.call(table, elements[1])
    : handler.apply(table, elements.slice(1) as unknown[]);
}

const CHARACTERS_MAX = 48;
const ERROR_CHARACTERS_MAX = 240;

/** Short text about a term, for messages of errors and logs, bounded whatever the term. */
export function describeTerm(term: unknown): string {
  const name = requestName(term);
  if (name !== undefined)
    return shorten(term instanceof Atom ? `'${name}'` : describeTuple(name, term as Tuple));
  if (term === null || term === undefined) return String(term);
  if (typeof term === 'string') return `the string ${JSON.stringify(shorten(term))}`;
  if (Array.isArray(term)) return `an array of ${term.length}`;
  if (term instanceof Error) return shorten(`${term.name}: ${term.message}`, ERROR_CHARACTERS_MAX);
  if (typeof term === 'number' || typeof term === 'boolean') return `the ${typeof term} ${term}`;
  return term instanceof Tuple ? `a tuple of ${term.size}` : `a value of type ${typeof term}`;
}

function describeTuple(name: string, term: Tuple): string {
  return `'${name}' with ${term.size - 1} argument${term.size === 2 ? '' : 's'}`;
}

function shorten(text: string, charactersMax = CHARACTERS_MAX): string {
  return text.length <= charactersMax ? text : `${text.slice(0, charactersMax - 1)}…`;
}
