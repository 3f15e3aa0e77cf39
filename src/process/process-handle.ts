// A process as its own code sees it. Every method that has an effect looks first whether the process still lives:
// JavaScript that runs already cannot be stopped, but what it does can be made to count for nothing.
import type { Pid } from '../term/pid.ts';
import type { Ref } from '../term/ref.ts';
import type { NamedTarget } from './distribution-port.ts';
import { ProcessExit } from './executor.ts';
import type { RuntimeParts } from './parts.ts';
import { receive } from './receive.ts';
import type { ProcessRecord } from './record.ts';
import { isVia } from './router.ts';
import type {
  Destination,
  LocalName,
  Process,
  ProcessMain,
  Runtime,
  SpawnOptions,
  ViaName,
  WaitOptions,
} from './types.ts';

export class ProcessHandle implements Process {
  readonly runtime: Runtime;
  readonly #record: ProcessRecord;
  readonly #parts: RuntimeParts;

  constructor(record: ProcessRecord, runtime: Runtime, parts: RuntimeParts) {
    this.runtime = runtime;
    this.#record = record;
    this.#parts = parts;
  }

  get self(): Pid {
    return this.#record.pid;
  }

  get alive(): boolean {
    return this.#record.alive;
  }

  get signal(): AbortSignal {
    const record = this.#record;
    if (record.controller === undefined) {
      record.controller = new AbortController();
      if (!record.alive) record.controller.abort(record.exitReason);
    }
    return record.controller.signal;
  }

  send(to: Destination, message: unknown): void {
    this.#parts.router.send(this.#record, to, message);
  }

  call(to: Destination, request: unknown, options?: WaitOptions): Promise<unknown> {
    return this.#parts.calls.start(this.#record, to, request, options);
  }

  cast(to: Destination, request: unknown): void {
    this.#parts.router.cast(this.#record, to, request);
  }

  link(pid: Pid): void {
    this.#parts.links.link(this.#record, pid);
  }

  unlink(pid: Pid): void {
    this.#parts.links.unlink(this.#record, pid);
  }

  monitor(target: Pid | LocalName | NamedTarget | ViaName): Ref {
    const { monitors } = this.#parts;
    if (!isVia(target)) return monitors.monitor(this.#record, target);
    const pid = target.via.whereisName(this.runtime, target.name);
    return pid === undefined ? monitors.absent(this.#record, target) : monitors.monitor(this.#record, pid);
  }

  demonitor(ref: Ref): void {
    this.#parts.monitors.demonitor(this.#record, ref);
  }

  trapExit(trap: boolean): boolean {
    const former = this.#record.trapExit;
    this.#record.trapExit = trap;
    return former;
  }

  exitOther(pid: Pid, reason: unknown): void {
    this.#parts.exits.exit(this.#record, pid, reason);
  }

  exit(reason: unknown): never {
    this.#record.exitRequest ??= { reason };
    throw new ProcessExit(reason);
  }

  spawn(main: ProcessMain, options?: SpawnOptions): Pid {
    return this.#parts.spawner.spawnBy(this.#record, { kind: 'main', main }, options);
  }

  alias(): Ref {
    return this.#parts.aliases.create(this.#record);
  }

  unalias(alias: Ref): void {
    this.#parts.aliases.remove(this.#record, alias);
  }

  sendAfter(delayMs: number, to: Destination, message: unknown): Ref {
    return this.#parts.timers.create(this.#record, delayMs, { to, message });
  }

  cancelTimer(timer: Ref): boolean {
    return this.#record.alive && this.#parts.timers.cancel(timer);
  }

  receive<T = unknown>(matches?: (message: unknown) => boolean, options?: WaitOptions): Promise<T> {
    return receive(this.#record, this.#parts.deadlines, { matches, options }) as Promise<T>;
  }
}
