// What the runtime knows of one process: plain data, changed by the parts that own each field. The sets are made when
// first needed, because most processes have no timers, aliases or monitors, and there may be a million of them.
import type { Pid } from '../term/pid.ts';
import type { DownMonitor, Watcher } from './monitors.ts';
import type { RemoteLink } from './peers.ts';
import type { PendingCall } from './pending-call.ts';
import { Queue } from './queue.ts';
import type { SendAfterTimer } from './send-after.ts';
import type { Behaviour, Process, ProcessMain } from './types.ts';

/** What a process runs: callbacks, or a function with `receive`. */
export type Program =
  | { readonly kind: 'behaviour'; readonly behaviour: Behaviour }
  | { readonly kind: 'main'; readonly main: ProcessMain };

/** A request that was taken from the mailbox and is not answered yet. */
export interface OpenRequest {
  readonly answered: boolean;
  /** The callee ended: nobody will answer. */
  calleeDied(reason: unknown): void;
}

/** A `receive` that waits. */
export interface Receiver {
  /** Looks at the messages that came since the last look. */
  offer(): void;
  /** The message at that place of the mailbox was taken back. */
  removedAt(index: number): void;
  processDied(): void;
}

export class ProcessRecord {
  readonly pid: Pid;
  readonly program: Program;
  readonly label: string;
  readonly mailboxMax: number;
  readonly mailbox: Queue<unknown> = new Queue();
  /** What the process's own code holds. Set once, by the runtime, before anything runs. */
  handle!: Process;

  alive = true;
  started = false;
  /** In the run queue. */
  queued = false;
  /** A callback's promise is outstanding, or `terminate` runs: messages wait. */
  busy = false;
  trapExit = false;
  /** Set by `self.exit`: the process ends when its code returns, whatever becomes of the exception. */
  exitRequest: { readonly reason: unknown } | undefined = undefined;
  /** Of the dead. */
  exitReason: unknown = undefined;

  links: Set<ProcessRecord> | undefined = undefined;
  /** By pid key. */
  remoteLinks: Map<string, RemoteLink> | undefined = undefined;
  /** Monitors that this process has set, by the number of their reference. */
  monitors: Map<number, DownMonitor> | undefined = undefined;
  /** Who wants to know when this process ends. */
  watchers: Set<Watcher> | undefined = undefined;
  names: Set<string> | undefined = undefined;
  aliases: Set<number> | undefined = undefined;
  timers: Set<SendAfterTimer> | undefined = undefined;
  openRequests: Set<OpenRequest> | undefined = undefined;
  receiver: Receiver | undefined = undefined;
  controller: AbortController | undefined = undefined;

  /** Calls of this process that wait for an answer: a list through the calls, newest last. */
  lastCall: PendingCall | undefined = undefined;
  /** Some of them have no deadline yet. */
  hasUnstampedCalls = false;

  /** Preallocated continuations of the callback's promise; see the executor. */
  onSettled: (() => void) | undefined = undefined;
  onFailed: ((error: unknown) => void) | undefined = undefined;

  constructor(pid: Pid, program: Program, options: { label: string; mailboxMax: number }) {
    this.pid = pid;
    this.program = program;
    this.label = options.label;
    this.mailboxMax = options.mailboxMax;
  }

  toString(): string {
    return this.label === '' ? String(this.pid) : `${this.pid} (${this.label})`;
  }
}
