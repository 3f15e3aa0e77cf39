// Snapshots: one revision for all reads of a transaction, at whichever member, until etcd has forgotten it.
import assert from 'node:assert/strict';
import { cpSync, rmSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  limits,
  type Mutation,
  prefixRange,
  rangeOfKey,
  type StoreTransaction,
} from '../../src/storage/index.ts';
import { type EtcdMember, EtcdServer } from '../support/etcd-server.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { ending, key, newPrefix, open, set, valueAt, within, write } from './support.ts';

let server: EtcdServer;

describe('a snapshot', { timeout: 60_000 }, () => {
  before(async () => {
    server = await EtcdServer.start();
  });
  after(() => server.dispose());

  test('that was compacted away is too old, for reads; commits that rest on it are judged all the same', async (t) => {
    const { tenant } = await open(t, { endpoints: server.endpoints, prefix: newPrefix() });
    await write(tenant, set('a', 1));
    const begin = () => tenant.begin({ timeoutMs: 5_000 });
    const [reader, writer, loser] = [await begin(), await begin(), await begin()];
    for (const tx of [reader, writer, loser]) await tx.get(key('a'));
    await write(tenant, set('b', 1), set('c', 1));
    await write(tenant, set('b', 2));
    await server.compact();
    assert.equal((await ending(reader.get(key('a')))).code, 'store_too_old');
    assert.equal((await ending(reader.getRange(prefixRange('a'), { limit: 5 }))).code, 'store_too_old');
    const writes = [set('d', 1)];
    assert.equal((await writer.commit({ reads: [rangeOfKey(key('a'))], writes })).applied, 'now');
    await write(tenant, { type: 'clear', key: key('a') });
    await server.compact();
    const { code } = await ending(loser.commit({ reads: [rangeOfKey(key('a'))], writes }));
    assert.equal(code, 'store_conflict');
  });

  test('is the same for reads that begin together, and these travel together', async (t) => {
    const proxy = await TcpProxy.start({ port: server.port });
    t.after(() => proxy.close());
    const prefix = newPrefix();
    const { tenant } = await open(t, { endpoints: [`127.0.0.1:${proxy.port}`], prefix });
    const { tenant: other } = await open(t, { endpoints: server.endpoints, prefix });
    const names = Array.from({ length: 100 }, (_, i) => `k${i}`);
    for (let round = 0; round < 10; round++) {
      await write(other, ...names.map((name) => set(name, round)));
      const tx = await tenant.begin({ timeoutMs: 5_000 });
      let turns = 0;
      const stop = proxy.onTurn(() => {
        turns += 1;
      });
      const reading = Promise.all(names.map((name) => tx.get(key(name))));
      const change = write(other, ...names.map((name) => set(name, round + 1)));
      const page = tx.getRange(prefixRange('k'), { limit: 1 });
      const values = new Set((await reading).map((value) => value?.[0]));
      await Promise.all([change, page]);
      stop();
      tx.close();
      assert.equal(values.size, 1, [...values].join());
      assert.ok(turns <= 8, `${turns} turns for 100 reads`);
    }
  });

  test('goes back in time only with the store, which is noticed', async (t) => {
    const restored = await EtcdServer.start();
    t.after(() => restored.dispose());
    const [member] = restored.members as [EtcdMember];
    const { tenant } = await open(t, { endpoints: restored.endpoints, prefix: newPrefix() });
    await write(tenant, set('a', 1));
    await member.stop();
    cpSync(member.dataDirectory, `${member.dataDirectory}-copy`, { recursive: true });
    await member.up();
    await write(tenant, set('a', 2));
    assert.equal(await valueAt(tenant, 'a'), 2);
    await member.stop();
    rmSync(member.dataDirectory, { recursive: true });
    cpSync(`${member.dataDirectory}-copy`, member.dataDirectory, { recursive: true });
    await member.up();
    assert.equal((await ending(valueAt(tenant, 'a'))).code, 'store_fatal');
    const { tenant: later } = await open(t, { endpoints: restored.endpoints, prefix: newPrefix() });
    assert.equal(await valueAt(later, 'a'), undefined);
  });

  test('may have pages with the largest values there are', async (t) => {
    const { tenant } = await open(t, { endpoints: server.endpoints, prefix: newPrefix() });
    const value = new Uint8Array(limits.valueBytesMax).fill(1);
    for (let i = 0; i < 80; i += 10) {
      const put = (n: number): Mutation => ({ type: 'set', key: key('v', String(i + n)), value });
      await write(tenant, ...Array.from({ length: 10 }, (_, n) => put(n)));
    }
    const tx = await tenant.begin({ timeoutMs: 5_000 });
    const pages = Array.from({ length: 8 }, () => tx.getRange(prefixRange('v'), { limit: 10_000 }));
    for (const page of await Promise.all(pages)) {
      assert.equal(page.items.length, Math.ceil(limits.pageBytesMax / (limits.valueBytesMax + 40)));
      assert.ok(page.more);
    }
    tx.close();
  });
});

/** While the members elect a leader they say that they cannot tell: then it is asked again. */
async function getSoon(tx: StoreTransaction, at: Uint8Array): Promise<Uint8Array | undefined> {
  for (;;) {
    try {
      return await tx.get(at);
    } catch (error) {
      if ((error as { code?: string }).code !== 'store_unavailable') throw error;
      await sleep(50);
    }
  }
}

test('reads of one snapshot go on at another member', { timeout: 60_000 }, async (t) => {
  const three = await EtcdServer.start({ size: 3 });
  t.after(() => three.dispose());
  for (const member of three.members) {
    const endpoints = [member, ...three.members.filter((one: EtcdMember) => one !== member)].map(
      ({ port }) => `127.0.0.1:${port}`,
    );
    const clients = await Promise.all([0, 1, 2].map(() => open(t, { endpoints, prefix: newPrefix() })));
    await Promise.all(clients.map(({ tenant }) => write(tenant, set('a', 1), set('b', 1))));
    const reading = await Promise.all(clients.map(({ tenant }) => tenant.begin({ timeoutMs: 5_000 })));
    await Promise.all(reading.map((tx) => tx.get(key('a'))));
    await Promise.all(clients.map(({ tenant }) => write(tenant, set('b', 2))));
    await member.kill();
    const values = await within(5_000, 'the reads', Promise.all(reading.map((tx) => getSoon(tx, key('b')))));
    assert.deepEqual(
      values.map((value) => value?.[0]),
      [1, 1, 1],
    );
    await member.up();
  }
});
