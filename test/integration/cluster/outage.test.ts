// The store is locked for longer than a lease while all members are well: decisions go on by unanimity, nobody is harmed.
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  Cluster,
  eventually,
  grantsIn,
  leaderOf,
  leaseMs,
  namesOf,
  type RemoteNode,
  sessionMs,
  showExactly,
} from './cluster.ts';
import { nowMs } from './orders.ts';
import { allCount } from './stored.ts';

const lockFile = fileURLToPath(new URL('./lock.child.ts', import.meta.url));

/** Another process that holds the write lock of the file until it is killed. */
async function lock(t: TestContext, file: string): Promise<{ release(): Promise<void> }> {
  const child: ChildProcess = fork(lockFile, [file], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const ended = once(child, 'exit');
  const release = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  t.after(release);
  await once(child, 'message', { signal: AbortSignal.timeout(20_000) });
  return { release };
}

test('the store is out of reach for many leases: lookups, calls and registrations go on', {
  timeout: 60_000,
}, async (t) => {
  const cluster = new Cluster(t);
  const nodes = await cluster.startAll('a', 'b', 'c');
  const before = nodes.flatMap((node) => namesOf(`${node.name}-`, 10));
  for (const node of nodes) grantsIn(await node.register(namesOf(`${node.name}-`, 10)));
  const leader = await leaderOf(nodes);
  await allCount(cluster, 3);
  const { epoch } = await leader.status();
  const members = await Promise.all(nodes.map((node) => node.status().then(({ member }) => member)));

  const held = await lock(t, cluster.file);
  const from = nowMs();
  const during: string[] = [];
  let slowestMs = 0;
  for (let round = 0; nowMs() < from + 6 * leaseMs; round++) {
    await Promise.all(
      nodes.map(async (node) => {
        const name = `during-${node.name}-${round}`;
        during.push(name);
        const begin = nowMs();
        grantsIn(await node.register([name], { timeoutMs: 2_000 }));
        slowestMs = Math.max(slowestMs, nowMs() - begin);
      }),
    );
    await sleep(50);
  }
  for (const node of nodes) {
    const answers = await node.order<{ status: string; value: string }[]>({ do: 'call', names: before });
    assert.ok(
      answers.every(({ status }) => status === 'answer'),
      JSON.stringify(answers[0]),
    );
    const read = await node.consistent(during.slice(-3));
    assert.ok(read.every((one) => one.status === 'answer' && one.value !== null));
  }
  await showExactly(nodes, [...before, ...during]);
  const outageMs = nowMs() - from;
  await held.release();
  t.diagnostic(
    `${during.length} names in ${outageMs.toFixed(0)} ms without the store, slowest ${slowestMs.toFixed(0)} ms`,
  );
  assert.ok(outageMs > 5 * leaseMs);

  await sleep(2 * leaseMs);
  await leaderOf(nodes);
  for (const [index, node] of nodes.entries()) {
    const status = await node.status();
    assert.equal(status.member, members[index], 'a member was fenced');
    assert.equal(status.epoch, epoch, 'the leader was replaced');
    assert.ok((await node.owners()).every(({ endedAt }) => endedAt === null));
  }
  // The store is in use again: a newcomer gets in.
  const late = await cluster.start('d');
  grantsIn(await late.register(['late']));
  await showExactly([...nodes, late], [...before, ...during, 'late']);
});

test('the leader dies while the store is out of reach: nobody decides until it is back, then somebody does', {
  timeout: 60_000,
}, async (t) => {
  // Sessions that outlast the outage.
  const cluster = new Cluster(t, { leaseMs, sessionMs: 30 * leaseMs });
  const nodes = await cluster.startAll('a', 'b', 'c');
  for (const node of nodes) grantsIn(await node.register(namesOf(`${node.name}-`, 10)));
  const leader = await leaderOf(nodes);
  await allCount(cluster, 3);
  const survivors = nodes.filter((node) => node !== leader) as [RemoteNode, RemoteNode];
  const held = await lock(t, cluster.file);
  await leader.kill();
  const refused = await survivors[0].register(['x'], { timeoutMs: 2 * leaseMs });
  assert.deepEqual(
    refused.map((one) => (one.status === 'failed' ? one.code : one.status)),
    ['unavailable'],
  );
  const kept = survivors.flatMap((node) => namesOf(`${node.name}-`, 10));
  for (const node of survivors) assert.ok((await node.lookup(kept)).every((pid) => pid !== null));
  await held.release();
  const from = nowMs();
  grantsIn(await survivors[0].register(['x'], { timeoutMs: 15_000 }));
  t.diagnostic(`decided ${(nowMs() - from).toFixed(0)} ms after the store was back`);
  await showExactly(survivors, [...kept, 'x']);
  for (const node of survivors) assert.ok((await node.owners()).every(({ endedAt }) => endedAt === null));
  await eventually('two members', async () =>
    (await survivors[0].status()).members.length === 2 ? true : undefined,
  );
});

test('the store is out of reach for longer than the tolerance: refusals are coded, nothing is lost', {
  timeout: 60_000,
}, async (t) => {
  const storeOutageToleranceMs = 3 * leaseMs;
  const cluster = new Cluster(t, { leaseMs, sessionMs, storeOutageToleranceMs });
  const nodes = await cluster.startAll('a', 'b', 'c');
  const kept = nodes.flatMap((node) => namesOf(`${node.name}-`, 10));
  for (const node of nodes) grantsIn(await node.register(namesOf(`${node.name}-`, 10)));
  const leader = await leaderOf(nodes);
  await allCount(cluster, 3);
  const before = await Promise.all(nodes.map((node) => node.status()));

  const held = await lock(t, cluster.file);
  const from = nowMs();
  await eventually('nobody decides any more', async () => {
    const { storeOutageMsLeft } = await leader.status();
    return storeOutageMsLeft === 0 ? true : undefined;
  });
  // Far past the tolerance, and past all sessions that were granted within it.
  while (nowMs() < from + storeOutageToleranceMs + 3 * sessionMs) {
    for (const node of nodes) {
      const refused = await node.register([`late-${node.name}`], { timeoutMs: 300 });
      const codes = refused.map((one) => (one.status === 'failed' ? one.code : one.status));
      assert.deepEqual(codes, ['unavailable']);
    }
  }
  for (const node of nodes) {
    const answers = await node.order<{ status: string }[]>({ do: 'call', names: kept });
    assert.ok(answers.every(({ status }) => status === 'answer'));
  }
  await held.release();
  const back = nowMs();
  for (const node of nodes) grantsIn(await node.register([`back-${node.name}`], { timeoutMs: 15_000 }));
  const recoveredMs = nowMs() - back;
  t.diagnostic(`registered at every member ${recoveredMs.toFixed(0)} ms after the store was back`);
  await showExactly(nodes, [...kept, ...nodes.map((node) => `back-${node.name}`)]);
  for (const [index, node] of nodes.entries()) {
    const status = await node.status();
    assert.equal(status.member, before[index]?.member, 'a member was fenced');
    assert.equal(status.epoch, before[index]?.epoch, 'the leader was replaced');
    assert.equal(status.storeOutageMsLeft, undefined);
    assert.ok((await node.owners()).every(({ endedAt }) => endedAt === null));
  }
});
