// Benchmarks of a cluster of three operating-system processes on one SQLite file: registrations that all replicas show, and the
// time from the SIGKILL of the leader to the first registration that its successor granted.
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median } from './statistics.ts';

const childFile = fileURLToPath(new URL('./cluster-node.child.ts', import.meta.url));
const orderTimeoutMs = 180_000;

class BenchNode {
  readonly name: string;
  readonly child: ChildProcess;
  readonly #waiting: Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }> =
    new Map();
  #nextId = 1;

  constructor(name: string) {
    this.name = name;
    this.child = fork(childFile, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.child.on('message', (message) =>
      this.#answered(message as { id: number; result?: unknown; error?: string }),
    );
    this.child.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${name} ended`));
      this.#waiting.clear();
    });
  }

  order<T>(order: object): Promise<T> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      const timer = setTimeout(
        () => reject(new Error(`${this.name}: no answer to ${JSON.stringify(order)}`)),
        orderTimeoutMs,
      );
      this.#waiting.set(id, {
        resolve: (value) => {
          clearTimeout(timer);
          resolve(value as T);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      this.child.send({ id, order });
    });
  }

  #answered({ id, result, error }: { id: number; result?: unknown; error?: string }): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(`${this.name}: ${error}`));
  }
}

async function withCluster<T>(size: number, body: (nodes: BenchNode[]) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'dgen-bench-'));
  const nodes: BenchNode[] = [];
  try {
    for (let index = 0; index < size; index++) {
      const node = new BenchNode(`n${index + 1}`);
      nodes.push(node);
      await node.order({
        do: 'start',
        name: node.name,
        store: `sqlite:${join(folder, 'bench.sqlite')}`,
        leaseMs: 5_000,
      });
    }
    return await body(nodes);
  } finally {
    for (const node of nodes) node.child.kill('SIGKILL');
    await Promise.all(nodes.map((node) => ended(node.child)));
    await rm(folder, { recursive: true, force: true });
  }
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

/** Registers `count` names spread over the nodes; resolves when every replica shows `total` names, with the milliseconds that took. */
async function fill(
  nodes: BenchNode[],
  names: { prefix: string; count: number; total: number },
): Promise<number> {
  const each = Math.ceil(names.count / nodes.length);
  const spans = await Promise.all(
    nodes.map((node) =>
      node.order<{ startedAt: number }>({
        do: 'register',
        prefix: `${names.prefix}-${node.name}-`,
        count: each,
        inFlight: 2_000,
      }),
    ),
  );
  const shown = await Promise.all(
    nodes.map((node) => node.order<{ at: number }>({ do: 'await', names: names.total })),
  );
  return Math.max(...shown.map(({ at }) => at)) - Math.min(...spans.map(({ startedAt }) => startedAt));
}

/** Registrations per second over three nodes, counted when all three show them: the median of `rounds`. */
export function registerThreeNodes(rounds: number, count: number): Promise<number> {
  return withCluster(3, async (nodes) => {
    const each = Math.ceil(count / nodes.length) * nodes.length;
    const rates: number[] = [];
    for (let round = 0; round <= rounds; round++) {
      const ms = await fill(nodes, { prefix: `r${round}`, count, total: each * (round + 1) });
      // The first round warms up.
      if (round > 0) rates.push((each * 1000) / ms);
    }
    return median(rates);
  });
}

/** Milliseconds from SIGKILL of the leader to the first registration by its successor, with so many names. */
export async function failover(names: number, rounds: number): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) times.push(await failoverOnce(names));
  return median(times);
}

function failoverOnce(names: number): Promise<number> {
  return withCluster(3, async (nodes) => {
    const each = Math.ceil(names / nodes.length) * nodes.length;
    await fill(nodes, { prefix: 'f', count: names, total: each });
    const { leader } = await (nodes[0] as BenchNode).order<{ leader: string }>({ do: 'status' });
    const doomed = nodes.find((node) => leader.startsWith(`${node.name}@`)) as BenchNode;
    const survivors = nodes.filter((node) => node !== doomed);
    const watches = survivors.map((node) =>
      node.order<{ at: number }>({ do: 'watch', prefix: `w-${node.name}-` }),
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    const killedAt = Number(process.hrtime.bigint()) / 1e6;
    doomed.child.kill('SIGKILL');
    const first = await Promise.any(watches);
    await Promise.allSettled(watches);
    return first.at - killedAt;
  });
}

/** Milliseconds from the SIGKILL of a process to the end of a TCP connection with it: no fail-over can be faster. */
export async function deathNoticed(rounds: number): Promise<number> {
  const { connect } = await import('node:net');
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const child = fork(fileURLToPath(new URL('./remote-server.ts', import.meta.url)));
    const { rawPort } = await new Promise<{ rawPort: number }>((resolve) =>
      child.once('message', (message) => resolve(message as { rawPort: number })),
    );
    const socket = connect({ port: rawPort, host: '127.0.0.1' });
    await new Promise((resolve) => socket.once('connect', resolve));
    const closed = new Promise<number>((resolve) => {
      socket.once('error', () => socket.destroy());
      socket.once('close', () => resolve(performance.now()));
    });
    const killedAt = performance.now();
    child.kill('SIGKILL');
    times.push((await closed) - killedAt);
    await ended(child);
  }
  return median(times);
}
