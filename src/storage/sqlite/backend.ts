// The SQLite backend: one file, one writing connection and a few reading ones, several processes side by side. Commits
// are queued and flushed together (`committer.ts`), snapshots are read transactions (`readers.ts`), watches hear of other
// processes by a bell (`notifier.ts`). No call waits inside SQLite.
import { DGenError } from '../../errors/error.ts';
import { nodeHost } from '../../host/node-host.ts';
import type { Timers } from '../../host/ports.ts';
import { copyCommit } from '../bytes.ts';
import { Lifetime } from '../lifetime.ts';
import type { Backend, Bytes, Commit, CommitResult, KeyRange, RangeOptions, RangePage } from '../port.ts';
import { limits, type StoreTransaction, type WaitOptions, type Watch } from '../port.ts';
import { CommitApplier } from './apply.ts';
import { Committer } from './committer.ts';
import { type DriverChoice, loadDriver, type SqliteConnection, type SqliteDriver } from './driver.ts';
import { storeError } from './errors.ts';
import { FileClaim, fileIdentity, locate } from './location.ts';
import { Notifier } from './notifier.ts';
import { ReaderPool, type Snapshot } from './readers.ts';
import { retryWhileBusy } from './retry.ts';
import { configure, prepareFile, type Synchronous } from './schema.ts';

export interface SqliteOptions {
  /**
   * The database file, in a directory that exists, on a local disk. Created when there is none; beside it appear
   * files with its name and `-wal`, `-shm` and `-bell`. Nobody else may open, copy or replace any of them while it is in use.
   */
  readonly path: string;
  /**
   * `full` (default): an acknowledged commit survives a power failure, for the price of one flush of the disk. `normal`: it
   * survives the death of any process, but the last ones may be lost when the machine fails.
   */
  readonly synchronous?: Synchronous;
  /** Default `auto`: `node:sqlite` where there is a sound one, else the package `better-sqlite3`. */
  readonly driver?: DriverChoice;
  /** Milliseconds to wait for other processes while opening. Default 5000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Opens a file as a backend for `openStore`. Several processes of one machine may have it open, each once.
 *
 * Rejects with: `bad_option`; `store_in_use` (open in this process already); `store_not_ours` (not a database,
 * or one of something else: it is left as it was); `store_format` (written by a newer release); `store_version` (SQLite with a known
 * defect); `store_fatal` (no SQLite library, no such directory, no permission, a network file system); `store_unavailable`
 * (disk full or failing); `timeout`, `aborted` (another process held the lock).
 */
export async function openSqlite(options: SqliteOptions): Promise<Backend> {
  const { path, synchronous = 'full', driver: choice = 'auto', signal } = options;
  checkOption('synchronous', synchronous, ['full', 'normal']);
  checkOption('driver', choice, ['auto', 'node', 'better-sqlite3']);
  const file = locate(path);
  const claim = new FileClaim();
  const { timers } = nodeHost();
  claim.add(file);
  const timeoutMs = options.timeoutMs ?? limits.transactionMsMax;
  const lifetime = new Lifetime({ timers, timeoutMs, signal, what: 'opening the SQLite file' });
  try {
    const driver = await loadDriver(choice);
    const connection = await openWriter({ driver, file, synchronous, lifetime, claim });
    const open = () => openReader(driver, file, synchronous);
    return new SqliteBackend({ file, claim, timers, connection, open });
  } catch (error) {
    claim.release();
    throw storeError(error);
  } finally {
    lifetime.end(closedError());
  }
}

function checkOption(name: string, value: string, allowed: readonly string[]): void {
  if (allowed.includes(value)) return;
  throw new DGenError('bad_option', name, { expected: allowed.join(', '), got: String(value) });
}

interface OpenWriterOptions {
  readonly driver: SqliteDriver;
  readonly file: string;
  readonly synchronous: Synchronous;
  readonly lifetime: Lifetime;
  readonly claim: FileClaim;
}

async function openWriter(options: OpenWriterOptions): Promise<SqliteConnection> {
  const { driver, file, synchronous, lifetime, claim } = options;
  // A hard link has another path, but is the same file. Closing a second descriptor of it would drop the first one's locks.
  const known = fileIdentity(file);
  if (known !== undefined) claim.add(known);
  const connection = driver.open(file);
  try {
    await retryWhileBusy(lifetime, () => prepareFile(connection, synchronous));
    const identity = fileIdentity(file);
    if (known === undefined && identity !== undefined) claim.add(identity);
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

function openReader(driver: SqliteDriver, file: string, synchronous: Synchronous): SqliteConnection {
  const connection = driver.open(file);
  configure(connection, synchronous);
  connection.exec('PRAGMA query_only = 1');
  return connection;
}

interface SqliteParts {
  readonly file: string;
  readonly claim: FileClaim;
  readonly timers: Timers;
  readonly connection: SqliteConnection;
  readonly open: () => SqliteConnection;
}

class SqliteBackend implements Backend {
  readonly description: string = 'sqlite';
  readonly #parts: SqliteParts;
  readonly #identity: string | undefined;
  readonly #readers: ReaderPool;
  readonly #committer: Committer;
  readonly #notifier: Notifier;
  readonly #lifetimes: Set<Lifetime> = new Set();
  #closed = false;

  constructor(parts: SqliteParts) {
    const { file, timers, connection, open } = parts;
    this.#parts = parts;
    this.#identity = fileIdentity(file);
    this.#readers = new ReaderPool(open);
    this.#notifier = new Notifier({ connection, timers, path: file });
    this.#committer = new Committer({
      connection,
      timers,
      applier: new CommitApplier(connection),
      checkFile: () => this.#checkFile(),
      committed: () => this.#notifier.committed(),
    });
  }

  async begin(options: WaitOptions): Promise<StoreTransaction> {
    if (this.#closed) throw closedError();
    this.#checkFile();
    const lifetime = new Lifetime({ ...options, timers: this.#parts.timers, what: 'store transaction' });
    lifetime.check();
    lifetime.whenEnded(() => this.#lifetimes.delete(lifetime));
    this.#lifetimes.add(lifetime);
    return new SqliteTransaction({ readers: this.#readers, committer: this.#committer, lifetime });
  }

  watch(range: KeyRange): Watch {
    return this.#notifier.watch({ begin: range.begin.slice(), end: range.end.slice() });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const lifetime of [...this.#lifetimes]) lifetime.end(closedError());
    this.#notifier.close();
    this.#readers.close();
    this.#parts.connection.close();
    this.#parts.claim.release();
  }

  /** Somebody who moved or replaced the file would split the processes that have the old one from those that open the new. */
  #checkFile(): void {
    if (fileIdentity(this.#parts.file) === this.#identity) return;
    throw new DGenError('store_fatal', 'SQLite file was moved, removed or replaced while in use');
  }
}

interface TransactionParts {
  readonly readers: ReaderPool;
  readonly committer: Committer;
  readonly lifetime: Lifetime;
}

class SqliteTransaction implements StoreTransaction {
  readonly #parts: TransactionParts;
  #opening: Promise<Snapshot> | undefined;
  #snapshot: Snapshot | undefined;

  constructor(parts: TransactionParts) {
    this.#parts = parts;
  }

  async get(key: Bytes): Promise<Bytes | undefined> {
    return this.#read((snapshot) => snapshot.get(key));
  }

  async getRange(range: KeyRange, options: RangeOptions): Promise<RangePage> {
    return this.#read((snapshot) => snapshot.getRange(range, options));
  }

  async commit(commit: Commit): Promise<CommitResult> {
    const { committer, lifetime } = this.#parts;
    lifetime.check();
    const request = copyCommit(commit);
    // The version is enough to judge by; the connection is for the next reader.
    this.#snapshot?.release();
    try {
      return await committer.submit(request, this.#snapshot?.version, lifetime);
    } finally {
      this.close();
    }
  }

  close(): void {
    this.#parts.lifetime.end(closedError());
  }

  async #read<T>(action: (snapshot: Snapshot) => T): Promise<T> {
    const { lifetime } = this.#parts;
    lifetime.check();
    this.#opening ??= this.#begin();
    const snapshot = await this.#opening;
    lifetime.check();
    try {
      return action(snapshot);
    } catch (error) {
      throw storeError(error);
    }
  }

  async #begin(): Promise<Snapshot> {
    const { readers, lifetime } = this.#parts;
    try {
      const snapshot = await readers.snapshot(lifetime);
      this.#snapshot = snapshot;
      if (lifetime.reason === undefined) lifetime.whenEnded(() => snapshot.release());
      else snapshot.release();
      return snapshot;
    } catch (error) {
      throw storeError(error);
    }
  }
}

function closedError(): DGenError {
  return new DGenError('closed', 'SQLite store');
}
