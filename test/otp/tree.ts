// A supervisor with workers that write down what happens to them.
import assert from 'node:assert/strict';
import {
  type ChildSpec,
  call,
  child,
  GenServer,
  type ServerPid,
  Supervisor,
  type SupervisorOptions,
  start,
} from '../../src/otp/index.ts';
import { atom } from '../../src/term/atom.ts';
import type { Pid } from '../../src/term/pid.ts';
import { tuple } from '../../src/term/tuple.ts';
import type { World } from './support.ts';

export interface WorkerPlan {
  readonly id: string;
  readonly log: string[];
  /** Starts beyond this one fail. */
  readonly startsMax?: number;
  readonly stubborn?: boolean;
}

export class Worker extends GenServer {
  #plan!: WorkerPlan;
  init(plan: WorkerPlan) {
    this.#plan = plan;
    const starts = plan.log.filter(
      (line) => line === `start ${plan.id}` || line === `fail ${plan.id}`,
    ).length;
    if (starts >= (plan.startsMax ?? Number.POSITIVE_INFINITY)) {
      plan.log.push(`fail ${plan.id}`);
      throw new Error(`${plan.id} does not start`);
    }
    this.process.trapExit(true);
    plan.log.push(`start ${plan.id}`);
  }
  handleCast = { end: (reason: unknown) => this.stop(reason) };
  async terminate(reason: unknown) {
    if (this.#plan.stubborn) await new Promise(() => undefined);
    this.#plan.log.push(`end ${this.#plan.id} ${String(reason)}`);
  }
}

export interface Tree {
  readonly pid: ServerPid<Supervisor>;
  readonly log: string[];
  pidOf(id: string): Promise<Pid>;
  /** Ends a child and lets the supervisor act. */
  end(id: string, reason: unknown): Promise<void>;
  /** Since the last look. */
  events(): string[];
  ids(): Promise<string[]>;
}

export type Ids = readonly (string | ChildSpec)[];

export function worker(log: string[], spec: string | ChildSpec): ChildSpec {
  return typeof spec === 'string' ? child(spec, Worker, { id: spec, log }) : spec;
}

export async function tree(
  world: World,
  options: Omit<SupervisorOptions, 'children'>,
  specs: Ids,
): Promise<Tree> {
  const { run, runtime, settle } = world;
  const log: string[] = [];
  const children = specs.map((spec) => worker(log, spec));
  const pid = await run(start(runtime, Supervisor, { ...options, children }));
  const pidOf = async (id: string): Promise<Pid> => {
    const found = (await run(call(runtime, pid, 'whichChildren'))).find((info) => info.id === id)?.pid;
    assert.ok(found !== undefined && found !== 'restarting', `${id} does not run`);
    return found;
  };
  const end = async (id: string, reason: unknown): Promise<void> => {
    runtime.cast(await pidOf(id), tuple(atom('end'), reason));
    await settle();
  };
  const ids = async (): Promise<string[]> =>
    (await run(call(runtime, pid, 'whichChildren'))).map(
      (info) => `${info.id} ${typeof info.pid === 'object' ? 'runs' : info.pid}`,
    );
  return { pid, log, pidOf, end, ids, events: () => log.splice(0) };
}
