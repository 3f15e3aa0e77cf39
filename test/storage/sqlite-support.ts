// A directory and a store for one test, and a look behind the library's back: a plain connection of the same SQLite build.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { TestContext } from 'node:test';
import { nodeHost } from '../../src/host/index.ts';
import { openStore, type Tenant } from '../../src/storage/index.ts';
import { openSqlite } from '../../src/storage/sqlite/index.ts';

export const host = nodeHost();

export function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'dgen-store-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export interface OpenedStore {
  readonly path: string;
  readonly tenant: Tenant;
  /** Another connection of the same library in the same process, which SQLite itself keeps apart. */
  readonly raw: DatabaseSync;
}

export async function openTemporary(t: TestContext): Promise<OpenedStore> {
  const directory = mkdtempSync(join(tmpdir(), 'dgen-store-'));
  const path = join(directory, 'store.db');
  const store = await openStore(await openSqlite({ path, driver: 'node' }), { host });
  const raw = new DatabaseSync(path);
  t.after(async () => {
    raw.close();
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return { path, tenant: store.tenant('test'), raw };
}
