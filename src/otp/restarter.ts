// What a supervisor does when a child ends: restart it and whatever its strategy says goes with it, or count it as done.
// Each restart counts towards the intensity; a restart that fails is tried again at once and counts again, so a child that
// cannot start ends its supervisor soon. The one exception is a name that a dead process still has: the restart is then
// tried again, at growing intervals and without being counted, for up to 5 s before it counts as failed.
import { hasCode } from '../errors/error.ts';
import { shutdown } from '../process/reasons.ts';
import type { ExitMessage, Process } from '../process/types.ts';
import { type Child, type Children, isNameHeldByTheDead, Retry } from './children.ts';
import { isNormalExit } from './reasons.ts';
import type { RestartIntensity } from './restart-intensity.ts';

const NAME_WAIT_MS = 5000;
const NAME_RETRY_FIRST_MS = 10;
const NAME_RETRY_MAX_MS = 320;

export interface RestartPlan {
  readonly process: Process;
  readonly children: Children;
  readonly intensity: RestartIntensity;
  /** The child and those that are stopped and started with it, in order of start. */
  affected(child: Child): Child[];
  /** Children that are done are forgotten altogether, not only the temporary ones. */
  readonly forgetDone: boolean;
  /** More restarts than allowed: the supervisor ends with this reason. */
  giveUp(reason: unknown): void;
}

export class Restarter {
  readonly #plan: RestartPlan;

  constructor(plan: RestartPlan) {
    this.#plan = plan;
  }

  /** A linked process ended: a child, or one that was stopped on purpose and is known no longer. */
  async ended({ from, reason }: ExitMessage): Promise<void> {
    const { children, process, forgetDone } = this.#plan;
    const child = children.withPid(from);
    if (child === undefined) return;
    children.forgetRun(child);
    const { restart = 'permanent', id } = child.spec;
    if (restart === 'permanent' || (restart === 'transient' && !isNormalExit(reason))) {
      process.runtime.host.log.warn(
        { supervisor: String(process.self), child: id, reason },
        'a child ended and is restarted',
      );
      await this.#restart(child);
    } else if (restart === 'temporary' || forgetDone) children.remove(child);
  }

  async retry(retry: Retry): Promise<void> {
    const { child, counts } = retry;
    if (child.retry !== retry) return;
    await (counts ? this.#restart(child) : this.#revive(child));
  }

  async #restart(child: Child): Promise<void> {
    const { intensity, process, giveUp } = this.#plan;
    const { host } = process.runtime;
    if (intensity.allow(host.clock.now())) return this.#revive(child);
    host.log.error(
      { supervisor: String(process.self), child: child.spec.id },
      'too many restarts: the supervisor ends',
    );
    giveUp(shutdown);
  }

  async #revive(child: Child): Promise<void> {
    const affected = this.#plan.affected(child);
    await this.#stopForRestart(affected, child);
    for (const each of affected) {
      if (each !== child && each.spec.restart === 'temporary') continue;
      try {
        await this.#plan.children.start(each);
      } catch (error) {
        this.#retryLater(each, error);
        return;
      }
    }
  }

  /** In reverse order of start. Temporary ones among them are not started again, so they are gone. */
  async #stopForRestart(affected: readonly Child[], failed: Child): Promise<void> {
    const { children } = this.#plan;
    for (const each of affected.toReversed()) {
      await children.stop(each);
      if (each !== failed && each.spec.restart === 'temporary') children.remove(each);
    }
  }

  #retryLater(child: Child, error: unknown): void {
    const { process, giveUp } = this.#plan;
    const { log } = process.runtime.host;
    // The node closes: nothing will start any more.
    if (hasCode(error, 'closed')) {
      giveUp(shutdown);
      return;
    }
    log.warn(
      { supervisor: String(process.self), child: child.spec.id, error },
      'a child could not be restarted',
    );
    const delayMs = nameRetryDelayMs(child, { error, process });
    const retry = new Retry(child, delayMs === undefined);
    child.retry = retry;
    if (delayMs === undefined) process.send(process.self, retry);
    else retry.timer = process.sendAfter(delayMs, process.self, retry);
  }
}

/** How long to wait before a start is tried again that failed because a dead process has the name; `undefined` for every other failure, and when it has been tried long enough. */
export function nameRetryDelayMs(
  child: Child,
  failure: { error: unknown; process: Process },
): number | undefined {
  const { runtime } = failure.process;
  const now = runtime.host.clock.now();
  if (isNameHeldByTheDead(failure.error, runtime)) {
    child.heldSince ??= now;
    if (now - child.heldSince < NAME_WAIT_MS) {
      child.heldAttempts += 1;
      return Math.min(NAME_RETRY_FIRST_MS * 2 ** (child.heldAttempts - 1), NAME_RETRY_MAX_MS);
    }
  }
  child.heldSince = undefined;
  child.heldAttempts = 0;
  return undefined;
}
