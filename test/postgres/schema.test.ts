// The tables: made once however many start at once, and free of what is no longer needed, but never too early.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Backend, CommitResult } from '../../src/storage/index.ts';
import { openPostgres } from '../../src/storage/postgres/index.ts';
import {
  errorOf,
  host,
  increment,
  key,
  newSchema,
  openBackend,
  openTenant,
  serverOfFile,
  timeout,
} from './support.ts';

const file = serverOfFile();

async function commit(backend: Backend, id: number, attempt = 1): Promise<CommitResult> {
  const tx = await backend.begin({ timeoutMs: 5_000 });
  const writes = [{ type: 'set', key: key('a', String(id % 5)), value: key(String(id)) }] as const;
  return tx.commit({ reads: [], writes, id: key('id', String(id)), attempt });
}

async function count(schema: string, table: string): Promise<number> {
  return Number((await file.server.sql(`SELECT count(*)::int AS n FROM ${schema}.${table}`))[0]?.n);
}

/** The store's clock goes on, as it does while commits come; the next commit looks at it. */
async function advance(schema: string, ms: number): Promise<void> {
  await file.server.sql(
    `UPDATE ${schema}.dgen_head SET clock_ms = clock_ms + ${ms - 1000}, wall_ms = wall_ms - 1000`,
  );
}

describe('the schema', () => {
  test('is made once by eight clients that start at once', timeout, async (t) => {
    for (let round = 0; round < 3; round++) {
      const schema = newSchema();
      const options = { url: file.server.url(), schema, timeoutMs: 20_000 };
      const backends = await Promise.all(Array.from({ length: 8 }, () => openPostgres(options)));
      t.after(() => Promise.all(backends.map((backend) => backend.close())));
      await Promise.all(backends.map((backend, i) => commit(backend, i)));
      assert.equal(await count(schema, 'dgen_head'), 1);
      assert.equal(await count(schema, 'dgen_marker'), 9);
    }
  });

  test('of two stores in one database are apart', timeout, async (t) => {
    const [one, two] = [newSchema(), newSchema()];
    const tenant = await openTenant(t, { url: file.server.url(), schema: one });
    const other = await openTenant(t, { url: file.server.url(), schema: two });
    await increment(tenant, key('n'));
    await increment(other, key('n'));
    assert.deepEqual([await count(one, 'dgen_item'), await count(two, 'dgen_item')], [2, 2]);
  });
});

test('a commit is flushed also where the server would not', timeout, async (t) => {
  const schema = newSchema();
  await openBackend(t, { url: file.server.url(), schema });
  const client = await file.server.client();
  t.after(() => client.end());
  const level = async (): Promise<unknown> =>
    ((await client.query('SHOW synchronous_commit')).rows as { synchronous_commit: string }[])[0]
      ?.synchronous_commit;
  const levels: unknown[] = [];
  for (const before of ['off', 'remote_apply']) {
    await client.query(`SET synchronous_commit = ${before}; BEGIN`);
    await client.query(
      `SELECT ${schema}.dgen_commit(1000, NULL, '{}', '{}', '{set}', '{a}', '{b}', NULL, 0)`,
    );
    levels.push(await level());
    await client.query('COMMIT');
  }
  assert.deepEqual([...levels, await level()], ['on', 'remote_apply', 'remote_apply']);
});

describe('markers', () => {
  test(
    'go when they are older than ten minutes, a few with each commit, and not before',
    timeout,
    async (t) => {
      const schema = newSchema();
      const backend = await openBackend(t, { url: file.server.url(), schema });
      for (let i = 0; i < 300; i++) await commit(backend, i);
      await advance(schema, 601_000);
      await commit(backend, 300);
      await advance(schema, 598_000);
      for (let i = 301; i < 321; i++) await commit(backend, i);
      // Each commit has one, and the version before the first.
      assert.equal(await count(schema, 'dgen_marker'), 322);
      assert.deepEqual(await commit(backend, 5, 2), { applied: 'earlier', attempt: 1 });
      await advance(schema, 3_000);
      await commit(backend, 321);
      const left = await count(schema, 'dgen_marker');
      assert.ok(left > 22 && left < 322, `${left} after the first step`);
      for (let i = 322; i < 370; i++) await commit(backend, i);
      assert.equal(
        await count(schema, 'dgen_marker'),
        70,
        'those go that were old when the clock was looked at',
      );
      assert.deepEqual(await commit(backend, 301, 2), { applied: 'earlier', attempt: 1 });
      assert.deepEqual(await commit(backend, 369, 2), { applied: 'earlier', attempt: 1 });
    },
  );

  test('stay when the clock of the server jumps', timeout, async (t) => {
    const schema = newSchema();
    const backend = await openBackend(t, { url: file.server.url(), schema });
    await commit(backend, 0);
    for (let i = 1; i < 20; i++) {
      // As if the last commit had been made a day ago by the server's clock, then a day ahead.
      const day = i % 2 === 0 ? 86_400_000 : -86_400_000;
      await file.server.sql(`UPDATE ${schema}.dgen_head SET wall_ms = wall_ms + ${day}`);
      await commit(backend, i);
    }
    assert.equal(await count(schema, 'dgen_marker'), 21);
    assert.deepEqual(await commit(backend, 0, 2), { applied: 'earlier', attempt: 1 });
  });
});

describe('what was replaced', () => {
  test('is kept for the snapshots that may still be open, then goes', timeout, async (t) => {
    const schema = newSchema();
    const backend = await openBackend(t, { url: file.server.url(), schema });
    for (let i = 0; i < 50; i++) await commit(backend, i);
    const old = await backend.begin({ timeoutMs: 5_000 });
    assert.deepEqual(await old.get(key('a', '0')), key('45'));
    await commit(backend, 50);
    await advance(schema, 31_000);
    for (let i = 51; i < 60; i++) await commit(backend, i);
    assert.deepEqual(await old.get(key('a', '1')), key('46'));
    await advance(schema, 31_000);
    for (let i = 60; i < 80; i++) await commit(backend, i);
    assert.ok((await count(schema, 'dgen_past')) <= 32);
    assert.equal((await errorOf(old.get(key('a', '1')))).code, 'store_too_old');
    const fresh = await backend.begin({ timeoutMs: 5_000 });
    const page = await fresh.getRange({ begin: key('a'), end: key('b') }, { limit: 10 });
    assert.deepEqual(
      page.items.map(([, value]) => value),
      [75, 76, 77, 78, 79].map((value) => key(String(value))),
    );
  });

  test('does not pile up while clients work: tables and head stay small', timeout, async (t) => {
    const schema = newSchema();
    const backend = await openBackend(t, { url: file.server.url(), schema });
    const end = host.clock.now() + 2_000;
    let commits = 0;
    while (host.clock.now() < end) {
      await commit(backend, commits++);
      if (commits % 50 === 0) await advance(schema, 600_000);
    }
    const left = [await count(schema, 'dgen_past'), await count(schema, 'dgen_marker')];
    t.diagnostic(`${commits} commits left ${left.join(' past values and ')} markers`);
    assert.ok(Math.max(...left) < 200, left.join());
  });
});
