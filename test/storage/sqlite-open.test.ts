// Which files are taken, and with which words the others are refused.
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { hasCode } from '../../src/errors/error.ts';
import { openStore } from '../../src/storage/index.ts';
import { isSafeVersion, loadDriver } from '../../src/storage/sqlite/driver.ts';
import { commitError, isBusy, storeError } from '../../src/storage/sqlite/errors.ts';
import { openSqlite } from '../../src/storage/sqlite/index.ts';
import { networkFileSystem } from '../../src/storage/sqlite/location.ts';
import { prepareFile } from '../../src/storage/sqlite/schema.ts';
import { host, temporaryDirectory } from './sqlite-support.ts';

const drivers = ['node', 'better-sqlite3'] as const;

/** Opens and closes again; resolves with the code of the error, or undefined. */
async function codeOfOpening(path: string, driver: (typeof drivers)[number] = 'node'): Promise<unknown> {
  try {
    await (await openSqlite({ path, driver })).close();
    return undefined;
  } catch (error) {
    return (error as { code?: unknown }).code ?? error;
  }
}

test('versions with the WAL-reset defect are told from the others', () => {
  const safe = ['3.51.3', '3.51.10', '3.52.0', '3.60.1', '3.50.7', '3.50.8', '3.44.6', '4.0.0'];
  const unsafe = [
    '3.51.2',
    '3.51.0',
    '3.50.6',
    '3.50.4',
    '3.49.9',
    '3.45.1',
    '3.44.5',
    '3.7.0',
    '2.8.17',
    '',
    'x.y',
  ];
  assert.deepEqual(
    safe.filter((version) => !isSafeVersion(version)),
    [],
  );
  assert.deepEqual(unsafe.filter(isSafeVersion), []);
});

test('both libraries are found, and `auto` prefers the one of Node.js', async () => {
  for (const name of drivers) assert.equal((await loadDriver(name)).name, name);
  assert.equal((await loadDriver('auto')).name, 'node');
});

test('network file systems are known by their numbers, also as negative ones', () => {
  assert.equal(networkFileSystem(0x6969), 'nfs');
  assert.equal(networkFileSystem(0xff534d42), 'cifs');
  assert.equal(networkFileSystem(0xff534d42 | 0), 'cifs');
  assert.equal(networkFileSystem(0x01021997), '9p');
  assert.equal(networkFileSystem(0x65735546), 'fuse');
  for (const local of [0xef53, 0x01021994, 0x9123683e, 0x58465342, 0x794c7630, 0x2fc12fc1]) {
    assert.equal(networkFileSystem(local), undefined);
  }
});

describe('opening', () => {
  test('is refused a second time in one process, by whatever name, until the first is closed', async (t) => {
    const directory = temporaryDirectory(t);
    const path = join(directory, 'store.db');
    const first = await openSqlite({ path });
    symlinkSync(path, join(directory, 'symbolic'));
    linkSync(path, join(directory, 'hard'));
    symlinkSync(directory, join(directory, 'around'));
    for (const name of ['store.db', 'symbolic', 'hard', 'around/store.db']) {
      assert.equal(await codeOfOpening(join(directory, name)), 'store_in_use', name);
    }
    await first.close();
    assert.equal(await codeOfOpening(path), undefined);
  });

  test('is refused to all but one of those who try at once', async (t) => {
    const path = join(temporaryDirectory(t), 'store.db');
    const codes = await Promise.all([codeOfOpening(path), codeOfOpening(path), codeOfOpening(path)]);
    assert.deepEqual(codes.sort(), ['store_in_use', 'store_in_use', undefined].sort());
  });

  for (const driver of drivers) {
    test(`${driver}: leaves what is no database, or the database of others, as it was`, async (t) => {
      const directory = temporaryDirectory(t);
      const text = join(directory, 'text');
      writeFileSync(text, 'no database, but longer than the header of one would be: '.repeat(20));
      const foreign = join(directory, 'foreign');
      const other = new DatabaseSync(foreign);
      other.exec('CREATE TABLE t (x); INSERT INTO t VALUES (1)');
      other.close();
      for (const path of [text, foreign]) {
        const before = readFileSync(path);
        assert.equal(await codeOfOpening(path, driver), 'store_not_ours', path);
        assert.deepEqual(readFileSync(path), before);
      }
    });

    test(`${driver}: refuses the format of a newer release`, async (t) => {
      const path = join(temporaryDirectory(t), 'store.db');
      assert.equal(await codeOfOpening(path, driver), undefined);
      const raw = new DatabaseSync(path);
      raw.exec('PRAGMA user_version = 2');
      raw.close();
      assert.equal(await codeOfOpening(path, driver), 'store_format');
    });

    test(`${driver}: says why a place cannot hold a store`, async (t) => {
      const directory = temporaryDirectory(t);
      assert.equal(await codeOfOpening(join(directory, 'none', 'store.db'), driver), 'store_fatal');
      assert.equal(await codeOfOpening(directory, driver), 'store_fatal');
      assert.equal(await codeOfOpening(join('/dev/null', 'store.db'), driver), 'store_fatal');
      for (const path of ['', ':memory:', 'file:x', 7 as unknown as string]) {
        assert.equal(await codeOfOpening(path, driver), 'bad_option');
      }
      assert.equal(existsSync(join(directory, 'none')), false);
    });

    test(`${driver}: needs permission to write`, async (t) => {
      const directory = temporaryDirectory(t);
      const path = join(directory, 'store.db');
      assert.equal(await codeOfOpening(path, driver), undefined);
      rmSync(`${path}-bell`, { force: true });
      chmodSync(path, 0o444);
      chmodSync(directory, 0o555);
      const codes = await asNobody(async () => [
        await codeOfOpening(path, driver),
        await codeOfOpening(join(directory, 'new.db'), driver),
      ]);
      chmodSync(directory, 0o755);
      assert.deepEqual(codes, ['store_fatal', 'store_fatal']);
    });
  }

  test('takes an empty file and the same file again, with what was in it', async (t) => {
    const path = join(temporaryDirectory(t), 'store.db');
    writeFileSync(path, '');
    for (const driver of drivers) {
      const store = await openStore(await openSqlite({ path, driver }), { host });
      const tx = await store.tenant('a').begin({ timeoutMs: 1000 });
      const value = await tx.get(Uint8Array.of(1));
      assert.deepEqual(value, driver === 'node' ? undefined : Uint8Array.of(2));
      await tx.commit({
        reads: [],
        writes: [{ type: 'set', key: Uint8Array.of(1), value: Uint8Array.of(2) }],
      });
      await store.close();
    }
  });

  test('sets what the libraries differ in', async (t) => {
    for (const name of drivers) {
      for (const [synchronous, number] of [
        ['full', 2],
        ['normal', 1],
      ] as const) {
        const connection = (await loadDriver(name)).open(join(temporaryDirectory(t), 'store.db'));
        prepareFile(connection, synchronous);
        const pragma = (of: string) => Object.values(connection.prepare(`PRAGMA ${of}`).get() ?? {})[0];
        assert.deepEqual(
          [pragma('synchronous'), pragma('busy_timeout'), pragma('journal_mode')],
          [number, 0, 'wal'],
        );
        connection.close();
      }
    }
  });

  test('waits for another one no longer than its deadline, or until it is aborted', async (t) => {
    const directory = temporaryDirectory(t);
    const path = join(directory, 'store.db');
    assert.equal(await codeOfOpening(path), undefined);
    const raw = new DatabaseSync(path);
    t.after(() => raw.close());
    raw.exec('BEGIN IMMEDIATE');
    await assert.rejects(openSqlite({ path, driver: 'node', timeoutMs: 50 }), (e) => hasCode(e, 'timeout'));
    const signal = AbortSignal.timeout(30);
    await assert.rejects(openSqlite({ path, driver: 'node', signal }), (e) => hasCode(e, 'aborted'));
    raw.exec('ROLLBACK');
    assert.equal(await codeOfOpening(path), undefined);
  });

  test('refuses unknown options', async (t) => {
    const path = join(temporaryDirectory(t), 'store.db');
    await assert.rejects(openSqlite({ path, synchronous: 'off' as 'full' }), (e) => hasCode(e, 'bad_option'));
    await assert.rejects(openSqlite({ path, driver: 'other' as 'node' }), (e) => hasCode(e, 'bad_option'));
  });
});

describe('errors of SQLite', () => {
  for (const name of drivers) {
    test(`${name}: a full disk, a lock and a mistake are told apart`, async (t) => {
      const driver = await loadDriver(name);
      const path = join(temporaryDirectory(t), 'plain.db');
      const [one, two] = [driver.open(path), driver.open(path)];
      t.after(() => {
        one.close();
        two.close();
      });
      one.exec('CREATE TABLE t (x); PRAGMA max_page_count = 3');
      const full = errorOf(() => one.exec('INSERT INTO t VALUES (zeroblob(100000))'));
      assert.equal(storeError(full).code, 'store_unavailable');
      assert.equal(commitError(full).code, 'store_unavailable');
      one.exec('BEGIN IMMEDIATE');
      assert.equal(isBusy(errorOf(() => two.exec('BEGIN IMMEDIATE'))), true);
      one.exec('ROLLBACK');
      const mistake = errorOf(() => two.exec('SELECT nothing'));
      assert.equal(isBusy(mistake), false);
      assert.equal(storeError(mistake).code, 'store_fatal');
      // BUSY_RECOVERY: another connection repairs the log after a crash. BUSY_SNAPSHOT, PROTOCOL: lost races.
      for (const errcode of [5 + (1 << 8), 5 + (2 << 8), 15]) assert.equal(isBusy({ errcode }), true);
      for (const code of ['SQLITE_BUSY_RECOVERY', 'SQLITE_PROTOCOL']) assert.equal(isBusy({ code }), true);
      assert.equal(commitError({ errcode: 10 + (4 << 8) }).code, 'store_commit_unknown');
      assert.equal(commitError({ code: 'SQLITE_IOERR_FSYNC' }).code, 'store_commit_unknown');
    });
  }
});

function errorOf(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

/** Root may write anywhere: `action` runs as somebody who may not. */
async function asNobody<T>(action: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return action();
  process.seteuid?.(65_534);
  try {
    return await action();
  } finally {
    process.seteuid?.(0);
  }
}

test('a directory that is entered through a link is the same place', async (t) => {
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, 'real'));
  symlinkSync(join(directory, 'real'), join(directory, 'link'));
  const first = await openSqlite({ path: join(directory, 'real', 'store.db') });
  assert.equal(await codeOfOpening(join(directory, 'link', 'store.db')), 'store_in_use');
  await first.close();
});
