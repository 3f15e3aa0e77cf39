// The leader is killed, then everybody: names of the living stay, names of the dead go, and no name has two owners.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cluster, grantsIn, leaderOf, namesOf, type RemoteNode, showExactly } from './cluster.ts';
import { compareTokenTexts, nowMs } from './orders.ts';
import { allCount } from './stored.ts';
import { Witness } from './witness.ts';

const perNode = 100;

test('the leader is killed: names of survivors stay, its own go, tokens and epochs grow', {
  timeout: 60_000,
}, async (t) => {
  const cluster = new Cluster(t);
  const nodes = await cluster.startAll('a', 'b', 'c');
  const granted = await Promise.all(nodes.map((node) => node.register(namesOf(`${node.name}-`, perNode))));
  const tokens = granted.flatMap((outcomes) => grantsIn(outcomes).map(({ token }) => token));
  await showExactly(
    nodes,
    ['a', 'b', 'c'].flatMap((name) => namesOf(`${name}-`, perNode)),
  );
  const leader = await leaderOf(nodes);
  const survivors = nodes.filter((node) => node !== leader);
  const before = await leader.status();
  const witness = new Witness();
  await witness.collect(nodes);

  const orders = survivors.map((node) =>
    node.order<{ at: number; token: string }>({
      do: 'awaitGrant',
      prefix: `new-${node.name}-`,
      afterEpoch: before.epoch,
    }),
  );
  const killedAt = await leader.kill();
  const first = await Promise.any(orders);
  t.diagnostic(`first registration by the successor after ${(first.at - killedAt).toFixed(0)} ms`);
  const later = await Promise.all(orders);
  assert.ok(first.at - killedAt < 10_000);
  for (const { token } of later)
    for (const old of tokens) assert.ok(compareTokenTexts(token, old) > 0, `${token} after ${old}`);

  const newLeader = await leaderOf(survivors);
  assert.ok((await newLeader.status()).epoch > before.epoch);
  const kept = survivors.flatMap((node) => namesOf(`${node.name}-`, perNode));
  const lost = namesOf(`${leader.name}-`, perNode);
  const expected = new Map(
    survivors.flatMap((node) =>
      grantsIn(granted[nodes.indexOf(node)] ?? []).map(({ pid }, index) => [`${node.name}-${index}`, pid]),
    ),
  );
  for (const node of survivors) {
    assert.deepEqual(
      await node.lookup(kept),
      kept.map((name) => expected.get(name)),
    );
    assert.deepEqual(
      await node.lookup(lost),
      lost.map(() => null),
      'names of the dead are shown',
    );
    const consistent = await node.consistent([...kept.slice(0, 20), ...lost.slice(0, 20)]);
    assert.deepEqual(consistent, [
      ...kept.slice(0, 20).map((name) => ({ status: 'answer', value: expected.get(name) })),
      ...lost.slice(0, 20).map(() => ({ status: 'answer', value: null })),
    ]);
  }
  const [survivor] = survivors as [RemoteNode];
  grantsIn(await survivor.register(lost));
  await witness.collect(survivors);
  witness.judge([{ node: leader.nodeName, from: killedAt, to: Number.POSITIVE_INFINITY }]);
});

test('a follower is killed: its names are free at once, and nobody waits for leases', {
  timeout: 60_000,
}, async (t) => {
  // The leader looks into the store every twenty seconds, once all that comes with a start is over.
  const cluster = new Cluster(t, { leaseMs: 60_000 });
  const nodes = await cluster.startAll('a', 'b', 'c');
  const leader = await leaderOf(nodes);
  const doomed = nodes.find((node) => node !== leader) as RemoteNode;
  const rest = nodes.filter((node) => node !== doomed) as [RemoteNode, RemoteNode];
  const names = namesOf('room-', perNode);
  grantsIn(await doomed.register(names));
  grantsIn(await rest[0].register(['kept']));
  const before = await leader.status();
  await allCount(cluster, 3);
  const from = await doomed.kill();
  const seized = await Promise.all(
    names.map((name) =>
      rest[1].order<{ status: string; at: number }>({ do: 'seize', name, timeoutMs: 10_000 }),
    ),
  );
  assert.ok(seized.every(({ status }) => status === 'registered'));
  const freeAt = Math.max(...seized.map(({ at }) => at));
  t.diagnostic(`${perNode} names of the dead were taken within ${(freeAt - from).toFixed(0)} ms`);
  assert.ok(freeAt - from < 8_000);
  await showExactly(rest, [...names, 'kept']);
  const after = await leader.status();
  assert.deepEqual([after.epoch, after.member], [before.epoch, before.member]);
});

test('everybody is killed, and nodes of old and new names start: no stale name, and no wait for leases', {
  timeout: 60_000,
}, async (t) => {
  // With these leases nobody could wait for a lapse: death has to be proven.
  const cluster = new Cluster(t, { leaseMs: 20_000 });
  const nodes = await cluster.startAll('a', 'b', 'c');
  await Promise.all(nodes.map((node) => node.register(namesOf(`${node.name}-`, perNode))));
  const { epoch } = await (nodes[0] as RemoteNode).status();
  for (const node of nodes) node.signal('SIGKILL');
  await Promise.all(nodes.map((node) => node.ended));
  const from = nowMs();
  const [x, ...others] = await Promise.all(['b', 'x', 'c'].map((name) => cluster.start(name)));
  t.diagnostic(`three nodes serve ${(nowMs() - from).toFixed(0)} ms after the start of their processes`);
  assert.ok(nowMs() - from < 15_000);
  const again = [x as RemoteNode, ...others];
  await showExactly(again, []);
  const names = ['a', 'b', 'c'].flatMap((name) => namesOf(`${name}-`, perNode));
  const from2 = nowMs();
  const outcomes = await (x as RemoteNode).register(names);
  t.diagnostic(`${names.length} names registered anew in ${(nowMs() - from2).toFixed(0)} ms`);
  for (const { token } of grantsIn(outcomes)) assert.ok(Number(token.split('.')[0]) > epoch);
  await showExactly(again, names);
});
