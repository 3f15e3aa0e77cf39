// `node bench/sqlite.ts`: what a flush of the disk does to a program that commits to SQLite, and whether processes that commit
// without pause share a file. The first table has the same work twice: on the event loop, as it would be without a thread
// of its own, and through the backend. It ends with an error only when a process got less than a tenth of its fair
// share, or waited for more than a second.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { nodeHost } from '../src/host/index.ts';
import { keyOf, openStore, rangeOfKey, type Tenant, transact } from '../src/storage/index.ts';
import { CommitApplier } from '../src/storage/sqlite/apply.ts';
import { loadDriver } from '../src/storage/sqlite/driver.ts';
import { openSqlite } from '../src/storage/sqlite/index.ts';
import { prepareFile } from '../src/storage/sqlite/schema.ts';

const runMs = Number(process.argv[2] ?? 5_000);
const program = fileURLToPath(new URL('./sqlite.child.ts', import.meta.url));
const value = new Uint8Array(200).fill(7);
const keys = 1_000;

const directory = mkdtempSync(join(process.env.DGEN_BENCH_DIRECTORY ?? tmpdir(), 'dgen-bench-'));
const children = new Set<ChildProcess>();

interface Started {
  readonly child: ChildProcess;
  /** Lines so far. */
  readonly said: string[];
}

function start(...args: readonly string[]): Started {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.add(child);
  const said: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => said.push(line));
  return { child, said };
}

async function stop({ child }: Started): Promise<void> {
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null)
    await new Promise((resolve) => child.once('exit', resolve));
  children.delete(child);
}

function percentiles(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN)
      .toFixed(2)
      .padStart(8);
  return `${at(0.5)} ${at(0.99)} ${at(0.999)} ${at(1)}`;
}

/** How long the event loop stands still for one commit that is applied on it. */
async function onTheLoop(path: string): Promise<number[]> {
  const connection = (await loadDriver('auto')).open(path);
  prepareFile(connection, 'full');
  const applier = new CommitApplier(connection);
  const times: number[] = [];
  const end = performance.now() + runMs;
  for (let i = 0; performance.now() < end; i++) {
    const key = keyOf('k', String(i % keys));
    const before = performance.now();
    connection.exec('BEGIN IMMEDIATE');
    applier.start();
    const id = keyOf('id', String(i));
    applier.apply({ reads: [rangeOfKey(key)], writes: [{ type: 'set', key, value }], id }, undefined);
    connection.exec('COMMIT');
    times.push(performance.now() - before);
    await new Promise((resolve) => setImmediate(resolve));
  }
  connection.close();
  return times;
}

type Delays = readonly [p50: number, p99: number, p999: number, max: number];

/** Milliseconds by which a timer of one millisecond comes too late while `work` is done. */
async function delaysDuring(work: () => Promise<void>): Promise<Delays> {
  const monitor = monitorEventLoopDelay({ resolution: 1 });
  monitor.enable();
  await work();
  monitor.disable();
  const ms = (percentile: number): number => Math.max(0, monitor.percentile(percentile) / 1e6 - 1);
  return [ms(50), ms(99), ms(99.9), ms(100)];
}

/** Of one transaction, from its call to its answer. */
async function throughTheBackend(tenant: Tenant): Promise<number[]> {
  const latencies: number[] = [];
  const end = performance.now() + runMs;
  for (let i = 0; performance.now() < end; i++) {
    const before = performance.now();
    await transact(tenant, (tx) => tx.set(keyOf('k', String(i % keys)), value), { timeoutMs: 10_000 });
    latencies.push(performance.now() - before);
  }
  return latencies;
}

function print(disk: string, what: string, numbers: string): void {
  console.log(`${disk.padEnd(6)} ${what.padEnd(46)} ${numbers}`);
}

async function measureStalls(name: string, disturb: boolean): Promise<void> {
  const disturbers = disturb ? [0, 1].map((i) => start('flush', join(directory, `ballast-${i}`))) : [];
  await sleep(disturb ? 500 : 0);
  const show = (delays: Delays): string => delays.map((ms) => ms.toFixed(2).padStart(8)).join(' ');
  print(
    name,
    'nothing to do: a timer is late',
    show(await delaysDuring(async () => void (await sleep(runMs)))),
  );
  const loop = await onTheLoop(join(directory, `${name}-loop.db`));
  print(name, 'commits on the event loop: it stands still', `${percentiles(loop)}   ${loop.length} commits`);
  const store = await openStore(await openSqlite({ path: join(directory, `${name}.db`) }), {
    host: nodeHost(),
  });
  let latencies: number[] = [];
  const delays = await delaysDuring(async () => {
    latencies = await throughTheBackend(store.tenant('bench'));
  });
  await store.close();
  print(name, 'commits through the backend: a timer is late', show(delays));
  print(name, '  and a transaction takes', `${percentiles(latencies)}   ${latencies.length} commits`);
  await Promise.all(disturbers.map(stop));
}

async function measureFairness(): Promise<boolean> {
  const path = join(directory, 'shared.db');
  const go = join(directory, 'go');
  const started = [0, 1, 2, 3].map((worker) => start('contend', path, String(worker), String(runMs), go));
  while (started.some(({ said }) => said.length < 1)) await sleep(5);
  writeFileSync(go, '');
  while (started.some(({ said }) => said.length < 2)) await sleep(5);
  const results = started.map(
    ({ said }) => JSON.parse(said[1] ?? '{}') as { commits: number; slowestMs: number },
  );
  const total = results.reduce((sum, { commits }) => sum + commits, 0);
  const shares = results.map(({ commits }) => (commits * results.length) / total);
  const slowest = Math.max(...results.map(({ slowestMs }) => slowestMs));
  console.log(
    `four processes: ${Math.round((total / runMs) * 1_000)} commits/s, slowest ${slowest.toFixed(0)} ms`,
  );
  console.log(`shares of a fair part: ${shares.map((share) => share.toFixed(2)).join(' ')}`);
  return Math.min(...shares) >= 0.1 && slowest <= 1_000;
}

try {
  console.log(`milliseconds${' '.repeat(46)}p50      p99    p99.9      max`);
  await measureStalls('quiet', false);
  await measureStalls('busy', true);
  if (!(await measureFairness())) {
    console.error('not fair: a process got less than a tenth of its part, or waited for more than a second');
    process.exitCode = 1;
  }
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
}
