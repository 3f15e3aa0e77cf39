// What happens to the cluster, in order, and what is measured on the way. Each act ends when every name has answered
// every node again; until then the node it hurt counts as hurt, and calls to it or by it may fail.
import { setTimeout as pause } from 'node:timers/promises';
import type { Cluster, ClusterFailure, WorkerProcess } from './cluster.ts';
import { type Acquisition, Ownership } from './ownership.ts';
import { count, duration, type Printer } from './report.ts';
import type { StoreProbe } from './store-probe.ts';
import { nowUs } from './witness.ts';

/** A time in which calls to and from a node may fail. */
interface Hurt {
  readonly node: string;
  readonly fromUs: number;
  toUs: number;
}

export interface Times {
  registerAllMs: number;
  killToFirstRegisterMs: number;
  killToAllNamesMs: number;
  freezeToAllNamesMs: number;
  thawToFencedMs: number;
  restartToServingMs: number;
}

export interface SceneOptions {
  readonly nodes: number;
  readonly names: readonly string[];
  readonly sessionMs: number;
  readonly witness: string;
  readonly store: StoreProbe;
  readonly signal: AbortSignal;
}

const steadyMs = 2_000;
const settleMs = 500;
const freezesMax = 10;
const freezePauseMs = 200;

export class Scenario {
  readonly times: Times = {
    registerAllMs: 0,
    killToFirstRegisterMs: 0,
    killToAllNamesMs: 0,
    freezeToAllNamesMs: 0,
    thawToFencedMs: 0,
    restartToServingMs: 0,
  };
  namesLost = 0;
  readonly #cluster: Cluster;
  readonly #printer: Printer;
  readonly #options: SceneOptions;
  readonly #ownership: Ownership;
  readonly #hurts: Hurt[] = [];
  readonly #told: Map<WorkerProcess, { calls: number; retried: number }> = new Map();
  #failuresTold = 0;

  constructor(cluster: Cluster, printer: Printer, options: SceneOptions) {
    this.#cluster = cluster;
    this.#printer = printer;
    this.#options = options;
    this.#ownership = new Ownership(options.witness);
  }

  async play(): Promise<void> {
    try {
      await this.#form();
      const killed = await this.#killLeader();
      await this.#freezeLeader();
      await this.#bringBack(killed);
      await this.#rollingRestart();
      await this.#leave();
    } finally {
      this.#ownership.close();
    }
  }

  /** Failed attempts that no act of the demo explains. */
  unexplained(): ClusterFailure[] {
    return this.#cluster.failures.filter((failure) => !this.#hurts.some((hurt) => explains(hurt, failure)));
  }

  async #form(): Promise<void> {
    const { nodes, names } = this.#options;
    this.#printer.section(`${nodes} nodes become a cluster`);
    this.#printer.text(
      'Each is an operating-system process of its own and is told nothing but the address of the store: ' +
        'through it they find each other and agree on a leader. Names are not written there.',
    );
    const numbers = Array.from({ length: nodes }, (_, index) => index + 1);
    const workers = await Promise.all(numbers.map((number) => this.#cluster.start(`n${number}`)));
    await this.#agree();
    for (const { node, pid, startMs, leader } of workers) {
      const role = leader === node ? ', leader' : '';
      this.#printer.row(`${node} serves`, `${duration(startMs * 1_000)} after its start, pid ${pid}${role}`);
    }
    await this.#register(workers, names);
    for (const worker of workers) worker.send({ type: 'callAll', run: true });
    await this.#cluster.round();
    await pause(steadyMs, undefined, { signal: this.#options.signal });
    this.#printCalls('so far');
  }

  async #register(workers: readonly WorkerProcess[], names: readonly string[]): Promise<void> {
    const fromUs = nowUs();
    for (const [index, worker] of workers.entries())
      worker.send({ type: 'own', names: names.filter((_, at) => at % workers.length === index) });
    const all = (): boolean => workers.every(({ reports }) => reports.has('owned'));
    await this.#cluster.until(all, 'all names to be registered', 20_000);
    const tookUs = nowUs() - fromUs;
    this.times.registerAllMs = tookUs / 1_000;
    const rate = count(names.length / (tookUs / 1e6));
    this.#printer.row(
      'servers started and named',
      `${count(names.length)} in ${duration(tookUs)} (${rate}/s)`,
    );
  }

  async #killLeader(): Promise<string> {
    const leader = await this.#agree();
    this.#printer.section(`The leader, ${leader.node}, is killed (SIGKILL)`);
    this.#printer.text(
      'Its servers die with it, and their names with them. On this machine its death is proven by its address, ' +
        'which refuses connections: so nobody waits for a lease to run out. The other nodes keep their names ' +
        'and go on answering from their own tables. Callers start new servers for the names that were lost.',
    );
    const lost = this.#namesOf(leader);
    const atUs = this.#hurt(leader.node, () => this.#cluster.kill(leader));
    for (const worker of this.#cluster.running) worker.send({ type: 'fresh', name: `new-on-${worker.node}` });
    const registered = (): boolean => {
      this.#ownership.update();
      return this.#ownership.since(atUs).length > 0;
    };
    await this.#cluster.until(registered, 'a new registration', 20_000);
    const back = await this.#regained(lost, atUs);
    const next = await this.#agree();
    const endUs = await this.#healed(leader.node);
    this.times.killToFirstRegisterMs = (back.firstUs - atUs) / 1_000;
    this.times.killToAllNamesMs = (back.lastUs - atUs) / 1_000;
    this.#printer.row('names lost with their host', lost.length);
    this.#printer.row(
      'first new registration',
      `${duration(back.firstUs - atUs)} after the kill; ${next.node} leads`,
    );
    this.#printer.row('first lost name has a new owner', duration(back.firstLostUs - atUs));
    this.#printer.row('all of them have', `${duration(back.lastUs - atUs)}: ${spread(back.owners)}`);
    this.#printer.row('every name answers every node', duration(endUs - atUs));
    this.#printCalls('meanwhile');
    return leader.node;
  }

  async #freezeLeader(): Promise<void> {
    const leader = await this.#agree();
    this.#printer.section(`The new leader, ${leader.node}, is frozen (SIGSTOP), and thawed later`);
    this.#printer.text(
      'A frozen node is not dead: it may go on at any moment, so nothing proves that its names are free. ' +
        `Another leads when its lease has run out; its names stay reserved until its session ` +
        `(${count(this.#options.sessionMs)} ms and a margin) has, too. Thawed, it must find out before it does anything else.`,
    );
    const lost = this.#namesOf(leader);
    const atUs = await this.#freeze(leader);
    const next = await this.#agree();
    const ledUs = nowUs();
    const back = await this.#regained(lost, atUs);
    await this.#cluster.round();
    await pause(settleMs, undefined, { signal: this.#options.signal });
    this.times.freezeToAllNamesMs = (back.lastUs - atUs) / 1_000;
    this.#printer.row('another node leads', `${duration(ledUs - atUs)} after the freeze: ${next.node}`);
    this.#printer.row('names lost with their host', lost.length);
    this.#printer.row('first lost name has a new owner', duration(back.firstLostUs - atUs));
    this.#printer.row('all of them have', `${duration(back.lastUs - atUs)}: ${spread(back.owners)}`);
    await this.#thaw(leader, lost);
  }

  async #thaw(worker: WorkerProcess, lost: readonly string[]): Promise<void> {
    const thawUs = this.#cluster.thaw(worker);
    const awake = (): boolean =>
      worker.fencedUs !== undefined && worker.phase.name === 'active' && worker.phase.atUs > worker.fencedUs;
    await this.#cluster.until(awake, `${worker.node} to join again`, 15_000);
    worker.state = 'running';
    const fencedUs = worker.fencedUs ?? 0;
    const endUs = await this.#healed(worker.node);
    this.times.thawToFencedMs = (fencedUs - thawUs) / 1_000;
    const fenced = `${duration(fencedUs - thawUs)} after the thaw`;
    this.#printer.row(
      `${worker.node} fences itself`,
      `${fenced}, and ends its ${count(lost.length)} old servers`,
    );
    this.#printer.row('it has joined again, as a new member', duration(worker.phase.atUs - thawUs));
    this.#printer.row('every name answers every node', duration(endUs - thawUs));
    this.#printCalls('since the freeze');
  }

  async #bringBack(node: string): Promise<void> {
    this.#printer.section(`The killed node, ${node}, is started again`);
    this.#printer.text(
      'It comes back under its old name as a new member: one record in the store, one transfer of the table. ' +
        'Nobody else notices.',
    );
    const worker = await this.#cluster.start(node);
    worker.send({ type: 'callAll', run: true });
    const endUs = await this.#cluster.round();
    this.times.restartToServingMs = (endUs - worker.startedUs) / 1_000;
    this.#printer.row(
      `${node} serves`,
      `${duration(worker.startMs * 1_000)} after its start, pid ${worker.pid}`,
    );
    this.#printer.row(
      'every name answers every node',
      `${duration(endUs - worker.startedUs)} after the process was made`,
    );
    this.#printCalls('meanwhile');
  }

  async #rollingRestart(): Promise<void> {
    const leader = await this.#agree();
    this.#printer.section(`The leader, ${leader.node}, leaves in good order, and comes back`);
    this.#printer.text(
      'As in a deploy: it lets go of its names, hands the office over and ends. Nothing has to be proven and ' +
        'nobody waits.',
    );
    const lost = this.#namesOf(leader);
    const atUs = this.#hurt(leader.node, nowUs);
    const leftMs = await this.#cluster.leave(leader);
    const back = await this.#regained(lost, atUs);
    const next = await this.#agree();
    const worker = await this.#cluster.start(leader.node);
    worker.send({ type: 'callAll', run: true });
    const endUs = await this.#healed(leader.node);
    this.#printer.row(
      `${leader.node} has left`,
      `${duration(leftMs * 1_000)} after it was asked to; ${next.node} leads`,
    );
    this.#printer.row('names that it let go of', lost.length);
    this.#printer.row(
      'all of them have a new owner',
      `${duration(back.lastUs - atUs)}: ${spread(back.owners)}`,
    );
    this.#printer.row('it is back', `${duration(worker.startMs * 1_000)} after its start, pid ${worker.pid}`);
    this.#printer.row('every name answers every node', duration(endUs - worker.startedUs));
    this.#printCalls('meanwhile');
  }

  async #leave(): Promise<void> {
    for (const worker of this.#cluster.running) {
      worker.send({ type: 'callAll', run: false });
      this.#hurt(worker.node, nowUs);
    }
    // One after the other: each but the last has somebody to hand its office to.
    for (const worker of this.#cluster.running) await this.#cluster.leave(worker);
  }

  async #agree(): Promise<WorkerProcess> {
    const agreed = (): boolean => {
      const leaders = new Set(this.#cluster.running.map(({ leader }) => leader));
      return leaders.size === 1 && this.#cluster.leader !== undefined;
    };
    await this.#cluster.until(agreed, 'all nodes to see one leader', 15_000);
    return this.#cluster.leader as WorkerProcess;
  }

  #namesOf(worker: WorkerProcess): string[] {
    this.#ownership.update();
    const names = new Set(this.#options.names);
    return this.#ownership.namesOf(worker.pid).filter((name) => names.has(name));
  }

  #hurt(node: string, act: () => number): number {
    const atUs = act();
    this.#hurts.push({ node, fromUs: atUs, toUs: Infinity });
    return atUs;
  }

  /**
   * A process that stands still within a commit holds the lock of SQLite, and everybody waits for it: safe, but nothing to
   * see. So it is thawed, long before anybody takes it for lost, and frozen again.
   */
  async #freeze(worker: WorkerProcess): Promise<number> {
    this.#hurt(worker.node, nowUs);
    for (let tries = 1; tries <= freezesMax; tries++) {
      const atUs = await this.#cluster.freeze(worker);
      if (await this.#options.store.works()) {
        if (tries > 1) this.#printer.row('stood within a commit, frozen again', `${tries - 1} times`);
        return atUs;
      }
      this.#cluster.thaw(worker);
      await pause(freezePauseMs, undefined, { signal: this.#options.signal });
    }
    throw new Error(`${worker.node} always stood within a commit`);
  }

  /** Ends an act: all is well again when every name answers every node. */
  async #healed(node: string): Promise<number> {
    const endUs = await this.#cluster.round();
    for (const hurt of this.#hurts) if (hurt.node === node && hurt.toUs === Infinity) hurt.toUs = nowUs();
    return endUs;
  }

  /** Waits until each of these names has a new owner. */
  async #regained(
    lost: readonly string[],
    sinceUs: number,
  ): Promise<{ firstUs: number; firstLostUs: number; lastUs: number; owners: readonly Acquisition[] }> {
    this.namesLost += lost.length;
    const wanted = new Set(lost);
    let owners: Acquisition[] = [];
    const regained = (): boolean => {
      this.#ownership.update();
      owners = this.#ownership.since(sinceUs).filter(({ name }) => wanted.has(name));
      return new Set(owners.map(({ name }) => name)).size === wanted.size;
    };
    await this.#cluster.until(regained, 'the lost names to have new owners', 20_000);
    const times = owners.map(({ atUs }) => atUs);
    const firstUs = Math.min(...this.#ownership.since(sinceUs).map(({ atUs }) => atUs));
    return { firstUs, firstLostUs: Math.min(...times), lastUs: Math.max(...times), owners };
  }

  #printCalls(when: string): void {
    let calls = 0;
    let retried = 0;
    for (const worker of this.#cluster.workers) {
      const told = this.#told.get(worker) ?? { calls: 0, retried: 0 };
      const now = { calls: worker.tally?.calls ?? 0, retried: worker.tally?.retried ?? 0 };
      calls += now.calls - told.calls;
      retried += now.retried - told.retried;
      this.#told.set(worker, now);
    }
    const unexplained = this.unexplained().length;
    this.#printer.row(`calls ${when}`, `${count(calls)}, of which tried again: ${count(retried)}`);
    this.#printer.row('failed though the host lived', unexplained - this.#failuresTold);
    this.#failuresTold = unexplained;
  }
}

function explains({ node, fromUs, toUs }: Hurt, failure: ClusterFailure): boolean {
  return (
    (failure.host === node || failure.caller === node) && failure.toUs >= fromUs && failure.fromUs <= toUs
  );
}

/** `n2 130, n3 120`. */
function spread(owners: readonly Acquisition[]): string {
  const counts = new Map<string, number>();
  for (const { node } of owners) counts.set(node, (counts.get(node) ?? 0) + 1);
  return [...counts]
    .sort()
    .map(([node, names]) => `${node} ${count(names)}`)
    .join(', ');
}
