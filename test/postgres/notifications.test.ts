// What notifications say, what a client concludes from them, and what it concludes when some are missing. Commits "in
// silence" are made as by a client that dies before it can tell anybody.
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Backend, Mutation } from '../../src/storage/index.ts';
import { rangeOfKey } from '../../src/storage/index.ts';
import { type Ring, ringOf } from '../../src/storage/postgres/ring.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { key, newSchema, openBackend, serverOfFile, timeout, until } from './support.ts';

const file = serverOfFile({ settings: { log_statement: 'all', log_line_prefix: '%a ' } });
const never = 60_000;
const quietMs = 150;

interface Pair {
  readonly watcher: Backend;
  readonly writer: Backend;
  readonly schema: string;
  /** How often the watcher has looked into the change log. */
  looks(): number;
}

/** A watcher that listens already, and has looked once. */
async function pair(t: TestContext, pollMs = never): Promise<Pair> {
  const schema = newSchema();
  const url = file.server.url({ query: `?application_name=${schema}` });
  const watcher = await openBackend(t, { url, schema, pollMs });
  const writer = await openBackend(t, { url: file.server.url(), schema });
  const line = new RegExp(`^${schema} LOG:.*dgen_changes`, 'gm');
  const looks = (): number => file.server.log().match(line)?.length ?? 0;
  watcher.watch(rangeOfKey(key('never')));
  await write(writer, key('first'));
  await until(() => looks() > 0, 'it looks');
  await sleep(quietMs);
  return { watcher, writer, schema, looks };
}

const set = (at: Uint8Array): Mutation => ({ type: 'set', key: at, value: key('x') });

async function write(backend: Backend, ...keys: readonly Uint8Array[]): Promise<void> {
  await commit(backend, keys.map(set));
}

async function commit(backend: Backend, writes: readonly Mutation[], id?: Uint8Array): Promise<void> {
  const tx = await backend.begin({ timeoutMs: 5_000 });
  await tx.commit({ reads: [], writes, ...(id === undefined ? {} : { id }) });
}

/** Commits, and tells nobody. */
async function writeInSilence(schema: string, at: Uint8Array): Promise<void> {
  const text = `SELECT * FROM ${schema}.dgen_commit(1000, NULL, '{}', '{}', '{set}', ARRAY[$1::bytea], ARRAY[$1::bytea], NULL, 0)`;
  const [row] = await file.server.sql(text, [Buffer.from(at)]);
  assert.equal(row?.status, 'now');
}

/** Milliseconds until the watch fires, at most `ms`. */
async function firedAfter(watch: { readonly changed: Promise<void> }, ms: number): Promise<number> {
  const started = performance.now();
  const late = Symbol('late');
  const first = await Promise.race([watch.changed, sleep(ms, late, { ref: false })]);
  return first === late ? Number.POSITIVE_INFINITY : performance.now() - started;
}

/** The rings of a store, in the order in which they come. */
async function ringsOf(t: TestContext, schema: string): Promise<readonly Ring[]> {
  const client = await file.server.client();
  t.after(() => client.end());
  const rings: Ring[] = [];
  client.on('notification', ({ payload = '' }) => {
    const ring = ringOf(payload);
    if (ring !== undefined) rings.push(ring);
  });
  await client.query(`SELECT ${schema}.dgen_listen()`);
  return rings;
}

describe('a notification', () => {
  test('names the version and exactly the keys that it changed', timeout, async (t) => {
    const schema = newSchema();
    const writer = await openBackend(t, { url: file.server.url(), schema });
    const rings = await ringsOf(t, schema);
    const odd = Uint8Array.of(0, 255, 44, 58, 10);
    await write(writer, key('a'), odd);
    await commit(writer, [{ type: 'clear', key: key('absent') }]);
    await commit(writer, [], key('an id'));
    await commit(writer, [{ type: 'clearRange', begin: key('a'), end: key('b') }]);
    await write(writer, ...Array.from({ length: 90 }, (_, i) => key('x'.repeat(200), String(i))));
    const reader = await writer.begin({ timeoutMs: 5_000 });
    await reader.get(key('a'));
    await reader.commit({ reads: [rangeOfKey(key('a'))], writes: [] });
    await write(writer, new Uint8Array(1_000).fill(7));
    await until(() => rings.length >= 6, 'the rings');
    await sleep(quietMs);
    assert.deepEqual(
      rings.map(({ version }) => version),
      [1, 2, 3, 4, 5, 6],
    );
    assert.deepEqual(sorted(rings[0]), sorted({ version: 1, keys: [key('a'), odd] }));
    assert.deepEqual(
      rings.slice(1, 6).map((ring) => ring.keys),
      [[], [], [key('a')], undefined, [new Uint8Array(1_000).fill(7)]],
    );
  });

  test('of what was cleared away already names no keys, which is not: none', timeout, async (t) => {
    const { schema, writer } = await pair(t);
    await write(writer, key('a'));
    const rings = await ringsOf(t, schema);
    const [row] = await file.server.sql(`SELECT max(version)::int AS version FROM ${schema}.dgen_marker`);
    await file.server.sql(`UPDATE ${schema}.dgen_head SET known = $1`, [row?.version]);
    await file.server.sql(`DELETE FROM ${schema}.dgen_past`);
    await file.server.sql(`SELECT ${schema}.dgen_ring(ARRAY[$1::bigint])`, [row?.version]);
    await until(() => rings.length === 1, 'the ring');
    assert.deepEqual(rings, [{ version: row?.version, keys: undefined }]);
  });

  test('goes over a channel that only those know who may read the store', timeout, async (t) => {
    const [one, two] = [await pair(t), await pair(t)];
    const token = async ({ schema }: Pair): Promise<unknown> =>
      (await file.server.sql(`SELECT token FROM ${schema}.dgen_head`))[0]?.token;
    assert.match(String(await token(one)), /^[0-9a-f]{16}$/);
    assert.notEqual(await token(one), await token(two));
    const client = await file.server.client();
    t.after(() => client.end());
    await client.query(`SELECT ${one.schema}.dgen_listen()`);
    const { rows } = await client.query('SELECT pg_listening_channels() AS channel');
    assert.deepEqual(rows, [{ channel: `dgen:${one.schema}:${await token(one)}` }]);
    const watch = one.watcher.watch(rangeOfKey(key('a')));
    await write(one.writer, key('a'));
    assert.ok((await firedAfter(watch, 5_000)) < 5_000);
  });
});

function sorted(ring: Ring | undefined): readonly string[] {
  return (ring?.keys ?? []).map((one) => Buffer.from(one).toString('hex')).sort();
}

describe('while notifications come', () => {
  test('nothing is asked, whatever others change; the right watch fires', timeout, async (t) => {
    const { watcher, writer, looks } = await pair(t, 700);
    const [near, far] = [watcher.watch(rangeOfKey(key('a'))), watcher.watch(rangeOfKey(key('z')))];
    const before = looks();
    for (let i = 0; i < 12; i++) {
      await write(writer, key('b', String(i)), key('y'));
      await sleep(100);
    }
    const one = firedAfter(near, 5_000);
    await write(writer, key('b'), key('a'));
    assert.ok((await one) < 5_000);
    assert.equal(await firedAfter(far, quietMs), Number.POSITIVE_INFINITY);
    assert.equal(looks() - before, 0);
  });

  test('a commit of very many keys is looked up', timeout, async (t) => {
    const { watcher, writer, looks } = await pair(t);
    const keys = Array.from({ length: 100 }, (_, i) => key('w'.repeat(100), String(i)));
    const watch = watcher.watch(rangeOfKey(keys[57] as Uint8Array));
    const before = looks();
    await write(writer, ...keys);
    assert.ok((await firedAfter(watch, 5_000)) < 5_000);
    assert.equal(looks() - before, 1);
  });

  test('an own commit fires an own watch, and asks nothing', timeout, async (t) => {
    const { watcher, looks } = await pair(t);
    const before = looks();
    for (let i = 0; i < 10; i++) {
      const watch = watcher.watch(rangeOfKey(key('a')));
      await write(watcher, key('a'));
      assert.ok((await firedAfter(watch, 5_000)) < 5_000);
    }
    await sleep(quietMs);
    assert.ok(looks() - before <= 1, `${looks() - before} looks`);
  });
});

describe('a notification that was lost', () => {
  test('is noticed by the next one', timeout, async (t) => {
    const { watcher, writer, schema } = await pair(t);
    for (let i = 0; i < 5; i++) {
      const watch = watcher.watch(rangeOfKey(key('a')));
      await writeInSilence(schema, key('a'));
      assert.equal(await firedAfter(watch, quietMs), Number.POSITIVE_INFINITY);
      await write(writer, key('elsewhere'));
      assert.ok((await firedAfter(watch, 5_000)) < 2_000);
    }
  });

  test('is noticed by a client that reads', timeout, async (t) => {
    const { watcher, schema } = await pair(t);
    const watch = watcher.watch(rangeOfKey(key('a')));
    await writeInSilence(schema, key('a'));
    const tx = await watcher.begin({ timeoutMs: 5_000 });
    await tx.get(key('elsewhere'));
    tx.close();
    assert.ok((await firedAfter(watch, 5_000)) < 2_000);
  });

  test(
    'is found by the poll when no other comes; then polls are frequent until one does',
    timeout,
    async (t) => {
      const pollMs = 1_500;
      const { watcher, writer, schema, looks } = await pair(t, pollMs);
      const watch = watcher.watch(rangeOfKey(key('a')));
      await writeInSilence(schema, key('a'));
      assert.ok((await firedAfter(watch, 10_000)) < pollMs + 1_000);
      const again = watcher.watch(rangeOfKey(key('a')));
      await writeInSilence(schema, key('a'));
      assert.ok((await firedAfter(again, 10_000)) < pollMs / 2);
      await write(writer, key('elsewhere'));
      await sleep(quietMs);
      const before = looks();
      await sleep(pollMs / 2);
      assert.equal(looks(), before);
    },
  );
});

describe('a client that cannot tell of its commit', () => {
  /** Behind a proxy; the connection that works is the first one, the one that listens the second. */
  async function proxied(t: TestContext): Promise<Pair & { readonly proxy: TcpProxy }> {
    const proxy = await TcpProxy.start({ port: file.server.port });
    t.after(() => proxy.close());
    const made = await pair(t);
    const { schema } = made;
    const writer = await openBackend(t, { url: file.server.url({ port: proxy.port }), schema });
    await write(writer, key('first'));
    await until(() => proxy.connections.length === 2, 'it listens');
    await sleep(quietMs);
    return { ...made, writer, proxy };
  }

  test('tells by the next connection', timeout, async (t) => {
    const { watcher, writer, proxy } = await proxied(t);
    const watch = watcher.watch(rangeOfKey(key('a')));
    proxy.connections[1]?.pipe('up').swallow();
    await write(writer, key('a'));
    assert.equal(await firedAfter(watch, quietMs), Number.POSITIVE_INFINITY);
    proxy.connections[1]?.cut();
    assert.ok((await firedAfter(watch, 10_000)) < 5_000);
  });

  test('tells by the connection that works while there is no other', timeout, async (t) => {
    const { watcher, writer, proxy } = await proxied(t);
    const watch = watcher.watch(rangeOfKey(key('a')));
    proxy.door('refusing');
    proxy.connections[1]?.cut();
    await sleep(quietMs);
    await write(writer, key('a'));
    assert.ok((await firedAfter(watch, 10_000)) < 5_000);
  });
});

test('a server that was started anew may have lost commits: all watches fire', timeout, async (t) => {
  const { watcher } = await pair(t);
  const watch = watcher.watch(rangeOfKey(key('a')));
  await file.server.stop('fast');
  await file.server.up();
  assert.ok((await firedAfter(watch, 10_000)) < 10_000);
});
