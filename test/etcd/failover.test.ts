// Members that die, stand still, or are cut off from the others; endpoints that lead nowhere. Reads find another member within
// the deadline, commits say what is known, and nothing waits longer than it was told to.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, describe, type TestContext, test } from 'node:test';
import { openEtcd } from '../../src/storage/etcd/index.ts';
import { openStore } from '../../src/storage/index.ts';
import { type EtcdMember, EtcdServer } from '../support/etcd-server.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import {
  countAt,
  countUp,
  ending,
  host,
  key,
  newPrefix,
  open,
  set,
  valueAt,
  within,
  write,
} from './support.ts';

let server: EtcdServer;

const others = (member: EtcdMember): EtcdMember[] => server.members.filter((other) => other !== member);

/** The endpoint of a member first: then a client that begins with it has to leave it. */
const from = (member: EtcdMember): string[] =>
  [member, ...others(member)].map(({ port }) => `127.0.0.1:${port}`);

describe('three members', { timeout: 110_000 }, () => {
  before(async () => {
    server = await EtcdServer.start({ size: 3 });
  });
  after(() => server.dispose());
  beforeEach(async () => {
    for (const member of server.members) {
      member.resume();
      if (!member.running) member.launch();
    }
    await Promise.all(server.members.map((member) => member.healthy()));
  });

  test('whichever dies, reads and commits go on, each commit once', { timeout: 60_000 }, async (t) => {
    const { tenant } = await open(t, { endpoints: server.endpoints, prefix: newPrefix() });
    for (const member of server.members) {
      const counting = Promise.all(Array.from({ length: 5 }, () => countUp(tenant, 'n', 15_000)));
      await member.kill();
      await within(10_000, 'counting', counting);
      await within(5_000, 'a read', valueAt(tenant, 'other'));
      await member.up();
    }
    assert.equal(await countAt(tenant, 'n'), 15);
  });

  test('a member that stands still is left within the deadline', { timeout: 60_000 }, async (t) => {
    const prefix = newPrefix();
    const { tenant: any } = await open(t, { endpoints: server.endpoints, prefix });
    for (const member of server.members) {
      // Who stood still before may have led: opening fails while nobody does, a write waits for it.
      await write(any, set('a', 1));
      const clients = await Promise.all(
        Array.from({ length: 3 }, () => open(t, { endpoints: from(member), prefix })),
      );
      await Promise.all(clients.map(({ tenant }) => write(tenant, set('a', 1))));
      member.pause();
      const reads = clients.map(({ tenant }) => within(4_500, 'a read', valueAt(tenant, 'a')));
      assert.deepEqual(await Promise.all(reads), [1, 1, 1]);
      member.resume();
      for (const { store } of clients) await store.close();
    }
  });

  test('a watch moves away from a member that stands still', { timeout: 30_000 }, async (t) => {
    const prefix = newPrefix();
    const { tenant } = await open(t, { endpoints: server.endpoints, prefix });
    for (const member of server.members) {
      const watching = await open(t, { endpoints: from(member), prefix });
      const watch = watching.tenant.watch({ begin: key('w'), end: key('x') });
      await valueAt(watching.tenant, 'w');
      member.pause();
      await countUp(tenant, 'w', 10_000);
      await within(6_000, 'the watch', watch.changed);
      member.resume();
      await watching.store.close();
    }
  });

  test('without a majority everything ends in time, and with one again all goes on', async (t) => {
    const { tenant } = await open(t, { endpoints: server.endpoints, prefix: newPrefix() });
    await write(tenant, set('a', 1));
    const [first, second] = server.members as readonly [EtcdMember, EtcdMember];
    await Promise.all([first.kill(), second.kill()]);
    for (let round = 0; round < 3; round++) {
      const read = await ending(valueAt(tenant, 'a'));
      assert.ok(['store_unavailable', 'timeout'].includes(read.code), read.code);
      const commit = await ending(write(tenant, set('a', 2)));
      assert.ok(['store_unavailable', 'timeout', 'store_commit_unknown'].includes(commit.code), commit.code);
      assert.ok(read.ms < 5_500 && commit.ms < 5_500, `${read.ms} and ${commit.ms} ms`);
    }
    await Promise.all([first.up(), second.up()]);
    await within(10_000, 'a commit', countUp(tenant, 'n', 10_000));
    assert.equal(await countAt(tenant, 'n'), 1);
  });

  test('a member that is cut off from the others is left, though it answers', async (t) => {
    const member = await server.leader();
    const [left, right] = others(member) as [EtcdMember, EtcdMember];
    const { tenant } = await open(t, { endpoints: from(member), prefix: newPrefix() });
    const watch = tenant.watch({ begin: key('a'), end: key('b') });
    await write(tenant, set('z', 1));
    // Frozen peers look like a network that drops everything; then one of them comes back with the third as its majority.
    left.pause();
    right.pause();
    const lost = await ending(write(tenant, set('a', 1)));
    assert.ok(['store_unavailable', 'timeout', 'store_commit_unknown'].includes(lost.code), lost.code);
    left.resume();
    right.resume();
    await within(10_000, 'a commit', countUp(tenant, 'a', 10_000));
    await within(5_000, 'the watch', watch.changed);
  });
});

describe('one member', { timeout: 110_000 }, () => {
  before(async () => {
    server = await EtcdServer.start();
  });
  after(() => server.dispose());

  test('while it is down begins fail at once, and after its return all goes on', async (t) => {
    const { tenant } = await open(t, { endpoints: server.endpoints, prefix: newPrefix() });
    await countUp(tenant, 'n');
    await server.members[0]?.stop();
    const down = await ending(valueAt(tenant, 'n'));
    assert.equal(down.code, 'store_unavailable');
    assert.ok(down.ms < 1_000, `${down.ms} ms`);
    assert.match(String(down.error), new RegExp(`127.0.0.1:${server.port}`));
    await server.members[0]?.up();
    await countUp(tenant, 'n');
    assert.equal(await countAt(tenant, 'n'), 2);
  });

  test('endpoints that refuse, that say nothing, and that are no etcd are passed over', async (t) => {
    const silent = await TcpProxy.start({ port: server.port });
    silent.door('silent');
    const web = await TcpProxy.start({ port: Number(new URL(await webServer(t)).port) });
    t.after(() => Promise.all([silent.close(), web.close()]));
    const bad = ['127.0.0.1:1', `127.0.0.1:${silent.port}`, `localhost:${web.port}`];
    for (let i = 0; i < 4; i++) {
      const endpoints = [...bad, `127.0.0.1:${server.port}`];
      const { tenant, store } = await open(t, { endpoints, prefix: newPrefix(), endpointTimeoutMs: 400 });
      assert.equal(await write(tenant, set('a', 1)), 'now');
      await store.close();
    }
    const nothing = await openEtcd({ endpoints: bad, endpointTimeoutMs: 400 });
    const { code, ms, error } = await ending(openStore(nothing, { host, timeoutMs: 2_000 }));
    assert.equal(code, 'timeout');
    assert.ok(ms < 3_000, `${ms} ms`);
    assert.match(String((error as Error).cause), /ECONNREFUSED/);
  });

  test('there is one connection, whatever is under way; two while one takes over', async (t) => {
    const proxy = await TcpProxy.start({ port: server.port });
    t.after(() => proxy.close());
    const { tenant } = await open(t, { endpoints: [`127.0.0.1:${proxy.port}`], prefix: newPrefix() });
    const watches = Array.from({ length: 20 }, (_, i) =>
      tenant.watch({ begin: key(`w${i}`), end: key(`w${i}`, 'z') }),
    );
    await Promise.all(Array.from({ length: 50 }, (_, i) => countUp(tenant, `n${i % 10}`, 10_000)));
    assert.equal(proxy.counts.accepted, 1);
    let most = 0;
    for (let i = 0; i < 5; i++) {
      const work = Array.from({ length: 10 }, () => countUp(tenant, 'x', 10_000));
      proxy.cut();
      const timer = setInterval(() => {
        most = Math.max(most, proxy.connections.length);
      }, 1);
      await Promise.all(work);
      clearInterval(timer);
    }
    assert.ok(most <= 2, `${most} connections`);
    assert.equal(await countAt(tenant, 'x'), 50);
    for (const watch of watches) watch.cancel();
  });

  test('a member of another cluster is refused', async (t) => {
    const stranger = await EtcdServer.start();
    const proxy = await TcpProxy.start({ port: server.port });
    t.after(() => Promise.all([stranger.dispose(), proxy.close()]));
    const { tenant } = await open(t, { endpoints: [`127.0.0.1:${proxy.port}`], prefix: newPrefix() });
    await write(tenant, set('a', 1));
    proxy.retarget({ port: stranger.port });
    proxy.cut();
    assert.equal((await ending(valueAt(tenant, 'a'))).code, 'store_fatal');
    proxy.retarget({ port: server.port });
    assert.equal(await valueAt(tenant, 'a'), 1);
  });
});

async function webServer(t: TestContext): Promise<string> {
  const web = createServer((_, response) => response.end('hello'));
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    web.closeAllConnections();
    web.close();
  });
  return `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
}
