// Several processes on one SQLite file: they share the lock, hear of each other, and lose nothing when they are killed.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { keyOf, transact } from '../../../src/storage/index.ts';
import { Processes } from './processes.ts';
import { numberIn, open, ownKey, sharedKey } from './worker.ts';

async function until(holds: () => boolean, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!holds()) {
    assert.ok(performance.now() < deadline, `not within ${withinMs} ms`);
    await sleep(1);
  }
}

test('four processes that commit without pause share the file', { timeout: 60_000 }, async (t) => {
  const processes = new Processes(t);
  const path = processes.file('store.db');
  const runMs = 4_000;
  const go = processes.file('go');
  const workers = [0, 1, 2, 3].map((worker) => processes.start('contend', { path, worker, runMs, go }));
  await until(() => workers.every(({ said }) => said.length > 0), 20_000);
  writeFileSync(go, '');
  const results = await Promise.all(workers.map((worker) => worker.ended));
  assert.deepEqual(results, [0, 0, 0, 0]);
  const said = workers.map((worker) => worker.said.at(-1) as { commits: number; slowestMs: number });
  const total = said.reduce((sum, { commits }) => sum + commits, 0);
  const shares = said.map(({ commits }) => commits / (total / said.length));
  t.diagnostic(`${total} commits; shares ${shares.map((share) => share.toFixed(2)).join(' ')}`);
  t.diagnostic(`slowest ${said.map(({ slowestMs }) => slowestMs.toFixed(0)).join(' ')} ms`);
  assert.ok(
    shares.every((share) => share >= 0.1),
    'a process got less than a tenth of its fair share',
  );
  const tenant = await open(path);
  const tx = await tenant.begin({ timeoutMs: 5000 });
  for (const [worker, { commits }] of said.entries()) {
    assert.equal(numberIn(await tx.get(ownKey(worker))), commits);
  }
  await tenant.store.close();
});

test('processes killed at any moment lose nothing that was acknowledged', { timeout: 90_000 }, async (t) => {
  const processes = new Processes(t);
  const path = processes.file('store.db');
  const count = 3;
  const acknowledged = (worker: number) => processes.file(`acknowledged-${worker}`);
  const end = performance.now() + 12_000;
  let kills = 0;
  await Promise.all(
    Array.from({ length: count }, async (_, worker) => {
      while (performance.now() < end) {
        const options = { path, worker, runMs: 30_000, acknowledged: acknowledged(worker) };
        const child = processes.start('acknowledge', options);
        // Some die while they start or open the file, most while they commit.
        if (Math.random() < 0.2) await sleep(Math.random() * 400);
        else await until(() => child.said.length > 0, 10_000);
        await sleep(Math.random() * 100);
        child.kill();
        assert.equal(await child.ended, 'SIGKILL');
        kills += 1;
      }
    }),
  );
  await checkCounters(processes, { path, count, kills });
  assert.ok(kills > 10, `only ${kills} kills`);
});

interface Counters {
  readonly path: string;
  /** Of workers; each noted what it was told of in a file of its own. */
  readonly count: number;
  readonly kills: number;
}

/** Nothing lost, nothing torn, nothing applied twice, and the file is whole. */
async function checkCounters(processes: Processes, { path, count, kills }: Counters): Promise<void> {
  const tenant = await open(path);
  const tx = await tenant.begin({ timeoutMs: 5000 });
  const shared = numberIn(await tx.get(sharedKey));
  const numbers = Array.from({ length: count }, (_, i) => i);
  const own = await Promise.all(numbers.map(async (i) => numberIn(await tx.get(ownKey(i)))));
  await tenant.store.close();
  const noted = numbers.map((i) => {
    const file = processes.file(`acknowledged-${i}`);
    return existsSync(file) ? readFileSync(file).length : 0;
  });
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  assert.ok(shared > 0);
  assert.equal(sum(own), shared, 'a transaction was torn');
  for (const i of numbers) assert.ok((own[i] ?? 0) >= (noted[i] ?? 0), `worker ${i} lost a commit`);
  assert.ok(
    shared - sum(noted) <= kills,
    `${shared - sum(noted)} more than acknowledged, after ${kills} kills`,
  );
  const raw = new DatabaseSync(path);
  assert.deepEqual({ ...raw.prepare('PRAGMA integrity_check').get() }, { integrity_check: 'ok' });
  raw.close();
}

test('processes killed while they open a file that needs repair lose nothing', {
  timeout: 60_000,
}, async (t) => {
  const processes = new Processes(t);
  const path = processes.file('store.db');
  const acknowledged = processes.file('acknowledged-0');
  const options = { path, worker: 0, runMs: 30_000, acknowledged };
  const noted = () => (existsSync(acknowledged) ? readFileSync(acknowledged).length : 0);
  const end = performance.now() + 8_000;
  let [kills, repairs] = [0, 0];
  while (performance.now() < end) {
    // Nobody else has the file: after each kill the next one to open it repairs the log.
    const worker = processes.start('acknowledge', options);
    const before = noted();
    if (kills % 3 === 0) await until(() => noted() > before + 20, 10_000);
    else {
      // Around the moment of opening, which is announced when it is over.
      await until(() => worker.said.length > 0, 10_000);
      const opening = processes.start('acknowledge', {
        ...options,
        worker: 1,
        acknowledged: processes.file('acknowledged-1'),
      });
      worker.kill();
      await worker.ended;
      await sleep(60 + Math.random() * 120);
      opening.kill();
      await opening.ended;
      repairs += 1;
    }
    worker.kill();
    await worker.ended;
    kills += 1;
  }
  t.diagnostic(`${kills} kills, ${repairs} with one that was opening`);
  assert.ok(kills > 5);
  await checkCounters(processes, { path, count: 2, kills: kills + repairs });
});

test('a watch hears of commits in another process', { timeout: 30_000 }, async (t) => {
  const processes = new Processes(t);
  const path = processes.file('store.db');
  const tenant = await open(path);
  t.after(() => tenant.store.close());
  const watcher = processes.start('watch', { path, worker: 1, runMs: 4_000 });
  const last = () => watcher.said.at(-1)?.value;
  const reached = (value: number) => until(() => last() === value, 5_000);
  await reached(0);
  const latencies: number[] = [];
  for (let i = 1; i <= 30; i++) {
    const begin = performance.now();
    await transact(tenant, (tx) => tx.add(sharedKey, 1n), { timeoutMs: 5000 });
    await reached(i);
    latencies.push(performance.now() - begin);
    await sleep(5);
  }
  latencies.sort((a, b) => a - b);
  t.diagnostic(
    `from the call of commit to the line of the other process: median ${latencies[15]?.toFixed(1)} ms`,
  );
  assert.ok((latencies[15] as number) < 200, 'the bell is not heard: only the poll is');
  assert.equal(await watcher.ended, 0);
});

test('a process that died with a snapshot open does not make the file grow', {
  timeout: 30_000,
}, async (t) => {
  const processes = new Processes(t);
  const path = processes.file('store.db');
  const tenant = await open(path);
  t.after(() => tenant.store.close());
  const reader = processes.start('watch', { path, worker: 1, runMs: 20_000 });
  await until(() => reader.said.length >= 2, 10_000);
  reader.kill();
  await reader.ended;
  const value = new Uint8Array(20_000);
  for (let i = 0; i < 1_500; i++) {
    await transact(tenant, (tx) => tx.set(keyOf('large', String(i % 10)), value), { timeoutMs: 5000 });
  }
  const megabytes = statSync(`${path}-wal`).size / 1e6;
  assert.ok(megabytes < 20, `the write-ahead log has ${megabytes} MB`);
});

test('a process that has closed its store ends by itself', { timeout: 30_000 }, async (t) => {
  const processes = new Processes(t);
  const worker = processes.start('leave', { path: processes.file('store.db'), worker: 0, runMs: 0 });
  const code = await Promise.race([worker.ended, sleep(10_000, 'still running', { ref: false })]);
  assert.equal(code, 0);
  assert.deepEqual(worker.said, [{ closed: true }]);
  assert.equal(existsSync(processes.file('store.db-wal')), false);
});
