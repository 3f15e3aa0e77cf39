// SQLite runs the same cases as the reference, with both libraries.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { nodeHost } from '../../src/host/index.ts';
import { type ConformanceTarget, conformance } from '../../src/storage/conformance/index.ts';
import { openSqlite, type SqliteOptions } from '../../src/storage/sqlite/index.ts';

const host = nodeHost();

async function sqlite(options: Omit<SqliteOptions, 'path'>): Promise<ConformanceTarget> {
  const directory = await mkdtemp(join(tmpdir(), 'dgen-store-'));
  const backend = await openSqlite({ ...options, path: join(directory, 'store.db') });
  return {
    backend,
    async dispose() {
      await backend.close();
      await rm(directory, { recursive: true });
    },
  };
}

const backends: Readonly<Record<string, () => Promise<ConformanceTarget>>> = {
  'sqlite with node:sqlite': () => sqlite({ driver: 'node' }),
  'sqlite with better-sqlite3': () => sqlite({ driver: 'better-sqlite3' }),
};

for (const [name, create] of Object.entries(backends)) {
  describe(name, () => {
    for (const { name: title, skip, run } of conformance({ host, create })) {
      test(title, { skip, timeout: 30_000 }, run);
    }
  });
}
