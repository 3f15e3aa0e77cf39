// The PostgreSQL backend. Transactions are optimistic: nothing of them exists on the server but their one commit.
//
// The server keeps, for half a minute, what each change replaced, and counts commits. The first read of a transaction
// learns the version that it shows; later ones ask for the same version, whatever has been committed since; the
// commit names it, and one function decides, under a lock, whether any range that was read has changed after it.
//
// Why not SERIALIZABLE transactions held open while the caller reads, which PostgreSQL offers:
// - They hold a connection for as long as the caller thinks, so a node would need many, or its transactions would wait for
//   each other; here every operation is one statement, and any number of transactions shares one connection.
// - They conflict by index page and by plan (a small table is scanned whole, and then all of it conflicts), also
//   between blind writes; here a conflict is a key that changed in a range that was read.
// - A client that dies or freezes leaves a transaction open, with its locks, and keeps the server from cleaning up; here
//   the server ends every transaction by itself.
// - They cannot go through a pooler that assigns connections by transaction; these can.
// The price: commits to one store wait for each other, so there are about as many per second as the server can flush
// its log one after the other. A registry needs a few.
//
// Serialisable: commits have versions in the order in which they become visible, and each one's reads equal the version
// before its own. Real-time ordered: every statement of a primary sees what was acknowledged before; so a standby is refused.
import { DGenError, hasCode } from '../../errors/error.ts';
import { nodeHost } from '../../host/node-host.ts';
import type { Clock, Timers } from '../../host/ports.ts';
import { isEmptyRange, rangeOfKey } from '../bytes.ts';
import { Lifetime } from '../lifetime.ts';
import type { Backend, Bytes, Commit, CommitResult, KeyRange, RangeOptions, RangePage } from '../port.ts';
import { limits, type StoreTransaction, type WaitOptions, type Watch } from '../port.ts';
import { Connector } from './connector.ts';
import { loadDriver } from './driver.ts';
import { commitParameters, commitResult, copyOf, pageOf, type SnapshotPage } from './encode.ts';
import { connectError } from './errors.ts';
import { Notifier } from './notifier.ts';
import { type PostgresOptions, type Settings, settingsOf } from './options.ts';
import { prepareSchema } from './schema.ts';
import { Workers } from './workers.ts';

/** Refusals that nobody above can be told about: to them a commit that has read nothing cannot conflict. */
const refusalsMax = 5;

/**
 * Opens a schema of a PostgreSQL database, 13 or later, as a backend for `openStore`, and makes its tables if there are
 * none. Any number of processes may use it.
 *
 * Rejects with: `bad_option`; `store_fatal` (the package `pg` is missing, authentication, no such database, a missing
 * permission, TLS, a standby, a server that is too old or is not PostgreSQL); `store_not_ours`, `store_format` (tables of
 * something else, or of a newer release); `store_unavailable`, `timeout`, `aborted` (it could not be reached in time).
 */
export async function openPostgres(options: PostgresOptions): Promise<Backend> {
  const settings = settingsOf(options);
  const { timers, clock } = nodeHost();
  const client = await loadDriver();
  const connector = new Connector({ client, settings, timers, clock });
  const { timeoutMs } = settings;
  const { signal } = options;
  const lifetime = new Lifetime({ timers, timeoutMs, signal, what: 'opening the PostgreSQL store' });
  const workers = new Workers(connector, settings.connectionsMax - 1);
  try {
    await start(workers, settings, lifetime);
    return new PostgresBackend({ settings, timers, clock, connector, workers });
  } catch (error) {
    await connector.close();
    throw error;
  } finally {
    lifetime.end(closedError());
  }
}

/** Tries until the server can be reached. A standby may become the primary while a node runs, but is no server to start with. */
async function start(workers: Workers, { schema }: Settings, lifetime: Lifetime): Promise<void> {
  let last: DGenError | undefined;
  for (;;) {
    try {
      await lifetime.race(workers.start((connection) => prepareSchema(connection, schema)));
      return;
    } catch (error) {
      if (hasCode(error, 'aborted')) throw error;
      if (error === lifetime.reason) throw last ?? error;
      last = connectError(error);
      if (last.details.standby === true) {
        throw standbyError(last);
      }
      if (!last.retryable) throw last;
    }
  }
}

function standbyError(cause: unknown): DGenError {
  return new DGenError('store_fatal', 'PostgreSQL server', {
    expected: 'the primary',
    got: 'a standby',
    cause,
  });
}

interface PostgresParts {
  readonly settings: Settings;
  readonly timers: Timers;
  readonly clock: Clock;
  readonly connector: Connector;
  readonly workers: Workers;
}

class PostgresBackend implements Backend {
  readonly description: string = 'postgres';
  readonly #parts: PostgresParts;
  readonly #notifier: Notifier;
  readonly #lifetimes: Set<Lifetime> = new Set();
  #closing: Promise<void> | undefined;

  constructor(parts: PostgresParts) {
    this.#parts = parts;
    this.#notifier = new Notifier(parts);
  }

  async begin(options: WaitOptions): Promise<StoreTransaction> {
    if (this.#closing !== undefined) throw closedError();
    const { timers, clock } = this.#parts;
    const lifetime = new Lifetime({ ...options, timers, what: 'store transaction' });
    lifetime.check();
    lifetime.whenEnded(() => this.#lifetimes.delete(lifetime));
    this.#lifetimes.add(lifetime);
    const endsAt = clock.now() + options.timeoutMs;
    return new PostgresTransaction({ ...this.#parts, notifier: this.#notifier, lifetime, endsAt });
  }

  watch(range: KeyRange): Watch {
    return this.#notifier.watch({ begin: range.begin.slice(), end: range.end.slice() });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const lifetime of [...this.#lifetimes]) lifetime.end(closedError());
    this.#notifier.close();
    await this.#parts.connector.close();
  }
}

interface TransactionParts extends PostgresParts {
  readonly notifier: Notifier;
  readonly lifetime: Lifetime;
  readonly endsAt: number;
}

interface ReadRequest extends KeyRange {
  readonly limit: number;
  readonly reverse: boolean;
}

class PostgresTransaction implements StoreTransaction {
  readonly #parts: TransactionParts;
  #first: Promise<unknown> | undefined;
  #snapshot: number | undefined;
  #committing = false;

  constructor(parts: TransactionParts) {
    this.#parts = parts;
  }

  async get(key: Bytes): Promise<Bytes | undefined> {
    const { begin, end } = rangeOfKey(key);
    const { items } = await this.#read({ begin: copyOf(begin), end, limit: 1, reverse: false });
    return items[0]?.[1];
  }

  async getRange(range: KeyRange, { limit, reverse = false }: RangeOptions): Promise<RangePage> {
    this.#parts.lifetime.check();
    if (isEmptyRange(range)) return { items: [], more: false };
    const { begin, end } = { begin: copyOf(range.begin), end: copyOf(range.end) };
    const { items, more } = await this.#read({ begin, end, limit, reverse });
    return { items, more };
  }

  async commit(commit: Commit): Promise<CommitResult> {
    this.#parts.lifetime.check();
    this.#committing = true;
    try {
      const isNothing = commit.writes.length === 0 && commit.id === undefined && commit.reads.length === 0;
      return isNothing ? { applied: 'now' } : await this.#commit(commit);
    } finally {
      this.#committing = false;
      this.close();
    }
  }

  close(): void {
    if (!this.#committing) this.#parts.lifetime.end(closedError());
  }

  /** The first read fixes the snapshot. Others that come meanwhile wait for it; if it fails, the next one is the first. */
  async #read(request: ReadRequest): Promise<SnapshotPage> {
    const { lifetime } = this.#parts;
    lifetime.check();
    while (this.#snapshot === undefined && this.#first !== undefined) await settled(this.#first);
    lifetime.check();
    if (this.#snapshot !== undefined) return this.#fetch(request);
    const first = this.#fetch(request);
    this.#first = first;
    try {
      const page = await first;
      this.#snapshot = page.version;
      return page;
    } finally {
      this.#first = undefined;
    }
  }

  async #fetch({ begin, end, limit, reverse }: ReadRequest): Promise<SnapshotPage> {
    const { workers, lifetime, notifier, settings } = this.#parts;
    const values = [this.#snapshot ?? null, begin, end, limit, limits.pageBytesMax, reverse];
    const text = `SELECT * FROM ${settings.schema}.dgen_read($1, $2, $3, $4, $5, $6)`;
    const page = pageOf(await workers.run({ text, values: () => values, changes: false }, lifetime));
    notifier.learn(page.version);
    return page;
  }

  async #commit(commit: Commit): Promise<CommitResult> {
    const parameters = commitParameters(commit, this.#snapshot);
    const { workers, lifetime, notifier, settings } = this.#parts;
    const text = `SELECT * FROM ${settings.schema}.dgen_commit($1, $2, $3, $4, $5, $6, $7, $8, $9)`;
    const values = () => [this.#lockWaitMs(), ...parameters];
    const readNothing = parameters[1] === '{}';
    const rows = await this.#again(readNothing, () => workers.run({ text, values, changes: true }, lifetime));
    const { result, version } = commitResult(rows);
    const isNew = result.applied === 'now' && (commit.writes.length > 0 || commit.id !== undefined);
    if (isNew) notifier.committed(version);
    else notifier.learn(version);
    return result;
  }

  /** A definite refusal of what cannot conflict is asked for again, a few times. */
  async #again<T>(readNothing: boolean, action: () => Promise<T>): Promise<T> {
    for (let left = refusalsMax; ; left--) {
      try {
        return await action();
      } catch (error) {
        if (!readNothing || !hasCode(error, 'store_conflict')) throw error;
        if (left === 0) throw contended(error);
      }
    }
  }

  /** The server gives up waiting for other commits while there is time to hear of it: that refusal is definite. */
  #lockWaitMs(): number {
    const { clock, endsAt, settings } = this.#parts;
    const leftMs = Math.min(settings.answerTimeoutMs, endsAt - clock.now());
    return Math.max(1, Math.floor(leftMs * 0.7));
  }
}

async function settled(work: Promise<unknown>): Promise<void> {
  await work.then(
    () => undefined,
    () => undefined,
  );
}

function contended(cause: unknown): DGenError {
  return new DGenError('store_unavailable', 'PostgreSQL store is contended', { cause });
}

function closedError(): DGenError {
  return new DGenError('closed', 'PostgreSQL store');
}
