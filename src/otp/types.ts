// What TypeScript knows about a server: its requests, their arguments and replies, read off the class as it is
// written. An address carries the class in its type only (`Serves`); at run time it is a pid, a name or a via name,
// so typed addresses cost nothing and may be stored, sent and built from configuration.
import type { Destination, From, LocalName, ViaName, WaitOptions } from '../process/types.ts';
import type { Pid } from '../term/pid.ts';
import type { NoReply, Refusal, ReplyLater } from './control.ts';
import type { Within } from './within.ts';

declare const served: unique symbol;

/** In types only: what is addressed answers as a server of class `S`. */
export interface Serves<S> {
  readonly [served]: S;
}

/** The pid of a running `S`. A pid in every other respect. */
export type ServerPid<S> = Pid & Serves<S>;

/** A pid, name or via name under which an `S` is expected. `addressOf` makes one; nothing checks that an `S` runs there. */
export type ServerAddress<S> = Destination & Serves<S>;

/** Requests by name, each with the function that answers it. */
export type HandlerTable = { readonly [name: string]: (...args: never[]) => unknown };

/** The callbacks of a server, all optional. Write `class C extends GenServer implements ServerCallbacks` to have names and shapes checked where they are written. */
export interface ServerCallbacks {
  /** Runs before the start resolves. A throw, a rejection or `this.stop` fails the start. */
  init?(argument: never): unknown;
  /** A table: `{ name: (...args) => reply }`, called by name. Or one function for whatever term comes. */
  handleCall?: HandlerTable | ((request: never, from: From) => unknown);
  /** As `handleCall`; what the functions return is ignored, a promise is awaited. */
  handleCast?: HandlerTable | ((request: never) => unknown);
  /** Every other message: plain sends, `DownMessage`s, and `ExitMessage`s when exits are trapped. */
  handleInfo?(message: never): unknown;
  /** Runs for each `this.continueWith(value)`, after the start or the callback that asked and before the next message. */
  handleContinue?(value: never): unknown;
  /** Runs when the time of `this.idleTimeout` has passed. Without it, `handleInfo` gets the atom `timeout`. */
  handleTimeout?(): unknown;
  /** Runs before the process ends by a stop or a throw and, when exits are trapped, by the exit of its parent or of the node. Not when it is killed. */
  terminate?(reason: unknown): unknown;
}

/** A class of servers. `type` is a stable name for logs; the name of the class is not used, because minifiers change it. */
export interface ServerClass<S> {
  new (): S;
  readonly type?: string;
  /** Default of `StartOptions.timeoutMs` for this class. */
  readonly startTimeoutMs?: number;
}

export interface StartOptions {
  /** Where the process is registered before `init` runs: the local name table, or a registry. */
  readonly name?: LocalName | ViaName;
  /** Links the new process to this one, its parent, before it runs. */
  readonly link?: Pid;
  /** Milliseconds for registration and `init` together; default 5000, or `startTimeoutMs` of the class; `Infinity` waits for ever. */
  readonly timeoutMs?: number;
  /** Gives the start up: the process is killed. Without effect once it runs. */
  readonly signal?: AbortSignal;
  /** For humans: what runs there. Default: `type` of the class. */
  readonly label?: string;
  /** Messages that may wait; default 1,000,000. */
  readonly mailboxMessagesMax?: number;
}

type AnyFunction = (...args: never[]) => unknown;
type Member<S, P extends PropertyKey> = S extends { readonly [Q in P]: infer M } ? M : never;
type Table<S, P extends PropertyKey> = Exclude<Member<S, P>, AnyFunction>;
// `keyof never` is every key: without a table there are no names.
type Names<T> = [T] extends [never] ? never : keyof T & string;
type Handler<S, P extends PropertyKey, K> = K extends keyof Table<S, P>
  ? Extract<Table<S, P>[K], AnyFunction>
  : never;
type OneFunction<S, P extends PropertyKey> = Extract<Member<S, P>, AnyFunction>;
type Settled<R> = R extends ReplyLater<infer T> ? T : R extends NoReply | Refusal ? never : R;
// A handler that only ever returns `noReply` says nothing about what will come: `unknown`, not `never`.
type Replied<R> = [Settled<R>] extends [never]
  ? [Extract<R, NoReply>] extends [never]
    ? never
    : unknown
  : Settled<R>;
type InitParameters<S> = S extends { init(...args: infer A): unknown } ? A : [];

/** The names of the requests in the `handleCall` table of `S`. */
export type CallNames<S> = Names<Table<S, 'handleCall'>>;
export type CallArguments<S, K extends CallNames<S>> = Parameters<Handler<S, 'handleCall', K>>;
/** What follows the name in `call`: the arguments, then, where wanted, a limit. */
export type CallParameters<S, K extends CallNames<S>> =
  CallArguments<S, K> extends infer A extends unknown[] ? [...A, within?: Within] : never;
/** What the caller's promise resolves with: the awaited return type, without the controls of `control.ts`. */
export type CallReply<S, K extends CallNames<S>> = Replied<Awaited<ReturnType<Handler<S, 'handleCall', K>>>>;

/** The names of the requests in the `handleCast` table of `S`. */
export type CastNames<S> = Names<Table<S, 'handleCast'>>;
export type CastArguments<S, K extends CastNames<S>> = Parameters<Handler<S, 'handleCast', K>>;

/** The request and the reply of an `S` whose `handleCall` is one function. */
export type RawRequest<S> = Parameters<OneFunction<S, 'handleCall'>>[0];
export type RawReply<S> = Replied<Awaited<ReturnType<OneFunction<S, 'handleCall'>>>>;
/** The request of an `S` whose `handleCast` is one function. */
export type RawCastRequest<S> = Parameters<OneFunction<S, 'handleCast'>>[0];

/** The argument of `init`; `undefined` where it takes none. */
export type InitArgument<S> = InitParameters<S> extends [] ? undefined : InitParameters<S>[0];
/** What follows the class in `start`: the argument, which may be left out where `init` allows it, then options. */
export type StartArguments<S> =
  [] extends InitParameters<S>
    ? [argument?: InitArgument<S>, options?: StartOptions]
    : [argument: InitArgument<S>, options?: StartOptions];

/** Whoever may call: a runtime, or a process from inside, whose pending calls end with it. */
export interface Caller {
  call(to: Destination, request: unknown, options?: WaitOptions): Promise<unknown>;
}

/** Whoever may cast. */
export interface Caster {
  cast(to: Destination, request: unknown): void;
}
