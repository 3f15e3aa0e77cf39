// The shape of a server instance, checked once when it starts: a misspelt or mistyped callback is told at once, by name,
// instead of at the first message.
import { DGenError } from '../errors/error.ts';
import type { From } from '../process/types.ts';
import type { HandlerTable } from './types.ts';

/** A server as the process that runs it calls it. */
export interface Callbacks {
  init?(argument: unknown): unknown;
  handleCall?: HandlerTable | ((request: unknown, from: From) => unknown);
  handleCast?: HandlerTable | ((request: unknown) => unknown);
  handleInfo?(message: unknown): unknown;
  handleContinue?(value: unknown): unknown;
  handleTimeout?(): unknown;
  terminate?(reason: unknown): unknown;
}

const FUNCTIONS = ['init', 'handleInfo', 'handleContinue', 'handleTimeout', 'terminate'] as const;
const TABLES = ['handleCall', 'handleCast'] as const;

/** The instance itself; throws `badarg` for a callback of the wrong shape. */
export function checkCallbacks(server: object): Callbacks {
  const callbacks = server as Callbacks;
  for (const name of FUNCTIONS) {
    const callback: unknown = callbacks[name];
    if (callback !== undefined && typeof callback !== 'function') throw wrong(name, 'a function', callback);
  }
  for (const name of TABLES) checkTable(name, callbacks[name]);
  return callbacks;
}

function checkTable(name: string, table: unknown): void {
  if (table === undefined || typeof table === 'function') return;
  if (typeof table !== 'object' || table === null)
    throw wrong(name, 'a table of functions or a function', table);
  for (const [request, handler] of Object.entries(table)) {
    if (typeof handler !== 'function') throw wrong(`${name}.${request}`, 'a function', handler);
  }
}

function wrong(name: string, expected: string, got: unknown): DGenError {
  return new DGenError('badarg', `callback ${name}`, { expected, got: got === null ? 'null' : typeof got });
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}
