// A cluster of simulated nodes over one counted store in memory. Time is simulated: what is counted depends on nothing but
// what the cluster does.
import { type SimulatedHost, simulatedHost } from '../../src/host/index.ts';
import type { RegistryOptions } from '../../src/registry/index.ts';
import { allKeys, MemoryDatabase } from '../../src/storage/index.ts';
import { type Counts, countingBackend, countsBetween, noCounts } from './counting-backend.ts';
import { SimulatedLinks } from './simulated-links.ts';
import { SimulatedNode } from './simulated-node.ts';

export interface ClusterOptions {
  readonly members: number;
  readonly registry?: RegistryOptions;
  /** Whether all nodes are on one machine, where the end of one can be proven. Default true. */
  readonly oneMachine?: boolean;
}

const storeLatencyMs = 1;
const registrationsAtOnce = 10_000;

export class SimulatedCluster {
  readonly host: SimulatedHost = simulatedHost();
  readonly counts: Counts = noCounts();
  readonly #options: ClusterOptions;
  readonly #database: MemoryDatabase;
  readonly #links: SimulatedLinks;
  #nodes: SimulatedNode[] = [];
  #started = 0;
  #names = 0;

  private constructor(options: ClusterOptions) {
    this.#options = options;
    this.#database = new MemoryDatabase(this.host);
    this.#links = new SimulatedLinks(this.host.timers);
  }

  /** A cluster at rest: all members count. */
  static async of(options: ClusterOptions): Promise<SimulatedCluster> {
    const cluster = new SimulatedCluster(options);
    for (let started = 0; started < options.members; started++) await cluster.#start();
    await cluster.rest();
    return cluster;
  }

  get nodes(): readonly SimulatedNode[] {
    return this.#nodes;
  }

  get leader(): SimulatedNode {
    const leading = this.#nodes.filter((node) => node.registry.getLeader()?.[0] === node.name);
    if (leading.length !== 1) throw new Error(`${leading.length} members lead`);
    return leading[0] as SimulatedNode;
  }

  /** Names in the replica with the fewest. */
  get namesEverywhere(): number {
    return Math.min(...this.#nodes.map((node) => node.registry.status().names));
  }

  /** Addresses that were asked, by the nodes that live. */
  get probes(): number {
    return this.#nodes.reduce((sum, node) => sum + node.probes, 0);
  }

  /** Registers `count` more names, spread over all members; resolves when all replicas have them. */
  async register(count: number): Promise<void> {
    const end = this.#names + count;
    while (this.#names < end) {
      const batch = Math.min(registrationsAtOnce, end - this.#names);
      const asked = Array.from({ length: batch }, (_, index) => this.#registerOne(this.#names + index));
      await this.host.runUntil(Promise.all(asked));
      this.#names += batch;
    }
    await this.rest();
  }

  /** One more node with a member joins; resolves when it can serve. */
  async join(): Promise<void> {
    await this.#start();
  }

  /** As if its process was killed. */
  async kill(node: SimulatedNode): Promise<void> {
    this.#nodes = this.#nodes.filter((other) => other !== node);
    await node.kill();
    this.#names = 0;
  }

  /** Lets so many milliseconds pass; resolves with what the store was asked meanwhile. */
  async during(ms: number, what?: () => Promise<unknown>): Promise<Counts> {
    const before = { ...this.counts };
    const endsAt = this.host.clock.now() + ms;
    await what?.();
    await this.host.runFor(Math.max(0, endsAt - this.host.clock.now()));
    return countsBetween(before, this.counts);
  }

  /** Runs until one leads, all count, and all have all names; then for another half minute. */
  async rest(): Promise<void> {
    const deadline = this.host.clock.now() + 600_000;
    while (!this.#isAtRest()) {
      if (this.host.clock.now() > deadline) throw new Error('no rest within ten minutes');
      await this.host.runFor(50);
    }
    await this.host.runFor(30_000);
    if (!this.#isAtRest()) throw new Error('the rest did not last');
  }

  /** What stands in the store: keys and values, in bytes. */
  async stored(): Promise<{ readonly keys: number; readonly bytes: number }> {
    const client = this.#database.connect();
    const tx = await client.begin({ timeoutMs: 5_000 });
    const page = await tx.getRange(allKeys(), { limit: 10_000 });
    tx.close();
    await client.close();
    if (page.more) throw new Error('more than a page');
    const bytes = page.items.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
    return { keys: page.items.length, bytes };
  }

  #isAtRest(): boolean {
    return this.#nodes.every(({ registry }) => {
      const { phase, established, serving, names, leader } = registry.status();
      const leads = this.#nodes.some((node) => node.name === leader?.[0]);
      return phase === 'active' && established && serving && leads && names >= this.#names;
    });
  }

  async #start(): Promise<void> {
    const name = `n${++this.#started}@10.0.0.${this.#started}`;
    const { host } = this;
    const client = this.#database.connect({ fault: () => ({ delayMs: storeLatencyMs }) });
    const backend = countingBackend(client, this.counts);
    const machineId = this.#options.oneMachine === false ? name : 'one';
    const node = await host.runUntil(
      SimulatedNode.start({ name, host, links: this.#links, backend, machineId }),
    );
    await host.runUntil(node.joinRegistry(this.#options.registry ?? {}));
    this.#nodes.push(node);
  }

  async #registerOne(number: number): Promise<void> {
    const node = this.#nodes[number % this.#nodes.length] as SimulatedNode;
    const done = await node.registry.register(`name-${number}`, node.holder, { timeoutMs: 60_000 });
    if (done.status !== 'registered') throw new Error(`name-${number} is ${done.status}`);
  }
}
