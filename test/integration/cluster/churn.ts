// A workload that is on record: clients of one node register, unregister, read and end processes under a few names that
// everybody wants, and note each call with its interval and its answer, for the checker of linearizability.
import { type Behaviour, DGenError, type Node, type Pid, type Registry } from '../../../src/index.ts';
import type { Operation } from '../../../src/invariants/linearize.ts';
import { nowMs } from './orders.ts';

export interface ChurnOrder {
  readonly names: readonly string[];
  readonly clients: number;
  readonly timeoutMs: number;
  /** Between two calls of one client. */
  readonly pauseMs: number;
}

/** What went wrong in calls, by code, and how long calls took that got an answer. */
export interface ChurnReport {
  readonly history: readonly Operation[];
  readonly failures: Readonly<Record<string, number>>;
  readonly answered: number;
  readonly slowestMs: number;
}

/** JSON has no infinity: such an end is left out on the way. */
export type PlainReport = Omit<ChurnReport, 'history'> & { readonly history: readonly Partial<Operation>[] };

class Idle implements Behaviour {
  handle(): void {}
}

type Answer = Pick<Operation, 'result' | 'holder'>;

export class Churn {
  readonly #node: Node;
  readonly #registry: Registry;
  readonly #order: ChurnOrder;
  readonly #history: Operation[] = [];
  readonly #failures: Map<string, number> = new Map();
  readonly #running: Promise<void>[];
  #slowestMs = 0;
  #answered = 0;
  #over = false;

  constructor(node: Node, registry: Registry, order: ChurnOrder) {
    this.#node = node;
    this.#registry = registry;
    this.#order = order;
    this.#running = Array.from({ length: order.clients }, (_, index) =>
      this.#client(`${node.name}/${index}`),
    );
  }

  async stop(): Promise<PlainReport> {
    this.#over = true;
    await Promise.all(this.#running);
    return {
      history: this.#history.map((one) => (one.end === Number.POSITIVE_INFINITY ? withoutEnd(one) : one)),
      failures: Object.fromEntries(this.#failures),
      answered: this.#answered,
      slowestMs: this.#slowestMs,
    };
  }

  async #client(client: string): Promise<void> {
    const { names, pauseMs } = this.#order;
    while (!this.#over) {
      const name = names[Math.floor(Math.random() * names.length)] as string;
      const chance = Math.random();
      if (chance < 0.55) await this.#register(client, name);
      else if (chance < 0.7) await this.#unregister(client, name);
      else await this.#read(client, name);
      await new Promise((resolve) => setTimeout(resolve, pauseMs * (0.5 + Math.random())));
    }
  }

  async #register(client: string, name: string): Promise<void> {
    const { runtime } = this.#node;
    const pid = runtime.spawnBehaviour(new Idle());
    let endedAt: number | undefined;
    let mayHold = false;
    runtime.watchDown(pid, () => {
      endedAt = nowMs();
      if (mayHold) this.#exited(client, name, { pid, endedAt });
    });
    const done = await this.#ask({ client, name, type: 'register', process: pid.key }, async (wait) => {
      const outcome = await this.#registry.register(name, pid, wait);
      return outcome.status === 'registered'
        ? { result: 'registered' }
        : { result: 'taken', holder: outcome.holder.key };
    });
    mayHold = done.result === 'registered' || done.result === 'unknown';
    if (mayHold && endedAt !== undefined) this.#exited(client, name, { pid, endedAt });
    // What is held is given up after a while; what may be held without our knowing, at once.
    if (done.result === 'registered')
      setTimeout(() => runtime.terminate(pid, 'done'), 100 + 400 * Math.random());
    else runtime.terminate(pid, 'unused');
  }

  #exited(client: string, name: string, of: { pid: Pid; endedAt: number }): void {
    const end = Number.POSITIVE_INFINITY;
    const process = of.pid.key;
    this.#history.push({ client, name, type: 'exit', process, start: of.endedAt, end, result: 'unknown' });
  }

  async #unregister(client: string, name: string): Promise<void> {
    await this.#ask({ client, name, type: 'unregister' }, async (wait) => {
      await this.#registry.unregister(name, wait);
      return { result: 'done' };
    });
  }

  async #read(client: string, name: string): Promise<void> {
    await this.#ask({ client, name, type: 'read' }, async (wait) => {
      const pid = await this.#registry.whereisConsistent(name, wait);
      return pid === undefined ? { result: 'absent' } : { result: 'found', holder: pid.key };
    });
  }

  async #ask(
    what: Pick<Operation, 'client' | 'name' | 'type' | 'process'>,
    call: (wait: { timeoutMs: number }) => Promise<Answer>,
  ): Promise<Answer> {
    const start = nowMs();
    let answer: Answer;
    let end = Number.POSITIVE_INFINITY;
    try {
      answer = await call({ timeoutMs: this.#order.timeoutMs });
      end = nowMs();
      this.#answered += 1;
      this.#slowestMs = Math.max(this.#slowestMs, end - start);
    } catch (error) {
      const code = error instanceof DGenError ? error.code : 'none';
      this.#failures.set(code, (this.#failures.get(code) ?? 0) + 1);
      const maybe = !(error instanceof DGenError) || error.maybeExecuted === true;
      answer = { result: maybe ? 'unknown' : 'failed' };
    }
    this.#history.push({ ...what, start, end, ...answer });
    return answer;
  }
}

function withoutEnd({ end: _, ...rest }: Operation): Partial<Operation> {
  return rest;
}

/** The report as it came over a channel. */
export function restored(report: PlainReport): ChurnReport {
  const history = report.history.map((one) => ({ end: Number.POSITIVE_INFINITY, ...one }) as Operation);
  return { ...report, history };
}
