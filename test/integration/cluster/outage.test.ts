// The store of a cluster of processes is a SQLite file that somebody else keeps locked.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  Cluster,
  eventually,
  grantsIn,
  leaderOf,
  leaseMs,
  namesOf,
  type RemoteNode,
  showExactly,
} from './cluster.ts';
import { lock } from './lock.ts';
import { nowMs } from './orders.ts';
import { type FaultyStore, storeFaults } from './store-faults.ts';
import { allCount } from './stored.ts';

async function lockedFile(t: TestContext): Promise<FaultyStore> {
  const folder = mkdtempSync(join(tmpdir(), 'dgen-outage-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'store.sqlite');
  let held: { release(): Promise<void> } | undefined;
  return {
    address: `sqlite:${file}`,
    takeAway: async () => {
      held = await lock(t, file);
    },
    bringBack: async () => held?.release(),
  };
}

storeFaults({ name: 'SQLite', create: lockedFile, longMs: 6_000 });

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
