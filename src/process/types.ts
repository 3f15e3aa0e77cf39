// The shapes that processes, behaviours and everything above share.
import type { Host } from '../host/ports.ts';
import type { Atom } from '../term/atom.ts';
import type { Pid } from '../term/pid.ts';
import type { Ref } from '../term/ref.ts';
import type { NamedTarget } from './distribution-port.ts';

/** A local registered name. A string and the atom of the same text are the same name. */
export type LocalName = string | Atom;

/** A way to name processes that is not the local name table: a registry. The first argument is always the node that asks. */
export interface ViaModule {
  whereisName(runtime: Runtime, name: unknown): Pid | undefined;
  registerName(runtime: Runtime, name: unknown, pid: Pid): Promise<'yes' | 'no'>;
  unregisterName(runtime: Runtime, name: unknown): Promise<void>;
  /** Sends and returns the pid; throws `badarg` when the name is not registered. */
  send(runtime: Runtime, name: unknown, message: unknown): Pid;
}

export interface ViaName {
  readonly via: ViaModule;
  readonly name: unknown;
}

/** Whatever a process can be addressed by. */
export type Destination = Pid | Ref | LocalName | NamedTarget | ViaName;

export interface WaitOptions {
  /** Milliseconds; default 5000; 0 fails at once unless the answer is there; `Infinity` waits for ever. Then the wait rejects with `timeout`. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface SpawnOptions {
  /** Links the new process to this one before it runs. */
  readonly link?: Pid;
  /** Monitors it for this local process before it runs; the `DownMessage` is told by its `target`, the new pid. */
  readonly monitor?: Pid;
  readonly name?: LocalName;
  /** Messages that may wait; default 1,000,000. At the limit a send from this node throws `mailbox_full`, one from a peer kills the process with reason `mailbox_full`. */
  readonly mailboxMessagesMax?: number;
  /** For humans: what runs there. */
  readonly label?: string;
}

/**
 * A process driven by callbacks: one message at a time, the next only when the promise of the one before has settled.
 * A callback that throws, or whose promise rejects, ends the process with that error as its reason.
 */
export interface Behaviour {
  /** Runs first. Messages wait until its promise settles. */
  init?(self: Process): void | Promise<void>;
  /** Called for every message in the mailbox, `CallMessage`s, `ExitMessage`s (when trapping) and `DownMessage`s included. Return no promise where nothing is awaited: it costs a turn. */
  handle(message: unknown, self: Process): void | Promise<void>;
  /** Runs when the process ends by itself (`self.exit`, a throw), not when a signal kills it. */
  terminate?(reason: unknown, self: Process): void | Promise<void>;
}

/** A running process as its own code sees it. After its death every method that has an effect does nothing. */
export interface Process {
  readonly self: Pid;
  readonly runtime: Runtime;
  /** Aborted when the process ends. */
  readonly signal: AbortSignal;
  readonly alive: boolean;
  /** As `Runtime.send`, from this process: what it sends to one other process arrives in order. */
  send(to: Destination, message: unknown): void;
  call(to: Destination, request: unknown, options?: WaitOptions): Promise<unknown>;
  /** As `Runtime.cast`, in order with what this process sends. */
  cast(to: Destination, request: unknown): void;
  link(pid: Pid): void;
  unlink(pid: Pid): void;
  /**
   * The `DownMessage` comes with this reference; at once with reason `noproc` where nothing runs. A via name is looked up now: it is
   * the process found that is monitored, not whoever holds the name later.
   */
  monitor(target: Pid | LocalName | NamedTarget | ViaName): Ref;
  /** After it no `DownMessage` of this reference is delivered, also not one that waits in the mailbox. */
  demonitor(ref: Ref): void;
  /** Returns the former value. Trapped exit signals come as `ExitMessage`. */
  trapExit(trap: boolean): boolean;
  /** Sends an exit signal as Erlang's exit/2 does; reason atom `kill` cannot be trapped. */
  exitOther(pid: Pid, reason: unknown): void;
  /** Ends this process: throws, so that nothing after it runs. */
  exit(reason: unknown): never;
  spawn(main: ProcessMain, options?: SpawnOptions): Pid;
  /** An address for answers that can be taken back: sends to it after `unalias` go nowhere. */
  alias(): Ref;
  unalias(alias: Ref): void;
  /** Sends `message` to `to` after the delay unless cancelled; dies with this process. */
  sendAfter(delayMs: number, to: Destination, message: unknown): Ref;
  /** True if the timer had not fired. */
  cancelTimer(timer: Ref): boolean;
  /**
   * For processes of `spawn(main)` only: the first message in the mailbox, or to come, that `matches`; the others keep their order.
   * Rejects with `timeout` after `timeoutMs` (default: waits for ever); messages stay.
   */
  receive<T = unknown>(matches?: (message: unknown) => boolean, options?: WaitOptions): Promise<T>;
}

export type ProcessMain = (self: Process) => void | Promise<void>;

/** A call as the callee's mailbox holds it, from whatever node it came. */
export interface CallMessage {
  readonly kind: 'call';
  readonly from: From;
  readonly request: unknown;
}

/** A cast as the mailbox holds it, from whatever node it came: a request that wants no answer. */
export interface CastMessage {
  readonly kind: 'cast';
  readonly request: unknown;
}

/** Whom to answer. Opaque; may be kept and answered later, once, from anywhere on this node; an answer after the caller has gone is dropped. */
export interface From {
  readonly pid: Pid;
}

export interface DownMessage {
  readonly kind: 'down';
  readonly ref: Ref;
  /** What was monitored: a pid, or a name with its node; a via name only where nothing had it. */
  readonly target: Pid | NamedTarget | ViaName;
  readonly reason: unknown;
}

export interface ExitMessage {
  readonly kind: 'exit';
  readonly from: Pid;
  readonly reason: unknown;
}

/** The processes of one node. */
export interface Runtime {
  /** `name@host`, as peers see it. */
  readonly name: Atom;
  readonly creation: number;
  readonly host: Host;
  /** The pid that code outside of any process sends, calls and exits as, `close` included. Nothing is received there. */
  readonly clientPid: Pid;
  spawn(main: ProcessMain, options?: SpawnOptions): Pid;
  spawnBehaviour(behaviour: Behaviour, options?: SpawnOptions): Pid;
  /**
   * From code outside any process: the sender is the node's own client process. What is sent to a process that is not there goes
   * nowhere. Throws `badarg` for a local or via name that nothing has and for what is no destination, `mailbox_full` for a process of this node;
   * for one of another `not_encodable`, `term_too_large`, and `send_buffer_full` when the link has no room.
   */
  send(to: Destination, message: unknown): void;
  /**
   * Sends a request and waits for its answer. Resolves with the reply. Rejects with `noproc`, `process_exit` (its `details.reason`
   * is the reason), `noconnection`, `timeout`, `aborted`, `not_encodable`, `term_too_large`, `send_buffer_full` (no room in the link until the
   * deadline), `mailbox_full`, `system_limit`, `badarg`, `bad_option`, `closed`, or the coded error that the server answered with.
   */
  call(to: Destination, request: unknown, options?: WaitOptions): Promise<unknown>;
  /** Sends a cast, `{'$gen_cast', request}` to other nodes. Throws as `send` does, but not for a name that nothing has: who casts does not ask. */
  cast(to: Destination, request: unknown): void;
  /** Answers a call, with a value or with an error that the caller's promise rejects with. */
  reply(from: From, value: unknown): void;
  replyError(from: From, error: Error): void;
  /** The exit signal of exit/2 from outside any process. */
  exit(pid: Pid, reason: unknown): void;
  /**
   * Ends a process of this node at once, whatever it traps, with that reason: for owners whose right to let it run has ended, as a
   * registry that fences. Its `terminate` does not run. Does nothing where none runs.
   */
  terminate(pid: Pid, reason: unknown): void;
  /** Resolves with the reason when the process ends; at once with atom `noproc` where nothing runs. For programs and tests. */
  whenDown(pid: Pid, options?: WaitOptions): Promise<unknown>;
  /**
   * Runs `onDown` once with the reason when the process ends, at once with atom `noproc` where nothing runs. Returns what calls it off.
   * `onDown` runs in the middle of that end: it must not throw, and leaves all but bookkeeping for later.
   */
  watchDown(pid: Pid, onDown: (reason: unknown) => void): () => void;
  isAlive(pid: Pid): boolean;
  /** Throws `name_taken` when another process has it, `noproc` when the pid is not alive here. */
  register(name: LocalName, pid: Pid): void;
  unregister(name: LocalName): void;
  whereis(name: LocalName): Pid | undefined;
  registeredNames(): string[];
  makeRef(): Ref;
  processCount(): number;
  /** Ends every process with reason `shutdown`, in reverse order of start; then nothing can be spawned (`closed`). */
  close(): Promise<void>;
}
