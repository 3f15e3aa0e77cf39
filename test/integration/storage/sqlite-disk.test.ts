// A disk that is full, on a file system of one megabyte. It takes root to mount one.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { hasCode } from '../../../src/errors/error.ts';
import { nodeHost } from '../../../src/host/index.ts';
import { keyOf, openStore, prefixRange, type Tenant, transact } from '../../../src/storage/index.ts';
import { openSqlite } from '../../../src/storage/sqlite/index.ts';
import { driverNames } from '../../support/sqlite-target.ts';

/** Undefined where none can be mounted. */
function smallDisk(t: TestContext): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'dgen-disk-'));
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory]);
  if (status === 0) {
    t.after(() => {
      spawnSync('umount', ['-l', directory]);
      rmdirSync(directory);
    });
    return directory;
  }
  rmdirSync(directory);
  assert.ok(process.env.CI === undefined, `no file system could be mounted: ${stderr}`);
  t.skip('needs root, to mount a file system of its own');
  return undefined;
}

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
    return undefined;
  } catch (error) {
    return (error as { code?: unknown }).code ?? error;
  }
}

async function commitOne(tenant: Tenant, name: string): Promise<unknown> {
  const tx = await tenant.begin({ timeoutMs: 5_000 });
  const value = new Uint8Array(30_000).fill(7);
  return codeOf(tx.commit({ reads: [], writes: [{ type: 'set', key: keyOf('item', name), value }] }));
}

async function itemsOf(tenant: Tenant): Promise<number> {
  const tx = await tenant.begin({ timeoutMs: 5_000 });
  const { items } = await tx.getRange(prefixRange('item'), { limit: 1_000 });
  tx.close();
  return items.length;
}

for (const driver of driverNames) {
  test(`${driver}: a full disk refuses commits, says so, and harms nothing`, {
    timeout: 60_000,
  }, async (t) => {
    const disk = smallDisk(t);
    if (disk === undefined) return;
    const ballast = join(disk, 'ballast');
    writeFileSync(ballast, new Uint8Array(300_000));
    const path = join(disk, 'store.db');
    const store = await openStore(await openSqlite({ path, driver }), { host: nodeHost() });
    t.after(() => store.close());
    const tenant = store.tenant('t');
    let applied = 0;
    let code: unknown;
    while (code === undefined && applied < 100) {
      code = await commitOne(tenant, String(applied));
      if (code === undefined) applied += 1;
    }
    assert.ok(applied > 0 && applied < 40, `${applied} commits fitted in`);
    // An error while the log is written is a clear refusal; of one while it is flushed nobody knows.
    assert.ok(code === 'store_unavailable' || code === 'store_commit_unknown', String(code));
    const found = await itemsOf(tenant);
    assert.ok(found === applied || (code === 'store_commit_unknown' && found === applied + 1));
    const given = transact(tenant, (tx) => tx.set(keyOf('large'), new Uint8Array(60_000)), {
      timeoutMs: 300,
    });
    await assert.rejects(given, (e) => hasCode(e, 'timeout') || hasCode(e, 'store_commit_unknown'));
    // Room again: nothing has to be opened anew.
    rmSync(ballast);
    const large = new Uint8Array(60_000);
    await transact(tenant, (tx) => tx.set(keyOf('large'), large), { timeoutMs: 5_000 });
    assert.equal(await itemsOf(tenant), found);
  });

  test(`${driver}: a disk that is full from the beginning`, { timeout: 30_000 }, async (t) => {
    const disk = smallDisk(t);
    if (disk === undefined) return;
    assert.ok(hasCode(await fill(join(disk, 'ballast')), 'ENOSPC' as 'timeout'));
    const code = await codeOf(openSqlite({ path: join(disk, 'store.db'), driver }));
    assert.ok(code === 'store_unavailable' || code === 'store_fatal', String(code));
    rmSync(join(disk, 'ballast'));
    const backend = await openSqlite({ path: join(disk, 'store.db'), driver });
    await backend.close();
  });
}

async function fill(path: string): Promise<unknown> {
  try {
    for (let size = 1_000_000; ; size += 20_000) writeFileSync(path, new Uint8Array(size));
  } catch (error) {
    return error;
  }
}
