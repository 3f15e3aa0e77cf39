// One process of the cluster: a node, its registry, the servers that it hosts, and a client that calls all names.
// Started by the demo with a plan as its argument; ends when told to, or when the demo has gone.
import { type Log, Node, type Registry } from '../src/index.ts';
import { Caller } from './caller.ts';
import { type Command, type Report, shortName, type WorkerPlan } from './messages.ts';
import { nowUs, Witness } from './witness.ts';

const watchMs = 5;
const tallyMs = 100;
const startsAtATime = 100;

function report(message: Report): void {
  if (process.connected) process.send?.(message);
}

const ignore = (): void => undefined;
const log: Log = {
  debug: ignore,
  info: ignore,
  warn: (_fields, message) => {
    if (message.includes('fenced')) report({ type: 'fenced', atUs: nowUs() });
  },
  error: (fields, message) => report({ type: 'alarm', what: `${message} ${JSON.stringify(fields)}` }),
};

class Worker {
  readonly #node: Node;
  readonly #witness: Witness;
  readonly #registry: Registry;
  readonly #caller: Caller;
  readonly #timers: NodeJS.Timeout[] = [];
  #leader: string | undefined;
  #phase = '';

  private constructor(plan: WorkerPlan, node: Node, registry: Registry) {
    this.#node = node;
    this.#registry = registry;
    this.#witness = new Witness(plan.witness, plan.node);
    this.#caller = new Caller({
      node,
      registry,
      witness: this.#witness,
      names: plan.names,
      tourMs: plan.tourMs,
      onRound: (id, atUs) => report({ type: 'round', id, atUs }),
    });
    this.#timers.push(setInterval(() => this.#watch(), watchMs));
    this.#timers.push(setInterval(() => this.#tell(), tallyMs));
  }

  static async start(plan: WorkerPlan): Promise<Worker> {
    const { node: name, store, tenant, leaseMs, sessionMs } = plan;
    const from = nowUs();
    const node = await Node.start({ name, store, tenant, log });
    const registry = await node.registry('rooms', { leaseMs, sessionMs, drainTimeoutMs: 3_000 });
    report({ type: 'ready', startMs: (nowUs() - from) / 1_000 });
    return new Worker(plan, node, registry);
  }

  take(command: Command): void {
    switch (command.type) {
      case 'own':
        this.#own(command.names).then(() => report({ type: 'owned' }), fail);
        return;
      case 'callAll':
        this.#caller.run(command.run);
        return;
      case 'round':
        this.#caller.round(command.id);
        return;
      case 'fresh':
        this.#caller
          .start(command.name)
          .catch((error: Error) => report({ type: 'alarm', what: `${command.name}: ${error.message}` }));
        return;
      case 'close':
        this.#close().catch(fail);
        return;
      default:
        command satisfies never;
    }
  }

  async #own(names: readonly string[]): Promise<void> {
    for (let at = 0; at < names.length; at += startsAtATime)
      await Promise.all(names.slice(at, at + startsAtATime).map((name) => this.#caller.start(name)));
  }

  #watch(): void {
    const { phase, leader } = this.#registry.status();
    const name = leader === undefined ? undefined : shortName(leader[0]);
    if (name !== this.#leader) report({ type: 'leader', leader: name, atUs: nowUs() });
    if (phase !== this.#phase) report({ type: 'phase', phase, atUs: nowUs() });
    this.#leader = name;
    this.#phase = phase;
  }

  #tell(): void {
    const failures = this.#caller.takeFailures();
    report({ type: 'tally', tally: { ...this.#caller.tally }, failures });
  }

  async #close(): Promise<void> {
    this.#caller.close();
    for (const timer of this.#timers) clearInterval(timer);
    this.#tell();
    await this.#node.close();
    this.#tell();
    this.#witness.close();
    process.disconnect();
  }
}

function fail(error: unknown): never {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
}

// Ctrl-C reaches the whole group of processes; what follows from it is for the demo to say.
process.on('SIGINT', ignore);
process.on('disconnect', () => {
  // In good order everything is closed by now, and the process ends by itself. Else the demo has gone.
  setTimeout(() => process.exit(1), 2_000).unref();
});

const plan = JSON.parse(process.argv[2] ?? '{}') as WorkerPlan;
try {
  const worker = await Worker.start(plan);
  process.on('message', (command) => worker.take(command as Command));
} catch (error) {
  fail(error);
}
