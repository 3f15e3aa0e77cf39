// The children of one supervisor, in order of start, and the two things that are done to each: start and stop.
//
// A name of a registry outlives its process for as long as the registry needs to hear of the death. A start that fails for
// this reason alone is told apart (`isNameHeldByTheDead`), because trying again soon is right where otherwise it would only
// use up the restarts.
import { hasCode } from '../errors/error.ts';
import type { Instant } from '../host/ports.ts';
import { kill, shutdown } from '../process/reasons.ts';
import type { Process, Runtime } from '../process/types.ts';
import { Pid } from '../term/pid.ts';
import type { Ref } from '../term/ref.ts';
import type { ChildSpec } from './child-spec.ts';
import { startServer } from './start.ts';

export class Child {
  /** Unique in its supervisor. */
  readonly key: string;
  readonly spec: ChildSpec;
  /** While it runs. */
  pid: Pid | undefined;
  /** While a restart is due: which attempt is the valid one, and its timer. */
  retry: Retry | undefined;
  /** Since when restarts fail because a dead process has the name. */
  heldSince: Instant | undefined;
  heldAttempts = 0;

  constructor(key: string, spec: ChildSpec) {
    this.key = key;
    this.spec = spec;
  }
}

/** Sent by a supervisor to itself: start this child (again). Void once the child's `retry` is another. */
export class Retry {
  readonly child: Child;
  /** The attempt before failed and this one counts as a restart; else it only waits for a name. */
  readonly counts: boolean;
  timer: Ref | undefined;

  constructor(child: Child, counts: boolean) {
    this.child = child;
    this.counts = counts;
  }
}

export class Children {
  readonly #process: Process;
  /** By key, in order of start. */
  readonly #children = new Map<string, Child>();
  readonly #byPid = new Map<string, Child>();

  constructor(process: Process) {
    this.#process = process;
  }

  get size(): number {
    return this.#children.size;
  }

  /** In order of start. */
  list(): Child[] {
    return [...this.#children.values()];
  }

  get(key: string): Child | undefined {
    return this.#children.get(key);
  }

  withPid(pid: Pid): Child | undefined {
    return this.#byPid.get(pid.key);
  }

  add(child: Child): void {
    this.#children.set(child.key, child);
  }

  remove(child: Child): void {
    this.forgetRun(child);
    this.#children.delete(child.key);
  }

  /** The child does not run and no restart is due. */
  forgetRun(child: Child): void {
    if (child.pid !== undefined) this.#byPid.delete(child.pid.key);
    child.pid = undefined;
    if (child.retry?.timer !== undefined) this.#process.cancelTimer(child.retry.timer);
    child.retry = undefined;
  }

  /** Rejects with what the start rejects with; `child.pid` is set otherwise. */
  async start(child: Child): Promise<Pid> {
    this.forgetRun(child);
    const pid = await this.#startProcess(child.spec);
    child.pid = pid;
    child.heldSince = undefined;
    child.heldAttempts = 0;
    this.#byPid.set(pid.key, child);
    return pid;
  }

  /** Ends the process, if one runs, and resolves when it has ended. */
  async stop(child: Child): Promise<void> {
    const { pid, spec } = child;
    this.forgetRun(child);
    if (pid === undefined) return;
    const graceMs = shutdownGraceMs(spec);
    if (graceMs === undefined || !(await this.#shutDown(pid, graceMs))) await this.#kill(pid);
  }

  async #startProcess({ start, id }: ChildSpec): Promise<Pid> {
    const { runtime, self } = this.#process;
    if (typeof start !== 'function') {
      const options = { label: id, ...start.options, link: self };
      return startServer(runtime, { server: start.server, argument: start.argument, options });
    }
    const pid = await start(runtime, self);
    // A function that forgot to link would leave an orphan; one that did not loses nothing.
    this.#process.link(pid);
    return pid;
  }

  /** False when the process is still there after the grace. */
  async #shutDown(pid: Pid, graceMs: number): Promise<boolean> {
    const down = this.#process.runtime.whenDown(pid, { timeoutMs: graceMs });
    this.#process.exitOther(pid, shutdown);
    try {
      await down;
      return true;
    } catch (error) {
      if (hasCode(error, 'timeout')) return false;
      throw error;
    }
  }

  async #kill(pid: Pid): Promise<void> {
    const down = this.#process.runtime.whenDown(pid, { timeoutMs: Number.POSITIVE_INFINITY });
    this.#process.exitOther(pid, kill);
    await down;
  }
}

/** `undefined` means no grace at all. */
function shutdownGraceMs({ shutdownMs, type }: ChildSpec): number | undefined {
  if (shutdownMs === 'brutal_kill') return undefined;
  if (shutdownMs === 'infinity') return Number.POSITIVE_INFINITY;
  return shutdownMs ?? (type === 'supervisor' ? Number.POSITIVE_INFINITY : 5000);
}

/** True when a start failed because of a name whose holder is unknown, or a process of this node that has ended. */
export function isNameHeldByTheDead(error: unknown, runtime: Runtime): boolean {
  if (!hasCode(error, 'already_started')) return false;
  const holder = (error as { details?: { pid?: unknown } }).details?.pid;
  if (!(holder instanceof Pid)) return true;
  return holder.node === runtime.name && !runtime.isAlive(holder);
}
