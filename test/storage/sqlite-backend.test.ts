// What is peculiar to the SQLite backend: locks of others, a trimmed log, lost rings, a file that disappears.
import assert from 'node:assert/strict';
import { renameSync } from 'node:fs';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '../../src/errors/error.ts';
import { keyOf, rangeOfKey, transact } from '../../src/storage/index.ts';
import { CommitApplier, logVersions } from '../../src/storage/sqlite/apply.ts';
import { loadDriver } from '../../src/storage/sqlite/driver.ts';
import { openTemporary } from './sqlite-support.ts';

const key = keyOf('k');
const value = Uint8Array.of(1);
const writeKey = { reads: [], writes: [{ type: 'set', key, value } as const] };

describe('a lock of another process', () => {
  test('keeps a commit waiting until its deadline, without blocking the event loop', async (t) => {
    const { tenant, raw } = await openTemporary(t);
    raw.exec('BEGIN IMMEDIATE');
    const tx = await tenant.begin({ timeoutMs: 120 });
    let ticks = 0;
    const ticking = setInterval(() => ticks++, 5);
    await assert.rejects(tx.commit(writeKey), (e) => hasCode(e, 'timeout') && e instanceof Error);
    clearInterval(ticking);
    assert.ok(ticks > 3, `only ${ticks} ticks`);
    raw.exec('ROLLBACK');
    const reader = await tenant.begin({ timeoutMs: 1000 });
    assert.equal(await reader.get(key), undefined);
    reader.close();
  });

  test('lets a commit through as soon as it is gone; reading goes on meanwhile', async (t) => {
    const { tenant, raw } = await openTemporary(t);
    raw.exec('BEGIN IMMEDIATE');
    const tx = await tenant.begin({ timeoutMs: 5000 });
    const commit = tx.commit(writeKey);
    const reader = await tenant.begin({ timeoutMs: 1000 });
    assert.equal(await reader.get(key), undefined);
    reader.close();
    raw.exec('ROLLBACK');
    assert.deepEqual(await commit, { applied: 'now' });
  });

  test('an abort takes a waiting commit out of the queue', async (t) => {
    const { tenant, raw } = await openTemporary(t);
    raw.exec('BEGIN IMMEDIATE');
    const abort = new AbortController();
    const tx = await tenant.begin({ timeoutMs: 5000, signal: abort.signal });
    const other = await tenant.begin({ timeoutMs: 5000 });
    const [first, second] = [tx.commit(writeKey), other.commit({ reads: [], writes: [] })];
    abort.abort();
    await assert.rejects(first, (e) => hasCode(e, 'aborted'));
    raw.exec('ROLLBACK');
    await second;
    const reader = await tenant.begin({ timeoutMs: 1000 });
    assert.equal(await reader.get(key), undefined);
    reader.close();
  });
});

describe('the change log', () => {
  test('refuses a snapshot that it does not reach back to, and fires every watch', async (t) => {
    const { tenant, raw } = await openTemporary(t);
    const tx = await tenant.begin({ timeoutMs: 5000 });
    await tx.get(key);
    const watch = tenant.watch(rangeOfKey(key));
    raw.exec('UPDATE head SET version = version + 1000, known = version + 999; DELETE FROM change');
    await assert.rejects(tx.commit({ ...writeKey, reads: [rangeOfKey(key)] }), (e) =>
      hasCode(e, 'store_too_old'),
    );
    await watch.changed;
    const again = await tenant.begin({ timeoutMs: 5000 });
    await again.get(key);
    assert.deepEqual(await again.commit({ ...writeKey, reads: [rangeOfKey(key)] }), { applied: 'now' });
  });

  test('keeps its length; markers go once they are old and the log has forgotten their version', async (t) => {
    const { raw, tenant } = await openTemporary(t);
    const driver = await loadDriver('node');
    const connection = driver.open(raw.location() as string);
    t.after(() => connection.close());
    const applier = new CommitApplier(connection);
    connection.exec('BEGIN IMMEDIATE');
    applier.start();
    const count = logVersions + 500;
    for (let i = 0; i < count; i++) applier.apply(writeKey, undefined);
    const id = Uint8Array.of(1);
    applier.apply({ reads: [], writes: [], id }, undefined);
    connection.exec('UPDATE marker SET created = 0');
    applier.sweep();
    connection.exec('COMMIT');
    const one = (sql: string) => Number(Object.values(raw.prepare(sql).get() ?? {})[0]);
    assert.equal(one('SELECT count(*) FROM change'), logVersions - 1);
    assert.equal(one('SELECT version - known FROM head'), logVersions);
    // The first marker is the one of the store's format record.
    assert.equal(one('SELECT count(*) FROM marker'), 1);
    raw.exec('UPDATE marker SET version = 1');
    connection.exec('BEGIN IMMEDIATE');
    applier.start();
    applier.sweep();
    connection.exec('COMMIT');
    assert.equal(one('SELECT count(*) FROM marker'), 0);
    const tx = await tenant.begin({ timeoutMs: 1000 });
    tx.close();
  });
});

describe('snapshots', () => {
  test('beyond the number of connections wait for one, no longer than their deadline', async (t) => {
    const { tenant } = await openTemporary(t);
    const open = await Promise.all(Array.from({ length: 8 }, () => tenant.begin({ timeoutMs: 5000 })));
    for (const tx of open) await tx.get(key);
    const late = await tenant.begin({ timeoutMs: 60 });
    await assert.rejects(late.get(key), (e) => hasCode(e, 'timeout'));
    const waiting = await tenant.begin({ timeoutMs: 5000 });
    const read = waiting.get(key);
    open[3]?.close();
    assert.equal(await read, undefined);
    for (const tx of [...open, waiting]) tx.close();
  });
});

describe('conflicts', () => {
  test('are exact at the bounds of a range', async (t) => {
    const { tenant } = await openTemporary(t);
    const at = (...bytes: number[]) => Uint8Array.from(bytes);
    const range = { begin: at(5), end: at(6) };
    const ending = async (changed: Uint8Array) => {
      const tx = await tenant.begin({ timeoutMs: 5000 });
      await tx.getRange(range, { limit: 10 });
      await transact(tenant, (other) => other.set(changed, value), { timeoutMs: 1000 });
      return tx.commit({ reads: [range], writes: [] }).then(
        () => 'applied',
        (error: { code?: string }) => error.code,
      );
    };
    const changes = [at(4, 255), at(5), at(5, 255), at(6), at(6, 0)];
    const endings = [];
    for (const changed of changes) endings.push(await ending(changed));
    assert.deepEqual(endings, ['applied', 'store_conflict', 'store_conflict', 'applied', 'applied']);
  });
});

describe('watches', () => {
  test('a commit whose ring was lost is found by the poll', async (t) => {
    const { tenant, raw } = await openTemporary(t);
    const watch = tenant.watch(rangeOfKey(key));
    await sleep(20);
    let fired = false;
    void watch.changed.then(() => {
      fired = true;
    });
    const full = Uint8Array.of(1, ...keyOf('test'), ...key);
    raw.exec('BEGIN IMMEDIATE; UPDATE head SET version = version + 1');
    const { begin, end } = rangeOfKey(full);
    raw.prepare('INSERT INTO change SELECT version, ?, ? FROM head').run(begin, end);
    raw.exec('COMMIT');
    assert.equal(fired, false);
    // This one begins after that commit: the poll that finds it is none of its business.
    const younger = tenant.watch(rangeOfKey(key));
    let youngerFired = false;
    void younger.changed.then(() => {
      youngerFired = true;
    });
    const deadline = AbortSignal.timeout(3000);
    while (!fired && !deadline.aborted) await sleep(10);
    await sleep(20);
    assert.deepEqual([fired, youngerFired], [true, false]);
    younger.cancel();
  });
});

describe('the file', () => {
  test('that was moved away is not used any more: others would open a new one in its place', async (t) => {
    const { tenant, path } = await openTemporary(t);
    const tx = await tenant.begin({ timeoutMs: 1000 });
    renameSync(path, `${path}.moved`);
    await assert.rejects(tx.commit(writeKey), (e) => hasCode(e, 'store_fatal'));
    await assert.rejects(
      transact(tenant, (body) => body.set(key, value), { timeoutMs: 1000 }),
      (e) => hasCode(e, 'store_fatal'),
    );
    renameSync(`${path}.moved`, path);
  });
});
