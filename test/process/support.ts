// What the tests of the runtime share: a runtime on a simulated clock, servers that do as they are told, and the check
// that a test leaves nothing behind.
import assert from 'node:assert/strict';
import type { ErrorCode } from '../../src/errors/codes.ts';
import { DGenError } from '../../src/errors/error.ts';
import { type SimulatedHost, simulatedHost } from '../../src/host/index.ts';
import {
  createRuntime,
  isCallMessage,
  isCastMessage,
  type LocalRuntime,
  type Process,
  type Runtime,
  type RuntimeLimits,
} from '../../src/process/index.ts';
import { atom, type Pid } from '../../src/term/index.ts';

export interface World {
  readonly host: SimulatedHost;
  readonly runtime: LocalRuntime;
}

const unhandled: unknown[] = [];
process.on('unhandledRejection', (error) => unhandled.push(error));

/** Runs a test in a fresh runtime, then closes it and looks for leftovers. */
export function inWorld(test: (world: World) => Promise<void>, limits?: Partial<RuntimeLimits>) {
  return async (): Promise<void> => {
    const host = simulatedHost();
    const runtime = createRuntime({ name: atom('test@local'), creation: 7, host, ...(limits && { limits }) });
    await test({ host, runtime });
    await checkClean(host, [runtime]);
  };
}

/** Nothing runs, waits or was dropped on the floor. */
export async function checkClean(host: SimulatedHost, runtimes: readonly LocalRuntime[]): Promise<void> {
  for (const runtime of runtimes) {
    await host.runUntil(runtime.close());
    assert.equal(runtime.processCount(), 0);
    assert.deepEqual(runtime.registeredNames(), []);
  }
  await host.settle();
  assert.equal(host.timersPending, 0, 'timers are left');
  assert.deepEqual(unhandled.splice(0), [], 'unhandled rejections');
}

export interface Recorder {
  readonly pid: Pid;
  readonly messages: unknown[];
  /** Runs in the process, in the turn of a message. */
  run<T>(code: (self: Process) => T): Promise<T>;
}

/** A process that keeps what it gets, answers calls with their request, and runs the functions it is sent. */
export function startRecorder(
  runtime: Runtime,
  options: { trap?: boolean; onStart?: (self: Process) => void } = {},
): Recorder {
  const messages: unknown[] = [];
  const pid = runtime.spawnBehaviour({
    init(self) {
      self.trapExit(options.trap === true);
      options.onStart?.(self);
    },
    handle(message, self) {
      if (message instanceof Job) return message.run(self);
      messages.push(message);
      if (isCallMessage(message)) runtime.reply(message.from, message.request);
    },
  });
  const run = <T>(code: (self: Process) => T): Promise<T> =>
    new Promise((resolve) => runtime.send(pid, new Job((self) => void resolve(code(self)))));
  return { pid, messages, run };
}

class Job {
  readonly run: (self: Process) => void;

  constructor(run: (self: Process) => void) {
    this.run = run;
  }
}

/** A process that does nothing and answers nothing. */
export function startSilent(runtime: Runtime, name?: string): Pid {
  return runtime.spawnBehaviour({ handle: () => undefined }, name === undefined ? {} : { name });
}

/** Answers calls with their request; a cast ends it with the cast's request as reason. */
export function startEcho(runtime: Runtime, name?: string): Pid {
  return runtime.spawnBehaviour(
    {
      handle(message, self) {
        if (isCallMessage(message)) runtime.reply(message.from, message.request);
        if (isCastMessage(message)) self.exit(message.request);
      },
    },
    name === undefined ? {} : { name },
  );
}

/** What the promise rejects with: an error of that code. */
export async function rejection(promise: Promise<unknown>, code: ErrorCode): Promise<DGenError> {
  const error = await promise.then(
    (value) => assert.fail(`resolved with ${String(value)} instead of ${code}`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof DGenError, String(error));
  assert.equal(error.code, code, error.message);
  return error;
}

/** The same when nothing is to be awaited: the promise rejects by itself, on the clock of the host. */
export function rejectionIn(
  host: SimulatedHost,
  promise: Promise<unknown>,
  code: ErrorCode,
): Promise<DGenError> {
  return host.runUntil(rejection(promise, code));
}

export function thrown(code: ErrorCode): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof DGenError, String(error));
    assert.equal(error.code, code);
    return true;
  };
}
