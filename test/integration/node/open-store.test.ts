// Stores by address: what is refused repeats no password, and leaves nothing open. And records of other releases.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { hasCode, type MemoryDatabase, moveStore, nodeHost, storeAt, transact } from '../../../src/index.ts';
import { movingStore } from '../../../src/storage/index.ts';
import { code, Pair, recordOf, writeRecord } from '../../storage/move-support.ts';

test('an address that is none is refused without what may be secret in it', async () => {
  const addresses = [
    'mysql://user:secret@host/db',
    'mysql://host/db?password=secret',
    'mysql:user:secret@host',
    'Postgres://user:secret@host/db',
    'user:secret@host',
    'secret',
    'sqlite',
    'memory:a => mysql:secret',
    'postgres:user:secret@host/db',
    'postgres://user:secret@host',
    'postgres://user:secret/x@host/db',
    'postgres://user@host/db?password=secret',
    'etcd:user:secret@host',
    'etcd://user:secret@host:99999',
    'etcd://host?password=secret',
  ];
  for (const address of addresses) {
    await assert.rejects(storeAt(address, nodeHost()), (error: unknown) => {
      assert.ok(hasCode(error, 'bad_option'), `${address}: ${error}`);
      assert.ok(
        !inspect(error, { depth: 9 })
          .replace(/file:\S+/g, '')
          .includes('secret'),
        address,
      );
      return true;
    });
  }
});

test('of two stores nothing stays open when one of them cannot be opened, or they do not belong together', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'dgen-open-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [one, two] = ['one', 'two'].map((name) => `sqlite:${join(folder, name)}`) as [string, string];
  const host = nodeHost();
  const fill = async (address: string) => {
    const store = await storeAt(address, host);
    await transact(store.tenant('a'), (tx) => tx.set(Uint8Array.of(1), Uint8Array.of(2)), {
      timeoutMs: 5_000,
    });
    await store.close();
  };
  await fill(one);
  const missing = `sqlite:${join(folder, 'no', 'folder')}`;
  // A file is open once in each process: what was left open would be refused.
  for (let i = 0; i < 2; i++) {
    await assert.rejects(storeAt(`${one} => ${missing}`, host), (e) => !hasCode(e, 'store_in_use'));
    await assert.rejects(storeAt(`${missing} => ${one}`, host), (e) => !hasCode(e, 'store_in_use'));
    await assert.rejects(moveStore(one, missing), (e) => !hasCode(e, 'store_in_use'));
    await assert.rejects(storeAt(`${one} => ${one}`, host), (e) => hasCode(e, 'bad_option'));
  }
  await fill(two);
  for (let i = 0; i < 2; i++) {
    await assert.rejects(storeAt(`${one} => ${two}`, host), (e) => hasCode(e, 'store_not_empty'));
    await assert.rejects(moveStore(one, two), (e) => hasCode(e, 'store_not_empty'));
  }
  for (const address of [one, two]) await fill(address);
});

test('a store of the first release opens; one of a later release, or with a record that says nothing known, is refused everywhere', async () => {
  const opened = async (database: MemoryDatabase, pair: Pair) => (await pair.plain(database)).close();
  const first = await Pair.filled(1);
  await writeRecord(first.old, 'dgen 1');
  await opened(first.old, first);
  assert.equal((await first.host.runUntil(first.move())).moved, 'now');
  for (const [record, expected] of [
    ['dgen 2', 'store_format'],
    ['dgen 2 sealed {"move":1}', 'store_format'],
    ['dgen 1 sealed {"move":"m"}', 'store_not_ours'],
    ['dgen 1 moved {"move":7,"to":"x"}', 'store_not_ours'],
    ['dgen 1 moved {', 'store_not_ours'],
    ['dgen one', 'store_not_ours'],
    ['', 'store_not_ours'],
  ] as const) {
    const pair = await Pair.filled(1);
    const { host } = pair;
    const running = await pair.plain(pair.old);
    await writeRecord(pair.old, record);
    const pairs = () => [pair.old.connect(), pair.next.connect()] as const;
    const [old, next] = pairs();
    await assert.rejects(opened(pair.old, pair), code(expected), record);
    await assert.rejects(host.runUntil(movingStore(...pairs(), { host })), code(expected), record);
    await assert.rejects(host.runUntil(movingStore(next, old, { host })), code(expected), record);
    await assert.rejects(host.runUntil(pair.move()), code(expected), record);
    await assert.rejects(host.runUntil(pair.abort()), code(expected), record);
    await assert.rejects(
      host.runUntil(transact(running.tenant('a'), (tx) => tx.clear(Uint8Array.of(1)), { timeoutMs: 1_000 })),
      code(expected),
      record,
    );
    assert.deepEqual([await recordOf(pair.old), await recordOf(pair.next)], [record, '']);
    await running.close();
  }
});
