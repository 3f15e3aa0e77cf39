// Two tenants of one store, and two registries of one tenant: they share a store, a machine, and the names of nodes and
// registries, and nothing else.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import {
  atom,
  hasCode,
  MemoryDatabase,
  Node,
  nodeHost,
  openStore,
  Registry,
  type RegistryOptions,
  type Store,
  tuple,
} from '../../../src/index.ts';
import { keyOf } from '../../../src/storage/index.ts';
import { Counter, eventually, fast, spawnIdle } from './support.ts';

const timeout = 60_000;

interface Side {
  readonly nodes: readonly [Node, Node];
  readonly registries: readonly [Registry, Registry];
}

async function pairIn(store: Store, tenant: string, names: readonly [string, string]): Promise<Side> {
  const nodes = [
    await Node.start({ name: names[0], store, tenant }),
    await Node.start({ name: names[1], store, tenant }),
  ] as const;
  const registries = [
    await nodes[0].registry('games', fast),
    await nodes[1].registry('games', fast),
  ] as const;
  for (const one of registries) await eventually('counts', () => one.status().established);
  return { nodes, registries };
}

/** The tenants' names are prefixes of each other; nodes and registries are called the same. */
describe('two tenants of one store', () => {
  let store: Store;
  let one: Side;
  let two: Side;

  before(async () => {
    const host = nodeHost();
    store = await openStore(new MemoryDatabase(host).connect(), { host });
    one = await pairIn(store, 'a', ['x', 'y']);
    two = await pairIn(store, 'a\u0000b', ['x', 'y']);
  });
  after(async () => {
    for (const side of [one, two]) await Promise.all(side?.nodes.map((node) => node.close()) ?? []);
    await store.close();
  });

  test('have names, owners and tokens of their own', { timeout }, async () => {
    const pids = [spawnIdle(one.nodes[0]), spawnIdle(two.nodes[0])] as const;
    const first = await one.registries[0].register('room', pids[0]);
    for (let index = 0; index < 5; index++)
      await two.registries[1].register(`more-${index}`, spawnIdle(two.nodes[1]));
    const second = await two.registries[0].register('room', pids[1]);
    assert.deepEqual([first.status, second.status], ['registered', 'registered']);
    for (const [side, pid] of [[one, pids[0]] as const, [two, pids[1]] as const])
      for (const registry of side.registries)
        assert.ok((await registry.whereisConsistent('room'))?.equals(pid), 'the owner of its own tenant');
    await eventually('all names', () => [...two.registries[0].names()].length === 6);
    assert.deepEqual([...one.registries[0].names()], ['room']);
    assert.equal(one.registries[1].whereis('more-1'), undefined);
    assert.deepEqual([first.token.n < second.token.n, first.token.epoch, second.token.epoch], [true, 1, 1]);
  });

  test('have members, leaders and epochs of their own', { timeout }, async () => {
    const members = (side: Side) => side.registries[0].status().member;
    assert.notEqual(members(one), members(two));
    for (const side of [one, two])
      assert.deepEqual(
        side.registries[0]
          .getMembers()
          .map(([node]) => node)
          .sort(),
        ['x@127.0.0.1', 'y@127.0.0.1'],
      );
    const leading = (side: Side) => side.registries.map((registry) => registry.getLeader()?.[0]);
    const before = two.registries.map((registry) => registry.status());
    const [leader] = leading(one);
    const other = one.registries[leader === 'x@127.0.0.1' ? 1 : 0] as Registry;
    other.forceClaim();
    await eventually('the other one leads', () =>
      leading(one).every((now) => now !== undefined && now !== leader),
    );
    await eventually('epoch', () => one.registries.every((registry) => registry.status().epoch === 2));
    assert.deepEqual(
      two.registries.map((registry) => registry.status().member),
      before.map(({ member }) => member),
    );
    assert.deepEqual(
      two.registries.map((registry) => registry.status().epoch),
      [1, 1],
    );
  });

  test('cannot reach, see or join each other', { timeout }, async () => {
    const [x] = one.nodes;
    const stranger = await Node.start({ name: 'only-here', store, tenant: two.nodes[0].tenant.name });
    try {
      assert.equal(await x.connect(stranger.name), false, 'its name is not known here');
      // A name leads to the node of the own tenant, though the other has one of that name with such a server.
      await two.nodes[1].start(Counter, 0, { name: 'counter' });
      const counter = { name: atom('counter'), node: atom('y@127.0.0.1') };
      assert.equal(await two.nodes[0].runtime.call(counter, tuple(atom('increment'), 1)), 1);
      await assert.rejects(
        x.runtime.call(counter, tuple(atom('increment'), 1), { timeoutMs: 2_000 }),
        (error) => hasCode(error, 'noproc'),
      );
      // Its address does not help either, for the cookie is another one.
      assert.notEqual(await valueIn(x, 'cookie'), await valueIn(stranger, 'cookie'));
      const record = await valueIn(stranger, 'nodes', stranger.name);
      const tx = await x.tenant.begin({ timeoutMs: 2_000 });
      const value = new TextEncoder().encode(record);
      await tx.commit({ reads: [], writes: [{ type: 'set', key: keyOf('nodes', stranger.name), value }] });
      await pause(1_100);
      assert.equal(await x.connect(stranger.name), false);
      assert.deepEqual([x.isConnected(stranger.name), stranger.nodes()], [false, []]);
    } finally {
      await stranger.close();
    }
  });

  test('end alone: the one goes on when the other is gone and deleted', { timeout }, async () => {
    const [registry] = one.registries;
    const node = one.nodes[0];
    await Promise.all(two.nodes.map((each) => each.close()));
    const { tenant } = two.nodes[0];
    await Registry.delete('games', tenant, { node });
    assert.equal(
      (await registry.register('later', spawnIdle(node), { timeoutMs: 5_000 })).status,
      'registered',
    );
    await eventually('it shows', () => one.registries[1].whereis('later') !== undefined);
  });
});

async function valueIn(node: Node, ...key: readonly string[]): Promise<string> {
  const tx = await node.tenant.begin({ timeoutMs: 2_000 });
  try {
    return Buffer.from((await tx.get(keyOf(...key))) ?? []).toString();
  } finally {
    tx.close();
  }
}

describe('two registries of one tenant', () => {
  const options: RegistryOptions = fast;

  test('on the same nodes have leaders, epochs and names of their own, and one goes without the other', {
    timeout,
  }, async () => {
    const host = nodeHost();
    const store = await openStore(new MemoryDatabase(host).connect(), { host });
    const [x, y] = [await Node.start({ name: 'x', store }), await Node.start({ name: 'y', store })];
    try {
      const a = [await x.registry('a', options), await y.registry('a', options)] as const;
      const ab = [await y.registry('ab', options), await x.registry('ab', options)] as const;
      for (const registry of [...a, ...ab]) await eventually('counts', () => registry.status().established);
      assert.deepEqual(
        [a, ab].map(([first]) => first.getLeader()?.[0]),
        ['x@127.0.0.1', 'y@127.0.0.1'],
      );
      const pids = [spawnIdle(x), spawnIdle(y)] as const;
      assert.equal((await a[0].register('room', pids[0])).status, 'registered');
      assert.equal((await ab[1].register('room', pids[1])).status, 'registered');
      assert.equal((await a[1].register('room', pids[1])).status, 'taken');
      assert.ok((await a[1].whereisConsistent('room'))?.equals(pids[0]));
      assert.ok((await ab[1].whereisConsistent('room'))?.equals(pids[1]));

      a[1].forceClaim();
      await eventually('another leader', () => a.every((one) => one.getLeader()?.[0] === 'y@127.0.0.1'));
      assert.deepEqual(
        ab.map((one) => one.status().epoch),
        [1, 1],
      );

      const before = ab.map((one) => one.status().member);
      await Promise.all(a.map((one) => one.close()));
      await Registry.delete('a', x.tenant, { node: x, force: true });
      assert.deepEqual(
        ab.map((one) => one.status().member),
        before,
      );
      assert.equal((await ab[0].register('more', spawnIdle(y))).status, 'registered');
      assert.ok((await ab[1].whereisConsistent('room'))?.equals(pids[1]));
      const anew = await x.registry('a', options);
      assert.deepEqual([...anew.names()], []);
      assert.equal((await anew.register('room', spawnIdle(x))).status, 'registered');
    } finally {
      await Promise.all([x.close(), y.close()]);
      await store.close();
    }
  });
});
