// One commit inside a write transaction that is open already: is it a repetition, does it conflict, then its writes. The
// change log judges each commit for itself, so the commits of one process share a write transaction, and one flush,
// without sharing their fate.
import { DGenError } from '../../errors/error.ts';
import { isEmptyRange, rangeOfMutation, valueAfter } from '../bytes.ts';
import type { Bytes, Commit, CommitResult, KeyRange, Mutation } from '../port.ts';
import { blobOf, lowBound, type SqliteConnection, type SqliteStatement } from './driver.ts';

/** Versions that stay in the change log; at the highest rate measured this is more than a transaction may last. */
export const logVersions = 65_536;
/** Markers older than this may go, once the log has forgotten their version too: a clock that jumps harms none that is new. */
const markerAgeMs = 600_000;
const markersPerSweep = 4_096;

const statements = {
  head: 'SELECT version, known FROM head',
  setVersion: 'UPDATE head SET version = ?',
  setKnown: 'UPDATE head SET known = ?',
  findMarker: 'SELECT attempt FROM marker WHERE id = ?',
  addMarker: 'INSERT INTO marker VALUES (?, ?, ?, ?)',
  sweepMarkers: `DELETE FROM marker WHERE id IN
    (SELECT id FROM marker WHERE created < ? AND version <= ? ORDER BY created LIMIT ${markersPerSweep})`,
  conflict: 'SELECT 1 AS found FROM change WHERE version > ? AND low < ? AND high > ? LIMIT 1',
  addChange: 'INSERT OR IGNORE INTO change VALUES (?, ?, ?)',
  sweepChanges: 'DELETE FROM change WHERE version <= ?',
  read: 'SELECT value FROM item WHERE key = ?',
  put: 'INSERT INTO item VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
  clear: 'DELETE FROM item WHERE key = ?',
  clearRange: 'DELETE FROM item WHERE key >= ? AND key < ?',
} as const;

export class CommitApplier {
  readonly #connection: SqliteConnection;
  readonly #sql: Readonly<Record<keyof typeof statements, SqliteStatement>>;
  #version = 0;
  #known = 0;

  constructor(connection: SqliteConnection) {
    this.#connection = connection;
    const prepared = Object.entries(statements).map(([name, sql]) => [name, connection.prepare(sql)]);
    this.#sql = Object.fromEntries(prepared) as Record<keyof typeof statements, SqliteStatement>;
  }

  /** The newest version, also outside of a transaction. */
  currentVersion(): number {
    return Number(this.#sql.head.get()?.version);
  }

  /** At the start of each write transaction. */
  start(): void {
    const head = this.#sql.head.get();
    this.#version = Number(head?.version);
    this.#known = Number(head?.known);
  }

  /**
   * Applies a commit that was decided on version `snapshot`. Throws `store_conflict`, `store_too_old` and
   * `store_invalid` with nothing of it left in the transaction; after errors of SQLite the transaction must be rolled back.
   */
  apply(commit: Commit, snapshot: number | undefined): CommitResult {
    const { id, attempt = 0 } = commit;
    const earlier = id === undefined ? undefined : this.#sql.findMarker.get(id);
    if (earlier !== undefined) return { applied: 'earlier', attempt: Number(earlier.attempt) };
    if (snapshot !== undefined) this.#checkReads(commit.reads, snapshot);
    if (id === undefined && commit.writes.length === 0) return { applied: 'now' };
    this.#version += 1;
    this.#writeAll(commit.writes);
    if (id !== undefined) this.#sql.addMarker.run(id, attempt, Date.now(), this.#version);
    this.#sql.setVersion.run(this.#version);
    return { applied: 'now' };
  }

  /** Forgets old changes and markers. Now and then, in a transaction that writes anyway. */
  sweep(): void {
    const known = this.#version - logVersions;
    if (known > this.#known) {
      this.#sql.sweepChanges.run(known);
      this.#sql.setKnown.run(known);
      this.#known = known;
    }
    this.#sql.sweepMarkers.run(Date.now() - markerAgeMs, this.#known);
  }

  #checkReads(reads: readonly KeyRange[], snapshot: number): void {
    if (reads.length === 0 || snapshot === this.#version) return;
    if (snapshot < this.#known) throw new DGenError('store_too_old', 'SQLite store');
    for (const { begin, end } of reads) {
      if (end.length === 0) continue;
      if (this.#sql.conflict.get(snapshot, end, lowBound(begin)) !== undefined) {
        throw new DGenError('store_conflict', 'SQLite store');
      }
    }
  }

  #writeAll(writes: readonly Mutation[]): void {
    // Only an addition can be refused halfway.
    if (!writes.some((write) => write.type === 'add')) {
      for (const write of writes) this.#write(write);
      return;
    }
    this.#connection.exec('SAVEPOINT one');
    try {
      for (const write of writes) this.#write(write);
    } catch (error) {
      if (error instanceof DGenError) {
        this.#connection.exec('ROLLBACK TO one; RELEASE one');
        this.#version -= 1;
      }
      throw error;
    }
    this.#connection.exec('RELEASE one');
  }

  #write(write: Mutation): void {
    const range = rangeOfMutation(write);
    if (isEmptyRange(range)) return;
    this.#sql.addChange.run(this.#version, lowBound(range.begin), range.end);
    if (write.type === 'clearRange') this.#sql.clearRange.run(lowBound(write.begin), write.end);
    else if (write.type === 'clear') this.#sql.clear.run(write.key);
    else
      this.#sql.put.run(
        write.key,
        valueAfter(write.type, write.value, () => this.#read(write.key)),
      );
  }

  #read(key: Bytes): Bytes | undefined {
    const row = this.#sql.read.get(key);
    return row === undefined ? undefined : blobOf(row.value);
  }
}
