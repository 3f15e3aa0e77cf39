// What a call handler may return instead of a reply. Each is a class of its own, so that the types of a handler tell
// the caller's side what it really gets: `number | ReplyLater<string> | Refusal` replies `number | string`.
import type { From, Runtime } from '../process/types.ts';

/** The type of `noReply`. */
export class NoReply {
  // Types only: no other object is a `NoReply`.
  declare protected readonly brand: true;
}

/** Return it from a call handler that answers by `this.reply(from, value)` later, or not at all: the caller then times out. */
export const noReply: NoReply = new NoReply();

/** The type of `refuse(error)`. */
export class Refusal {
  readonly #error: Error;

  /** @internal Use `refuse`. */
  constructor(error: Error) {
    this.#error = error;
  }

  get error(): Error {
    return this.#error;
  }
}

/**
 * Return it from a call handler: the caller's promise rejects with `error`, and the server lives on. A throw would end it.
 * A `DGenError` crosses nodes with its code; of any other error an Erlang caller sees a description.
 */
export function refuse(error: Error): Refusal {
  return new Refusal(error);
}

/**
 * A reply that is owed. Return it from the call handler that made it, keep it, and settle it once: later calls of `reply`
 * and `refuse` do nothing, nor do they after the caller has gone or the server has ended.
 */
export class ReplyLater<T> {
  readonly from: From;
  readonly #runtime: Runtime;
  #settled = false;

  /** @internal Use `this.replyLater()` in a server. */
  constructor(runtime: Runtime, from: From) {
    this.#runtime = runtime;
    this.from = from;
  }

  get settled(): boolean {
    return this.#settled;
  }

  readonly reply = (value: T): void => {
    if (this.#settled) return;
    this.#settled = true;
    this.#runtime.reply(this.from, value);
  };

  readonly refuse = (error: Error): void => {
    if (this.#settled) return;
    this.#settled = true;
    this.#runtime.replyError(this.from, error);
  };
}
