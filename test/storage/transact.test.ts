// The retry loop and the faults of the memory backend, on a simulated clock: pauses, deadlines, lost and late commits.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hasCode } from '../../src/errors/error.ts';
import { simulatedHost } from '../../src/host/index.ts';
import {
  type FaultSource,
  keyOf,
  MemoryDatabase,
  type MemoryFault,
  openStore,
  rangeOfKey,
  type Tenant,
  type Transaction,
  transact,
} from '../../src/storage/index.ts';

const key = keyOf('k');
const one = Uint8Array.of(1);
const two = Uint8Array.of(2);

/** A tenant whose faults are switched on after the store was opened. */
async function simulate(fault: FaultSource = () => undefined) {
  const host = simulatedHost();
  const database = new MemoryDatabase(host);
  let armed = false;
  const backend = database.connect({ fault: (operation) => (armed ? fault(operation) : undefined) });
  const tenant = (await openStore(backend, { host })).tenant('t');
  const quiet = (await openStore(database.connect(), { host })).tenant('t');
  armed = true;
  return { host, tenant, quiet };
}

function commits(...faults: readonly (MemoryFault | undefined)[]): FaultSource {
  const left = [...faults];
  return (operation) => (operation === 'commit' ? left.shift() : undefined);
}

async function read(tenant: Tenant): Promise<Uint8Array | undefined> {
  const tx = await tenant.begin({ timeoutMs: 1000 });
  try {
    return await tx.get(key);
  } finally {
    tx.close();
  }
}

const setOne = (tx: Transaction) => {
  tx.set(key, one);
  return 'done';
};

describe('transact', () => {
  test('pauses between attempts, longer each time, and gives up at its deadline with the last refusal', async () => {
    const starts: number[] = [];
    const { host, tenant } = await simulate((operation) => {
      if (operation === 'begin') starts.push(host.clock.now());
      return operation === 'commit' ? { kind: 'unavailable' } : undefined;
    });
    const failed = host.runUntil(transact(tenant, setOne, { timeoutMs: 4000 }));
    await assert.rejects(failed, (error) => {
      assert.ok(hasCode(error, 'timeout') && error instanceof Error);
      assert.ok(hasCode(error.cause, 'store_unavailable'));
      return (error as { maybeExecuted?: boolean }).maybeExecuted === false;
    });
    assert.equal(host.clock.now(), 4000);
    assert.ok(starts.length > 10 && starts.length < 60, `${starts.length} attempts`);
    assert.equal(host.timersPending, 0);
  });

  test('tells the last refusal also when the deadline strikes within an attempt', async () => {
    let attempts = 0;
    const { host, tenant } = await simulate((operation) => {
      if (operation !== 'begin') return undefined;
      attempts += 1;
      return attempts === 1 ? { kind: 'unavailable' } : { delayMs: 60_000 };
    });
    const failed = host.runUntil(transact(tenant, setOne, { timeoutMs: 1000 }));
    await assert.rejects(failed, (error: Error & { code?: string; maybeExecuted?: boolean }) => {
      assert.deepEqual([error.code, error.maybeExecuted], ['timeout', false]);
      return hasCode(error.cause, 'store_unavailable');
    });
  });

  test('retries a conflict from the start', async () => {
    const { host, tenant, quiet } = await simulate();
    const seen: (Uint8Array | undefined)[] = [];
    const done = transact(
      tenant,
      async (tx) => {
        seen.push(await tx.get(key));
        if (seen.length === 1) await transact(quiet, (other) => other.set(key, two), { timeoutMs: 1000 });
        tx.set(key, one);
      },
      { timeoutMs: 1000 },
    );
    await host.runUntil(done);
    assert.deepEqual(seen, [undefined, two]);
  });

  test('does not end before it knows what became of a commit', async () => {
    const { host, tenant, quiet } = await simulate(
      commits({ kind: 'reply_lost' }, { kind: 'unavailable' }, { kind: 'request_lost' }),
    );
    let runs = 0;
    const value = await host.runUntil(
      transact(
        tenant,
        (tx) => {
          tx.add(key, 1n);
          runs += 1;
          return runs;
        },
        { timeoutMs: 5000 },
      ),
    );
    assert.deepEqual([value, runs], [1, 4]);
    assert.equal((await read(quiet))?.[0], 1);
  });

  test('a late commit is shut out by its own retry', async () => {
    const { host, tenant, quiet } = await simulate(commits({ kind: 'late', delayMs: 500 }));
    let runs = 0;
    const body = (tx: Transaction) => {
      runs += 1;
      tx.add(key, BigInt(runs));
    };
    await host.runUntil(transact(tenant, body, { timeoutMs: 5000 }));
    assert.deepEqual([runs, (await read(quiet))?.[0]], [2, 2]);
    await host.runFor(1000);
    assert.equal((await read(quiet))?.[0], 2);
  });

  test('a late commit that comes before its retry wins, and its value is the result', async () => {
    const { host, tenant, quiet } = await simulate(
      commits(
        { kind: 'late', delayMs: 1 },
        { kind: 'unavailable' },
        { kind: 'unavailable' },
        { kind: 'unavailable' },
      ),
    );
    let runs = 0;
    const body = (tx: Transaction) => {
      runs += 1;
      tx.add(key, BigInt(runs));
      return runs;
    };
    assert.equal(await host.runUntil(transact(tenant, body, { timeoutMs: 5000 })), 1);
    assert.equal((await read(quiet))?.[0], 1);
  });

  test('an error of the body ends it, and nothing is written', async () => {
    const { host, tenant, quiet } = await simulate();
    const body = (tx: Transaction) => {
      tx.set(key, one);
      throw new RangeError('mine');
    };
    await assert.rejects(host.runUntil(transact(tenant, body, { timeoutMs: 1000 })), RangeError);
    assert.equal(await read(quiet), undefined);
  });

  test('a body that hides an error of the store is run again', async () => {
    let runs = 0;
    const { host, tenant } = await simulate((operation) =>
      operation === 'read' && runs === 1 ? { kind: 'unavailable' } : undefined,
    );
    const body = async (tx: Transaction) => {
      runs += 1;
      const value = await tx.get(key).catch(() => one);
      return value;
    };
    assert.equal(await host.runUntil(transact(tenant, body, { timeoutMs: 1000 })), undefined);
    assert.equal(runs, 2);
  });

  test('a body that never ends is left at the deadline, or by an abort', async () => {
    const { host, tenant } = await simulate();
    const forever = () => new Promise<void>(() => undefined);
    await assert.rejects(host.runUntil(transact(tenant, forever, { timeoutMs: 50 })), (e) =>
      hasCode(e, 'timeout'),
    );
    const abort = new AbortController();
    const { signal } = abort;
    const aborted = transact(tenant, forever, { timeoutMs: 50_000, signal });
    host.timers.after(10, () => abort.abort());
    await assert.rejects(host.runUntil(aborted), (e) => hasCode(e, 'aborted'));
    const early = transact(tenant, setOne, { timeoutMs: 50, signal });
    await assert.rejects(host.runUntil(early), (e) => hasCode(e, 'aborted'));
    assert.equal(host.timersPending, 0);
  });

  test('an abort while a commit is in doubt says that it is', async () => {
    const { host, tenant } = await simulate((operation) =>
      operation === 'commit' ? { kind: 'request_lost' } : undefined,
    );
    const abort = new AbortController();
    host.timers.after(30, () => abort.abort());
    const lost = transact(tenant, setOne, { timeoutMs: 5000, signal: abort.signal });
    await assert.rejects(host.runUntil(lost), (e) => hasCode(e, 'store_commit_unknown'));
  });

  test('an id of the caller is applied once over several calls', async () => {
    const { host, tenant, quiet } = await simulate();
    const id = Uint8Array.of(7);
    const body = (tx: Transaction) => tx.add(key, 1n);
    for (let i = 0; i < 3; i++) await host.runUntil(transact(tenant, body, { timeoutMs: 1000, id }));
    assert.equal((await read(quiet))?.[0], 1);
  });

  test('an id is spent by a body that threw after a lost reply had been found not to matter', async () => {
    const { host, tenant } = await simulate(commits({ kind: 'request_lost' }));
    const id = Uint8Array.of(7);
    let runs = 0;
    const body = (tx: Transaction) => {
      runs += 1;
      if (runs === 2) throw new RangeError('mine');
      tx.set(key, one);
    };
    await assert.rejects(host.runUntil(transact(tenant, body, { timeoutMs: 1000, id })), RangeError);
    const again = transact(tenant, setOne, { timeoutMs: 1000, id });
    await assert.rejects(host.runUntil(again), (e) => hasCode(e, 'store_invalid'));
  });

  test('refuses a timeout that is none', async () => {
    const { tenant } = await simulate();
    await assert.rejects(transact(tenant, setOne, { timeoutMs: 0 }), (e) => hasCode(e, 'bad_option'));
  });
});

describe('faults of the memory backend', () => {
  test('a commit that takes longer than its deadline is unknown, and arrives all the same', async () => {
    const { host, tenant, quiet } = await simulate(commits({ delayMs: 300 }));
    const tx = await tenant.begin({ timeoutMs: 100 });
    const commit = tx.commit({ reads: [], writes: [{ type: 'set', key, value: one }] });
    await assert.rejects(host.runUntil(commit), (e) => hasCode(e, 'store_commit_unknown'));
    assert.deepEqual([host.clock.now(), await read(quiet)], [100, undefined]);
    await host.runFor(200);
    assert.deepEqual(await read(quiet), one);
  });

  test('a delayed read and a delayed begin end with the deadline', async () => {
    const { host, tenant } = await simulate((operation) =>
      operation === 'read' ? { delayMs: 300 } : undefined,
    );
    const tx = await tenant.begin({ timeoutMs: 100 });
    await assert.rejects(host.runUntil(tx.get(key)), (e) => hasCode(e, 'timeout'));
    const slow = await simulate(() => ({ delayMs: 300 }));
    await assert.rejects(slow.host.runUntil(slow.tenant.begin({ timeoutMs: 100 })), (e) =>
      hasCode(e, 'timeout'),
    );
    assert.equal(slow.host.timersPending, 0);
  });

  test('a conflict is judged when the commit arrives', async () => {
    const { host, tenant, quiet } = await simulate(commits({ delayMs: 50 }));
    const tx = await tenant.begin({ timeoutMs: 1000 });
    await tx.get(key);
    const commit = tx.commit({ reads: [rangeOfKey(key)], writes: [{ type: 'set', key, value: one }] });
    await transact(quiet, (other) => other.set(key, two), { timeoutMs: 1000 });
    await assert.rejects(host.runUntil(commit), (e) => hasCode(e, 'store_conflict'));
  });

  test('a notification may be delayed', async () => {
    const { host, tenant, quiet } = await simulate((operation) =>
      operation === 'watch' ? { delayMs: 70 } : undefined,
    );
    const watch = tenant.watch(rangeOfKey(key));
    await transact(quiet, setOne, { timeoutMs: 1000 });
    await host.runUntil(watch.changed);
    assert.equal(host.clock.now(), 70);
  });

  test('markers are kept for ten minutes at least', async () => {
    const { host, tenant } = await simulate();
    const id = Uint8Array.of(1);
    const applied = async () => {
      const tx = await tenant.begin({ timeoutMs: 1000 });
      return (await tx.commit({ reads: [], writes: [], id })).applied;
    };
    assert.equal(await applied(), 'now');
    await host.runFor(600_000);
    await transact(tenant, setOne, { timeoutMs: 1000 });
    assert.equal(await applied(), 'earlier');
    await host.runFor(1);
    await transact(tenant, setOne, { timeoutMs: 1000 });
    assert.equal(await applied(), 'now');
  });

  test('a snapshot that the log does not reach back to is too old', async () => {
    const { tenant, quiet } = await simulate();
    const tx = await tenant.begin({ timeoutMs: 5000 });
    await tx.get(key);
    for (let i = 0; i < 21_000; i++) {
      const other = await quiet.begin({ timeoutMs: 5000 });
      await other.commit({ reads: [], writes: [{ type: 'set', key: two, value: one }] });
    }
    const commit = tx.commit({ reads: [rangeOfKey(key)], writes: [] });
    await assert.rejects(commit, (e) => hasCode(e, 'store_too_old'));
  });
});
