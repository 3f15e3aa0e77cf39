// Clusters of a few nodes in one operating-system process, over real loopback sockets and one store in memory.
import {
  type Behaviour,
  GenServer,
  MemoryDatabase,
  Node,
  nodeHost,
  openStore,
  type Pid,
  type Registry,
  type RegistryOptions,
  type Store,
} from '../../../src/index.ts';

export class Counter extends GenServer {
  #count = 0;

  init(from = 0): void {
    this.#count = from;
  }

  handleCall = {
    increment: (by: number): number => {
      this.#count += by;
      return this.#count;
    },
    slow: async (ms: number): Promise<string> => {
      await new Promise((resolve) => this.node.host.timers.after(ms, () => resolve(undefined)));
      return 'done';
    },
  };
}

const idle: Behaviour = { handle() {} };

export const fast: RegistryOptions = { leaseMs: 1_000, sessionMs: 3_000 };

export class Cluster {
  readonly store: Store;
  readonly nodes: Node[] = [];

  private constructor(store: Store) {
    this.store = store;
  }

  static async of(...names: readonly string[]): Promise<Cluster> {
    const host = nodeHost();
    const cluster = new Cluster(await openStore(new MemoryDatabase(host).connect(), { host }));
    for (const name of names) await cluster.add(name);
    return cluster;
  }

  async add(name: string): Promise<Node> {
    const node = await Node.start({ name, store: this.store });
    this.nodes.push(node);
    return node;
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.close()));
    await this.store.close();
  }
}

export interface Pair {
  readonly cluster: Cluster;
  readonly a: Node;
  readonly b: Node;
  readonly ra: Registry;
  readonly rb: Registry;
}

/** Two nodes with a member of the registry `games` each; `a` leads. */
export async function pair(options: RegistryOptions = fast): Promise<Pair> {
  const cluster = await Cluster.of('a', 'b');
  const [a, b] = cluster.nodes as [Node, Node];
  const ra = await a.registry('games', options);
  const rb = await b.registry('games', options);
  return { cluster, a, b, ra, rb };
}

export function spawnIdle(node: Node): Pid {
  return node.runtime.spawnBehaviour(idle);
}

/** Resolves when `condition` holds; rejects after `timeoutMs`, with what was waited for. */
export async function eventually(what: string, condition: () => boolean, timeoutMs = 5_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
