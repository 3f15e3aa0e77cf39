// Snapshots. A read transaction of SQLite sees one version for as long as it lasts, and needs a connection of its own for
// that time. Connections are opened as they are needed, up to a few; whoever comes then waits for one to be returned.
// A snapshot keeps the write-ahead log from being reset, which is why a transaction may not last long.
import { DGenError } from '../../errors/error.ts';
import { keyAfter } from '../bytes.ts';
import type { Lifetime } from '../lifetime.ts';
import { type Bytes, type KeyRange, limits, type RangeOptions, type RangePage } from '../port.ts';
import { blobOf, lowBound, type SqliteConnection, type SqliteStatement } from './driver.ts';
import { retryWhileBusy } from './retry.ts';
import { rollback } from './schema.ts';

/** Snapshots that may be open at once in a process. */
const readersMax = 8;
/** Rows fetched at once: pages of large values end long before their limit. */
const rowsPerFetch = 64;

export class ReaderPool {
  readonly #open: () => SqliteConnection;
  readonly #idle: Reader[] = [];
  readonly #all: Set<Reader> = new Set();
  readonly #waiting: Set<(reader: Reader) => void> = new Set();
  #opening = 0;
  #closed = false;

  constructor(open: () => SqliteConnection) {
    this.#open = open;
  }

  /** A snapshot that begins now. Rejects with the lifetime's reason, or an error of SQLite. Whoever got it releases it. */
  async snapshot(lifetime: Lifetime): Promise<Snapshot> {
    const reader = await this.#take(lifetime);
    try {
      const version = await retryWhileBusy(lifetime, () => reader.begin());
      return new Snapshot(version, reader, () => this.#give(reader));
    } catch (error) {
      this.#give(reader);
      throw error;
    }
  }

  close(): void {
    this.#closed = true;
    for (const reader of this.#all) reader.close();
    this.#all.clear();
  }

  async #take(lifetime: Lifetime): Promise<Reader> {
    lifetime.check();
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    if (this.#all.size + this.#opening < readersMax) return this.#openOne(lifetime);
    return new Promise<Reader>((resolve, reject) => {
      const stop = lifetime.whenEnded((reason) => {
        this.#waiting.delete(granted);
        reject(reason);
      });
      const granted = (reader: Reader) => {
        stop();
        resolve(reader);
      };
      this.#waiting.add(granted);
    });
  }

  /** The first statement after a crash may find another connection repairing the log. */
  async #openOne(lifetime: Lifetime): Promise<Reader> {
    this.#opening += 1;
    try {
      const reader = await retryWhileBusy(lifetime, () => openReader(this.#open));
      if (this.#closed) {
        reader.close();
        throw lifetime.reason ?? new DGenError('closed', 'SQLite store');
      }
      this.#all.add(reader);
      return reader;
    } finally {
      this.#opening -= 1;
    }
  }

  #give(reader: Reader): void {
    if (this.#closed) return;
    reader.end();
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#idle.push(reader);
      return;
    }
    this.#waiting.delete(next);
    next(reader);
  }
}

function openReader(open: () => SqliteConnection): Reader {
  const connection = open();
  try {
    return new Reader(connection);
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** One version of the content. */
export class Snapshot {
  readonly version: number;
  readonly #reader: Reader;
  #giveBack: (() => void) | undefined;

  constructor(version: number, reader: Reader, giveBack: () => void) {
    this.version = version;
    this.#reader = reader;
    this.#giveBack = giveBack;
  }

  get(key: Bytes): Bytes | undefined {
    return this.#live().get(key);
  }

  getRange(range: KeyRange, options: RangeOptions): RangePage {
    return this.#live().getRange(range, options);
  }

  /** Idempotent. Nothing can be read after it. */
  release(): void {
    this.#giveBack?.();
    this.#giveBack = undefined;
  }

  #live(): Reader {
    if (this.#giveBack === undefined) throw new DGenError('closed', 'SQLite snapshot');
    return this.#reader;
  }
}

class Reader {
  readonly #connection: SqliteConnection;
  readonly #version: SqliteStatement;
  readonly #get: SqliteStatement;
  readonly #upwards: SqliteStatement;
  readonly #downwards: SqliteStatement;

  constructor(connection: SqliteConnection) {
    const range = 'SELECT key, value FROM item WHERE key >= ? AND key < ? ORDER BY key';
    this.#connection = connection;
    this.#version = connection.prepare('SELECT version FROM head');
    this.#get = connection.prepare('SELECT value FROM item WHERE key = ?');
    this.#upwards = connection.prepare(`${range} LIMIT ?`);
    this.#downwards = connection.prepare(`${range} DESC LIMIT ?`);
  }

  /** The first statement fixes the snapshot. Throws BUSY with nothing begun. */
  begin(): number {
    this.#connection.exec('BEGIN');
    try {
      return Number(this.#version.get()?.version);
    } catch (error) {
      rollback(this.#connection);
      throw error;
    }
  }

  end(): void {
    rollback(this.#connection);
  }

  close(): void {
    this.#connection.close();
  }

  get(key: Bytes): Bytes | undefined {
    const row = this.#get.get(key);
    return row === undefined ? undefined : blobOf(row.value);
  }

  getRange(range: KeyRange, { limit, reverse = false }: RangeOptions): RangePage {
    const items: [Bytes, Bytes][] = [];
    let bytes = 0;
    let { begin, end } = range;
    for (;;) {
      const rows = this.#fetch({ begin, end }, reverse, Math.min(rowsPerFetch, limit + 1 - items.length));
      for (const [key, value] of rows) {
        if (items.length >= limit || bytes >= limits.pageBytesMax) return { items, more: true };
        items.push([key, value]);
        bytes += key.length + value.length;
      }
      const last = items.at(-1)?.[0];
      if (rows.length < rowsPerFetch || last === undefined) return { items, more: false };
      if (reverse) end = last;
      else begin = keyAfter(last);
    }
  }

  #fetch({ begin, end }: KeyRange, reverse: boolean, rows: number): [Bytes, Bytes][] {
    if (end.length === 0) return [];
    const statement = reverse ? this.#downwards : this.#upwards;
    const found = statement.all(lowBound(begin), end, rows);
    return found.map((row) => [blobOf(row.key), blobOf(row.value)]);
  }
}
