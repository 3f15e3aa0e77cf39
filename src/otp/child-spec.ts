// What a supervisor needs to know about a child, as plain data. Write specs with `child`, which checks the argument against
// the server's `init`; the record itself cannot, since a list of children holds servers of all kinds.
import { DGenError } from '../errors/error.ts';
import type { Runtime } from '../process/types.ts';
import type { Pid } from '../term/pid.ts';
import { describeTerm } from './requests.ts';
import type { Server } from './start.ts';
import type { InitArgument, ServerClass, StartArguments, StartOptions } from './types.ts';

/** After which ends a child is started again: all, those with another reason than `normal`, `shutdown` and `{shutdown, term}`, or none. */
export type Restart = 'permanent' | 'transient' | 'temporary';

export type ChildStartOptions = Omit<StartOptions, 'link' | 'signal'>;

export interface ServerStart {
  readonly server: ServerClass<object>;
  readonly argument?: unknown;
  readonly options?: ChildStartOptions;
}

/** Starts a process, linked to `parent`, and resolves with its pid once it is ready. A rejection is a failed start. */
export type StartFunction = (runtime: Runtime, parent: Pid) => Promise<Pid>;

export interface ChildOptions {
  /** Default `permanent`. */
  readonly restart?: Restart;
  /**
   * Milliseconds between the exit signal `shutdown` and the kill; default 5000 for workers, `infinity` for supervisors, which need the time
   * that their own children take. `brutal_kill` kills at once.
   */
  readonly shutdownMs?: number | 'brutal_kill' | 'infinity';
  /** Default `worker`. */
  readonly type?: 'worker' | 'supervisor';
}

export interface ChildSpec extends ChildOptions {
  /** Unique in its supervisor. */
  readonly id: string;
  readonly start: ServerStart | StartFunction;
}

type ChildArguments<S> =
  StartArguments<S> extends [argument: unknown, options?: StartOptions]
    ? [argument: InitArgument<S>, options?: ChildOptions & ChildStartOptions]
    : [argument?: InitArgument<S>, options?: ChildOptions & ChildStartOptions];

/**
 * The spec of a child that runs `server`, its argument checked by the compiler. Options of the child and of its start go together:
 * `child('cache', Cache, { entriesMax: 100 }, { restart: 'transient', name: 'cache' })`.
 */
export function child<S extends Server>(
  id: string,
  server: ServerClass<S>,
  ...rest: ChildArguments<S>
): ChildSpec {
  const [argument, given = {}] = rest as readonly [unknown?, (ChildOptions & ChildStartOptions)?];
  const { restart, shutdownMs, type, ...options } = given;
  return {
    id,
    start: { server, argument, options },
    ...(restart === undefined ? {} : { restart }),
    ...(shutdownMs === undefined ? {} : { shutdownMs }),
    ...(type === undefined ? {} : { type }),
  };
}

/** Throws `badarg` that names what is wrong with the spec. */
export function checkChildSpec(spec: ChildSpec): void {
  if (typeof spec !== 'object' || spec === null) throw wrong('spec', 'an object', spec);
  const { id, start, restart, shutdownMs, type } = spec;
  if (typeof id !== 'string' || id === '') throw wrong('id', 'a string', id);
  const startable = typeof start === 'function' || typeof start?.server === 'function';
  if (!startable) throw wrong(`${id}: start`, '{ server, argument } or a function', start);
  checkOneOf(`${id}: restart`, ['permanent', 'transient', 'temporary'], restart);
  checkOneOf(`${id}: type`, ['worker', 'supervisor'], type);
  if (typeof shutdownMs === 'number') {
    if (!(shutdownMs >= 0)) throw wrong(`${id}: shutdownMs`, '0 or more', shutdownMs);
  } else checkOneOf(`${id}: shutdownMs`, ['brutal_kill', 'infinity'], shutdownMs);
}

function checkOneOf(what: string, allowed: readonly string[], value: unknown): void {
  if (value === undefined || allowed.includes(value as string)) return;
  throw wrong(what, allowed.join(', '), value);
}

function wrong(what: string, expected: string, got: unknown): DGenError {
  return new DGenError('badarg', `child ${what}`, { expected, got: describeTerm(got) });
}
