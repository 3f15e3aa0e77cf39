// Several clients of one store: who conflicts, who waits for whom, and how many connections it takes.
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Bytes, type KeyRange, prefixRange, rangeOfKey, type Tenant } from '../../src/storage/index.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import {
  countAt,
  errorOf,
  increment,
  key,
  newSchema,
  openBackend,
  openTenant,
  serverOfFile,
  set,
  timeout,
  until,
} from './support.ts';

const file = serverOfFile();
const write = (at: Bytes) => ({ type: 'set', key: at, value: Uint8Array.of(1) }) as const;

async function clients(t: TestContext, count: number, schema: string): Promise<Tenant[]> {
  const opened: Tenant[] = [];
  for (let i = 0; i < count; i++)
    opened.push(
      await openTenant(t, { url: file.server.url({ query: '?application_name=counted' }), schema }),
    );
  return opened;
}

/** Reads a range, then writes a key in it; how many of these were refused. */
async function refused(tenant: Tenant, range: KeyRange, at: Bytes): Promise<number> {
  let conflicts = 0;
  for (let i = 0; i < 40; i++) {
    const tx = await tenant.begin({ timeoutMs: 5_000 });
    await tx.getRange(range, { limit: 100 });
    await tx.commit({ reads: [range], writes: [write(at)] }).catch((error: { code?: string }) => {
      assert.equal(error.code, 'store_conflict');
      conflicts += 1;
    });
  }
  return conflicts;
}

/** Takes the lock that commits wait for, as a transaction of a client does that stands still in the server. */
async function holdCommits(t: TestContext, schema: string): Promise<{ release(): Promise<void> }> {
  const holder = await file.server.client();
  t.after(() => holder.end());
  await holder.query(
    `SELECT pg_advisory_lock((x'6467656e'::bigint << 32) | '${schema}.dgen_head'::regclass::oid::bigint)`,
  );
  return {
    async release() {
      await holder.query('SELECT pg_advisory_unlock_all()');
    },
  };
}

describe('conflicts', () => {
  test(
    'on a small analyzed table there are none between keys, absent keys and ranges of their own',
    timeout,
    async (t) => {
      const schema = newSchema();
      const tenants = await clients(t, 8, schema);
      await Promise.all(tenants.map((tenant, i) => set(tenant, key('k', String(i)), 'x')));
      await file.server.sql(`ANALYZE ${schema}.dgen_item; ANALYZE ${schema}.dgen_past`);
      const own = (i: number) => key('k', String(i));
      const absent = (i: number) => key('none', String(i));
      const counts = await Promise.all([
        ...tenants.map((tenant, i) => refused(tenant, rangeOfKey(own(i)), own(i))),
        ...tenants.map((tenant, i) => refused(tenant, rangeOfKey(absent(i)), key('other', String(i)))),
        ...tenants.map((tenant, i) => refused(tenant, prefixRange('r', String(i)), key('r', String(i), 'x'))),
      ]);
      assert.deepEqual(counts, Array(24).fill(0));
    },
  );

  test('nobody is starved: each of four clients gets its part of one key', timeout, async (t) => {
    const tenants = await clients(t, 4, newSchema());
    const done = [0, 0, 0, 0];
    const end = performance.now() + 2_000;
    const work = async (tenant: Tenant, i: number): Promise<void> => {
      while (performance.now() < end) {
        await increment(tenant, key('n'));
        done[i] = (done[i] ?? 0) + 1;
      }
    };
    await Promise.all(tenants.map(work));
    const sum = done.reduce((a, b) => a + b, 0);
    assert.equal(await countAt(tenants[0] as Tenant, key('n')), sum);
    assert.ok(Math.min(...done) > (sum / 4) * 0.1, `shares ${done.join()}`);
    t.diagnostic(`increments of one key by four clients in 2 s: ${done.join()}`);
  });
});

describe('connections', () => {
  test('are two per client, and never idle in a transaction, whatever it does', timeout, async (t) => {
    const schema = newSchema();
    const [one, two] = (await clients(t, 2, schema)) as [Tenant, Tenant];
    const watches = Array.from({ length: 50 }, (_, i) => one.watch(rangeOfKey(key('w', String(i)))));
    let most = 0;
    let working = true;
    const states = new Set<string>();
    const sample = async (): Promise<void> => {
      const admin = await file.server.client();
      while (working) {
        const { rows } = await admin.query(
          "SELECT state FROM pg_stat_activity WHERE application_name = 'counted'",
        );
        most = Math.max(most, rows.length);
        for (const row of rows) states.add(String(row.state));
        await sleep(2);
      }
      await admin.end();
    };
    const sampling = sample();
    const open = await Promise.all(Array.from({ length: 30 }, () => one.begin({ timeoutMs: 5_000 })));
    await Promise.all(open.map((tx) => tx.get(key('n'))));
    await Promise.all(
      Array.from({ length: 50 }, (_, i) => increment(i % 2 === 0 ? one : two, key('n', String(i)))),
    );
    await Promise.all(watches.map((_, i) => set(two, key('w', String(i)), 'x')));
    await Promise.all(watches.map((watch) => watch.changed));
    await until(() => most === 4, 'both listen');
    working = false;
    await sampling;
    assert.equal(most, 4);
    assert.deepEqual([...states].sort(), ['active', 'idle']);
  });

  test('transactions that are open keep nobody waiting, also with snapshots', timeout, async (t) => {
    const [tenant] = (await clients(t, 1, newSchema())) as [Tenant];
    const open = await Promise.all(Array.from({ length: 200 }, () => tenant.begin({ timeoutMs: 5_000 })));
    await Promise.all(open.map((tx) => tx.get(key('n'))));
    await increment(tenant, key('n'), 1_000);
    for (const tx of open) assert.equal(await tx.get(key('n')), undefined);
  });
});

describe('a commit that stands still in the server', () => {
  test('others are refused, definitely, before their deadline', timeout, async (t) => {
    const schema = newSchema();
    const [tenant] = (await clients(t, 1, schema)) as [Tenant];
    const held = await holdCommits(t, schema);
    for (const timeoutMs of [300, 1_500]) {
      const tx = await tenant.begin({ timeoutMs });
      const started = performance.now();
      const error = await errorOf(tx.commit({ reads: [], writes: [write(key('a'))] }));
      const elapsed = performance.now() - started;
      assert.equal(error.code, 'store_unavailable', String(error));
      assert.ok(elapsed < timeoutMs, `after ${elapsed} ms of ${timeoutMs}`);
    }
    await held.release();
    await increment(tenant, key('n'));
    const tx = await tenant.begin({ timeoutMs: 1_000 });
    assert.equal(await tx.get(key('a')), undefined);
  });

  test('readers do not wait for it', timeout, async (t) => {
    const schema = newSchema();
    const tenants = await clients(t, 2, schema);
    await holdCommits(t, schema);
    const started = performance.now();
    for (const tenant of tenants) assert.equal(await countAt(tenant, key('n')), 0);
    assert.ok(performance.now() - started < 1_000);
  });

  test(
    'a first attempt that is still being carried out when its client is gone shuts out its repetition',
    timeout,
    async (t) => {
      const schema = newSchema();
      const proxy = await TcpProxy.start({ port: file.server.port });
      t.after(() => proxy.close());
      const direct = await openBackend(t, { url: file.server.url(), schema });
      const cut = await openBackend(t, { url: file.server.url({ port: proxy.port }), schema });
      // The first write takes a second, with all locks held.
      await file.server.sql(`
      CREATE FUNCTION ${schema}.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1); RETURN NEW; END $$;
      CREATE TRIGGER slow BEFORE INSERT ON ${schema}.dgen_item FOR EACH ROW EXECUTE FUNCTION ${schema}.slow()`);
      const commit = async (backend: typeof cut, attempt: number) => {
        const tx = await backend.begin({ timeoutMs: 5_000 });
        const value = Buffer.alloc(8, attempt);
        return tx.commit({
          reads: [],
          writes: [{ type: 'set', key: key('n'), value }],
          id: key('id'),
          attempt,
        });
      };
      const first = errorOf(commit(cut, 1));
      const isAtWork = async () =>
        (await file.server.sql("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'")).length > 0;
      await until(isAtWork, 'the first attempt holds its locks');
      proxy.cut();
      assert.equal((await first).code, 'store_commit_unknown');
      assert.deepEqual(await commit(direct, 2), { applied: 'earlier', attempt: 1 });
      const tx = await direct.begin({ timeoutMs: 1_000 });
      assert.deepEqual(await tx.get(key('n')), new Uint8Array(8).fill(1));
    },
  );
});
