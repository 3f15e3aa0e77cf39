// A workload that is on record: clients of one node register, unregister, read and end processes under a few names that
// everybody wants, look into snapshots, and note everything as the judge of runs takes it.
import { type Behaviour, DGenError, type Node, type Pid, type Registry } from '../../../src/index.ts';
import type { OperationRecord, RunRecord } from '../../../src/invariants/run-record.ts';
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
  readonly records: readonly RunRecord[];
  readonly failures: Readonly<Record<string, number>>;
  readonly answered: number;
  readonly slowestMs: number;
}

/** JSON has no infinity: such an end is left out on the way. */
export type PlainReport = Omit<ChurnReport, 'records'> & {
  readonly records: readonly (Exclude<RunRecord, OperationRecord> | Partial<OperationRecord>)[];
};

class Idle implements Behaviour {
  handle(): void {}
}

type Answer = Pick<OperationRecord, 'result' | 'holder' | 'token'>;

export class Churn {
  readonly #node: Node;
  readonly #registry: Registry;
  readonly #order: ChurnOrder;
  readonly #life: string;
  readonly #records: RunRecord[] = [];
  readonly #failures: Map<string, number> = new Map();
  readonly #running: Promise<void>[];
  #slowestMs = 0;
  #answered = 0;
  #over = false;

  constructor(node: Node, registry: Registry, order: ChurnOrder) {
    this.#node = node;
    this.#registry = registry;
    this.#order = order;
    this.#life = `${node.name} ${process.pid}`;
    this.#running = Array.from({ length: order.clients }, (_, index) =>
      this.#client(`${node.name}/${index}`),
    );
  }

  async stop(): Promise<PlainReport> {
    this.#over = true;
    await Promise.all(this.#running);
    return {
      records: this.#records.map((one) =>
        one.kind === 'operation' && one.end === Number.POSITIVE_INFINITY ? withoutEnd(one) : one,
      ),
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
      else if (chance < 0.9) await this.#read(client, name);
      else this.#look(name);
      await new Promise((resolve) => setTimeout(resolve, pauseMs * (0.5 + Math.random())));
    }
  }

  async #register(client: string, name: string): Promise<void> {
    const { runtime } = this.#node;
    const pid = runtime.spawnBehaviour(new Idle());
    runtime.watchDown(pid, (reason) => {
      const fenced = String(reason) === 'fenced';
      this.#note({ kind: 'ended', life: this.#life, process: pid.key, at: nowMs(), fenced });
    });
    const done = await this.#ask({ client, name, type: 'register', process: pid.key }, async (wait) => {
      const outcome = await this.#registry.register(name, pid, wait);
      const token = `${outcome.token.epoch}.${outcome.token.n}`;
      return outcome.status === 'registered'
        ? { result: 'registered', token }
        : { result: 'taken', holder: outcome.holder.key, token };
    });
    // What is held is given up after a while; what may be held without our knowing, at once.
    if (done.result === 'registered') setTimeout(() => this.#end(pid, 'done'), 100 + 400 * Math.random());
    else this.#end(pid, 'unused');
  }

  #end(pid: Pid, reason: string): void {
    this.#note({ kind: 'ending', life: this.#life, process: pid.key, at: nowMs() });
    this.#node.runtime.terminate(pid, reason);
  }

  async #unregister(client: string, name: string): Promise<void> {
    await this.#ask({ client, name, type: 'unregister' }, async (wait) => {
      await this.#registry.unregister(name, wait);
      return { result: 'done' };
    });
  }

  async #read(client: string, name: string): Promise<void> {
    await this.#ask({ client, name, type: 'read' }, async (wait) => {
      const found = await this.#registry.lookupConsistent(name, wait);
      if (found === undefined) return { result: 'absent' };
      const { epoch, n } = found.token;
      return { result: 'found', holder: found.pid.key, token: `${epoch}.${n}` };
    });
  }

  #look(name: string): void {
    const { member, sessionMsLeft } = this.#registry.status();
    const at = nowMs();
    const found = this.#registry.lookup(name);
    if (sessionMsLeft !== undefined)
      this.#note({ kind: 'session', life: this.#life, at, until: at + sessionMsLeft });
    const shown = found && { holder: found.pid.key, token: `${found.token.epoch}.${found.token.n}` };
    this.#note({ kind: 'snapshot', life: this.#life, at, name, member, ...shown });
  }

  #note(record: RunRecord): void {
    this.#records.push(record);
  }

  async #ask(
    what: Pick<OperationRecord, 'client' | 'name' | 'type' | 'process'>,
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
      // After a change of leader it may be unknown whether an unregistration was taken before: it is on record as such.
      const unsure = what.type === 'unregister' && code === 'unknown_outcome';
      if (!unsure) this.#failures.set(code, (this.#failures.get(code) ?? 0) + 1);
      const maybe = !(error instanceof DGenError) || error.maybeExecuted === true;
      answer = { result: maybe ? 'unknown' : 'failed' };
    }
    this.#note({ kind: 'operation', life: this.#life, ...what, start, end, ...answer });
    return answer;
  }
}

function withoutEnd({ end: _, ...rest }: OperationRecord): Partial<OperationRecord> {
  return rest;
}

/** The report as it came over a channel. */
export function restored(report: PlainReport): ChurnReport {
  const records = report.records.map(
    (one) => (one.kind === 'operation' ? { end: Number.POSITIVE_INFINITY, ...one } : one) as RunRecord,
  );
  return { ...report, records };
}
