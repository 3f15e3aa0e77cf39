// The stores beside each other: the same transactions on each, in rounds that take turns, so that whatever else the machine
// does hits all of them. What a cluster asks of its store is far less (`store-cost`); this is for choosing one.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { nodeHost } from '../src/host/index.ts';
import { type Backend, keyOf, openStore, rangeOfKey, type Tenant, transact } from '../src/storage/index.ts';
import { median } from './statistics.ts';
import { openPlace, type Subject, startSubjects } from './stores/subjects.ts';

export interface StoresRow {
  readonly name: 'stores';
  readonly store: string;
  /** Milliseconds of one transaction that reads and writes a key, one after the other. */
  readonly sequentialP50: number;
  readonly sequentialP99: number;
  /** Transactions per second, eight at a time, each on its own key, and all on one key. */
  readonly ownKeysPerSecond: number;
  readonly oneKeyPerSecond: number;
  /** Milliseconds from the start of a commit in another process until a watch here has fired; in memory: of another client here. */
  readonly watchP50: number;
  readonly watchP99: number;
  /** Sockets of a client that has worked, and watches one key. */
  readonly connections: number;
}

const rounds = 5;
const sequential = 120;
const burstMs = 600;
const workers = 8;
const watches = 30;
const childFile = fileURLToPath(new URL('./stores-writer.child.ts', import.meta.url));

/** Prints the table, and resolves with its rows. Stores that are not on the machine are named and left out. */
export async function benchStores(): Promise<readonly StoresRow[]> {
  const { subjects, missing } = await startSubjects();
  const benches: Bench[] = [];
  try {
    for (const subject of subjects) benches.push(await Bench.open(subject));
    for (let round = 0; round <= rounds; round++) for (const bench of benches) await bench.round(round > 0);
    const rows = benches.map((bench) => bench.row());
    print(rows, missing);
    return rows;
  } finally {
    for (const bench of benches) await bench.close();
    for (const subject of subjects) await subject.dispose();
  }
}

class Bench {
  readonly #subject: Subject;
  readonly #backend: Backend;
  readonly #tenant: Tenant;
  readonly #writer: Writer;
  readonly #connections: number;
  readonly #sequential: number[] = [];
  readonly #own: number[] = [];
  readonly #one: number[] = [];
  readonly #watch: number[] = [];

  private constructor(subject: Subject, parts: Opened) {
    this.#subject = subject;
    this.#backend = parts.backend;
    this.#tenant = parts.tenant;
    this.#writer = parts.writer;
    this.#connections = parts.connections;
  }

  static async open(subject: Subject): Promise<Bench> {
    const before = sockets();
    const backend = await openPlace(subject.place);
    const tenant = (await openStore(backend, { host: nodeHost() })).tenant('bench');
    await Promise.all(Array.from({ length: workers }, (_, i) => increment(tenant, `own-${i}`)));
    const watch = tenant.watch(rangeOfKey(keyOf('watched')));
    await increment(tenant, 'watched');
    await watch.changed;
    const connections = sockets() - before;
    const { place } = subject;
    const inMemory = place.kind === 'address' && place.address.startsWith('memory:');
    const writer = inMemory ? await neighbour(subject) : await otherProcess(subject);
    return new Bench(subject, { backend, tenant, writer, connections });
  }

  /** One round of everything; the first only warms up. */
  async round(counts: boolean): Promise<void> {
    const times: number[] = [];
    for (let i = 0; i < sequential; i++) {
      const from = performance.now();
      await increment(this.#tenant, 'sequential');
      times.push(performance.now() - from);
    }
    const own = await this.#burst((worker) => `own-${worker}`);
    const one = await this.#burst(() => 'one');
    const delays: number[] = [];
    for (let i = 0; i < watches; i++) delays.push(await this.#delay(i));
    if (!counts) return;
    this.#sequential.push(...times);
    this.#own.push(own);
    this.#one.push(one);
    this.#watch.push(...delays);
  }

  async #burst(keyOfWorker: (worker: number) => string): Promise<number> {
    const from = performance.now();
    let done = 0;
    const work = async (worker: number): Promise<void> => {
      while (performance.now() - from < burstMs) {
        await increment(this.#tenant, keyOfWorker(worker));
        done += 1;
      }
    };
    await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)));
    return (done * 1_000) / (performance.now() - from);
  }

  async #delay(count: number): Promise<number> {
    const watch = this.#tenant.watch(rangeOfKey(keyOf('watched')));
    const fired = watch.changed.then(nowMs);
    const began = await this.#writer.write(count);
    return (await fired) - began;
  }

  row(): StoresRow {
    return {
      name: 'stores',
      store: this.#subject.name,
      sequentialP50: quantile(this.#sequential, 0.5),
      sequentialP99: quantile(this.#sequential, 0.99),
      ownKeysPerSecond: median(this.#own),
      oneKeyPerSecond: median(this.#one),
      watchP50: quantile(this.#watch, 0.5),
      watchP99: quantile(this.#watch, 0.99),
      connections: this.#connections,
    };
  }

  async close(): Promise<void> {
    await this.#writer.close();
    await this.#backend.close();
  }
}

interface Opened {
  readonly backend: Backend;
  readonly tenant: Tenant;
  readonly writer: Writer;
  readonly connections: number;
}

interface Writer {
  /** Resolves, when it is committed, with the moment at which the commit began. */
  write(count: number): Promise<number>;
  close(): Promise<void>;
}

async function neighbour(subject: Subject): Promise<Writer> {
  const backend = await openPlace(subject.place);
  const tenant = (await openStore(backend, { host: nodeHost() })).tenant('bench');
  return {
    async write() {
      const began = nowMs();
      await increment(tenant, 'watched');
      return began;
    },
    close: () => backend.close(),
  };
}

async function otherProcess(subject: Subject): Promise<Writer> {
  const args = [JSON.stringify(subject.place)];
  const child: ChildProcess = fork(childFile, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const ended = once(child, 'exit');
  await Promise.race([
    once(child, 'message'),
    ended.then(() => Promise.reject(new Error('the writer ended'))),
  ]);
  return {
    async write(count) {
      child.send(count);
      const [answer] = (await once(child, 'message')) as [{ began?: number; error?: string }];
      if (answer.began === undefined) throw new Error(`${subject.name}: ${answer.error}`);
      return answer.began;
    },
    async close() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

function increment(tenant: Tenant, name: string): Promise<void> {
  const key = keyOf(name);
  return transact(
    tenant,
    async (tx) => {
      const count = Number(new TextDecoder().decode((await tx.get(key)) ?? new Uint8Array(0)));
      tx.set(key, new TextEncoder().encode(String(count + 1)));
    },
    { timeoutMs: 30_000 },
  );
}

/** Of this process; where the system does not tell, not a number. */
function sockets(): number {
  const folder = '/proc/self/fd';
  if (!existsSync(folder)) return Number.NaN;
  return readdirSync(folder).filter((descriptor) => isSocket(`${folder}/${descriptor}`)).length;
}

function isSocket(path: string): boolean {
  try {
    return readlinkSync(path).startsWith('socket:');
  } catch {
    // That of the listing itself is closed by now.
    return false;
  }
}

function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function print(rows: readonly StoresRow[], missing: readonly string[]): void {
  const ms = (value: number): string => value.toFixed(value < 1 ? 2 : 1);
  const perSecond = (value: number): string => Math.round(value).toLocaleString('en');
  console.log(
    '\n| store | read and write, p50 / p99 ms | 8 on own keys, tx/s | 8 on one key, tx/s | watch, p50 / p99 ms | connections |',
  );
  console.log('| --- | --- | --- | --- | --- | --- |');
  for (const row of rows) {
    const cells = [
      row.store,
      `${ms(row.sequentialP50)} / ${ms(row.sequentialP99)}`,
      perSecond(row.ownKeysPerSecond),
      perSecond(row.oneKeyPerSecond),
      `${ms(row.watchP50)} / ${ms(row.watchP99)}`,
      String(row.connections),
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
  for (const one of missing) console.log(`not on this machine: ${one}`);
}
