// A server: a class whose instance is the state of one process, and whose callbacks run one at a time. This base class
// declares no callback, so that a server writes `init`, `handleCall` and the others without `override` and with types of
// its own; `ServerCallbacks` lists them, and `start` checks their shapes.
//
//   class Counter extends GenServer {
//     #count = 0;
//     init(from: number) { this.#count = from; }
//     handleCall = {
//       increment: (by: number) => (this.#count += by),
//       get: () => this.#count,
//     };
//   }
//   const counter = await start(runtime, Counter, 5);
//   await call(runtime, counter, 'increment', 2);   // 7
import { DGenError } from '../errors/error.ts';
import type { Destination, From, Process, Runtime } from '../process/types.ts';
import type { Pid } from '../term/pid.ts';
import type { Ref } from '../term/ref.ts';
import { call, cast } from './call.ts';
import { ReplyLater } from './control.ts';
import { exitReason } from './reasons.ts';
import { type ServerContext, takeContext } from './server-context.ts';
import type {
  CallNames,
  CallParameters,
  CallReply,
  CastArguments,
  CastNames,
  ServerAddress,
} from './types.ts';

/**
 * The base of every server. Its members are for the server's own code. Outside of a running server (`new Counter()` in a unit
 * test) they throw `badarg`; the handlers themselves can be called there as the functions that they are.
 */
export class GenServer {
  readonly #context: ServerContext | undefined = takeContext();

  /** The process that runs this server: links, monitors, exits, `trapExit`. */
  protected get process(): Process {
    return this.#running().process;
  }

  protected get self(): Pid {
    return this.process.self;
  }

  protected get node(): Runtime {
    return this.process.runtime;
  }

  /** Aborted when the process ends: for everything that the server waits for. */
  protected get signal(): AbortSignal {
    return this.process.signal;
  }

  /** Whom the running call handler answers. Throws `badarg` outside of one. */
  protected get from(): From {
    const { from } = this.#running();
    if (from === undefined)
      throw new DGenError('badarg', 'this.from is there while a call handler runs, and only then');
    return from;
  }

  /** Answers a call whose handler returned `noReply`. Of several answers the first counts. */
  protected reply(from: From, value: unknown): void {
    this.node.reply(from, value);
  }

  /** A reply that the running call handler owes: return it, keep it, and call its `reply` or `refuse` later. Throws `badarg` outside of a call handler. */
  protected replyLater<T>(): ReplyLater<T> {
    return new ReplyLater<T>(this.node, this.from);
  }

  /**
   * Ends the process after the running callback, its reply sent and `terminate` run. In `init` it fails the start. The reasons `normal`
   * (the default) and `shutdown` may be given as strings. The first call in a callback counts; continuations no longer run.
   */
  protected stop(reason: unknown = 'normal'): void {
    this.#running().stop ??= { reason: exitReason(reason) };
  }

  /** Has `handleContinue(value)` run after this callback and before the next message. Several run in the order in which they were asked for. */
  protected continueWith<T>(this: { handleContinue(value: T): void }, value: NoInfer<T>): void {
    (this as unknown as GenServer).#running().continuations.push(value);
  }

  /**
   * Has `handleTimeout` run when no message comes for so many milliseconds after this callback. Any message cancels it, and the callback
   * for that message may ask again.
   */
  protected idleTimeout(ms: number): void {
    if (!(ms >= 0))
      throw new DGenError('badarg', 'idle timeout', { expected: 'milliseconds, 0 or more', got: String(ms) });
    this.#running().askIdleTimeout(ms);
  }

  /** Sends `message` to `to` (default: this server, whose `handleInfo` gets it) after so many milliseconds. Dies with the process. */
  protected sendAfter(ms: number, message: unknown, to: Destination = this.self): Ref {
    return this.process.sendAfter(ms, to, message);
  }

  /** True if the timer had not fired. */
  protected cancelTimer(timer: Ref): boolean {
    return this.process.cancelTimer(timer);
  }

  protected send(to: Destination, message: unknown): void {
    this.process.send(to, message);
  }

  /** As the function `call`, in the name of this process: the wait ends with it. */
  protected call<S, K extends CallNames<S>>(
    address: ServerAddress<S>,
    name: K,
    ...args: CallParameters<S, K>
  ): Promise<CallReply<S, K>> {
    return call(this.process, address, name, ...args);
  }

  /** As the function `cast`. */
  protected cast<S, K extends CastNames<S>>(
    address: ServerAddress<S>,
    name: K,
    ...args: CastArguments<S, K>
  ): void {
    cast(this.process, address, name, ...args);
  }

  #running(): ServerContext {
    if (this.#context !== undefined) return this.#context;
    throw new DGenError('badarg', 'this server does not run: it was constructed, not started');
  }
}
