// What the store is asked by a cluster at rest and in motion, counted for 1, 10 and 100 members and up to a million names.
// The clusters are simulated but for sockets and time: driver, elector, coordination and directory are the real ones. Beside
// them stand three real processes on a SQLite file, and on each store that is named, to show that the counts are those of
// reality, and how many connections a node has.
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { freemem, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Cell, type CellOrder, restSeconds } from './store-cost/cell.ts';
import { type Counts, countNames, noCounts, operationsOf } from './store-cost/counting-backend.ts';
import { answeredBy } from './store-cost/server-side.ts';
import type { NodeOrder } from './store-cost-node.child.ts';

/** A row of the JSON: what was counted in so many seconds. */
export interface StoreCostRow {
  readonly name: 'store_cost';
  /** Or the kind of store of three real processes. */
  readonly how: string;
  readonly members: number;
  readonly names: number;
  readonly what: string;
  readonly seconds: number;
  readonly counts: Counts;
  readonly stored?: { readonly keys: number; readonly bytes: number };
  readonly connectionsPerNode?: number;
  /** By the server's own count: requests answered, and events sent to watchers. */
  readonly serverAnswered?: number;
}

const sizes = [1, 10, 100] as const;
const realSizes = [3, 9] as const;
const nameCounts = [0, 1_000, 1_000_000] as const;
/** Bytes of memory that one more replica of one more name takes, and what it takes besides. */
const bytesPerEntry = 150;
const bytesBesides = 1_000_000_000;

const rows: StoreCostRow[] = [];

export interface StoreCostOptions {
  /** Also a million names, which takes minutes, and memory. */
  readonly largest: boolean;
  /** Addresses of stores to try in earnest, beside a SQLite file. They should be empty. */
  readonly stores: readonly string[];
}

export async function benchStoreCost({
  largest,
  stores,
}: StoreCostOptions): Promise<readonly StoreCostRow[]> {
  showHead();
  for (const members of sizes) {
    for (const names of nameCounts)
      if (largest || names < 1_000_000) await cell({ members, names, oneMachine: true });
  }
  for (const members of sizes.slice(1)) await cell({ members, names: 1_000, oneMachine: false });
  await onSqlite((address) => realNodes(address, realSizes[0]));
  for (const address of stores) {
    for (const members of realSizes) await realNodes(address, members);
  }
  return rows;
}

async function cell(order: CellOrder): Promise<void> {
  const bytes = order.members * order.names * bytesPerEntry + bytesBesides;
  if (bytes > freemem()) {
    console.log(`${title(order)}  not run: it needs ${Math.ceil(bytes / 1e9)} GB of free memory`);
    return;
  }
  const child = fork(fileURLToPath(new URL('./store-cost-cell.child.ts', import.meta.url)), {
    execArgv: [`--max-old-space-size=${Math.ceil(bytes / 1e6)}`],
  });
  try {
    show((await answerOf<{ cell: Cell }>(child, order)).cell);
  } finally {
    await kill(child);
  }
}

function show(done: Cell): void {
  const { members, names, joins, leaderEnds, stored, atRest, registering } = done;
  const about = { how: 'simulated' as const, members, names };
  if (done.oneMachine) {
    note({ ...about, ...atRest, what: 'at rest', stored });
    if (names > 0) note({ ...about, ...registering, what: 'names are registered' });
    note({ ...about, ...joins, what: 'one joins' });
  }
  const what = done.oneMachine ? 'leader killed' : 'leader silent';
  if (leaderEnds !== undefined) note({ ...about, ...leaderEnds, what });
}

function note(told: Omit<StoreCostRow, 'name'>): void {
  const row: StoreCostRow = { name: 'store_cost', ...told };
  rows.push(row);
  const { counts, seconds } = row;
  const perSecond = (value: number): string => (value / seconds).toFixed(2).padStart(8);
  const bytes = (value: number): string =>
    Math.round(value / seconds)
      .toLocaleString('en')
      .padStart(9);
  console.log(
    [
      title(row),
      row.what.padEnd(20),
      seconds.toFixed(0).padStart(4),
      perSecond(operationsOf(counts)),
      perSecond(counts.gets),
      perSecond(counts.getRanges),
      perSecond(counts.commits),
      perSecond(counts.emptyCommits + counts.failedCommits),
      perSecond(counts.watchesArmed),
      perSecond(counts.watchFires),
      bytes(counts.bytesRead),
      bytes(counts.bytesWritten),
      ` ${remarkOn(row)}`,
    ].join(' '),
  );
}

function remarkOn({ stored, connectionsPerNode, serverAnswered, seconds }: StoreCostRow): string {
  return [
    ...(stored === undefined ? [] : [`${stored.keys} keys, ${stored.bytes} bytes`]),
    ...(connectionsPerNode === undefined ? [] : [`${connectionsPerNode} connections of each process`]),
    ...(serverAnswered === undefined ? [] : [`the server counted ${(serverAnswered / seconds).toFixed(1)}`]),
  ].join('; ');
}

const title = ({ members, names }: { readonly members: number; readonly names: number }): string =>
  `${String(members).padStart(7)} ${names.toLocaleString('en').padStart(9)}`;

function showHead(): void {
  console.log(
    'Asked of the store by the whole cluster, per second; options are the defaults. In simulated time, unless real.',
  );
  console.log(
    'members     names what                    s      all     gets   ranges  commits  no writ.    armed    fired   B read B written  in the store',
  );
}

async function onSqlite(body: (address: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'dgen-store-cost-'));
  try {
    await body(`sqlite:${join(folder, 'bench.sqlite')}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The same at rest, in earnest. */
async function realNodes(store: string, members: number): Promise<void> {
  const names = 1_000;
  const file = fileURLToPath(new URL('./store-cost-node.child.ts', import.meta.url));
  const children = Array.from({ length: members }, () => fork(file));
  try {
    const order = (index: number): NodeOrder => {
      return { name: `of-${members}-${index}`, store, members, names };
    };
    await Promise.all(children.map((child, index) => answerOf(child, order(index))));
    note({ members, names: members * names, ...(await measureReal(store, children)) });
  } finally {
    await Promise.all(children.map(kill));
  }
}

async function measureReal(
  store: string,
  children: readonly ChildProcess[],
): Promise<Omit<StoreCostRow, 'name' | 'members' | 'names'>> {
  const seconds = restSeconds / 5;
  const how = store.slice(0, store.indexOf(':'));
  // The last to join is followed by a few looks of each, and PostgreSQL counts what idle connections did after ten seconds.
  await new Promise((resolve) => setTimeout(resolve, 15_000));
  const before = await answeredBy(store);
  const done = await Promise.all(
    children.map((child) => answerOf<{ counts: Counts; connections: number }>(child, { seconds })),
  );
  const after = await answeredBy(store);
  return {
    how,
    what: `rest, ${how}`,
    seconds,
    counts: done.map((one) => one.counts).reduce(added, noCounts()),
    connectionsPerNode: Math.max(...done.map((one) => one.connections)),
    ...(before === undefined || after === undefined ? {} : { serverAnswered: after - before }),
  };
}

function added(a: Counts, b: Counts): Counts {
  const sum = { ...a };
  for (const name of countNames) sum[name] += b[name];
  return sum;
}

function answerOf<T>(child: ChildProcess, order: object): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`a process of the benchmark ended with ${code}`)));
    child.once('message', (answer: T & { error?: string }) => {
      if (answer.error === undefined) resolve(answer);
      else reject(new Error(answer.error));
    });
    child.send(order);
  });
}

function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}
