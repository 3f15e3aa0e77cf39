// Clusters of operating-system processes on one SQLite file, for tests that kill, freeze and cut off what they run.
// Every wait has a deadline; no process, and no file, outlives its test.
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { RegistryOptions } from '../../../src/index.ts';
import { type ChurnOrder, type ChurnReport, type PlainReport, restored } from './churn.ts';
import type { Act, Order, Outcome, Owner, Status } from './orders.ts';
import { nowMs } from './orders.ts';

const childFile = fileURLToPath(new URL('./node.child.ts', import.meta.url));
const orderTimeoutMs = 30_000;

/** Short leases: L, S = 3 L. */
export const leaseMs = 600;
export const sessionMs: number = 3 * leaseMs;
const fast: RegistryOptions = { leaseMs, sessionMs };

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly at: number;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** One node, in a process of its own. */
export class RemoteNode {
  readonly name: string;
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  readonly #waiting: Map<number, Waiting> = new Map();
  #nextId = 1;

  constructor(name: string) {
    this.name = name;
    this.#child = fork(childFile, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#child.on('message', (message) =>
      this.#answered(message as { id: number; result?: unknown; error?: string }),
    );
    this.ended = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        resolve({ code, signal, at: nowMs() });
        for (const { reject } of [...this.#waiting.values()]) reject(new Error(`${name} ended`));
      });
    });
  }

  /** `name@host`. */
  get nodeName(): string {
    return `${this.name}@127.0.0.1`;
  }

  order<T = unknown>(order: Order): Promise<T> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      const settle = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(id);
      };
      const late = new Error(`${this.name}: no answer to ${order.do} within ${orderTimeoutMs} ms`);
      const timer = setTimeout(() => {
        settle();
        reject(late);
      }, orderTimeoutMs);
      this.#waiting.set(id, {
        resolve: (value) => {
          settle();
          resolve(value as T);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      });
      this.#child.send({ id, order });
    });
  }

  register(
    names: readonly string[],
    more: { inFlight?: number; timeoutMs?: number } = {},
  ): Promise<Outcome[]> {
    return this.order({ do: 'register', names, ...more });
  }

  /** The holders by the local snapshot, in the order of the names. */
  lookup(names: readonly string[]): Promise<(string | null)[]> {
    return this.order({ do: 'lookup', names });
  }

  consistent(names: readonly string[]): Promise<Outcome[]> {
    return this.order({ do: 'consistent', names });
  }

  status(): Promise<Status> {
    return this.order({ do: 'status' });
  }

  churn(order: ChurnOrder): Promise<unknown> {
    return this.order({ do: 'churn', order });
  }

  async endChurn(): Promise<ChurnReport> {
    return restored(await this.order<PlainReport>({ do: 'endChurn' }));
  }

  owners(): Promise<Owner[]> {
    return this.order({ do: 'owners' });
  }

  acts(): Promise<Act[]> {
    return this.order({ do: 'acts' });
  }

  /** Sends a signal; the moment is that before it. */
  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): number {
    const at = nowMs();
    this.#child.kill(signal);
    return at;
  }

  /**
   * Stops the process, but not in the middle of a commit: a process that stands still with the lock of the file takes the store
   * from everybody. Returns the moment before it stopped.
   */
  async freeze(file: string): Promise<number> {
    for (;;) {
      const at = this.signal('SIGSTOP');
      await sleep(20);
      if (isWritable(file)) return at;
      this.signal('SIGCONT');
      await sleep(100);
    }
  }

  async kill(): Promise<number> {
    const at = this.signal('SIGKILL');
    await this.ended;
    return at;
  }

  #answered({ id, result, error }: { id: number; result?: unknown; error?: string }): void {
    const waiting = this.#waiting.get(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(`${this.name}: ${error}`));
  }
}

function isWritable(file: string): boolean {
  const database = new DatabaseSync(file, { timeout: 50 });
  try {
    database.exec('BEGIN IMMEDIATE; ROLLBACK');
    return true;
  } catch (error) {
    assert.match(String(error), /locked/);
    return false;
  } finally {
    database.close();
  }
}

/** The nodes of one test. */
export class Cluster {
  readonly folder: string;
  /** Of the SQLite store, where that is the one in use. */
  readonly file: string;
  /** The address of the store. */
  readonly store: string;
  readonly options: RegistryOptions;
  readonly #nodes: RemoteNode[] = [];

  constructor(t: TestContext, options: RegistryOptions = fast, store?: string) {
    this.options = options;
    this.folder = mkdtempSync(join(tmpdir(), 'dgen-cluster-'));
    this.file = join(this.folder, 'store.sqlite');
    this.store = store ?? `sqlite:${this.file}`;
    t.after(async () => {
      for (const node of this.#nodes) node.signal('SIGKILL');
      await Promise.all(this.#nodes.map((node) => node.ended));
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  /** Starts a node and resolves when its member serves. */
  async start(
    name: string,
    more: { port?: number; options?: RegistryOptions; store?: string } = {},
  ): Promise<RemoteNode> {
    const node = new RemoteNode(name);
    this.#nodes.push(node);
    const { port, options = this.options, store = this.store } = more;
    await node.order({
      do: 'start',
      name,
      store,
      options,
      ...(port === undefined ? {} : { port }),
    });
    return node;
  }

  /** Starts nodes; the first of them leads. */
  async startAll(...names: readonly string[]): Promise<RemoteNode[]> {
    const [first, ...rest] = names;
    const leader = await this.start(first as string);
    return [leader, ...(await Promise.all(rest.map((name) => this.start(name))))];
  }
}

/** Resolves with the first value that is not undefined; rejects after `timeoutMs`, with what was waited for. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined>,
  timeoutMs = 10_000,
): Promise<T> {
  const deadline = nowMs() + timeoutMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    assert.ok(nowMs() < deadline, `not within ${timeoutMs} ms: ${what}`);
    await sleep(10);
  }
}

/** Waits until a leader among these nodes serves all of them and all count, and returns it. */
export function leaderOf(nodes: readonly RemoteNode[], timeoutMs = 15_000): Promise<RemoteNode> {
  return eventually(
    'one leader that all agree on',
    async () => {
      const all = await Promise.all(nodes.map((node) => node.status()));
      const [first] = all;
      const agreed = all.every((one) => one.leader === first?.leader && one.epoch === first?.epoch);
      if (!agreed || !all.every((one) => one.phase === 'active' && one.serving && one.established))
        return undefined;
      return nodes.find((node) => node.nodeName === first?.leader);
    },
    timeoutMs,
  );
}

/** Waits until the snapshots of all these nodes show exactly these names. */
export async function showExactly(nodes: readonly RemoteNode[], names: readonly string[]): Promise<void> {
  const wanted = [...names].sort().join();
  await Promise.all(
    nodes.map((node) =>
      eventually(`${node.name} shows exactly ${names.length} names`, async () => {
        const shown = await node.order<string[]>({ do: 'names' });
        return shown.join() === wanted ? true : undefined;
      }),
    ),
  );
}

export function namesOf(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}

/** The pids that were granted; every outcome must be a grant. */
export function grantsIn(outcomes: readonly Outcome[]): { pid: string; token: string }[] {
  return outcomes.map((outcome) => {
    assert.equal(outcome.status, 'registered', JSON.stringify(outcome));
    return outcome as Extract<Outcome, { status: 'registered' }>;
  });
}
