// Behind a real pgbouncer: in session mode all is as without it; where it shares the server's sessions among its clients,
// transactions are as correct, and watches go by the poll alone.
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { rangeOfKey, type Tenant, transact } from '../../src/storage/index.ts';
import { type Bouncer, type BouncerOptions, startBouncer } from '../support/pgbouncer.ts';
import {
  countAt,
  increment,
  key,
  newSchema,
  openTenant,
  serverOfFile,
  set,
  timeout,
  until,
} from './support.ts';

const file = serverOfFile({ settings: { log_statement: 'all' } });

async function bouncer(t: TestContext, options: BouncerOptions): Promise<Bouncer> {
  const started = await startBouncer(file.server, options);
  t.after(() => started.stop());
  return started;
}

function listens(schema: string): boolean {
  return file.server.log().includes(`SELECT ${schema}.dgen_listen()`);
}

const modes: readonly BouncerOptions[] = [
  { mode: 'session' },
  { mode: 'transaction' },
  { mode: 'transaction', poolSize: 1 },
  { mode: 'transaction', poolSize: 3, roundRobin: true },
  { mode: 'statement', roundRobin: true },
];

describe('behind pgbouncer', () => {
  for (const options of modes) {
    test(`transactions and watches: ${JSON.stringify(options)}`, timeout, async (t) => {
      const { port } = await bouncer(t, options);
      const schema = newSchema();
      const url = file.server.url({ port });
      const one = await openTenant(t, { url, schema, pollMs: 100 });
      const two = await openTenant(t, { url, schema, pollMs: 100 });
      const work = async (tenant: typeof one): Promise<void> => {
        for (let i = 0; i < 25; i++) await increment(tenant, key('n'));
      };
      await Promise.all([work(one), work(two), work(one), work(two)]);
      assert.equal(await countAt(one, key('n')), 100);
      for (let i = 0; i < 5; i++) {
        const watch = one.watch(rangeOfKey(key('w')));
        await set(two, key('w'), String(i));
        await watch.changed;
      }
      assert.equal(listens(schema), options.mode === 'session', 'whether it listens');
    });
  }

  test('in session mode notifications arrive: a watch does not wait for the poll', timeout, async (t) => {
    const { port } = await bouncer(t, { mode: 'session' });
    const options = { url: file.server.url({ port }), schema: newSchema(), pollMs: 30_000 };
    const [one, two] = [await openTenant(t, options), await openTenant(t, options)];
    one.watch(rangeOfKey(key('other')));
    await until(() => listens(options.schema), 'it listens');
    const watch = one.watch(rangeOfKey(key('w')));
    await set(two, key('w'), 'x');
    await watch.changed;
  });

  test('in transaction mode looks are frequent, without being told so', timeout, async (t) => {
    const { port } = await bouncer(t, { mode: 'transaction' });
    const options = { url: file.server.url({ port }), schema: newSchema() };
    const [one, two] = [await openTenant(t, options), await openTenant(t, options)];
    for (let i = 0; i < 4; i++) {
      const watch = one.watch(rangeOfKey(key('w')));
      const started = performance.now();
      await set(two, key('w'), String(i));
      await watch.changed;
      const elapsed = performance.now() - started;
      assert.ok(elapsed < 2_500, `${elapsed} ms`);
    }
  });

  test(
    'where sessions have another isolation level by default, which cannot be set here, all is exact',
    timeout,
    async (t) => {
      const { port } = await bouncer(t, { mode: 'transaction', poolSize: 6 });
      for (const level of ['repeatable read', 'serializable']) {
        const database = level.replace(' ', '_');
        await file.server.sql(`CREATE DATABASE ${database}`);
        await file.server.sql(`ALTER DATABASE ${database} SET default_transaction_isolation = '${level}'`);
        const url = file.server.url({ port, database });
        const tenants = [
          await openTenant(t, { url }),
          await openTenant(t, { url }),
          await openTenant(t, { url }),
        ];
        const adds = async (tenant: Tenant): Promise<void> => {
          for (let i = 0; i < 10; i++) {
            await increment(tenant, key('n'));
            await transact(tenant, (tx) => tx.add(key('blind'), 1n), { timeoutMs: 20_000 });
          }
        };
        await Promise.all(tenants.map(adds));
        const sum = await transact(tenants[0] as Tenant, (tx) => tx.get(key('blind')), { timeoutMs: 5_000 });
        assert.equal(await countAt(tenants[0] as Tenant, key('n')), 30);
        assert.equal(Buffer.from(sum ?? []).readBigUInt64LE(), 30n);
      }
    },
  );

  test('settings of a session are left alone where it is not ours', timeout, async (t) => {
    const { port } = await bouncer(t, { mode: 'transaction', poolSize: 1 });
    await openTenant(t, { url: file.server.url({ port }), schema: newSchema() });
    const other = await openTenant(t, { url: file.server.url({ port }), schema: newSchema() });
    await increment(other, key('n'));
    const { Client } = (await import('pg')).default;
    const client = new Client({ connectionString: file.server.url({ port }) });
    await client.connect();
    const rows = (await client.query('SHOW statement_timeout')).rows as { statement_timeout: string }[];
    await client.end();
    assert.equal(rows[0]?.statement_timeout, '0');
  });
});
