// What cannot work is refused when the store is opened, with words that say what to do, and never with the password.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, test } from 'node:test';
import { inspect, promisify } from 'node:util';
import { storeAt } from '../../src/node/open-store.ts';
import { openPostgres, type PostgresOptions, postgresSchemaSql } from '../../src/storage/postgres/index.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import {
  errorOf,
  host,
  increment,
  key,
  newSchema,
  openBackend,
  openTenant,
  serverOfFile,
  set,
  timeout,
} from './support.ts';

const file = serverOfFile();
const secret = 'p@ss/w?rd#%';

async function refusal(options: PostgresOptions): Promise<string> {
  const error = await errorOf(openPostgres({ timeoutMs: 1_500, ...options }));
  const text = inspect(error, { depth: 10 });
  for (const form of [secret, encodeURIComponent(secret), file.server.password])
    assert.ok(!text.includes(form), `the password is in ${text}`);
  return error.message;
}

/** A role that may only log in. */
async function role(name: string, more = ''): Promise<string> {
  await file.server.sql(`CREATE ROLE ${name} LOGIN PASSWORD '${secret}' ${more}`);
  return file.server.url({ user: name, password: secret });
}

describe('an address', () => {
  const forms: readonly (readonly [url: string, part: string])[] = [
    ['postgres://u:SECRET@/db', 'another form'],
    ['postgres://:SECRET@h/db', 'another form'],
    ['postgres://u:SECRET@h', 'another form'],
    ['postgres://u:SECRET@h:99999/db', 'another form'],
    ['mysql://u:SECRET@h/db', 'another form'],
    ['postgres://u:SECRET%@h/db', 'after a %'],
    ['postgres://u:SECRET%ff@h/db', 'after a %'],
    [
      'postgres://u:SECRET@h/db?sslmode=prefer',
      'sslmode: expected disable, require, verify-ca, verify-full, got prefer',
    ],
    ['postgres://u:SECRET@h/db?statement_timeout=1', 'got statement_timeout'],
    ['postgres://u:SECRET@h/db?sslmode=verify-full&sslrootcert=/none', '/none: ENOENT'],
    ['postgres://u:SECRET@h/db?schema=A', 'schema: expected'],
    ['postgres://u:SECRET@h/db?schema=pg_x', 'schema: expected'],
    ['postgres://u:SECRET@h/db?connectionsMax=1', 'connectionsMax: expected an integer from 2 to 100, got 1'],
    ['postgres://u:SECRET@h/db?pollMs=x', 'pollMs: expected an integer from 10 to 60000, got NaN'],
  ];

  test('that is wrong is refused, and not repeated', async () => {
    for (const [url, part] of forms) {
      const error = await errorOf(openPostgres({ url }));
      assert.equal(error.code, 'bad_option', url);
      assert.ok(error.message.includes(part), `${url}: ${error.message}`);
      assert.ok(!inspect(error, { depth: 10 }).includes('SECRET'), inspect(error));
    }
    for (const address of [
      'postgress://u:SECRET@h/db',
      'Postgres://u:SEC/RET@h/db',
      'postgres://u:SECRET@h',
    ]) {
      const error = await errorOf(storeAt(address, host));
      assert.equal(error.code, 'bad_option', address);
      assert.ok(!/SEC|RET/.test(inspect(error, { depth: 10 })), inspect(error));
    }
  });

  test('opens a store', timeout, async (t) => {
    const store = await storeAt(file.server.url({ query: `?schema=${newSchema()}&pollMs=50` }), host);
    t.after(() => store.close());
    await increment(store.tenant('a'), key('n'));
    assert.equal(store.description, 'postgres');
  });
});

describe('opening is refused', () => {
  test('with a wrong password, without one, and for a database that is not there', timeout, async () => {
    const wrong = file.server.url({ password: secret });
    assert.match(
      await refusal({ url: wrong }),
      /^store_fatal: PostgreSQL authentication.*password authentication failed/,
    );
    const none = `postgres://postgres@127.0.0.1:${file.server.port}/postgres`;
    assert.match(await refusal({ url: none }), /^store_fatal: PostgreSQL authentication/);
    const nowhere = file.server.url({ database: 'nowhere' });
    assert.match(
      await refusal({ url: nowhere }),
      /^store_fatal: PostgreSQL database.*"nowhere" does not exist/,
    );
    const backend = await openPostgres({
      url: none,
      password: async () => file.server.password,
      schema: newSchema(),
    });
    await backend.close();
  });

  test('when nobody answers, after a while', timeout, async () => {
    const url = 'postgres://u:p@127.0.0.1:1/db';
    assert.match(
      await refusal({ url, timeoutMs: 300 }),
      /^store_unavailable: PostgreSQL server.*ECONNREFUSED/,
    );
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    assert.match(
      await refusal({ url: `postgres://u:p@127.0.0.1:${port}/db`, timeoutMs: 300 }),
      /^timeout: opening/,
    );
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 100);
    const options = { url: `postgres://u:p@127.0.0.1:${port}/db`, signal: abort.signal };
    assert.equal((await errorOf(openPostgres(options))).code, 'aborted');
    const refused = { url, signal: AbortSignal.timeout(150) };
    assert.equal((await errorOf(openPostgres(refused))).code, 'aborted');
    silent.close();
  });

  test('without the permissions, which are named', timeout, async () => {
    const url = await role('nobody_here');
    assert.match(
      await refusal({ url, schema: newSchema() }),
      /^store_fatal: PostgreSQL permission: expected USAGE on the schema, .* got permission denied/,
    );
    const schema = newSchema();
    await (await openPostgres({ url: file.server.url(), schema })).close();
    assert.match(await refusal({ url, schema }), /^store_fatal: PostgreSQL permission/);
  });

  test('of a standby, and of a server that cannot be written', timeout, async (t) => {
    const standby = await PostgresServer.prepare();
    t.after(() => standby.dispose());
    const from = file.server.url().replace(/^postgres:/, 'postgresql:');
    standby.run('pg_basebackup', ['--no-sync', '-R', '-X', 'stream', '-c', 'fast', '-d', from]);
    await standby.up();
    assert.match(
      await refusal({ url: standby.url() }),
      /^store_fatal: PostgreSQL server: expected the primary, got a standby/,
    );
    await file.server.sql('CREATE DATABASE frozen');
    await file.server.sql('ALTER DATABASE frozen SET default_transaction_read_only = on');
    const url = file.server.url({ database: 'frozen' });
    assert.match(await refusal({ url }), /^store_unavailable: PostgreSQL server cannot be written/);
  });

  test('of tables of something else, or of a newer release', timeout, async () => {
    const url = file.server.url();
    for (const table of ['dgen_head (one int)', 'dgen_head (format int)', 'dgen_item (one int)']) {
      const schema = newSchema();
      await file.server.sql(`CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.${table}`);
      assert.match(await refusal({ url, schema }), /^store_not_ours: PostgreSQL schema/, table);
    }
    const schema = newSchema();
    await (await openPostgres({ url, schema })).close();
    await file.server.sql(`UPDATE ${schema}.dgen_head SET format = 2`);
    assert.match(
      await refusal({ url, schema }),
      /^store_format: PostgreSQL schema: expected at most 1, got 2/,
    );
  });

  test('of a server that is too old, or is none', timeout, async () => {
    const servers: readonly (readonly [number: string, name: string, got: RegExp])[] = [
      ['120012', 'PostgreSQL 12.12 on x86_64', /got PostgreSQL 12\.12$/],
      ['130000', 'CockroachDB CCL v23.1.11 (x86_64)', /expected PostgreSQL 13 or later, got CockroachDB CCL/],
    ];
    for (const [number, name, got] of servers) {
      const fake = await fakeServer(['1', 'f', number, name]);
      const message = await refusal({ url: `postgres://u:p@127.0.0.1:${fake.port}/db` });
      fake.close();
      assert.match(message, /^store_fatal: server/);
      assert.match(message, got);
    }
  });

  test('without the package pg', timeout, async () => {
    const program = `
      import { registerHooks } from 'node:module';
      registerHooks({ resolve: (name, context, next) => {
        if (name === 'pg') throw Object.assign(new Error('not found'), { code: 'ERR_MODULE_NOT_FOUND' });
        return next(name, context);
      } });
      const { storeAt, nodeHost } = await import('./src/index.ts');
      await storeAt('postgres://u:p@h/db', nodeHost()).catch((error) => console.log(error.message));`;
    const run = promisify(execFile);
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program]);
    assert.match(stdout, /^store_fatal: no PostgreSQL client: expected the package pg \(npm install pg\)/);
  });
});

describe('a role', () => {
  test('that may only use what is there can do all that is needed', timeout, async (t) => {
    const schema = newSchema();
    const url = await role('user_only');
    await file.server.sql(postgresSchemaSql(schema));
    await file.server.sql(`GRANT USAGE ON SCHEMA ${schema} TO user_only;
      GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO user_only`);
    const tenant = await openTenant(t, { url, schema });
    const watch = tenant.watch({ begin: key('n'), end: key('o') });
    await increment(tenant, key('n'));
    await watch.changed;
  });

  test('that may create in a schema, but no schema, makes the tables itself', timeout, async (t) => {
    const schema = newSchema();
    const url = await role('maker');
    await file.server.sql(`CREATE SCHEMA ${schema}; GRANT USAGE, CREATE ON SCHEMA ${schema} TO maker`);
    await increment(await openTenant(t, { url, schema }), key('n'));
  });

  test('that loses its rights or its tables is told so, and nothing is applied', timeout, async (t) => {
    const schema = newSchema();
    const url = await role('demoted');
    await file.server.sql(postgresSchemaSql(schema));
    const grants = `SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema}`;
    await file.server.sql(`GRANT USAGE ON SCHEMA ${schema} TO demoted; GRANT ${grants} TO demoted`);
    const tenant = await openTenant(t, { url, schema });
    await file.server.sql(`REVOKE UPDATE ON ALL TABLES IN SCHEMA ${schema} FROM demoted`);
    assert.match(
      (await errorOf(set(tenant, key('a'), 'x'))).message,
      /^store_fatal: PostgreSQL permission.*UPDATE/,
    );
    await file.server.sql(`GRANT ${grants} TO demoted`);
    await set(tenant, key('a'), 'y');
    await file.server.sql(`DROP SCHEMA ${schema} CASCADE`);
    assert.match((await errorOf(set(tenant, key('a'), 'x'))).message, /^store_fatal: PostgreSQL schema/);
  });

  test('whose connections are used up waits for one, and is told', timeout, async (t) => {
    const url = await role('crowded', 'CONNECTION LIMIT 1');
    const schema = newSchema();
    await file.server.sql(`CREATE SCHEMA ${schema} AUTHORIZATION crowded`);
    const first = await openBackend(t, { url, schema });
    assert.match(
      await refusal({ url, schema, timeoutMs: 300 }),
      /^store_unavailable: .*too many connections/,
    );
    await first.close();
    await openBackend(t, { url, schema });
  });
});

/** Says that it is ready, and answers every statement with one row. */
async function fakeServer(row: readonly string[]): Promise<{ readonly port: number; close(): void }> {
  const message = (type: string, ...parts: readonly Buffer[]): Buffer => {
    const body = Buffer.concat(parts);
    const head = Buffer.alloc(5, type);
    head.writeUInt32BE(body.length + 4, 1);
    return Buffer.concat([head, body]);
  };
  const int16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
  const int32 = (value: number): Buffer => Buffer.from([0, 0, value >> 8, value & 255]);
  const field = (): Buffer =>
    Buffer.concat([Buffer.from('c\0'), int32(0), int16(0), int32(25), int16(0), int32(0), int16(0)]);
  const value = (text: string): Buffer => Buffer.concat([int32(text.length), Buffer.from(text)]);
  const ready = message('Z', Buffer.from('I'));
  const hello = Buffer.concat([message('R', int32(0)), message('K', int32(1), int32(2)), ready]);
  const answer = Buffer.concat([
    message('T', int16(row.length), ...row.map(field)),
    message('D', int16(row.length), ...row.map(value)),
    message('C', Buffer.from('SELECT 1\0')),
    ready,
  ]);
  const server = createServer((socket) => {
    let greeted = false;
    socket.on('error', () => undefined);
    socket.on('data', () => {
      socket.write(greeted ? answer : hello);
      greeted = true;
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, close: () => void server.close() };
}
