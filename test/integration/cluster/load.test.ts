// Many registrations at once from three processes, and three processes that want the same names.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cluster, grantsIn, leaderOf, namesOf, showExactly } from './cluster.ts';
import { compareTokenTexts, nowMs, type Outcome } from './orders.ts';

test('ten thousand registrations, a thousand in flight: each its own token, each shown everywhere', {
  timeout: 90_000,
}, async (t) => {
  const cluster = new Cluster(t, { leaseMs: 5_000 });
  const nodes = await cluster.startAll('a', 'b', 'c');
  await leaderOf(nodes);
  const own = nodes.map((node) => namesOf(`${node.name}-`, 3_334));
  const from = nowMs();
  const outcomes = await Promise.all(
    nodes.map((node, index) => node.register(own[index] ?? [], { inFlight: 334, timeoutMs: 25_000 })),
  );
  await showExactly(nodes, own.flat());
  t.diagnostic(`${own.flat().length} names on three nodes in ${(nowMs() - from).toFixed(0)} ms`);
  const granted = outcomes.flatMap((list) => grantsIn(list));
  assert.equal(new Set(granted.map(({ token }) => token)).size, granted.length);
  const pids = new Map(own.flat().map((name, index) => [name, granted[index]?.pid]));
  for (const node of nodes)
    assert.deepEqual(
      await node.lookup(own.flat()),
      own.flat().map((name) => pids.get(name)),
    );
});

test('three processes want the same names: one owner each, and everybody else is told who', {
  timeout: 90_000,
}, async (t) => {
  const cluster = new Cluster(t, { leaseMs: 5_000 });
  const nodes = await cluster.startAll('a', 'b', 'c');
  await leaderOf(nodes);
  const names = namesOf('room-', 200);
  const outcomes = await Promise.all(nodes.map((node) => node.register(names)));
  const winners = names.map((name, index) =>
    winnerOf(
      name,
      outcomes.map((list) => list[index] as Outcome),
    ),
  );
  for (const node of nodes)
    assert.deepEqual(
      await node.lookup(names),
      winners.map(({ pid }) => pid),
    );
  const tokens = winners.map(({ token }) => token).sort(compareTokenTexts);
  assert.equal(new Set(tokens).size, names.length);
  const wins = nodes.map((node) => winners.filter(({ pid }) => pid.endsWith(`@${node.nodeName}`)).length);
  t.diagnostic(`names won: ${wins.join(', ')}`);
});

function winnerOf(name: string, outcomes: readonly Outcome[]): { pid: string; token: string } {
  const won = outcomes.filter((one) => one.status === 'registered');
  assert.equal(won.length, 1, `${name}: ${JSON.stringify(outcomes)}`);
  const winner = won[0] as Extract<Outcome, { status: 'registered' }>;
  for (const other of outcomes)
    if (other !== winner) assert.deepEqual(other, { status: 'taken', pid: winner.pid });
  return winner;
}
