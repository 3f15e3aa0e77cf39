// The tables, and how an opened file becomes ours: empty files are taken, our own are checked for their format, anything
// else is refused before a byte of it is changed.
import { DGenError } from '../../errors/error.ts';
import type { SqliteConnection } from './driver.ts';

/** "dgen" in ASCII, in the header of the file, where SQLite keeps a place for it. */
const applicationId = 0x6467656e;
const fileFormat = 1;
/** The write-ahead log is cut to this after it has grown, in bytes. */
const journalSizeLimit = 16_777_216;

export type Synchronous = 'full' | 'normal';

// head: `version` counts commits; the log is complete for versions above `known`.
// change: which intervals each version changed. One key is the interval up to its successor.
// marker: idempotency ids; `created` is wall-clock milliseconds, `version` the commit that made it.
const tables = `
  CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL, known INTEGER NOT NULL);
  INSERT INTO head VALUES (1, 0, 0);
  CREATE TABLE item (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID;
  CREATE TABLE change (version INTEGER, low BLOB, high BLOB, PRIMARY KEY (version, low, high)) WITHOUT ROWID;
  CREATE TABLE marker (id BLOB PRIMARY KEY, attempt INTEGER NOT NULL, created INTEGER NOT NULL,
    version INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX marker_created ON marker (created);
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${fileFormat};
`;

/**
 * Checks that the file is ours or empty, and makes it ours. Throws `store_not_ours`, `store_format`, `store_fatal`, and
 * SQLite's BUSY, after which it may be called again.
 */
export function prepareFile(connection: SqliteConnection, synchronous: Synchronous): void {
  checkOwner(connection);
  const mode = connection.prepare('PRAGMA journal_mode = WAL').get()?.journal_mode;
  if (mode !== 'wal') {
    throw new DGenError('store_fatal', 'SQLite file', { expected: 'a write-ahead log', got: String(mode) });
  }
  configure(connection, synchronous);
  connection.exec('BEGIN IMMEDIATE');
  try {
    if (checkOwner(connection) === 'empty') connection.exec(tables);
    connection.exec('COMMIT');
  } catch (error) {
    rollback(connection);
    throw error;
  }
}

/** The settings of every connection; they are not kept in the file, and the libraries differ in their defaults. */
export function configure(connection: SqliteConnection, synchronous: Synchronous): void {
  connection.exec(`PRAGMA busy_timeout = 0; PRAGMA synchronous = ${synchronous};`);
  connection.exec(`PRAGMA journal_size_limit = ${journalSizeLimit};`);
}

/** Ends the transaction if there is one. Never throws: some errors have ended it already. */
export function rollback(connection: SqliteConnection): boolean {
  try {
    connection.exec('ROLLBACK');
    return true;
  } catch {
    return false;
  }
}

function checkOwner(connection: SqliteConnection): 'ours' | 'empty' {
  const owner = pragma(connection, 'application_id');
  const format = pragma(connection, 'user_version');
  const objects = Number(connection.prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.count);
  if (owner === 0 && format === 0 && objects === 0) return 'empty';
  if (owner !== applicationId) {
    throw new DGenError('store_not_ours', 'SQLite file', {
      got: `application id ${owner}, ${objects} objects`,
    });
  }
  if (format > fileFormat) {
    throw new DGenError('store_format', 'SQLite file', {
      expected: `at most ${fileFormat}`,
      got: `${format}`,
    });
  }
  return 'ours';
}

function pragma(connection: SqliteConnection, name: 'application_id' | 'user_version'): number {
  return Number(connection.prepare(`PRAGMA ${name}`).get()?.[name]);
}
