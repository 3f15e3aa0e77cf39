// A supervisor: a server that starts its children in order, restarts them by a strategy, and stops them in reverse order.
// It is started, named, called and nested like any other server:
//
//   const tree = await start(runtime, Supervisor, {
//     strategy: 'rest_for_one',
//     children: [
//       child('cache', Cache, { entriesMax: 100 }, { name: 'cache' }),
//       child('workers', Supervisor, { children: [child('mailer', Mailer)] }, { type: 'supervisor' }),
//     ],
//   });
//   await call(runtime, tree, 'whichChildren');
import { DGenError } from '../errors/error.ts';
import { isExitMessage } from '../process/messages.ts';
import type { Pid } from '../term/pid.ts';
import { type ChildSpec, checkChildSpec } from './child-spec.ts';
import { Child, Children, Retry } from './children.ts';
import { type Refusal, refuse } from './control.ts';
import { GenServer } from './gen-server.ts';
import { type IntensityOptions, RestartIntensity } from './restart-intensity.ts';
import { nameRetryDelayMs, Restarter } from './restarter.ts';
import { type ChildCounts, type ChildInfo, countChildren, infoOf } from './supervisor-info.ts';

/** Who is restarted with a child: nobody, everybody, or those that were started after it. */
export type Strategy = 'one_for_one' | 'one_for_all' | 'rest_for_one';

const STRATEGIES: readonly string[] = ['one_for_one', 'one_for_all', 'rest_for_one'] satisfies Strategy[];
const CHILDREN_MAX = 100_000;

export interface SupervisorOptions extends IntensityOptions {
  /** Default `one_for_one`. */
  readonly strategy?: Strategy;
  /** Started in this order. One that fails stops those before it, and fails the start of the supervisor with its error as `cause`. */
  readonly children?: readonly ChildSpec[];
  /** Default 100,000. Beyond it `startChild` rejects with `system_limit`. */
  readonly childrenMax?: number;
}

/** The requests of a `Supervisor`. Requests wait while children are started, stopped or restarted. */
export type SupervisorCalls = {
  /** Adds a child and resolves with its pid. Rejects with what its start rejects with, and the child is not kept; with `already_started` when the id is taken (`details.pid` if that child runs), `system_limit`, `badarg`. */
  startChild(spec: ChildSpec): Promise<Pid | Refusal>;
  /** Stops a child and calls a due restart off. Its spec stays for `restartChild`, unless it is temporary. */
  terminateChild(id: string): Promise<'ok' | 'not_found'>;
  /** Starts a child that does not run. Rejects with what its start rejects with, `noproc` for an unknown id, `already_started` when it runs or a restart is due. */
  restartChild(id: string): Promise<Pid | Refusal>;
  /** Forgets a child that does not run. */
  deleteChild(id: string): 'ok' | 'not_found' | 'running' | 'restarting';
  /** In order of start. */
  whichChildren(): ChildInfo[];
  countChildren(): ChildCounts;
};

/**
 * A process that keeps others running. With more than `maxRestarts` restarts within `maxSeconds` (default 3 within 5 s) it stops all children
 * and ends with reason `shutdown`. It has no start deadline of its own: each child has one. The exit of its parent stops the children in
 * reverse order, one after the other.
 */
export class Supervisor extends GenServer {
  static readonly type: string = 'supervisor';
  static readonly startTimeoutMs: number = Number.POSITIVE_INFINITY;
  readonly #children: Children = new Children(this.process);
  #strategy: Strategy = 'one_for_one';
  #childrenMax = CHILDREN_MAX;
  #restarter!: Restarter;

  async init(options: SupervisorOptions = {}): Promise<void> {
    const { strategy = 'one_for_one', children = [], childrenMax = CHILDREN_MAX } = options;
    if (!STRATEGIES.includes(strategy)) {
      throw new DGenError('badarg', 'strategy', { expected: STRATEGIES.join(', '), got: String(strategy) });
    }
    this.process.trapExit(true);
    this.#strategy = strategy;
    this.#childrenMax = childrenMax;
    this.#restarter = this.#createRestarter(options);
    for (const spec of children) this.#add(spec);
    try {
      for (const each of this.#children.list()) await this.#startFirst(each);
    } catch (error) {
      await this.#stopAll();
      throw error;
    }
  }

  readonly handleCall: SupervisorCalls = {
    startChild: async (spec) => {
      try {
        const added = this.#add(spec);
        return await this.#children.start(added).catch((error) => {
          this.#children.remove(added);
          throw error;
        });
      } catch (error) {
        return refuse(error as Error);
      }
    },
    terminateChild: async (id) => {
      const known = this.#children.get(id);
      if (known === undefined) return 'not_found';
      await this.#children.stop(known);
      if (known.spec.restart === 'temporary') this.#children.remove(known);
      return 'ok';
    },
    restartChild: async (id) => {
      const known = this.#children.get(id);
      if (known === undefined) return refuse(new DGenError('noproc', `no child ${id}`));
      if (isActive(known)) return refuse(taken(known));
      return this.#children.start(known).catch((error) => refuse(error as Error));
    },
    deleteChild: (id) => {
      const known = this.#children.get(id);
      if (known === undefined) return 'not_found';
      if (isActive(known)) return known.pid === undefined ? 'restarting' : 'running';
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
    await this.#stopAll();
  }

  /** Throws `badarg`, `already_started`, `system_limit`. */
  #add(spec: ChildSpec): Child {
    checkChildSpec(spec);
    const known = this.#children.get(spec.id);
    if (known !== undefined) throw taken(known);
    if (this.#children.size >= this.#childrenMax) {
      throw new DGenError('system_limit', 'too many children', {
        details: { childrenMax: this.#childrenMax },
      });
    }
    const added = new Child(spec.id, spec);
    this.#children.add(added);
    return added;
  }

  /** A tree that was restarted as a whole may find names that its dead predecessors still have. */
  async #startFirst(first: Child): Promise<void> {
    for (;;) {
      try {
        await this.#children.start(first);
        return;
      } catch (error) {
        const delayMs = nameRetryDelayMs(first, { error, process: this.process });
        if (delayMs === undefined) throw error;
        await new Promise<void>((resolve) => void this.node.host.timers.after(delayMs, resolve));
      }
    }
  }

  async #stopAll(): Promise<void> {
    for (const each of this.#children.list().reverse()) await this.#children.stop(each);
  }

  #createRestarter(options: IntensityOptions): Restarter {
    return new Restarter({
      process: this.process,
      children: this.#children,
      intensity: new RestartIntensity(options),
      affected: (failed) => this.#affected(failed),
      forgetDone: false,
      giveUp: (reason) => this.stop(reason),
    });
  }

  #affected(failed: Child): Child[] {
    if (this.#strategy === 'one_for_one') return [failed];
    const all = this.#children.list();
    return this.#strategy === 'one_for_all' ? all : all.slice(all.indexOf(failed));
  }
}

function isActive(known: Child): boolean {
  return known.pid !== undefined || known.retry !== undefined;
}

function taken({ spec, pid }: Child): DGenError {
  const details = pid === undefined ? { id: spec.id } : { id: spec.id, pid };
  return new DGenError('already_started', `there is a child ${spec.id}`, { details });
}
