// A supervisor for many children of a kind, or of several, that come and go: sessions, connections, jobs. It starts with
// none, knows them by pid, forgets those that are done, restarts one by one, and stops all of them at the same time.
//
//   const sessions = await start(runtime, DynamicSupervisor, { childrenMax: 10_000 });
//   const pid = await call(runtime, sessions, 'startChild', child('session', Session, user, { restart: 'temporary' }));
import { DGenError } from '../errors/error.ts';
import { isExitMessage } from '../process/messages.ts';
import type { Pid } from '../term/pid.ts';
import { type ChildSpec, checkChildSpec } from './child-spec.ts';
import { Child, Children, Retry } from './children.ts';
import { type Refusal, refuse } from './control.ts';
import { GenServer } from './gen-server.ts';
import { type IntensityOptions, RestartIntensity } from './restart-intensity.ts';
import { Restarter } from './restarter.ts';
import { type ChildCounts, type ChildInfo, countChildren, infoOf } from './supervisor-info.ts';

const CHILDREN_MAX = 100_000;

export interface DynamicSupervisorOptions extends IntensityOptions {
  /** Default 100,000. Beyond it `startChild` rejects with `system_limit`. */
  readonly childrenMax?: number;
}

/** The requests of a `DynamicSupervisor`. */
export type DynamicSupervisorCalls = {
  /** Starts a child and resolves with its pid; the `id` is a label, many may have the same. Rejects with what the start rejects with, `system_limit`, `badarg`. */
  startChild(spec: ChildSpec): Promise<Pid | Refusal>;
  /** Stops a child and forgets it. */
  terminateChild(pid: Pid): Promise<'ok' | 'not_found'>;
  /** In order of start. */
  whichChildren(): ChildInfo[];
  countChildren(): ChildCounts;
};

/** As `Supervisor` with strategy `one_for_one`, but for what the head of this file says. */
export class DynamicSupervisor extends GenServer {
  static readonly type: string = 'dynamic_supervisor';
  readonly #children: Children = new Children(this.process);
  #childrenMax = CHILDREN_MAX;
  #childrenStarted = 0;
  #restarter!: Restarter;

  init(options: DynamicSupervisorOptions = {}): void {
    this.process.trapExit(true);
    this.#childrenMax = options.childrenMax ?? CHILDREN_MAX;
    this.#restarter = new Restarter({
      process: this.process,
      children: this.#children,
      intensity: new RestartIntensity(options),
      affected: (failed) => [failed],
      forgetDone: true,
      giveUp: (reason) => this.stop(reason),
    });
  }

  readonly handleCall: DynamicSupervisorCalls = {
    startChild: async (spec) => {
      try {
        const added = this.#create(spec);
        const pid = await this.#children.start(added);
        this.#children.add(added);
        return pid;
      } catch (error) {
        return refuse(error as Error);
      }
    },
    terminateChild: async (pid) => {
      const known = this.#children.withPid(pid);
      if (known === undefined) return 'not_found';
      await this.#children.stop(known);
      this.#children.remove(known);
      return 'ok';
    },
    whichChildren: () => this.#children.list().map(infoOf),
    countChildren: () => countChildren(this.#children.list()),
  };

  async handleInfo(message: unknown): Promise<void> {
    if (isExitMessage(message)) await this.#restarter.ended(message);
    else if (message instanceof Retry) await this.#restarter.retry(message);
  }

  async terminate(): Promise<void> {
    await Promise.all(this.#children.list().map((each) => this.#children.stop(each)));
  }

  /** Throws `badarg`, `system_limit`. */
  #create(spec: ChildSpec): Child {
    checkChildSpec(spec);
    if (this.#children.size >= this.#childrenMax) {
      throw new DGenError('system_limit', 'too many children', {
        details: { childrenMax: this.#childrenMax },
      });
    }
    this.#childrenStarted += 1;
    return new Child(String(this.#childrenStarted), spec);
  }
}
