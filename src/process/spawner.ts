// Starts processes. All that may fail is checked before anything is done: a spawn that throws has left nothing behind.
import { DGenError } from '../errors/error.ts';
import type { Pid } from '../term/pid.ts';
import type { Links } from './links.ts';
import type { Monitors } from './monitors.ts';
import type { Names } from './names.ts';
import type { ProcessTable } from './process-table.ts';
import { ProcessRecord, type Program } from './record.ts';
import type { Scheduler } from './scheduler.ts';
import type { Process, SpawnOptions } from './types.ts';

export interface SpawnerParts {
  readonly table: ProcessTable;
  readonly names: Names;
  readonly links: Links;
  readonly monitors: Monitors;
  readonly scheduler: Scheduler;
  readonly mailboxMessagesMax: number;
  readonly handleOf: (record: ProcessRecord) => Process;
}

export class Spawner {
  readonly #parts: SpawnerParts;
  #closed = false;

  constructor(parts: SpawnerParts) {
    this.#parts = parts;
  }

  /** From now on nothing can be spawned. */
  close(): void {
    this.#closed = true;
  }

  /** Throws `closed`, `system_limit`, `name_taken`, and `badarg` for a name that cannot be one or a `monitor` of another node. */
  spawn(program: Program, options: SpawnOptions = {}): Pid {
    if (this.#closed) throw new DGenError('closed', 'the runtime is closed: no process can be started');
    this.#check(options);
    const { table, names, links, monitors, scheduler } = this.#parts;
    const record = new ProcessRecord(table.newPid(), program, {
      label: options.label ?? '',
      mailboxMax: options.mailboxMessagesMax ?? this.#parts.mailboxMessagesMax,
    });
    record.handle = this.#parts.handleOf(record);
    table.add(record);
    if (options.name !== undefined) names.register(options.name, record);
    const watcher = options.monitor === undefined ? undefined : table.get(options.monitor);
    if (watcher !== undefined) monitors.monitor(watcher, record.pid);
    if (options.link !== undefined) links.link(record, options.link);
    scheduler.wake(record);
    return record.pid;
  }

  /** From a process. The dead start nothing; the pid they get is that of no process. */
  spawnBy(parent: ProcessRecord, program: Program, options?: SpawnOptions): Pid {
    return parent.alive ? this.spawn(program, options) : this.#parts.table.newPid();
  }

  #check(options: SpawnOptions): void {
    const { table, names } = this.#parts;
    if (options.name !== undefined) names.checkFree(options.name);
    if (options.monitor !== undefined && !table.isLocal(options.monitor)) {
      throw new DGenError('badarg', 'spawn for a monitor', {
        expected: 'a process of this node',
        got: String(options.monitor),
      });
    }
    const max = options.mailboxMessagesMax;
    if (max === undefined || max > 0) return;
    throw new DGenError('bad_option', 'mailboxMessagesMax', {
      expected: 'a number above 0',
      got: String(max),
    });
  }
}
