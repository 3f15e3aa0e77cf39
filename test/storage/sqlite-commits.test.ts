// Commits in a thread of their own: the program goes on meanwhile, and whoever gives up knows what became of his commit.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { hasCode } from '../../src/errors/error.ts';
import { keyOf, rangeOfKey, transact } from '../../src/storage/index.ts';
import { Lifetime } from '../../src/storage/lifetime.ts';
import { isWithdrawn, newWord, take, withdraw } from '../../src/storage/sqlite/commit-messages.ts';
import { CommitThread } from '../../src/storage/sqlite/commit-thread.ts';
import { host, openTemporary, temporaryDirectory } from './sqlite-support.ts';

const key = keyOf('k');
const value = Uint8Array.of(1);
const writeKey = { reads: [], writes: [{ type: 'set', key, value } as const] };

/** Stops this thread, and with it everything that runs on its event loop. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

describe('the commit thread', () => {
  test('applies a commit while the program stands still', { timeout: 30_000 }, async (t) => {
    const { tenant, raw } = await openTemporary(t);
    const tx = await tenant.begin({ timeoutMs: 5_000 });
    await tx.get(key);
    const commit = tx.commit(writeKey);
    // One turn for what a commit does before it is handed over.
    await new Promise((resolve) => setImmediate(resolve));
    const version = () => Number(raw.prepare('SELECT version FROM head').get()?.version);
    const before = 1;
    for (let i = 0; version() === before && i < 200; i++) standStill(50);
    assert.equal(version(), before + 1, 'nothing was applied before the event loop went on');
    assert.deepEqual(await commit, { applied: 'now' });
  });

  test('answers in time, and truly, whenever the deadline passes', { timeout: 60_000 }, async (t) => {
    const { tenant } = await openTemporary(t);
    const large = new Uint8Array(60_000);
    const counts: Record<string, number> = {};
    const at = (i: number) => keyOf('n', String(i));
    const said: string[] = [];
    for (let i = 0; i < 150; i++) {
      const tx = await tenant.begin({ timeoutMs: 0.5 + Math.random() * 12 });
      const writes = [
        { type: 'set', key: at(i), value } as const,
        ...['a', 'b', 'c'].map((name) => ({ type: 'set', key: keyOf(name), value: large }) as const),
      ];
      const ending = await tx.commit({ reads: [], writes }).then(
        () => 'now',
        (error: { code?: unknown }) => String(error.code),
      );
      said.push(ending);
      counts[ending] = (counts[ending] ?? 0) + 1;
    }
    t.diagnostic(JSON.stringify(counts));
    await transact(tenant, (tx) => tx.set(key, value), { timeoutMs: 5_000 });
    for (const [i, ending] of said.entries()) {
      const tx = await tenant.begin({ timeoutMs: 5_000 });
      const applied = (await tx.get(at(i))) !== undefined;
      tx.close();
      if (ending === 'store_commit_unknown') continue;
      assert.ok(['now', 'timeout'].includes(ending), ending);
      assert.equal(applied, ending === 'now', `commit ${i} was told ${ending}`);
    }
  });

  test('takes a commit or lets it be withdrawn, never both', () => {
    const [first, second] = [newWord(), newWord()];
    assert.deepEqual(
      [take(first), withdraw(first), take(first), isWithdrawn(first)],
      [true, false, false, false],
    );
    assert.deepEqual([withdraw(second), take(second), isWithdrawn(second)], [true, false, true]);
  });

  test('says why it could not start, and leaves nothing', { timeout: 30_000 }, async (t) => {
    const file = join(temporaryDirectory(t), 'none', 'store.db');
    const lifetime = new Lifetime({ timers: host.timers, timeoutMs: 10_000, what: 'test' });
    const options = {
      driver: 'node',
      file,
      identity: undefined,
      synchronous: 'full',
      timeoutMs: 1_000,
    } as const;
    const starting = CommitThread.start({ ...options, lifetime, committed: () => undefined });
    await assert.rejects(starting, (e) => hasCode(e, 'store_fatal'));
  });

  test('lets the commits of one program share a flush, each with a fate of its own', async (t) => {
    const { tenant, raw } = await openTemporary(t);
    raw.exec('BEGIN IMMEDIATE');
    const begun = await Promise.all(Array.from({ length: 20 }, () => tenant.begin({ timeoutMs: 5_000 })));
    // Only eight can have a snapshot at once; these two conflict.
    const [one, two] = begun;
    await one?.get(key);
    await two?.get(key);
    const conflicting = { ...writeKey, reads: [rangeOfKey(key)] };
    const others = begun.slice(2).map((tx) => tx.commit({ reads: [], writes: [] }));
    const endings = Promise.allSettled([one?.commit(conflicting), two?.commit(conflicting)]);
    raw.exec('ROLLBACK');
    assert.deepEqual((await endings).map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    assert.equal((await Promise.all(others)).length, 18);
  });
});
