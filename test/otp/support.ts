// One runtime on a simulated clock for each test, and a check that nothing was left over or unhandled.
import assert from 'node:assert/strict';
import type { ErrorCode } from '../../src/errors/codes.ts';
import { DGenError } from '../../src/errors/error.ts';
import { type SimulatedHost, simulatedHost } from '../../src/host/simulated-host.ts';
import { createRuntime } from '../../src/process/index.ts';
import type { Runtime, ViaModule } from '../../src/process/types.ts';
import { atom } from '../../src/term/atom.ts';
import type { Pid } from '../../src/term/pid.ts';

export interface LogEntry {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly fields: object;
  readonly message: string;
}

export interface World {
  readonly host: SimulatedHost;
  readonly runtime: Runtime;
  readonly log: LogEntry[];
  /** Lets the promise settle on the simulated clock. */
  run<T>(promise: Promise<T>, ms?: number): Promise<T>;
  /** Everything that needs no time. */
  settle(): Promise<void>;
  pass(ms: number): Promise<void>;
}

const unhandled: unknown[] = [];
process.on('unhandledRejection', (error) => unhandled.push(error));

export function inWorld(test: (world: World) => Promise<void>): () => Promise<void> {
  return async () => {
    const log: LogEntry[] = [];
    const write = (level: LogEntry['level']) => (fields: object, message: string) =>
      void log.push({ level, fields, message });
    const host = simulatedHost({
      log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') },
    });
    const runtime = createRuntime({ name: atom('test@localhost'), creation: 1, host });
    const world: World = {
      host,
      runtime,
      log,
      run: (promise, ms) => host.runUntil(promise, ms),
      settle: () => host.settle(),
      pass: (ms) => host.runFor(ms),
    };
    await test(world);
    await host.runUntil(runtime.close());
    await host.settle();
    assert.equal(runtime.processCount(), 0);
    assert.equal(host.timersPending, 0, 'timers are left');
    assert.deepEqual(unhandled.splice(0), [], 'unhandled rejections');
  };
}

/** What the promise rejects with, an error of that code. */
export async function rejection(promise: Promise<unknown>, code: ErrorCode): Promise<DGenError> {
  const error = await promise.then(
    (value) => assert.fail(`resolved with ${String(value)} instead of ${code}`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof DGenError, `no coded error: ${String(error)}`);
  assert.equal(error.code, code, error.message);
  return error;
}

/** A registry in one map. A dead process keeps its names until `sweep`, as in a registry that has not heard of the death. */
export class FakeRegistry implements ViaModule {
  readonly names = new Map<unknown, Pid>();
  readonly events: string[] = [];
  /** Thrown by the next registration. */
  failure: Error | undefined;
  /** How long a registration takes. */
  wait: Promise<void> | undefined;
  hidesHolders = false;

  whereisName(_runtime: Runtime, name: unknown): Pid | undefined {
    return this.hidesHolders ? undefined : this.names.get(name);
  }

  async registerName(_runtime: Runtime, name: unknown, pid: Pid): Promise<'yes' | 'no'> {
    this.events.push(`register ${String(name)}`);
    await this.wait;
    if (this.failure !== undefined) throw this.failure;
    if (this.names.has(name)) return 'no';
    this.names.set(name, pid);
    return 'yes';
  }

  async unregisterName(_runtime: Runtime, name: unknown): Promise<void> {
    this.events.push(`unregister ${String(name)}`);
    this.names.delete(name);
  }

  send(runtime: Runtime, name: unknown, message: unknown): Pid {
    const pid = this.names.get(name);
    if (pid === undefined) throw new DGenError('badarg', 'no such name');
    runtime.send(pid, message);
    return pid;
  }

  sweep(runtime: Runtime): void {
    for (const [name, pid] of this.names) if (!runtime.isAlive(pid)) this.names.delete(name);
  }
}
