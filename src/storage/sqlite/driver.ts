// The two SQLite libraries behind one small interface: `node:sqlite` where Node.js has it, else the optional peer
// `better-sqlite3`. Both are synchronous. A version with the WAL-reset defect is refused before it touches a file: with
// two connections writing and checkpointing, which is our use, it may corrupt the database without a word
// (https://sqlite.org/wal.html#walresetbug).
import { createRequire } from 'node:module';
import { DGenError } from '../../errors/error.ts';

export type SqliteValue = number | string | Uint8Array | null;
export type SqliteRow = Readonly<Record<string, SqliteValue>>;

export interface SqliteStatement {
  get(...values: readonly SqliteValue[]): SqliteRow | undefined;
  all(...values: readonly SqliteValue[]): readonly SqliteRow[];
  run(...values: readonly SqliteValue[]): void;
}

export interface SqliteConnection {
  exec(sql: string): void;
  prepare(sql: string): SqliteStatement;
  close(): void;
}

export interface SqliteDriver {
  readonly name: 'node' | 'better-sqlite3';
  /** Of the SQLite library, such as "3.53.4". */
  readonly version: string;
  /** Opens or creates the file. Waits for no lock: what is locked fails at once. */
  open(path: string): SqliteConnection;
}

export type DriverChoice = 'auto' | SqliteDriver['name'];

/** Whether a version of SQLite is free of the WAL-reset defect: 3.51.3 and later, and the fixes 3.50.7 and 3.44.6. */
export function isSafeVersion(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
  if (![major, minor, patch].every(Number.isInteger) || major !== 3) return major > 3;
  if (minor === 44) return patch >= 6;
  if (minor === 50) return patch >= 7;
  return minor > 51 || (minor === 51 && patch >= 3);
}

/** Rejects with `store_version` (only defective libraries), or `store_fatal` (none could be loaded). */
export async function loadDriver(choice: DriverChoice): Promise<SqliteDriver> {
  const loaders = [
    ...(choice === 'better-sqlite3' ? [] : [loadNode]),
    ...(choice === 'node' ? [] : [loadBetterSqlite]),
  ];
  const reasons: unknown[] = [];
  const unsafe: string[] = [];
  for (const load of loaders) {
    try {
      const driver = await load();
      if (isSafeVersion(driver.version)) return driver;
      unsafe.push(`${driver.version} of ${driver.name}`);
    } catch (error) {
      reasons.push(error);
    }
  }
  const cause = reasons.at(-1);
  if (unsafe.length > 0) {
    const expected = '3.51.3 or later, 3.50.7 or 3.44.6';
    throw new DGenError('store_version', 'SQLite', { expected, got: unsafe.join(', '), cause });
  }
  const expected = 'Node.js 22.13 or later, or the package better-sqlite3';
  throw new DGenError('store_fatal', 'no SQLite library', { expected, cause });
}

interface AnyDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): unknown;
  close(): void;
}

async function loadNode(): Promise<SqliteDriver> {
  const { DatabaseSync } = await import('node:sqlite');
  const open = (path: string): SqliteConnection => adapt(new DatabaseSync(path));
  return { name: 'node', version: versionOf(open), open };
}

async function loadBetterSqlite(): Promise<SqliteDriver> {
  const name = 'better-sqlite3';
  const require = createRequire(import.meta.url);
  const installed = String((require(`${name}/package.json`) as { version?: unknown }).version);
  const nodeMajor = Number(process.versions.node.split('.')[0]);
  // Its releases from 13 on crash older runtimes when loaded.
  if (Number(installed.split('.')[0]) >= 13 && nodeMajor < 22) {
    throw new DGenError('store_fatal', name, { expected: '12.x on Node.js below 22', got: installed });
  }
  const loaded = (await import(name)) as { default: new (path: string, options: object) => AnyDatabase };
  const open = (path: string): SqliteConnection => adapt(new loaded.default(path, { timeout: 0 }));
  return { name, version: versionOf(open), open };
}

function versionOf(open: (path: string) => SqliteConnection): string {
  const connection = open(':memory:');
  try {
    return String(connection.prepare('SELECT sqlite_version() AS version').get()?.version);
  } finally {
    connection.close();
  }
}

/** Both libraries have the same methods with these meanings; only their types differ. */
function adapt(database: AnyDatabase): SqliteConnection {
  return {
    exec: (sql) => void database.exec(sql),
    prepare: (sql) => database.prepare(sql) as SqliteStatement,
    close: () => database.close(),
  };
}

/** A blob of a row as a plain array of its own; NULL is the empty one, since some releases bind an empty blob as NULL. */
export function blobOf(value: SqliteValue | undefined): Uint8Array {
  if (value instanceof Uint8Array) {
    return new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.length);
  }
  return new Uint8Array(0);
}

/** The lower bound of an interval as it is bound: an empty blob may arrive as NULL, and no key is smaller than this. */
export function lowBound(begin: Uint8Array): Uint8Array {
  return begin.length === 0 ? Uint8Array.of(0) : begin;
}
