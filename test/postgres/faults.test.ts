// The server and the way to it fail while transactions run: each is applied exactly once, every call ends in time, and
// what goes wrong has the name that it should have.
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '../../src/errors/error.ts';
import { type Bytes, type Tenant, transact } from '../../src/storage/index.ts';
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
  timeout,
  until,
} from './support.ts';

const file = serverOfFile();
const workers = 4;

interface Tally {
  acknowledged: number;
  unknown: number;
  refused: number;
}

interface Load {
  readonly tally: Tally;
  stop(): Promise<void>;
}

/** Many transactions at once, half of them additions; each that ends is counted by how it ended. */
function load(tenants: readonly Tenant[], at: Bytes): Load {
  const tally: Tally = { acknowledged: 0, unknown: 0, refused: 0 };
  let running = true;
  const one = async (tenant: Tenant, i: number): Promise<void> => {
    const options = { timeoutMs: 20_000 };
    try {
      if (i % 2 === 0) await increment(tenant, at, options.timeoutMs);
      else await transact(tenant, (tx) => tx.add(key('sum'), 1n), options);
      tally.acknowledged += 1;
    } catch (error) {
      if (hasCode(error, 'store_commit_unknown')) tally.unknown += 1;
      else if (hasCode(error, 'timeout')) tally.refused += 1;
      else throw error;
    }
  };
  const work = Array.from({ length: workers }, async (_, i) => {
    while (running) await one(tenants[i % tenants.length] as Tenant, i);
  });
  return {
    tally,
    async stop() {
      running = false;
      await Promise.all(work);
    },
  };
}

async function sumAt(tenant: Tenant): Promise<number> {
  const value = await transact(tenant, (tx) => tx.get(key('sum')), { timeoutMs: 20_000 });
  return value === undefined ? 0 : Number(Buffer.from(value).readBigUInt64LE());
}

/** Runs a load while `disturb` is called again and again, then compares what was acknowledged with what is there. */
async function exactlyOnce(
  t: TestContext,
  port: number,
  disturb: (round: number) => Promise<void>,
): Promise<Tally> {
  const schema = newSchema();
  const options = { url: file.server.url({ port }), schema, connectTimeoutMs: 1_000, answerTimeoutMs: 1_000 };
  const tenants = [await openTenant(t, options), await openTenant(t, options)];
  const judge = await openTenant(t, { url: file.server.url(), schema });
  const { tally, stop } = load(tenants, key('n'));
  for (let round = 0; round < 8; round++) {
    await sleep(80 + Math.random() * 200);
    await disturb(round);
  }
  await sleep(200);
  await stop();
  const there = (await countAt(judge, key('n'))) + (await sumAt(judge));
  t.diagnostic(`there ${there}, ${JSON.stringify(tally)}`);
  assert.ok(tally.acknowledged > 20, 'hardly anything was done');
  assert.deepEqual([tally.unknown, tally.refused], [0, 0], 'there was time enough to find out');
  assert.equal(there, tally.acknowledged);
  return tally;
}

describe('every transaction is applied exactly once', () => {
  test('while connections are cut', timeout, async (t) => {
    const proxy = await TcpProxy.start({ port: file.server.port });
    t.after(() => proxy.close());
    await exactlyOnce(t, proxy.port, async () => {
      for (let i = 0; i < 5; i++) {
        await sleep(Math.random() * 20);
        proxy.cut();
      }
    });
  });

  test('while answers, and only answers, are lost', timeout, async (t) => {
    const proxy = await TcpProxy.start({ port: file.server.port });
    t.after(() => proxy.close());
    await exactlyOnce(t, proxy.port, async () => {
      proxy.hold('down');
      await sleep(20 + Math.random() * 30);
      proxy.cut();
    });
  });

  test('while the server is stopped at once and started again', timeout, async (t) => {
    await exactlyOnce(t, file.server.port, async () => {
      await file.server.stop('immediate');
      await file.server.up();
    });
  });

  test('while all processes of the server are killed', timeout, async (t) => {
    await exactlyOnce(t, file.server.port, async (round) => {
      if (round % 2 === 0) await file.server.kill();
      else await file.server.stop('fast');
      await file.server.up();
    });
  });

  test('while an administrator ends connections', timeout, async (t) => {
    await exactlyOnce(t, file.server.port, async () => {
      await file.server.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dgen'",
      );
    });
  });

  test('while statements are cancelled', timeout, async (t) => {
    await exactlyOnce(t, file.server.port, async () => {
      for (let i = 0; i < 10; i++)
        await file.server.sql(
          "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'dgen'",
        );
    });
  });

  test('while the server stands still now and then', timeout, async (t) => {
    await exactlyOnce(t, file.server.port, async (round) => {
      file.server.pause();
      await sleep(round === 3 ? 2_500 : 100);
      file.server.resume();
    });
  });
});

describe('a server that stands still', () => {
  test('every call ends by its deadline, or says that the link is dead', timeout, async (t) => {
    const backend = await openBackend(t, { url: file.server.url(), schema: newSchema() });
    t.after(() => file.server.resume());
    file.server.pause();
    const timed = async (
      action: (signal: AbortSignal) => Promise<unknown>,
    ): Promise<readonly [string, number]> => {
      const started = performance.now();
      const abort = new AbortController();
      setTimeout(() => abort.abort(), 700).unref();
      const { code } = await errorOf(action(abort.signal));
      return [code, performance.now() - started];
    };
    const write = { reads: [], writes: [{ type: 'set', key: key('a'), value: key('b') }] } as const;
    const results = await Promise.all([
      timed(async () => (await backend.begin({ timeoutMs: 400 })).commit(write)),
      timed(async () => (await backend.begin({ timeoutMs: 500 })).get(key('a'))),
      timed(async (signal) => (await backend.begin({ timeoutMs: 5_000, signal })).get(key('a'))),
      timed(async () => (await backend.begin({ timeoutMs: 600 })).commit(write)),
      timed(async () => (await backend.begin({ timeoutMs: 5_000 })).get(key('a'))),
    ]);
    file.server.resume();
    const codes = results.map(([code]) => code);
    assert.deepEqual(codes.slice(0, 4), ['store_commit_unknown', 'timeout', 'aborted', 'timeout']);
    assert.ok(['store_unavailable', 'timeout'].includes(String(codes[4])), String(codes[4]));
    for (const [index, limitMs] of [400, 500, 700, 600, 5_000].entries())
      assert.ok((results[index]?.[1] ?? 0) < limitMs + 250, `${index} after ${results[index]?.[1]} ms`);
  });
});

describe('a link that died without a word', () => {
  test('is noticed within seconds, also by the watch', timeout, async (t) => {
    const proxy = await TcpProxy.start({ port: file.server.port });
    t.after(() => proxy.close());
    const schema = newSchema();
    const tenant = await openTenant(t, { url: file.server.url({ port: proxy.port }), schema });
    const other = await openTenant(t, { url: file.server.url(), schema });
    const watch = tenant.watch({ begin: key('n'), end: key('o') });
    await until(() => proxy.connections.length === 2, 'it listens');
    await sleep(50);
    proxy.silence();
    const started = performance.now();
    await increment(other, key('n'));
    await Promise.all([increment(tenant, key('n')), watch.changed]);
    const elapsed = performance.now() - started;
    assert.ok(elapsed > 2_000 && elapsed < 9_500, `${elapsed} ms`);
    assert.equal(await countAt(other, key('n')), 2);
  });

  test(
    'is noticed by a client that only watches: after a silence of pollMs, and of answerTimeoutMs',
    timeout,
    async (t) => {
      const proxy = await TcpProxy.start({ port: file.server.port });
      t.after(() => proxy.close());
      const schema = newSchema();
      const waits = { pollMs: 1_000, answerTimeoutMs: 500 };
      const tenant = await openTenant(t, { url: file.server.url({ port: proxy.port }), schema, ...waits });
      const other = await openTenant(t, { url: file.server.url(), schema });
      const watch = tenant.watch({ begin: key('n'), end: key('o') });
      await until(() => proxy.connections.length === 2, 'it listens');
      // Notifications arrive, so there are no looks.
      for (let i = 0; i < 10; i++) {
        await sleep(150);
        await increment(other, key('m'));
      }
      proxy.silence();
      const started = performance.now();
      await increment(other, key('n'));
      await watch.changed;
      const elapsed = performance.now() - started;
      assert.ok(elapsed > 1_200 && elapsed < 3_000, `${elapsed} ms`);
    },
  );
});

describe('what the server says while it commits', () => {
  const answers: readonly (readonly [state: string, code: string])[] = [
    ['40001', 'store_conflict'],
    ['40P01', 'store_conflict'],
    ['53100', 'store_unavailable'],
    ['25006', 'store_unavailable'],
    ['55P03', 'store_unavailable'],
    ['42501', 'store_fatal'],
    ['57014', 'store_commit_unknown'],
    ['57P01', 'store_commit_unknown'],
    ['08006', 'store_commit_unknown'],
    ['XX000', 'store_commit_unknown'],
  ];

  test('is a definite refusal only where it is known to be one', timeout, async (t) => {
    const schema = newSchema();
    const backend = await openBackend(t, { url: file.server.url(), schema });
    await file.server.sql(`
      CREATE FUNCTION ${schema}.fail() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'planted' USING ERRCODE = convert_from(NEW.value, 'UTF8'); END $$;
      CREATE TRIGGER fail BEFORE INSERT ON ${schema}.dgen_item FOR EACH ROW EXECUTE FUNCTION ${schema}.fail()`);
    for (const [state, code] of answers) {
      const tx = await backend.begin({ timeoutMs: 5_000 });
      await tx.get(key('a'));
      const reads = [{ begin: key('a'), end: key('b') }];
      const error = await errorOf(
        tx.commit({ reads, writes: [{ type: 'set', key: key('a'), value: Buffer.from(state) }] }),
      );
      assert.equal(error.code, code, `${state}: ${String(error)}`);
    }
    // The same while the transaction ends, when all of its statements have succeeded.
    await file.server.sql(`DROP TRIGGER fail ON ${schema}.dgen_item;
      CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON ${schema}.dgen_item DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION ${schema}.fail()`);
    const late = await backend.begin({ timeoutMs: 5_000 });
    await late.get(key('a'));
    const reads = [{ begin: key('a'), end: key('b') }];
    const last = [{ type: 'set', key: key('a'), value: Buffer.from('40001') }] as const;
    assert.equal((await errorOf(late.commit({ reads, writes: last }))).code, 'store_conflict');
    const after = await backend.begin({ timeoutMs: 5_000 });
    assert.equal(await after.get(key('a')), undefined);
    // Refusals that cannot be a conflict are asked for again, and then have another name.
    const blind = await backend.begin({ timeoutMs: 5_000 });
    const writes = [{ type: 'set', key: key('a'), value: Buffer.from('40001') }] as const;
    assert.equal((await errorOf(blind.commit({ reads: [], writes }))).code, 'store_unavailable');
  });
});

const cancelWaits = () =>
  file.server.sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");

/** The server takes a new setting in its own time: a commit of no consequence shows whether it has. */
async function untilCommitsWait(): Promise<void> {
  const waits = async (): Promise<boolean> => {
    let ended = false;
    const probe = file.server.sql("SELECT pg_logical_emit_message(true, 'probe', 'x')").finally(() => {
      ended = true;
    });
    while (!ended && (await cancelWaits()).length === 0) await sleep(10);
    const waited = !ended;
    await probe;
    return waited;
  };
  await until(waits, 'commits wait for the standby');
}

describe('a server that waits for a standby that is not there', () => {
  test(
    'leaves the commit in doubt, also when somebody ends the wait; others are refused meanwhile',
    timeout,
    async (t) => {
      const schema = newSchema();
      const backend = await openBackend(t, { url: file.server.url(), schema });
      const other = await openBackend(t, { url: file.server.url(), schema });
      const configure = async (names: string): Promise<void> => {
        file.server.configure({ synchronous_standby_names: names });
        await file.server.sql('SELECT pg_reload_conf()');
      };
      t.after(() => configure(''));
      const commit = async (from: typeof backend, value: number, timeoutMs: number) => {
        const tx = await from.begin({ timeoutMs });
        const writes = [{ type: 'set', key: key('a'), value: Uint8Array.of(value) }] as const;
        return tx.commit({ reads: [], writes, id: key('id', String(value)) });
      };
      await configure('nowhere');
      await untilCommitsWait();
      const first = errorOf(commit(backend, 1, 5_000));
      const waits = async () =>
        (await file.server.sql("SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'")).length;
      await until(async () => (await waits()) === 1, 'the commit waits');
      assert.equal((await errorOf(commit(other, 2, 600))).code, 'store_unavailable');
      await cancelWaits();
      const error = await first;
      assert.match(error.message, /^store_commit_unknown: .*canceling wait for synchronous replication/);
      await configure('');
      assert.equal((await commit(other, 1, 5_000)).applied, 'earlier');
      assert.equal((await commit(other, 2, 5_000)).applied, 'now');
    },
  );
});
