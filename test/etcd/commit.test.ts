// What a commit is at the server: how often it is applied, how large it may be, what it conflicts with, and what is left of it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type KeyRange, limits, type Mutation, prefixRange, rangeOfKey } from '../../src/storage/index.ts';
import { EtcdServer } from '../support/etcd-server.ts';
import { tcpLink } from '../support/tcp-link.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { countAt, countUp, ending, key, newPrefix, open, set, valueAt, within, write } from './support.ts';

let server: EtcdServer;

before(async () => {
  server = await EtcdServer.start();
});
after(() => server.dispose());

/** Transactions with writes that the server has applied since it started. */
async function revision(): Promise<number> {
  const { header } = (await server.members[0]?.ask<{ header: { revision: string } }>('kv/range', {
    key: 'eA==',
  })) ?? {
    header: { revision: '0' },
  };
  return Number(header.revision);
}

async function count(area: string): Promise<number> {
  const begin = Buffer.from(`${area}/`);
  const end = Buffer.from(`${area}0`);
  const request = { key: begin.toString('base64'), range_end: end.toString('base64'), count_only: true };
  const reply = await server.members[0]?.ask<{ count?: string }>('kv/range', request);
  return Number(reply?.count ?? 0);
}

describe('a commit is handed over once', { timeout: 60_000 }, () => {
  test('whatever happens to its reply, nobody repeats it', async (t) => {
    const proxy = await TcpProxy.start({ port: server.port });
    t.after(() => proxy.close());
    const { backend, tenant } = await open(t, {
      endpoints: [`127.0.0.1:${proxy.port}`],
      prefix: newPrefix(),
    });
    const link = tcpLink(proxy, backend);
    const codes: string[] = [];
    for (let i = 0; i < 10; i++) {
      const tx = await tenant.begin({ timeoutMs: 4_000 });
      await tx.get(key('a'));
      const before = await revision();
      // The additions are computed here, so there is a read before.
      const fault = link.loseNextReply({ turns: i % 2 });
      const { code } = await ending(
        tx.commit({ reads: [], writes: [{ type: 'add', key: key('n'), value: one }] }),
      );
      fault.disarm();
      codes.push(code);
      await sleep(200);
      const applied = (await revision()) - before;
      assert.ok(applied <= 1, `${applied} times`);
    }
    assert.ok(codes.includes('store_commit_unknown'), codes.join());
  });

  test('an id that was applied is found, though the caller only knows that it is unknown', async (t) => {
    const proxy = await TcpProxy.start({ port: server.port });
    t.after(() => proxy.close());
    const { backend, tenant } = await open(t, {
      endpoints: [`127.0.0.1:${proxy.port}`],
      prefix: newPrefix(),
    });
    const link = tcpLink(proxy, backend);
    await countUp(tenant, 'n');
    for (let i = 0; i < 5; i++) {
      link.loseNextReply({ turns: 1 });
      await countUp(tenant, 'n', 10_000);
    }
    assert.equal(await countAt(tenant, 'n'), 6);
  });
});

describe('the size of a commit', { timeout: 60_000 }, () => {
  const long = (i: number, length = 960): Uint8Array => {
    const at = new Uint8Array(length).fill(0x61);
    at.set(Buffer.from(String(i).padStart(4, '0')));
    return at;
  };
  const inTurn = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i));

  test('the most that the limits allow fits: long keys, large values, many conditions', async (t) => {
    const prefix = `${'p'.repeat(56)}/${newPrefix().slice(5)}`;
    const { tenant } = await open(t, { endpoints: server.endpoints, prefix });
    const tx = await tenant.begin({ timeoutMs: 5_000 });
    await Promise.all(inTurn(limits.readRangesMax, (i) => tx.get(long(i))));
    const reads = inTurn(limits.readRangesMax, (i) => rangeOfKey(long(i)));
    const room = limits.transactionBytesMax - reads.length * 1_921 - limits.writesMax * 960;
    const value = new Uint8Array(Math.floor(room / limits.writesMax));
    const writes = inTurn(limits.writesMax, (i): Mutation => ({ type: 'set', key: long(i), value }));
    const id = new Uint8Array(64).fill(1);
    assert.equal((await tx.commit({ reads, writes, id })).applied, 'now');
  });

  test('a hundred additions, and a hundred larger values, with a hundred reads', async (t) => {
    const { tenant } = await open(t, { endpoints: server.endpoints, prefix: newPrefix() });
    const large = new Uint8Array(9_000).fill(7);
    await write(
      tenant,
      ...inTurn(100, (i): Mutation => ({ type: 'set', key: key('m', String(i)), value: large })),
    );
    for (const writes of [
      inTurn(100, (i): Mutation => ({ type: 'add', key: key('n', String(i)), value: one })),
      inTurn(100, (i): Mutation => ({ type: 'max', key: key('m', String(i)), value: Uint8Array.of(8) })),
    ]) {
      const tx = await tenant.begin({ timeoutMs: 5_000 });
      await tx.getRange({ begin: key('r'), end: key('s') }, { limit: 10 });
      const reads = inTurn(100, (i) => rangeOfKey(key('r', String(i))));
      assert.equal(
        (await tx.commit({ reads, writes, id: Uint8Array.of(writes.length) })).applied === 'now',
        writes[0]?.type === 'add',
      );
      if (writes[0]?.type === 'add') continue;
      const again = await tenant.begin({ timeoutMs: 5_000 });
      assert.equal((await again.commit({ reads, writes, id: Uint8Array.of(1, 2) })).applied, 'now');
    }
    assert.equal(await countAt(tenant, 'x'), 0);
    const tx = await tenant.begin({ timeoutMs: 5_000 });
    assert.deepEqual(await tx.get(key('m', '99')), Uint8Array.of(8));
    assert.deepEqual(await tx.get(key('n', '99')), one);
    tx.close();
  });

  test('writes inside of cleared intervals, more than a server takes at once', async (t) => {
    const { tenant } = await open(t, { endpoints: server.endpoints, prefix: newPrefix() });
    await write(tenant, ...inTurn(99, (i): Mutation => set(`old${i}`, 1)));
    const tx = await tenant.begin({ timeoutMs: 5_000 });
    const page = await tx.getRange(everything, { limit: 1_000 });
    assert.equal(page.items.length, 99);
    const writes: Mutation[] = [{ type: 'clearRange', ...everything }];
    writes.push(
      ...inTurn(99, (i): Mutation => ({ type: 'set', key: long(i, 900), value: Uint8Array.of(i) })),
    );
    assert.equal((await tx.commit({ reads: [everything], writes, id: Uint8Array.of(1) })).applied, 'now');
    const after = await tenant.begin({ timeoutMs: 5_000 });
    const { items } = await after.getRange(everything, { limit: 1_000 });
    after.close();
    assert.deepEqual(
      items,
      inTurn(99, (i) => [long(i, 900), Uint8Array.of(i)]),
    );
    const stale = await tenant.begin({ timeoutMs: 5_000 });
    await stale.getRange(everything, { limit: 1_000 });
    await write(tenant, { type: 'clear', key: long(50, 900) });
    assert.equal((await ending(stale.commit({ reads: [everything], writes }))).code, 'store_conflict');
  });
});

describe('what a commit conflicts with', { timeout: 60_000 }, () => {
  /** Reads `reads` in one transaction, lets another one apply `change`, and commits. */
  const outcome = async (
    t: Parameters<typeof open>[0],
    {
      fill,
      read,
      change,
    }: { fill: number; read: KeyRange; change: (key: (i: number) => Uint8Array) => Mutation },
  ): Promise<string> => {
    const { tenant } = await open(t, { endpoints: server.endpoints, prefix: newPrefix() });
    const at = (i: number): Uint8Array => key('r', String(i).padStart(4, '0'));
    for (let i = 0; i < fill; i += 100) {
      const writes = Array.from(
        { length: 100 },
        (_, n): Mutation => ({ type: 'set', key: at(i + n), value: one }),
      );
      await write(tenant, ...writes, ...[]);
    }
    const tx = await tenant.begin({ timeoutMs: 5_000 });
    await tx.getRange(read, { limit: 10_000 });
    await write(tenant, change(at));
    const { code } = await ending(tx.commit({ reads: [read], writes: [set('done', 1)] }));
    return code;
  };
  const r = prefixRange('r');

  test('a deletion in an interval that was read, whether its keys are few or many', async (t) => {
    for (const fill of [100, 300]) {
      for (const change of [
        (at: (i: number) => Uint8Array): Mutation => ({ type: 'clear', key: at(7) }),
        (at: (i: number) => Uint8Array): Mutation => ({ type: 'clearRange', begin: at(7), end: at(9) }),
        (): Mutation => ({ type: 'clearRange', ...everything }),
        (at: (i: number) => Uint8Array): Mutation => ({ type: 'set', key: at(9_999), value: one }),
      ]) {
        assert.equal(await outcome(t, { fill, read: r, change }), 'store_conflict', `${fill} ${change}`);
      }
    }
  });

  test('not with a deletion elsewhere while each key read can be named', async (t) => {
    const change = (): Mutation => ({ type: 'clear', key: key('elsewhere') });
    assert.equal(await outcome(t, { fill: 100, read: r, change }), 'resolved');
    // Beyond that the guard of the tenant stands for the keys: a false conflict, as is documented.
    assert.equal(await outcome(t, { fill: 300, read: r, change }), 'store_conflict');
  });

  test('not with deletions of another tenant', async (t) => {
    const { store, tenant } = await open(t, { endpoints: server.endpoints, prefix: newPrefix() });
    for (let i = 0; i < 3; i++) {
      const writes = Array.from({ length: 100 }, (_, n): Mutation => set(`k${i}${n}`, 1));
      await write(tenant, ...writes);
    }
    const tx = await tenant.begin({ timeoutMs: 5_000 });
    await tx.getRange(everything, { limit: 1_000 });
    await write(
      store.tenant('stranger'),
      { type: 'clearRange', ...everything },
      { type: 'clear', key: key('a') },
    );
    assert.equal((await tx.commit({ reads: [everything], writes: [set('done', 1)] })).applied, 'now');
  });
});

describe('what is left of a commit', { timeout: 60_000 }, () => {
  test('markers go by themselves, those of dead clients too', async (t) => {
    const prefix = newPrefix();
    const endpoints = server.endpoints;
    const { store, tenant } = await open(t, { endpoints, prefix }, { markerSeconds: 3 });
    await Promise.all(Array.from({ length: 20 }, (_, i) => countUp(tenant, `n${i}`)));
    assert.ok((await count(`${prefix}/m`)) >= 20);
    await sleep(1_800);
    // The second lease begins before the first one ends.
    await countUp(tenant, 'n0');
    await store.close();
    const gone = (async () => {
      while ((await count(`${prefix}/m`)) > 0) await sleep(100);
    })();
    await within(15_000, 'the end of the markers', gone);
    assert.ok((await count(`${prefix}/k`)) >= 20);
  });

  test('a marker outlives the lease in use by half its life', async (t) => {
    const prefix = newPrefix();
    const { tenant } = await open(t, { endpoints: server.endpoints, prefix });
    await countUp(tenant, 'n');
    const { leases = [] } =
      (await server.members[0]?.ask<{ leases: { ID: string }[] }>('lease/leases')) ?? {};
    const granted = await Promise.all(
      leases.map(({ ID }) => server.members[0]?.ask<{ grantedTTL: string }>('lease/timetolive', { ID })),
    );
    assert.ok(granted.some((lease) => lease?.grantedTTL === '1200'));
  });

  test('a lease that somebody revoked is replaced', async (t) => {
    const { tenant } = await open(t, { endpoints: server.endpoints, prefix: newPrefix() });
    await countUp(tenant, 'n');
    const { leases = [] } =
      (await server.members[0]?.ask<{ leases: { ID: string }[] }>('lease/leases')) ?? {};
    for (const { ID } of leases) await server.members[0]?.ask('lease/revoke', { ID });
    await countUp(tenant, 'n');
    assert.equal(await countAt(tenant, 'n'), 2);
  });
});

describe('a server whose space is used up', { timeout: 60_000 }, () => {
  test('takes no commit and says so; reads go on; after it was freed all goes on', async (t) => {
    const full = await EtcdServer.start({ args: ['--quota-backend-bytes', String(4 * 1_048_576)] });
    t.after(() => full.dispose());
    const { tenant } = await open(t, { endpoints: full.endpoints, prefix: newPrefix() });
    const value = new Uint8Array(60_000);
    const codes = new Set<string>();
    let refused: unknown;
    for (let i = 0; i < 200 && !codes.has('store_unavailable'); i++) {
      const tx = await tenant.begin({ timeoutMs: 5_000 });
      const { code, error } = await ending(
        tx.commit({ reads: [], writes: [{ type: 'set', key: key('a'), value }] }),
      );
      codes.add(code);
      refused = error;
    }
    assert.match(String(refused), /NOSPACE/);
    // The commit that met the limit first cannot know: 3.4 may have applied it.
    assert.deepEqual([...codes].sort(), ['resolved', 'store_commit_unknown', 'store_unavailable']);
    assert.equal(await valueAt(tenant, 'a'), 0);
    const looked = await tenant.begin({ timeoutMs: 5_000 });
    await looked.get(key('a'));
    const { code } = await ending(looked.commit({ reads: [rangeOfKey(key('a'))], writes: [] }));
    assert.equal(code, 'store_unavailable', 'who reads in order to write wants to know');
    await full.compact();
    await full.members[0]?.ask('maintenance/defragment');
    const { alarms = [] } = (await full.members[0]?.ask<{ alarms: object[] }>('maintenance/alarm')) ?? {};
    for (const alarm of alarms)
      await full.members[0]?.ask('maintenance/alarm', { ...alarm, action: 'DEACTIVATE' });
    await countUp(tenant, 'n', 10_000);
    assert.equal(await countAt(tenant, 'n'), 1);
  });
});

const one = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0);
const everything = { begin: new Uint8Array(0), end: new Uint8Array(16).fill(255) };
