// The SQLite backend: one file, one writing connection and a few reading ones, several processes side by side. Commits
// are queued and flushed together by a thread of their own (`commit-thread.ts`), snapshots are read transactions
// (`readers.ts`), watches hear of other processes by a bell (`notifier.ts`). No call waits inside SQLite for a lock.
import { DGenError } from '../../errors/error.ts';
import { nodeHost } from '../../host/node-host.ts';
import type { Timers } from '../../host/ports.ts';
import { Lifetime } from '../lifetime.ts';
import type { Backend, Bytes, Commit, CommitResult, KeyRange, RangeOptions, RangePage } from '../port.ts';
import { limits, type StoreTransaction, type WaitOptions, type Watch } from '../port.ts';
import { CommitThread } from './commit-thread.ts';
import { type DriverChoice, loadDriver, type SqliteConnection, type SqliteDriver } from './driver.ts';
import { storeError } from './errors.ts';
import { checkIdentity, FileClaim, fileIdentity, locate } from './location.ts';
import { Notifier } from './notifier.ts';
import { ReaderPool, type Snapshot } from './readers.ts';
import { retryWhileBusy } from './retry.ts';
import { configure, prepareFile, type Synchronous } from './schema.ts';

export interface SqliteOptions {
  /**
   * The database file, in a directory that exists, on a local disk. Created when there is none; beside it appear
   * files with its name and `-wal`, `-shm` and `-bell`. Nobody else may open, copy or replace any of them while it is in use;
   * not even with SQLite in another thread of this process, unless it is the same library.
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
    return await openWith({ driver, file, synchronous, lifetime, claim, timers, timeoutMs });
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

interface Opening {
  readonly driver: SqliteDriver;
  readonly file: string;
  readonly synchronous: Synchronous;
  readonly lifetime: Lifetime;
  readonly claim: FileClaim;
  readonly timers: Timers;
  readonly timeoutMs: number;
}

/** The first connection makes the file ours and stays for the watches; the thread has one of its own. */
async function openWith(opening: Opening): Promise<Backend> {
  const { driver, file, synchronous, lifetime, claim, timers, timeoutMs } = opening;
  const connection = await openFirst(opening);
  let commits: CommitThread | undefined;
  try {
    const identity = fileIdentity(file);
    const notifier = await retryWhileBusy(lifetime, () => new Notifier({ connection, timers, path: file }));
    commits = await CommitThread.start({
      driver: driver.name,
      file,
      identity,
      synchronous,
      timeoutMs,
      lifetime,
      committed: () => notifier.committed(),
    });
    const readers = new ReaderPool(() => openReader(driver, file, synchronous));
    return new SqliteBackend({ file, identity, claim, timers, connection, notifier, commits, readers });
  } catch (error) {
    connection.close();
    await commits?.close();
    throw error;
  }
}

async function openFirst({ driver, file, synchronous, lifetime, claim }: Opening): Promise<SqliteConnection> {
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
  readonly identity: string | undefined;
  readonly claim: FileClaim;
  readonly timers: Timers;
  readonly connection: SqliteConnection;
  readonly notifier: Notifier;
  readonly commits: CommitThread;
  readonly readers: ReaderPool;
}

class SqliteBackend implements Backend {
  readonly description: string = 'sqlite';
  readonly #parts: SqliteParts;
  readonly #lifetimes: Set<Lifetime> = new Set();
  #closing: Promise<void> | undefined;

  constructor(parts: SqliteParts) {
    this.#parts = parts;
  }

  async begin(options: WaitOptions): Promise<StoreTransaction> {
    if (this.#closing !== undefined) throw closedError();
    const { file, identity, timers, readers, commits } = this.#parts;
    checkIdentity(file, identity);
    const lifetime = new Lifetime({ ...options, timers, what: 'store transaction' });
    lifetime.check();
    lifetime.whenEnded(() => this.#lifetimes.delete(lifetime));
    this.#lifetimes.add(lifetime);
    return new SqliteTransaction({ readers, commits, lifetime });
  }

  watch(range: KeyRange): Watch {
    return this.#parts.notifier.watch({ begin: range.begin.slice(), end: range.end.slice() });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { notifier, readers, connection, commits, claim } = this.#parts;
    for (const lifetime of [...this.#lifetimes]) lifetime.end(closedError());
    notifier.close();
    readers.close();
    connection.close();
    // The last connection to be closed empties the log: that is the thread's.
    if (await commits.close()) claim.release();
    else void commits.exited.then(() => claim.release());
  }
}

interface TransactionParts {
  readonly readers: ReaderPool;
  readonly commits: CommitThread;
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
    const { commits, lifetime } = this.#parts;
    lifetime.check();
    // The version is enough to judge by; the connection is for the next reader.
    this.#snapshot?.release();
    try {
      return await commits.submit(commit, this.#snapshot?.version, lifetime);
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
