// How a client hears of the commits of others: at once by a notification, later by the poll, and across whatever happens
// to its connections.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { rangeOfKey, type Tenant } from '../../src/storage/index.ts';
import type { PostgresOptions } from '../../src/storage/postgres/index.ts';
import { increment, key, newSchema, openTenant, serverOfFile, set, timeout, until } from './support.ts';

const file = serverOfFile({ settings: { log_statement: 'all', log_line_prefix: '%a ' } });
const never = 60_000;

interface Pair {
  readonly watcher: Tenant;
  readonly writer: Tenant;
  readonly schema: string;
}

async function pair(
  t: Parameters<typeof openTenant>[0],
  options: Partial<PostgresOptions> = {},
): Promise<Pair> {
  const schema = newSchema();
  const url = file.server.url({ query: `?application_name=${schema}` });
  const watcher = await openTenant(t, { url, schema, pollMs: never, ...options });
  return { watcher, writer: await openTenant(t, { url: file.server.url(), schema }), schema };
}

/** How often the watcher has begun to listen. */
const listens = (schema: string): number =>
  file.server.log().split(`${schema} LOG:  statement: SELECT ${schema}.dgen_listen()`).length - 1;

/** Ends the connection that listens, as an administrator would. */
async function endListener(schema: string): Promise<void> {
  const rows = await file.server.sql(
    "SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity WHERE application_name = $1 AND query ~ 'dgen_listen|dgen_changes|dgen_ring'",
    [schema],
  );
  assert.deepEqual(rows, [{ ended: true }]);
}

describe('a watch', () => {
  test('fires at once by a notification, long before the poll', timeout, async (t) => {
    const { watcher, writer, schema } = await pair(t);
    const times: number[] = [];
    for (let i = 0; i < 50; i++) {
      const watch = watcher.watch(rangeOfKey(key('a')));
      await until(() => listens(schema) > 0, 'it listens');
      const started = performance.now();
      await set(writer, key('a'), String(i));
      await watch.changed;
      times.push(performance.now() - started);
    }
    times.sort((a, b) => a - b);
    t.diagnostic(
      `begin of the write to the watch: p50 ${times[25]?.toFixed(1)} ms, max ${times[49]?.toFixed(1)} ms`,
    );
    assert.ok((times[25] ?? never) < 500);
  });

  test('survives the end of the connection that listens, which is made again once', timeout, async (t) => {
    const { watcher, writer, schema } = await pair(t);
    for (let round = 1; round <= 3; round++) {
      const watch = watcher.watch(rangeOfKey(key('a')));
      await until(() => listens(schema) === round, 'it listens');
      await endListener(schema);
      await set(writer, key('a'), String(round));
      await watch.changed;
    }
    await until(() => listens(schema) === 4, 'it listens again');
    await increment(watcher, key('n'));
    const rows = await file.server.sql('SELECT pid FROM pg_stat_activity WHERE application_name = $1', [
      schema,
    ]);
    assert.equal(rows.length, 2);
    assert.equal(listens(schema), 4);
  });

  test('is looked at by other connections while the server has none for listening', timeout, async (t) => {
    const schema = newSchema();
    await file.server.sql(
      `CREATE ROLE narrow LOGIN CONNECTION LIMIT 1 PASSWORD 'x'; CREATE SCHEMA ${schema} AUTHORIZATION narrow`,
    );
    const narrow = { url: file.server.url({ user: 'narrow', password: 'x' }), schema, pollMs: 100 };
    const watcher = await openTenant(t, narrow);
    const writer = await openTenant(t, { url: file.server.url(), schema });
    for (let i = 0; i < 3; i++) {
      const watch = watcher.watch(rangeOfKey(key('a')));
      await set(writer, key('a'), String(i));
      await watch.changed;
    }
  });

  test(
    'fires when the store is another one than before: a fail-over that lost commits, or a backup',
    timeout,
    async (t) => {
      const { watcher, writer, schema } = await pair(t, { pollMs: 100 });
      for (let i = 0; i < 5; i++) await increment(writer, key('n'));
      await increment(watcher, key('n'));
      const watch = watcher.watch(rangeOfKey(key('a')));
      const reader = await watcher.begin({ timeoutMs: 5_000 });
      await reader.get(key('a'));
      await file.server.sql(`DELETE FROM ${schema}.dgen_marker
      WHERE version > (SELECT max(version) - 3 FROM ${schema}.dgen_marker)`);
      await watch.changed;
      const late = reader.commit({ reads: [rangeOfKey(key('a'))], writes: [] });
      await assert.rejects(late, { code: 'store_too_old' });
      const again = watcher.watch(rangeOfKey(key('a')));
      await set(writer, key('a'), 'x');
      await again.changed;
    },
  );

  test('costs nothing when nothing is watched: no polls', timeout, async (t) => {
    const { watcher, schema } = await pair(t, { pollMs: 10 });
    await increment(watcher, key('n'));
    const watch = watcher.watch(rangeOfKey(key('a')));
    const polls = () => file.server.log().split(`${schema}.dgen_changes`).length;
    await until(() => polls() > 10, 'it polls');
    watch.cancel();
    await increment(watcher, key('n'));
    const before = polls();
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.ok(polls() - before <= 1, `${polls() - before} polls`);
  });
});
