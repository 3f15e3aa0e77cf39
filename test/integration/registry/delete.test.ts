// Deleting a registry: exactly its keys go, only when nobody may still rest on them, and a member that was taken for dead
// finds out.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  hasCode,
  MemoryDatabase,
  Node,
  nodeHost,
  openStore,
  Registry,
  type Store,
  type Tenant,
} from '../../../src/index.ts';
import { allKeys, type Backend, type Bytes, keyOf, prefixRange } from '../../../src/storage/index.ts';
import { Cluster, eventually, fast, spawnIdle } from './support.ts';

const timeout = 60_000;

async function keysOf(backend: Backend): Promise<Map<string, string>> {
  const tx = await backend.begin({ timeoutMs: 2_000 });
  try {
    const { items } = await tx.getRange(allKeys(), { limit: 10_000 });
    return new Map(items.map(([key, value]) => [hex(key), hex(value)]));
  } finally {
    tx.close();
  }
}

const hex = (bytes: Bytes): string => Buffer.from(bytes).toString('hex');

/** The registry's keys, as they look from below the tenants. */
function ownKeys(all: ReadonlyMap<string, string>, tenant: string, registry: string): string[] {
  const prefix = hex(Uint8Array.of(1, ...keyOf(tenant), ...keyOf('registry', registry)));
  return [...all.keys()].filter((key) => key.startsWith(prefix));
}

async function bareTenant(): Promise<{ backend: Backend; store: Store; tenant: Tenant }> {
  const host = nodeHost();
  const backend = new MemoryDatabase(host).connect();
  const store = await openStore(backend, { host });
  return { backend, store, tenant: store.tenant('default') };
}

const encode = (value: object): Bytes => new TextEncoder().encode(JSON.stringify(value));

async function put(tenant: Tenant, values: readonly (readonly [Bytes, object])[]): Promise<void> {
  const tx = await tenant.begin({ timeoutMs: 2_000 });
  const writes = values.map(([key, value]) => ({ type: 'set' as const, key, value: encode(value) }));
  await tx.commit({ reads: [], writes });
}

const record = (leader: string | null) => ({
  epoch: 7,
  leader,
  renewals: 3,
  contested: false,
  durations: { leaseMs: 1, sessionMs: 2, toleranceMs: 3, clockRateBound: 0 },
  establishedStamp: '',
});
const info = (member: string, creation: number) => ({
  member,
  creation,
  generation: 1,
  address: null,
  machineId: 'm',
});

describe('Registry.delete', () => {
  test('clears exactly its own keys, and its name begins anew', { timeout }, async () => {
    const host = nodeHost();
    const database = new MemoryDatabase(host);
    const below = database.connect();
    const store = await openStore(database.connect(), { host });
    const started: Node[] = [];
    const start = async (name: string, tenant: string) => {
      const node = await Node.start({ name, store, tenant });
      started.push(node);
      return node;
    };
    try {
      const one = await start('a', 'one');
      const two = await start('a', 'two');
      // Neighbours on both sides of the deleted range, in the order of keys.
      const neighbours = ['game', 'gamess', 'games\u0000', 'games\u0001', 'gamet', 'registry'];
      const registries: Registry[] = [];
      for (const name of neighbours) registries.push(await one.registry(name, fast));
      const other = await two.registry('games', fast);
      const doomed = await one.registry('games', fast);
      await doomed.register('x', spawnIdle(one));
      const { epoch } = doomed.status();

      const refused = Registry.delete('games', one.tenant);
      await assert.rejects(refused, (error: unknown) => {
        assert.ok(hasCode(error, 'registry_in_use'));
        const { details } = error as { details?: { members: string[]; leader: string } };
        assert.deepEqual(details?.members, [doomed.status().member]);
        return details?.leader === doomed.status().member;
      });
      await assert.rejects(Registry.delete('games', one.tenant, { node: one }), (e) =>
        hasCode(e, 'registry_in_use'),
      );

      await doomed.close();
      const before = await keysOf(below);
      assert.ok(ownKeys(before, 'one', 'games').length > 0, 'the office stays after the last one');
      const done = await Registry.delete('games', one.tenant);
      assert.deepEqual(done, { deleted: true, keys: 3, members: [], epoch });
      const after = await keysOf(below);
      assert.deepEqual(ownKeys(after, 'one', 'games'), []);
      assert.deepEqual(
        [...after.keys()],
        [...before.keys()].filter((key) => !ownKeys(before, 'one', 'games').includes(key)),
      );

      assert.deepEqual(await Registry.delete('games', one.tenant), {
        deleted: false,
        keys: 0,
        members: [],
        epoch: 0,
      });
      for (const [index, registry] of [...registries, other].entries()) {
        const node = registry === other ? two : one;
        const answer = await registry.register(`n${index}`, spawnIdle(node), { timeoutMs: 5_000 });
        assert.equal(answer.status, 'registered');
      }
      const anew = await one.registry('games', fast);
      assert.equal(anew.whereis('x'), undefined);
      assert.equal((await anew.register('x', spawnIdle(one))).status, 'registered');
      assert.equal(anew.status().epoch, 1);
    } finally {
      await Promise.all(started.map((node) => node.close()));
      await store.close();
    }
  });

  test('leaves every other key as it was, byte for byte', { timeout }, async () => {
    const { backend, store, tenant } = await bareTenant();
    const noise = ['', 'a', 'registry', 'registry\u0000', 'registrz'].flatMap((first) =>
      ['gam', 'games', 'games\u0000', 'games\u0001', 'games\u00ff', 'gamet'].map(
        (second) => [keyOf(first, second, 'leader'), { first, second }] as const,
      ),
    );
    await put(
      tenant,
      noise.filter(([key]) => hex(key) !== hex(keyOf('registry', 'games', 'leader'))),
    );
    await put(store.tenant('default2'), [[keyOf('registry', 'games', 'leader'), record(null)]]);
    const before = await keysOf(backend);
    const members = Array.from({ length: 2_500 }, (_, index) => `n${index}@h#${index}`);
    for (let from = 0; from < members.length; from += 90)
      await put(
        tenant,
        members
          .slice(from, from + 90)
          .map((member) => [keyOf('registry', 'games', 'member', member), info(member, 1)]),
      );
    await put(tenant, [[keyOf('registry', 'games', 'leader'), record('n0@h#0')]]);
    const done = await Registry.delete('games', tenant, { force: true });
    assert.deepEqual([done.deleted, done.keys, done.members.length, done.epoch], [true, 2_501, 2_500, 7]);
    assert.deepEqual(await keysOf(backend), before);
    await store.close();
  });

  test('who is replaced by a later start is gone; who is not recorded as a member but leads is not', {
    timeout,
  }, async () => {
    const { store, tenant } = await bareTenant();
    const member = (name: string) => keyOf('registry', 'games', 'member', name);
    await put(tenant, [
      [member('a@h#1'), info('a@h#1', 1)],
      [member('a@h#2'), { ...info('a@h#2', 2), unprovenFormers: [1] }],
    ]);
    const refusal = async () => {
      try {
        await Registry.delete('games', tenant);
      } catch (error) {
        assert.ok(hasCode(error, 'registry_in_use'));
        return (error as unknown as { details: { members: string[] } }).details.members;
      }
      return [];
    };
    assert.deepEqual(await refusal(), ['a@h#1', 'a@h#2']);
    await put(tenant, [[member('a@h#2'), info('a@h#2', 2)]]);
    assert.deepEqual(await refusal(), ['a@h#2']);
    const tx = await tenant.begin({ timeoutMs: 2_000 });
    await tx.commit({ reads: [], writes: [{ type: 'clearRange', ...prefixRange('registry') }] });
    await put(tenant, [[keyOf('registry', 'games', 'leader'), record('gone@h#9')]]);
    assert.deepEqual(await refusal(), ['gone@h#9']);
    await store.close();
  });

  test('with a node of their machine those at whose address nobody answers are gone', {
    timeout,
  }, async () => {
    const cluster = await Cluster.of('a', 'b');
    try {
      const [a, b] = cluster.nodes as [Node, Node];
      const key = (member: string) => keyOf('registry', 'games', 'member', member);
      const at = (member: string, address: object | null) =>
        [key(member), { ...info(member, b.runtime.creation), address, machineId: a.machineId }] as const;
      const living = at('b@127.0.0.1#1', b.address);
      const nowhere = { host: '127.0.0.1', port: 1 };
      await put(a.tenant, [living, at('c@127.0.0.1#1', nowhere)]);
      await assert.rejects(Registry.delete('games', a.tenant, { node: a }), (error) =>
        hasCode(error, 'registry_in_use'),
      );
      await b.close();
      const done = await Registry.delete('games', a.tenant, { node: a });
      assert.deepEqual(done.members, ['b@127.0.0.1#1', 'c@127.0.0.1#1']);
      await put(a.tenant, [[key('d@h#1'), { ...info('d@h#1', 1), address: nowhere, machineId: 'another' }]]);
      await assert.rejects(Registry.delete('games', a.tenant, { node: a }), (error) =>
        hasCode(error, 'registry_in_use'),
      );
    } finally {
      await cluster.close();
    }
  });

  test('a member that joins at the same moment is seen', { timeout }, async () => {
    const host = nodeHost();
    const database = new MemoryDatabase(host);
    const quiet = (await openStore(database.connect(), { host })).tenant('default');
    let joined = false;
    const backend = database.connect({
      fault: (operation) => {
        if (operation !== 'commit' || joined) return undefined;
        joined = true;
        void put(quiet, [[keyOf('registry', 'games', 'member', 'late@h#1'), info('late@h#1', 1)]]);
        return { delayMs: 20 };
      },
    });
    await put(quiet, [[keyOf('registry', 'games', 'leader'), record(null)]]);
    // The format record is there already: the first commit is that of the deletion.
    const store = await openStore(backend, { host });
    await assert.rejects(Registry.delete('games', store.tenant('default')), (e) =>
      hasCode(e, 'registry_in_use'),
    );
    assert.ok(joined);
    await store.close();
  });

  test('who asks members that do not answer waits no longer than it was told', { timeout }, async () => {
    const { store, tenant } = await bareTenant();
    const address = { host: '127.0.0.1', port: 1 };
    await put(tenant, [[keyOf('registry', 'games', 'member', 'a@h#1'), { ...info('a@h#1', 1), address }]]);
    let asked = 0;
    const node = {
      machineId: 'm',
      probe: (_address: object, _expected: object, signal: AbortSignal) =>
        new Promise((resolve) => {
          asked += 1;
          signal.addEventListener('abort', () => resolve({ verdict: 'unknown' }), { once: true });
        }),
    } as unknown as Node;
    const late = Registry.delete('games', tenant, { node, timeoutMs: 50 });
    await assert.rejects(late, (e) => hasCode(e, 'timeout'));
    const controller = new AbortController();
    const stopped = Registry.delete('games', tenant, { node, signal: controller.signal });
    setTimeout(() => controller.abort(), 50);
    await assert.rejects(stopped, (e) => hasCode(e, 'aborted'));
    assert.equal(asked, 2);
    await store.close();
  });

  test('wrong arguments have their codes', { timeout }, async () => {
    const { store, tenant } = await bareTenant();
    await assert.rejects(Registry.delete('games', undefined as never), (e) => hasCode(e, 'badarg'));
    await assert.rejects(
      Registry.delete(() => 1, tenant),
      (e) => hasCode(e, 'bad_name'),
    );
    await assert.rejects(Registry.delete('games', tenant, { timeoutMs: 0 }), (e) => hasCode(e, 'bad_option'));
    const signal = AbortSignal.abort();
    await assert.rejects(Registry.delete('games', tenant, { signal }), (e) => hasCode(e, 'aborted'));
    await store.close();
    await assert.rejects(Registry.delete('games', tenant), (e) => hasCode(e, 'closed'));
  });

  test('members that live although they were taken for dead notice, end their processes and join anew', {
    timeout,
  }, async () => {
    const cluster = await Cluster.of('a', 'b');
    try {
      const [a, b] = cluster.nodes as [Node, Node];
      const [ra, rb] = [await a.registry('games', fast), await b.registry('games', fast)];
      await eventually('both count', () => ra.status().established && rb.status().established);
      const pids = { a: spawnIdle(a), b: spawnIdle(b) };
      await ra.register('of-a', pids.a);
      await rb.register('of-b', pids.b);
      const ends = [
        a.runtime.whenDown(pids.a, { timeoutMs: 30_000 }),
        b.runtime.whenDown(pids.b, { timeoutMs: 30_000 }),
      ];
      const former = [ra.status().member, rb.status().member];
      const done = await Registry.delete('games', a.tenant, { force: true });
      assert.deepEqual(done.members, [...former].sort());
      assert.deepEqual((await Promise.all(ends)).map(String), [':fenced', ':fenced']);
      for (const [index, registry] of [ra, rb].entries())
        await eventually(
          'is back',
          () => registry.status().phase === 'active' && registry.status().member !== former[index],
          20_000,
        );
      assert.equal((await ra.register('of-b', spawnIdle(a), { timeoutMs: 10_000 })).status, 'registered');
      await eventually('both see it', () => rb.whereis('of-b') !== undefined);
    } finally {
      await cluster.close();
    }
  });
});
