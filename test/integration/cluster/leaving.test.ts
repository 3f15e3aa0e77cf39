// Nodes that leave in good order: others take over at once, nothing of theirs stays in the store, and the processes end by
// themselves, for nothing is left that keeps them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cluster, grantsIn, leaderOf, namesOf, type RemoteNode, showExactly } from './cluster.ts';
import { nowMs } from './orders.ts';
import { stored } from './stored.ts';

interface Closed {
  readonly ms: number;
  readonly at: number;
}

test('the leader, then a follower leave: others go on at once, and nothing of them is left', {
  timeout: 60_000,
}, async (t) => {
  // With this lease nobody can wait for a lapse.
  const cluster = new Cluster(t, { leaseMs: 15_000 });
  const nodes = await cluster.startAll('a', 'b', 'c');
  for (const node of nodes) grantsIn(await node.register(namesOf(`${node.name}-`, 50)));
  const leader = await leaderOf(nodes);
  const { epoch } = await leader.status();
  const others = nodes.filter((node) => node !== leader) as [RemoteNode, RemoteNode];
  const grants = others.map((node) =>
    node.order<{ at: number }>({ do: 'awaitGrant', prefix: `new-${node.name}-`, afterEpoch: epoch }),
  );
  const from = nowMs();
  const closed = await leader.order<Closed>({ do: 'leave' });
  const first = await Promise.any(grants);
  t.diagnostic(
    `the leader left in ${closed.ms.toFixed(0)} ms; a successor decided ${(first.at - from).toFixed(0)} ms after the order`,
  );
  assert.ok(closed.ms < 4_000, `it took ${closed.ms} ms to leave`);
  assert.ok(first.at - from < 5_000);
  await Promise.all(grants);
  const second = await leaderOf(others);
  for (const node of others) {
    assert.ok((await node.lookup(namesOf(`${leader.name}-`, 50))).every((pid) => pid === null));
    const kept = others.flatMap((other) => namesOf(`${other.name}-`, 50));
    assert.ok((await node.lookup(kept)).every((pid) => pid !== null));
  }

  const follower = others.find((node) => node !== second) as RemoteNode;
  const followerClosed = await follower.order<Closed>({ do: 'leave' });
  t.diagnostic(`a follower left in ${followerClosed.ms.toFixed(0)} ms`);
  assert.ok(followerClosed.ms < 4_000, `it took ${followerClosed.ms} ms to leave`);
  const status = await second.status();
  assert.equal(status.epoch, epoch + 1);
  const view = await stored(cluster);
  assert.deepEqual(view.members, [status.member]);
  assert.deepEqual(view.record?.established, [status.member]);
  const shown = await second.order<string[]>({ do: 'names' });
  assert.ok(
    shown.every((name) => name.startsWith(`${second.name}-`) || name.startsWith(`new-${second.name}-`)),
  );

  const last = await second.order<Closed>({ do: 'leave' });
  t.diagnostic(`the last one left in ${last.ms.toFixed(0)} ms`);
  assert.deepEqual((await stored(cluster)).members, []);
  for (const node of nodes) assert.deepEqual(await exitOf(node), 0);
});

test('all leave at the same time: nobody waits for anybody', { timeout: 60_000 }, async (t) => {
  const cluster = new Cluster(t, { leaseMs: 15_000 });
  const nodes = await cluster.startAll('a', 'b', 'c');
  for (const node of nodes) grantsIn(await node.register(namesOf(`${node.name}-`, 50)));
  await leaderOf(nodes);
  const closed = await Promise.all(nodes.map((node) => node.order<Closed>({ do: 'leave' })));
  t.diagnostic(`left in ${closed.map(({ ms }) => ms.toFixed(0)).join(', ')} ms`);
  for (const { ms } of closed) assert.ok(ms < 4_000, `it took ${ms} ms to leave`);
  const at = nowMs();
  for (const node of nodes) assert.equal(await exitOf(node), 0);
  t.diagnostic(`ended by themselves within ${(nowMs() - at).toFixed(0)} ms`);
  const again = await cluster.start('a');
  grantsIn(await again.register(['b-0', 'c-0']));
  await showExactly([again], ['b-0', 'c-0']);
});

/** A node that has left ends by itself, soon: no timer, socket or file keeps it. */
async function exitOf(node: RemoteNode): Promise<number | string | null> {
  const from = nowMs();
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error(`${node.name} still runs`)), 5_000).unref();
  });
  const { code, signal, at } = await Promise.race([node.ended, late]);
  assert.ok(at - from < 3_000, `${node.name} ended ${at - from} ms after it had closed everything`);
  return code ?? signal;
}
