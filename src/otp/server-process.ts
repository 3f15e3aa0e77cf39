// The behaviour that runs a server: one message at a time into the right callback, then whatever the callback asked for
// (stop, continue, idle timeout). Callbacks that return no promise cause none.
//
// The rules for exits are OTP's: a throw ends the process with the error as reason; the parent's exit, when trapped, ends
// it too; both run `terminate`. The node is the parent of a server that has no other, and its order to shut down, as when
// it closes, holds for all. Other trapped exits are messages. A failed start breaks the link to the parent first,
// which is told by the rejection of the start and not by a signal as well.
import { DGenError } from '../errors/error.ts';
import { ProcessExit } from '../process/executor.ts';
import { isCallMessage, isCastMessage, isExitMessage } from '../process/messages.ts';
import { kill, shutdown } from '../process/reasons.ts';
import type {
  Behaviour,
  CallMessage,
  CastMessage,
  ExitMessage,
  From,
  Process,
  ViaName,
} from '../process/types.ts';
import { atom } from '../term/atom.ts';
import type { Pid } from '../term/pid.ts';
import { tuple } from '../term/tuple.ts';
import { type Callbacks, checkCallbacks, isThenable } from './callbacks.ts';
import { NoReply, Refusal, ReplyLater } from './control.ts';
import { exitReason } from './reasons.ts';
import { applyHandler, describeTerm, unknownRequest } from './requests.ts';
import { IdleTimeout, ServerContext, withContext } from './server-context.ts';
import { alreadyStarted } from './start-errors.ts';
import { type TerminateRequest, terminateRequest } from './terminate-request.ts';
import type { ServerClass } from './types.ts';

/** What the process needs to know, and whom it tells about its start. */
export interface ServerPlan {
  readonly server: ServerClass<object>;
  readonly argument: unknown;
  readonly via: ViaName | undefined;
  readonly parent: Pid | undefined;
  readonly label: string;
  /** `init` is done. */
  started(): void;
  /** `init` is not done and will not be: the process ends with this. */
  failed(error: unknown): void;
}

export class ServerProcess implements Behaviour {
  readonly #plan: ServerPlan;
  #callbacks: Callbacks | undefined;
  // Set when the process begins to run, before anything else.
  #context!: ServerContext;
  #abandoned = false;
  #registered = false;

  constructor(plan: ServerPlan) {
    this.#plan = plan;
  }

  /** Ends a start that takes too long: at once, or before it has run at all, and not by way of the link to the parent. */
  abandon(): void {
    this.#abandoned = true;
    if (this.#context === undefined) return;
    const { runtime, self } = this.#context.process;
    this.#leaveParent();
    runtime.exit(self, kill);
  }

  async init(self: Process): Promise<void> {
    this.#context = new ServerContext(self);
    if (this.#abandoned) return this.#giveUp(shutdown);
    try {
      await this.#prepare(self);
      if (self.alive) await this.#callbacks?.init?.(this.#plan.argument);
    } catch (error) {
      await this.#giveUp(thrownReason(error));
    }
    if (this.#context.stop !== undefined) await this.#giveUp(this.#context.stop.reason);
    if (!self.alive) return;
    this.#plan.started();
    await this.#continueAfterInit();
  }

  handle(message: unknown): void | Promise<void> {
    const context = this.#context;
    if (message instanceof IdleTimeout && !context.isCurrentIdle(message)) return;
    context.endIdle();
    const result = this.#dispatch(message);
    if (isThenable(result)) return this.#afterPromise(result);
    return this.#afterCallback();
  }

  terminate(reason: unknown): void | Promise<void> {
    const result = this.#callbacks?.terminate?.(reason);
    if (isThenable(result)) return settle(result);
  }

  /** Still part of the behaviour's `init`, after which the runtime runs no `terminate`; a server that has started is owed it. */
  async #continueAfterInit(): Promise<void> {
    try {
      await this.#afterCallback();
    } catch (error) {
      await this.terminate(thrownReason(error));
      throw error;
    }
  }

  async #prepare(self: Process): Promise<void> {
    await this.#register(self);
    if (!self.alive) return;
    const server = withContext(this.#context, () => new this.#plan.server());
    try {
      this.#callbacks = checkCallbacks(server);
    } catch (error) {
      this.#plan.failed(error);
      throw error;
    }
  }

  async #register({ runtime, self }: Process): Promise<void> {
    const { via, label } = this.#plan;
    if (via === undefined) return;
    try {
      this.#registered = (await via.via.registerName(runtime, via.name, self)) === 'yes';
      if (!this.#registered) throw alreadyStarted(label, via.via.whereisName(runtime, via.name));
    } catch (error) {
      this.#plan.failed(error);
      throw error;
    }
  }

  async #unregister({ runtime, self }: Process): Promise<void> {
    const { via } = this.#plan;
    try {
      await via?.via.unregisterName(runtime, via.name);
    } catch (error) {
      runtime.host.log.warn({ error, pid: String(self) }, 'a failed start leaves its name to the registry');
    }
  }

  /** Ends a start that failed. The name is free before anybody hears of it. */
  async #giveUp(reason: unknown): Promise<never> {
    const { process } = this.#context;
    if (this.#registered) await this.#unregister(process);
    this.#leaveParent();
    return process.exit(reason);
  }

  #leaveParent(): void {
    if (this.#plan.parent !== undefined) this.#context.process.unlink(this.#plan.parent);
  }

  #dispatch(message: unknown): unknown {
    if (isCallMessage(message)) return this.#call(message);
    if (isCastMessage(message)) return this.#cast(message);
    if (isExitMessage(message)) return this.#exit(message);
    if (message instanceof IdleTimeout) return this.#idle();
    const request = terminateRequest(message);
    return request === undefined ? this.#info(message) : this.#terminateOnRequest(request);
  }

  #call({ from, request }: CallMessage): unknown {
    this.#context.from = from;
    const callbacks = this.#callbacks as Callbacks;
    const { handleCall } = callbacks;
    const value =
      typeof handleCall === 'function'
        ? handleCall.call(callbacks, request, from)
        : applyHandler(handleCall, request);
    if (isThenable(value)) return this.#answerAfter(from, value);
    return this.#answer(from, value === unknownRequest ? this.#unknown(request) : value);
  }

  async #answerAfter(from: From, value: PromiseLike<unknown>): Promise<void> {
    this.#answer(from, await value);
  }

  #answer(from: From, value: unknown): void {
    const { runtime } = this.#context.process;
    this.#context.from = undefined;
    if (value instanceof Refusal) runtime.replyError(from, value.error);
    else if (!(value instanceof ReplyLater || value instanceof NoReply)) runtime.reply(from, value);
  }

  #unknown(request: unknown): Refusal {
    const known = Object.keys(this.#callbacks?.handleCall ?? {});
    const error = new DGenError('unknown_request', this.#plan.label, {
      expected: known.length === 0 ? 'no call at all' : `one of ${known.join(', ')}`,
      got: describeTerm(request),
      details: { known },
    });
    return new Refusal(error);
  }

  #cast({ request }: CastMessage): unknown {
    const callbacks = this.#callbacks as Callbacks;
    const { handleCast } = callbacks;
    if (typeof handleCast === 'function') return handleCast.call(callbacks, request);
    const result = applyHandler(handleCast, request);
    if (result !== unknownRequest) return result;
    this.#drop('a cast that the server does not know was dropped', request);
  }

  #exit(message: ExitMessage): unknown {
    const { parent } = this.#plan;
    const { process } = this.#context;
    const { from, reason } = message;
    if (parent?.equals(from)) return process.exit(reason);
    const fromNode = from.equals(process.runtime.clientPid);
    if (fromNode && (parent === undefined || reason === shutdown)) return process.exit(reason);
    return this.#info(message);
  }

  #info(message: unknown): unknown {
    const callbacks = this.#callbacks as Callbacks;
    if (callbacks.handleInfo !== undefined) return callbacks.handleInfo(message);
    this.#drop('a message that the server does not handle was dropped', message);
  }

  #idle(): unknown {
    const callbacks = this.#callbacks as Callbacks;
    return callbacks.handleTimeout === undefined ? this.#info(timeoutMessage) : callbacks.handleTimeout();
  }

  #terminateOnRequest({ from, tag, reason }: TerminateRequest): never {
    const { process } = this.#context;
    process.send(from, tuple(tag, atom('ok')));
    return process.exit(exitReason(reason));
  }

  #drop(what: string, message: unknown): void {
    const { runtime, self } = this.#context.process;
    runtime.host.log.warn({ pid: String(self), server: this.#plan.label, got: describeTerm(message) }, what);
  }

  async #afterPromise(result: PromiseLike<unknown>): Promise<void> {
    await result;
    await this.#afterCallback();
  }

  #afterCallback(): void | Promise<void> {
    const context = this.#context;
    if (context.stop !== undefined) context.process.exit(context.stop.reason);
    if (context.continuations.length > 0) return this.#continue();
    context.beginIdle();
  }

  async #continue(): Promise<void> {
    const { continuations, process } = this.#context;
    while (continuations.length > 0) {
      await this.#callbacks?.handleContinue?.(continuations.shift());
      const { stop } = this.#context;
      if (stop !== undefined) process.exit(stop.reason);
    }
    this.#context.beginIdle();
  }
}

const timeoutMessage = atom('timeout');

/** `this.process.exit` leaves by a throw of its own. */
function thrownReason(error: unknown): unknown {
  return error instanceof ProcessExit ? error.reason : error;
}

async function settle(result: PromiseLike<unknown>): Promise<void> {
  await result;
}
