// Targets of the conformance suite in SQLite files: a directory of its own for each case, removed with it.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConformanceTarget } from '../../src/storage/conformance/index.ts';
import type { Backend } from '../../src/storage/index.ts';
import { loadDriver } from '../../src/storage/sqlite/driver.ts';
import { openSqlite } from '../../src/storage/sqlite/index.ts';

export type DriverName = 'node' | 'better-sqlite3';

export const driverNames: readonly DriverName[] = ['node', 'better-sqlite3'];

export interface SqliteTarget extends ConformanceTarget {
  readonly path: string;
}

/** One client, in this process. */
export async function sqliteTarget(driver: DriverName): Promise<SqliteTarget> {
  const directory = await mkdtemp(join(tmpdir(), 'dgen-store-'));
  const path = join(directory, 'store.db');
  const opened: Backend[] = [];
  const connect = async (): Promise<Backend> => {
    const backend = await openSqlite({ driver, path });
    opened.push(backend);
    return backend;
  };
  return {
    path,
    backend: await connect(),
    connect,
    compact: () => forgetChanges(driver, path),
    async dispose() {
      for (const backend of opened) await backend.close();
      await rm(directory, { recursive: true });
    },
  };
}

/** Empties the change log, by a connection of the same library: another one in this process would take away the locks. */
async function forgetChanges(driver: DriverName, path: string): Promise<void> {
  const connection = (await loadDriver(driver)).open(path);
  try {
    connection.exec('BEGIN IMMEDIATE; UPDATE head SET known = version; DELETE FROM change; COMMIT');
  } finally {
    connection.close();
  }
}
