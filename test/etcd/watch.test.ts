// Watches: one stream for all of them, nothing missed across cuts, and nothing left when nobody watches. What every backend has to do is
// in the conformance suite.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Mutation, prefixRange, rangeOfKey, type Tenant } from '../../src/storage/index.ts';
import { EtcdServer } from '../support/etcd-server.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { key, newPrefix, open, set, valueAt, within, write } from './support.ts';

let server: EtcdServer;

before(async () => {
  server = await EtcdServer.start();
});
after(() => server.dispose());

async function proxied(
  t: Parameters<typeof open>[0],
  internals = {},
): Promise<{ tenant: Tenant; proxy: TcpProxy; direct: Tenant }> {
  const proxy = await TcpProxy.start({ port: server.port });
  t.after(() => proxy.close());
  const prefix = newPrefix();
  const { tenant } = await open(t, { endpoints: [`127.0.0.1:${proxy.port}`], prefix }, internals);
  const { tenant: direct } = await open(t, { endpoints: server.endpoints, prefix });
  return { tenant, proxy, direct };
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const endsAt = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > endsAt) throw new Error(`never: ${what}`);
    await sleep(20);
  }
}

const watchersAre = (count: number) => async (): Promise<boolean> =>
  (await server.members[0]?.metric('etcd_debugging_mvcc_watcher_total')) === count;

test('a thousand watches are one at the server, and none when nobody watches any more', {
  timeout: 30_000,
}, async (t) => {
  const { tenant, direct } = await proxied(t, { lingerMs: 300 });
  await until('no watch', watchersAre(0));
  const watches = Array.from({ length: 1_000 }, (_, i) => tenant.watch(rangeOfKey(key(`k${i}`))));
  await until('one watch', watchersAre(1));
  await write(direct, set('k7', 1));
  await within(3_000, 'the watch', watches[7]?.changed ?? Promise.resolve());
  for (const watch of watches) watch.cancel();
  await Promise.all(watches.map(({ changed }) => changed));
  await until('no watch', watchersAre(0));
  const again = tenant.watch(rangeOfKey(key('k8')));
  await write(direct, set('k8', 1));
  await within(3_000, 'the next watch', again.changed);
});

test('fires for each of a hundred changes while the link is cut again and again', {
  timeout: 60_000,
}, async (t) => {
  const { tenant, proxy, direct } = await proxied(t);
  const cutting = setInterval(() => proxy.cut(), 37);
  t.after(() => clearInterval(cutting));
  for (let i = 0; i < 100; i++) {
    const watch = tenant.watch(rangeOfKey(key('a')));
    const other = tenant.watch(prefixRange('other'));
    await write(direct, set('a', i));
    await within(5_000, `change ${i}`, watch.changed);
    other.cancel();
  }
  assert.ok(proxy.counts.cut > 20, `${proxy.counts.cut} cuts`);
});

test('a backlog that is told in parts is told whole', { timeout: 60_000 }, async (t) => {
  const { tenant, proxy, direct } = await proxied(t);
  const value = new Uint8Array(60_000);
  // Each commit has several keys, so a part may end in the middle of one; the link is cut after that part.
  for (const megabytes of [2.2, 3, 4.5]) {
    const names = Array.from({ length: 8 * 12 }, (_, i) => key(`k${i}`));
    const watches = names.map((name) => tenant.watch(rangeOfKey(name)));
    await valueAt(tenant, 'x');
    proxy.door('refusing');
    proxy.cut();
    for (let i = 0; i < names.length; i += 12) {
      await write(
        direct,
        ...names.slice(i, i + 12).map((name): Mutation => ({ type: 'set', key: name, value })),
      );
    }
    proxy.door('open');
    await until('a connection', async () => proxy.connections.length > 0);
    proxy.dropAfter('down', megabytes * 1_048_576);
    await sleep(300);
    proxy.cut();
    await within(10_000, 'the backlog', Promise.all(watches.map(({ changed }) => changed)));
  }
});

test('compacted while it was away: whoever waited is told, whoever comes after misses nothing', {
  timeout: 30_000,
}, async (t) => {
  const { tenant, proxy, direct } = await proxied(t);
  const early = tenant.watch(rangeOfKey(key('a')));
  const quiet = tenant.watch(rangeOfKey(key('quiet')));
  await write(direct, set('z', 1));
  await sleep(200);
  proxy.door('refusing');
  proxy.cut();
  for (let i = 0; i < 5; i++) await write(direct, set('b', i));
  await write(direct, set('a', 1));
  await write(direct, set('b', 9));
  await server.compact();
  const late = tenant.watch(rangeOfKey(key('c')));
  await write(direct, set('c', 1));
  proxy.door('open');
  await within(5_000, 'the early watch', early.changed);
  await within(5_000, 'the late watch', late.changed);
  // It cannot be known that nothing happened to it.
  await within(5_000, 'the quiet watch', quiet.changed);
  const next = tenant.watch(rangeOfKey(key('d')));
  await write(direct, set('d', 1));
  await within(5_000, 'the next watch', next.changed);
});

test('a link that has fallen silent is noticed within a few seconds, by watch and calls', {
  timeout: 30_000,
}, async (t) => {
  const { tenant, proxy, direct } = await proxied(t);
  for (let i = 0; i < 3; i++) {
    const watch = tenant.watch(rangeOfKey(key('a')));
    await valueAt(tenant, 'a');
    proxy.silence();
    await write(direct, set('a', i));
    await within(3_500, 'the watch', watch.changed);
    proxy.silence();
    assert.equal(await within(3_500, 'the read', valueAt(tenant, 'a')), i);
  }
});

test('one that begins before the first contact fires', { timeout: 30_000 }, async (t) => {
  const { backend } = await open(t, { endpoints: server.endpoints, prefix: newPrefix() });
  await backend.close();
  const { openEtcd } = await import('../../src/storage/etcd/index.ts');
  const fresh = await openEtcd({ endpoints: server.endpoints, prefix: newPrefix() });
  t.after(() => fresh.close());
  const watch = fresh.watch(rangeOfKey(key('a')));
  await within(3_000, 'the watch', watch.changed);
  const second = fresh.watch(rangeOfKey(key('a')));
  const tx = await fresh.begin({ timeoutMs: 3_000 });
  await tx.commit({ reads: [], writes: [set('a', 1)] });
  await within(3_000, 'the second watch', second.changed);
});
