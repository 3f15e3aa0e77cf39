// What one running server knows beside its own fields: its process, the call it answers now, and what its callbacks have
// asked for after they return (stop, continue, idle timeout). A new server finds its context where `createServer` put it
// for the time of the constructor, so that `this.self` and the rest work in field initialisers already.
import type { From, Process } from '../process/types.ts';
import type { Ref } from '../term/ref.ts';

/** Sent to the server itself when nothing came for as long as it asked. Only its own, newest one counts. */
export class IdleTimeout {
  readonly context: ServerContext;

  constructor(context: ServerContext) {
    this.context = context;
  }
}

export class ServerContext {
  readonly process: Process;
  /** The caller, while a call handler runs. */
  from: From | undefined;
  /** Asked for by `this.stop`; the first one counts. */
  stop: { readonly reason: unknown } | undefined;
  /** Asked for by `this.continueWith`, oldest first. */
  readonly continuations: unknown[] = [];
  #idleMs: number | undefined;
  #idleTimer: Ref | undefined;
  #idleMessage: IdleTimeout | undefined;

  constructor(process: Process) {
    this.process = process;
  }

  askIdleTimeout(ms: number): void {
    this.#idleMs = ms;
  }

  /** Before every message: whatever comes ends the idle time. */
  endIdle(): void {
    this.#idleMs = undefined;
    if (this.#idleMessage === undefined) return;
    if (this.#idleTimer !== undefined) this.process.cancelTimer(this.#idleTimer);
    this.#idleTimer = undefined;
    this.#idleMessage = undefined;
  }

  /** After the last callback for a message. */
  beginIdle(): void {
    if (this.#idleMs === undefined) return;
    this.#idleMessage = new IdleTimeout(this);
    this.#idleTimer = this.process.sendAfter(this.#idleMs, this.process.self, this.#idleMessage);
  }

  /** False for one that fired while a message was waiting before it. Ask before `endIdle`. */
  isCurrentIdle(message: IdleTimeout): boolean {
    return message === this.#idleMessage;
  }
}

let starting: ServerContext | undefined;

/** Runs a constructor with `context` at hand for `takeContext`. */
export function withContext<T>(context: ServerContext, create: () => T): T {
  starting = context;
  try {
    return create();
  } finally {
    starting = undefined;
  }
}

/** The context of the server that is being constructed; for the first server only, not for one that its fields construct. */
export function takeContext(): ServerContext | undefined {
  const context = starting;
  starting = undefined;
  return context;
}
