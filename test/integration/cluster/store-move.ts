// A cluster of operating-system processes while its store is moved: the same story for every pair of stores. Two nodes
// know both stores, one only the old one. The first mover dies in the middle; between it and the next one nobody has a store for
// several leases.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { hasCode, moveStore, nodeHost } from '../../../src/index.ts';
import { backendAt } from '../../../src/node/open-store.ts';
import { allKeys, type Backend } from '../../../src/storage/index.ts';
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
import { nowMs } from './orders.ts';
import { allCount } from './stored.ts';

const run = promisify(execFile);

/** Moves as the command does, in a process of its own. */
async function command(...args: readonly string[]): Promise<string> {
  const { stdout } = await run(process.execPath, ['scripts/move-store.ts', ...args], { timeout: 30_000 });
  return stdout;
}

/** Seals the old store, and dies when it comes to copying. */
async function sealAndDie(from: string, to: string): Promise<void> {
  const target = await backendAt(to, nodeHost());
  const dead = new AbortController();
  let begun = 0;
  const dying: Backend = {
    description: target.description,
    begin: (options) => {
      begun += 1;
      if (begun > 2) dead.abort();
      return target.begin(options);
    },
    watch: (range) => target.watch(range),
    close: () => target.close(),
  };
  const moved = moveStore(from, dying, { signal: dead.signal });
  await assert.rejects(moved, (error) => hasCode(error, 'aborted'));
  await target.close();
}

async function contentOf(address: string): Promise<string[]> {
  const backend = await backendAt(address, nodeHost());
  try {
    const tx = await backend.begin({ timeoutMs: 5_000 });
    const { items } = await tx.getRange(allKeys(), { limit: 10_000 });
    tx.close();
    return items.map(
      ([key, value]) => `${Buffer.from(key).toString('hex')} ${Buffer.from(value).toString('hex')}`,
    );
  } finally {
    await backend.close();
  }
}

interface Working {
  /** Everything that was granted, once it has stopped. */
  stop(): Promise<string[]>;
}

/** Registers on every node, one name after the other, until it is stopped. Nothing may be refused. */
function keepRegistering(nodes: readonly RemoteNode[]): Working {
  let working = true;
  const granted: string[] = [];
  const work = Promise.all(
    nodes.map(async (node) => {
      for (let round = 0; working; round++) {
        const name = `during-${node.name}-${round}`;
        grantsIn(await node.register([name], { timeoutMs: 5_000 }));
        granted.push(name);
        await sleep(20);
      }
    }),
  );
  // Whoever stops it hears of a failure.
  work.catch(() => undefined);
  return {
    stop: async () => {
      working = false;
      await work;
      return granted;
    },
  };
}

export async function moveUnderCluster(
  t: TestContext,
  addresses: { from: string; to: string },
): Promise<void> {
  const { from, to } = addresses;
  const options = { leaseMs, sessionMs: 4 * leaseMs };
  const cluster = new Cluster(t, options, `${from} => ${to}`);
  const a = await cluster.start('a');
  const [b, c] = await Promise.all([cluster.start('b'), cluster.start('c', { store: from })]);
  const nodes = [a, b, c];
  const before = nodes.flatMap((node) => namesOf(`${node.name}-`, 20));
  for (const node of nodes) grantsIn(await node.register(namesOf(`${node.name}-`, 20)));
  const leader = await leaderOf(nodes);
  await allCount(cluster, 3);
  const statuses = await Promise.all(nodes.map((node) => node.status()));

  const working = keepRegistering(nodes);
  await sleep(leaseMs);
  const sealedAt = nowMs();
  await sealAndDie(from, to);
  const sealed = await contentOf(from);
  const record = Buffer.from(sealed[0]?.split(' ')[1] ?? '', 'hex').toString();
  assert.match(record, /^dgen 1 moved /);
  const secret = /:([^:/@]+)@/.exec(to)?.[1];
  assert.ok(
    secret === undefined || !(record.includes(secret) || record.includes('@')),
    'the seal shows a secret',
  );
  await sleep(4 * leaseMs);
  assert.match(await command('--from', from, '--to', to), /^moved \d+ keys/);
  t.diagnostic(`no store for ${(nowMs() - sealedAt).toFixed(0)} ms, leases of ${leaseMs} ms`);
  assert.match(await command('--from', from, '--to', to), /^had been moved before/);
  await sleep(2 * leaseMs);
  const names = [...before, ...(await working.stop())];

  // Nobody was harmed, nobody was replaced, and the leader has its lease from the new store.
  for (const [index, node] of nodes.entries()) {
    const status = await node.status();
    assert.deepEqual([status.member, status.epoch], [statuses[index]?.member, statuses[index]?.epoch]);
    assert.ok((await node.owners()).every(({ endedAt }) => endedAt === null));
  }
  assert.equal(await leaderOf(nodes), leader);
  await showExactly(nodes, names);
  assert.deepEqual(await contentOf(from), sealed, 'the old store has not changed since');
  const inNew = { ...cluster, store: to } as Cluster;
  await allCount(inNew, 3);

  // Step 3, node by node: with the old store alone nobody starts any more, with the new one alone it does.
  await c.kill();
  await assert.rejects(cluster.start('c', { store: from }), /store_moved/);
  const rest = [a, b];
  const late = await cluster.start('c', { store: to });
  grantsIn(await late.register(['late']));
  // And the next leader comes from the new store.
  await leader.kill();
  const survivors = [...rest.filter((node) => node !== leader), late];
  grantsIn(await late.register(['later'], { timeoutMs: 20_000 }));
  const next = await leaderOf(survivors, 20_000);
  assert.ok((await next.status()).epoch > (statuses[0]?.epoch ?? 0));
  const kept = names.filter((name) =>
    survivors.some((node) => name.includes(`${node.name}-`) && node !== late),
  );
  await showExactly(survivors, [...kept, 'late', 'later']);
  await onlyOneOwnerEach([...survivors]);
}

/** Each name that any of these nodes was granted has one owner that lives. */
async function onlyOneOwnerEach(nodes: readonly RemoteNode[]): Promise<void> {
  const owners = (await Promise.all(nodes.map((node) => node.owners()))).flat();
  const living = owners.filter(({ endedAt }) => endedAt === null).map(({ name }) => name);
  assert.equal(new Set(living).size, living.length, 'a name has two owners');
  await eventually('all look-ups agree', async () => {
    const seen = await Promise.all(nodes.map((node) => node.lookup(living)));
    return seen.every((pids) => pids.join() === seen[0]?.join() && !pids.includes(null)) ? true : undefined;
  });
}
