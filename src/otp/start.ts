// Starts a server and waits until its `init` is done. Whatever goes wrong, the promise rejects after the process has
// ended, and nothing of it is left: no process, no name, no link, no timer.

import { DGenError, hasCode } from '../errors/error.ts';
import type { TimerHandle } from '../host/ports.ts';
import type { LocalName, Process, Runtime, SpawnOptions, ViaName } from '../process/types.ts';
import { Atom } from '../term/atom.ts';
import { Pid } from '../term/pid.ts';
import { GenServer } from './gen-server.ts';
import { ServerProcess } from './server-process.ts';
import { alreadyStarted, startAborted, startFailed, startTimeout } from './start-errors.ts';
import type { ServerCallbacks, ServerClass, ServerPid, StartArguments, StartOptions } from './types.ts';

const TIMEOUT_DEFAULT_MS = 5000;

/** An instance of a class of servers. */
export type Server = GenServer & ServerCallbacks;

/**
 * Starts a process that runs `server` and resolves with its typed pid when `init` is done. The process is linked to none; inside a
 * process, use `startLink`.
 *
 * Rejects with
 * - `start_failed`: `init` or the constructor threw, `init` called `this.stop`, or the process was ended meanwhile; `details.reason` is
 *   the exit reason, and the `cause` where that is an error;
 * - `already_started`: the name belongs to another process, `details.pid` where known;
 * - `timeout`, `aborted`: `timeoutMs` passed, or `signal` was aborted, before `init` was done; the process was killed;
 * - `badarg`: no class of servers, a callback of the wrong shape, or a bad option;
 * - `system_limit`, `closed`; and whatever the registry of a via name rejects with.
 */
export async function start<S extends Server>(
  runtime: Runtime,
  server: ServerClass<S>,
  ...rest: StartArguments<S>
): Promise<ServerPid<S>> {
  const [argument, options = {}] = rest as readonly [unknown?, StartOptions?];
  return (await startServer(runtime, { server, argument, options })) as ServerPid<S>;
}

/**
 * As `start`, from inside a process, which becomes the parent: the two are linked before the new process runs. A start that fails is
 * told by the rejection alone, the parent gets no exit signal.
 */
export function startLink<S extends Server>(
  parent: Process,
  server: ServerClass<S>,
  ...rest: StartArguments<S>
): Promise<ServerPid<S>> {
  const [argument, options] = rest as readonly [unknown?, StartOptions?];
  const linked = [argument, { ...options, link: parent.self }] as unknown as StartArguments<S>;
  return start(parent.runtime, server, ...linked);
}

export interface ServerOrder {
  readonly server: ServerClass<object>;
  readonly argument: unknown;
  readonly options: StartOptions;
}

/** As `start`, for callers that hold class and argument as values: supervisors. */
export async function startServer(runtime: Runtime, order: ServerOrder): Promise<Pid> {
  checkStart(order.server, order.options);
  return new StartAttempt(runtime, order).result;
}

class StartAttempt {
  readonly result: Promise<Pid>;
  readonly #runtime: Runtime;
  readonly #label: string;
  readonly #options: StartOptions;
  readonly #process: ServerProcess;
  #resolve!: (pid: Pid) => void;
  #reject!: (error: unknown) => void;
  #failure: { readonly error: unknown } | undefined;
  #timer: TimerHandle | undefined;
  #unwatch: (() => void) | undefined;
  readonly #onAbort = (): void => this.#abandon(startAborted(this.#label, this.#options.signal?.reason));

  constructor(runtime: Runtime, { server, argument, options }: ServerOrder) {
    this.#runtime = runtime;
    this.#options = options;
    this.#label = options.label ?? server.type ?? 'server';
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    let pid: Pid | undefined;
    this.#process = new ServerProcess({
      server,
      argument,
      label: this.#label,
      via: isViaName(options.name) ? options.name : undefined,
      parent: options.link,
      started: () => {
        this.#settle();
        this.#resolve(pid as Pid);
      },
      failed: (error) => {
        this.#failure ??= { error };
      },
    });
    if (options.signal?.aborted) throw startAborted(this.#label, options.signal.reason);
    pid = this.#spawn();
    this.#await(pid, options.timeoutMs ?? server.startTimeoutMs ?? TIMEOUT_DEFAULT_MS);
  }

  #spawn(): Pid {
    const { name, link, mailboxMessagesMax } = this.#options;
    const local = isViaName(name) ? undefined : name;
    const options: SpawnOptions = {
      label: this.#label,
      ...(local === undefined ? {} : { name: local }),
      ...(link === undefined ? {} : { link }),
      ...(mailboxMessagesMax === undefined ? {} : { mailboxMessagesMax }),
    };
    try {
      return this.#runtime.spawnBehaviour(this.#process, options);
    } catch (error) {
      if (local === undefined || !hasCode(error, 'name_taken')) throw error;
      throw alreadyStarted(this.#label, this.#runtime.whereis(local), error);
    }
  }

  #await(pid: Pid, timeoutMs: number): void {
    this.#options.signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (timeoutMs !== Number.POSITIVE_INFINITY) {
      const onTime = (): void => this.#abandon(startTimeout(this.#label, timeoutMs));
      this.#timer = this.#runtime.host.timers.after(timeoutMs, onTime);
    }
    this.#unwatch = this.#runtime.watchDown(pid, (reason) => this.#down(reason));
  }

  #abandon(error: DGenError): void {
    this.#failure ??= { error };
    this.#process.abandon();
  }

  #down(reason: unknown): void {
    this.#settle();
    this.#reject(this.#failure === undefined ? startFailed(this.#label, reason) : this.#failure.error);
  }

  #settle(): void {
    this.#timer?.cancel();
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#unwatch?.();
  }
}

function checkStart(server: unknown, { timeoutMs, name, link }: StartOptions): void {
  if (typeof server !== 'function' || !(server.prototype instanceof GenServer)) {
    throw new DGenError('badarg', 'start', {
      expected: 'a class that extends GenServer',
      got: typeof server,
    });
  }
  if (timeoutMs !== undefined && !(timeoutMs >= 0)) {
    throw new DGenError('badarg', 'start: timeoutMs', {
      expected: 'a number, 0 or more',
      got: String(timeoutMs),
    });
  }
  if (link !== undefined && !(link instanceof Pid)) {
    throw new DGenError('badarg', 'start: link', { expected: 'a pid', got: typeof link });
  }
  if (name === undefined || typeof name === 'string' || name instanceof Atom || isViaName(name)) return;
  throw new DGenError('badarg', 'start: name', {
    expected: 'a string, an atom or { via, name }',
    got: typeof name,
  });
}

function isViaName(name: LocalName | ViaName | undefined): name is ViaName {
  if (typeof name !== 'object' || name === null || name instanceof Atom) return false;
  return typeof name.via?.registerName === 'function';
}
