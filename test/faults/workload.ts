// The clients of one node: they register, unregister, read, look and call under a few names that everybody wants, and write
// down each call before it is made and each answer when it is there. Names change every half minute, so that no name's
// history is too long to be judged.
import type { Witness } from '../../demo/witness.ts';
import { DGenError, type FencingToken, type Node, type Pid, type Registry } from '../../src/index.ts';
import { type AnswerFact, type CallFact, type JournalWriter, nowMs } from './journal.ts';
import { Owner } from './owner.ts';

const clients = 4;
const timeoutMs = 2_000;
const pauseMs = 20;
const periodMs = 30_000;
/** These are free only when their owner ends, which writes to the witness until then. */
const guardedNames = 8;
/** These are unregistered by anybody. */
const openNames = 8;

type Answer = Omit<AnswerFact, 'fact' | 'at' | 'id'>;
type Question = Omit<CallFact, 'fact' | 'at' | 'id'>;

export interface WorkloadParts {
  readonly node: Node;
  readonly registry: Registry;
  readonly journal: JournalWriter;
  readonly witness: Witness;
}

export class Workload {
  readonly #parts: WorkloadParts;
  readonly #running: Promise<void>[];
  #nextId = 1;
  #over = false;

  constructor(parts: WorkloadParts) {
    this.#parts = parts;
    this.#running = Array.from({ length: clients }, (_, index) =>
      this.#client(`${parts.node.name}/${index}`),
    );
  }

  /** Resolves when every call has its answer. */
  async stop(): Promise<void> {
    this.#over = true;
    await Promise.all(this.#running);
  }

  async #client(client: string): Promise<void> {
    while (!this.#over) {
      await this.#step(client, aName());
      await pause(pauseMs * (0.5 + Math.random()));
    }
  }

  #step(client: string, name: string): Promise<unknown> {
    const chance = Math.random();
    if (chance < 0.5) return this.#register(client, name);
    if (chance < 0.65) return this.#read(client, name);
    if (chance < 0.8) return this.#call(client, name);
    if (chance < 0.9 && !isGuarded(name)) return this.#unregister(client, name);
    return this.#look(name);
  }

  async #register(client: string, name: string): Promise<void> {
    const { node, registry, journal, witness } = this.#parts;
    const owner = new Owner({ name, guarded: isGuarded(name), journal, witness });
    const pid = node.runtime.spawnBehaviour(owner);
    const answer = await this.#ask({ client, name, type: 'register', process: pid.key }, async (wait) => {
      const done = await registry.register(name, pid, wait);
      if (done.status === 'taken')
        return { result: 'taken', holder: done.holder.key, token: text(done.token) };
      owner.granted(done.token);
      return { result: 'registered', token: text(done.token) };
    });
    if (answer.result === 'registered') void this.#hold(pid);
    else node.runtime.terminate(pid, 'unused');
  }

  /** Keeps what was granted for a while, mostly a short one. */
  async #hold(pid: Pid): Promise<void> {
    await pause(Math.random() < 0.6 ? 50 + 500 * Math.random() : 1_000 + 7_000 * Math.random());
    this.#parts.node.runtime.terminate(pid, 'done');
  }

  #unregister(client: string, name: string): Promise<Answer> {
    return this.#ask({ client, name, type: 'unregister' }, async (wait) => {
      await this.#parts.registry.unregister(name, wait);
      return { result: 'done' };
    });
  }

  #read(client: string, name: string): Promise<Answer> {
    return this.#ask({ client, name, type: 'read' }, async (wait) => {
      const found = await this.#parts.registry.lookupConsistent(name, wait);
      if (found === undefined) return { result: 'absent' };
      return { result: 'found', holder: found.pid.key, token: text(found.token) };
    });
  }

  #call(client: string, name: string): Promise<Answer> {
    const { node, registry } = this.#parts;
    return this.#ask({ client, name, type: 'call' }, async (wait) => {
      return { result: 'answered', holder: String(await node.runtime.call(registry.via(name), 'who', wait)) };
    });
  }

  async #look(name: string): Promise<void> {
    const { registry, journal } = this.#parts;
    const holder = registry.whereis(name)?.key;
    journal.write({ fact: 'snapshot', at: nowMs(), name, ...(holder === undefined ? {} : { holder }) });
  }

  async #ask(question: Question, call: (wait: { timeoutMs: number }) => Promise<Answer>): Promise<Answer> {
    const { journal } = this.#parts;
    const id = this.#nextId++;
    journal.write({ fact: 'call', at: nowMs(), id, ...question });
    const answer = await call({ timeoutMs }).catch(failure);
    journal.write({ fact: 'answer', at: nowMs(), id, ...answer });
    return answer;
  }
}

function failure(error: unknown): Answer {
  if (!(error instanceof DGenError)) throw error;
  return { result: error.maybeExecuted === true ? 'unknown' : 'failed', code: error.code };
}

function aName(): string {
  const index = Math.floor(Math.random() * (guardedNames + openNames));
  const period = Math.floor(nowMs() / periodMs);
  return index < guardedNames ? `guarded-${period}-${index}` : `open-${period}-${index}`;
}

function isGuarded(name: string): boolean {
  return name.startsWith('guarded-');
}

function text({ epoch, n }: FencingToken): string {
  return `${epoch}.${n}`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
