// Nodes that are frozen and thaw: shorter than the lease nothing happens, longer than the session their names go to others,
// not before, and they return as a new incarnation that has ended what it held.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
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
import { nowMs, type Owner } from './orders.ts';
import { allCount } from './stored.ts';
import { Witness } from './witness.ts';

interface Seized {
  readonly status: string;
  readonly at: number;
}

const names = namesOf('room-', 20);

/** The earliest end of a session whose holder was frozen at that moment: the last heartbeat came up to a sixth of a lease before, and the holder counts shorter. */
function earliestLapse(frozenAt: number): number {
  return frozenAt + 0.9 * sessionMs - leaseMs / 2;
}

async function freezePastSession(
  cluster: Cluster,
  frozen: RemoteNode,
  others: readonly RemoteNode[],
): Promise<{ from: number; to: number; seized: Seized[] }> {
  await allCount(cluster, 3);
  const from = await frozen.freeze(cluster.file);
  const orders = others.flatMap((node) =>
    names.map((name) => node.order<Seized>({ do: 'seize', name, timeoutMs: 15_000 })),
  );
  const claims = await Promise.allSettled(
    names.map((_, index) =>
      Promise.any(others.map((_node, of) => orders[of * names.length + index] as Promise<Seized>)),
    ),
  );
  const seized = claims.map((claim) => (claim as PromiseFulfilledResult<Seized>).value);
  return { from, to: frozen.signal('SIGCONT'), seized };
}

async function checkRejoined(frozen: RemoteNode, former: string): Promise<void> {
  await eventually(`${frozen.name} rejoins`, async () => {
    const { phase, member } = await frozen.status();
    return phase === 'active' && member !== former ? true : undefined;
  });
  const ended = (await frozen.owners()).filter((owner) => owner.name.startsWith('room-'));
  assert.equal(ended.length, names.length);
  for (const owner of ended) assert.match(owner.reason ?? 'lives', /fenced/);
}

test('a follower frozen past its session loses its names, ends its processes and returns', {
  timeout: 60_000,
}, async (t) => {
  const cluster = new Cluster(t);
  const nodes = await cluster.startAll('a', 'b', 'c');
  const leader = await leaderOf(nodes);
  const frozen = nodes.find((node) => node !== leader) as RemoteNode;
  const other = nodes.find((node) => node !== leader && node !== frozen) as RemoteNode;
  grantsIn(await frozen.register(names));
  const { member } = await frozen.status();
  const witness = new Witness();
  const { from, to, seized } = await freezePastSession(cluster, frozen, [other]);
  t.diagnostic(
    `names were given away ${((seized[0]?.at ?? 0) - from).toFixed(0)} ms after the freeze, session ${sessionMs}`,
  );
  for (const { status, at } of seized) {
    assert.equal(status, 'registered');
    assert.ok(at >= earliestLapse(from), `given away ${at - from} ms after the freeze`);
  }
  await checkRejoined(frozen, member);
  grantsIn(await frozen.register(['after-thaw']));
  assert.deepEqual(
    (await frozen.register(names)).map(({ status }) => status),
    names.map(() => 'taken'),
  );
  await showExactly(nodes, [...names, 'after-thaw']);
  await witness.collect(nodes);
  const verdict = witness.judge([{ node: frozen.nodeName, from, to }]);
  assert.equal(verdict.owners, 2 * names.length + 1);
  t.diagnostic(`acts in the last instant: ${verdict.lastInstantActs}`);
});

test('a leader frozen past its session is replaced by lapse, its names wait for theirs, and its word counts no more', {
  timeout: 60_000,
}, async (t) => {
  const cluster = new Cluster(t);
  const nodes = await cluster.startAll('a', 'b', 'c');
  const leader = await leaderOf(nodes);
  const others = nodes.filter((node) => node !== leader);
  grantsIn(await leader.register(names));
  const { member, epoch } = await leader.status();
  const witness = new Witness();
  const grants = others.map((node) =>
    node.order<{ at: number }>({ do: 'awaitGrant', prefix: `new-${node.name}-`, afterEpoch: epoch }),
  );
  const { from, to, seized } = await freezePastSession(cluster, leader, others);
  const first = Math.min(...(await Promise.all(grants)).map(({ at }) => at));
  t.diagnostic(`a successor decided ${(first - from).toFixed(0)} ms after the freeze, lease ${leaseMs}`);
  t.diagnostic(
    `names were given away after ${((seized[0]?.at ?? 0) - from).toFixed(0)} ms, session ${sessionMs}`,
  );
  assert.ok(first - from >= 0.9 * leaseMs - leaseMs / 2, 'a successor before the lapse of the lease');
  for (const { status, at } of seized) {
    assert.equal(status, 'registered');
    assert.ok(at >= earliestLapse(from), `given away ${at - from} ms after the freeze`);
  }
  await checkRejoined(leader, member);
  assert.notEqual((await leaderOf(nodes)).name, leader.name);
  grantsIn(await leader.register(['after-thaw']));
  await witness.collect(nodes);
  const verdict = witness.judge([{ node: leader.nodeName, from, to }]);
  t.diagnostic(`acts in the last instant: ${verdict.lastInstantActs}`);
});

test('a leader frozen past its lease, not past its session: deposed, and nobody is harmed', {
  timeout: 60_000,
}, async (t) => {
  // A session long enough for a busy machine to notice the thaw in time.
  const cluster = new Cluster(t, { leaseMs, sessionMs: 20 * leaseMs });
  const nodes = await cluster.startAll('a', 'b', 'c');
  const leader = await leaderOf(nodes);
  const others = nodes.filter((node) => node !== leader);
  const kept = grantsIn(await leader.register(names)).map(({ pid }) => pid);
  const { member, epoch } = await leader.status();
  const grants = others.map((node) =>
    node.order<{ at: number }>({ do: 'awaitGrant', prefix: `new-${node.name}-`, afterEpoch: epoch }),
  );
  await allCount(cluster, 3);
  const from = await leader.freeze(cluster.file);
  const first = await Promise.any(grants);
  const refused = await (others[0] as RemoteNode).register(names, { timeoutMs: 500 });
  leader.signal('SIGCONT');
  t.diagnostic(`a successor decided ${(first.at - from).toFixed(0)} ms after the freeze, lease ${leaseMs}`);
  for (const outcome of refused) assert.notEqual(outcome.status, 'registered');
  await Promise.all(grants);
  await leaderOf(nodes);
  assert.equal((await leader.status()).member, member);
  for (const node of nodes) assert.deepEqual(await node.lookup(names), kept);
  assert.ok((await leader.owners()).every(({ endedAt }) => endedAt === null));
});

test('a pause shorter than the lease harms nobody', { timeout: 60_000 }, async (t) => {
  const cluster = new Cluster(t, { leaseMs: 3_000 });
  const nodes = await cluster.startAll('a', 'b', 'c');
  await Promise.all(nodes.map((node) => node.register(namesOf(`${node.name}-`, 20))));
  const all = nodes.flatMap((node) => namesOf(`${node.name}-`, 20));
  await showExactly(nodes, all);
  const before = await Promise.all(nodes.map((node) => node.status()));
  for (const node of nodes) {
    const from = await node.freeze(cluster.file);
    await sleep(400);
    node.signal('SIGCONT');
    await node.status();
    if (nowMs() - from > 1_500) t.diagnostic(`paused for ${(nowMs() - from).toFixed(0)} ms instead of 400`);
    grantsIn(await node.register([`after-${node.name}`]));
  }
  const after = await Promise.all(nodes.map((node) => node.status()));
  for (const [index, status] of after.entries()) {
    assert.equal(status.member, before[index]?.member);
    assert.equal(status.epoch, before[index]?.epoch);
  }
  const owners: Owner[] = (await Promise.all(nodes.map((node) => node.owners()))).flat();
  assert.ok(owners.every(({ endedAt }) => endedAt === null));
  await showExactly(nodes, [...all, 'after-a', 'after-b', 'after-c']);
});
