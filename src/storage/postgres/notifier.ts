// Watches. One loop owns the second connection: it listens there, tells others of this client's commits, and looks into the
// change log - when it is told of a commit, and every now and then, since a notification is only a hint. Whatever
// happens to the connection, the loop makes a new one and begins with a look, so nothing that is watched is missed.
// Watches are kept by version: each fires for changes after the newest version that was known when it was set.
import { DGenError } from '../../errors/error.ts';
import type { Timers } from '../../host/ports.ts';
import { compareBytes, isEmptyRange } from '../bytes.ts';
import { Lifetime } from '../lifetime.ts';
import type { Bytes, KeyRange, Watch } from '../port.ts';
import type { Connection, Rows } from './connection.ts';
import type { Connector } from './connector.ts';
import { bytesOf } from './encode.ts';
import { Latch } from './latch.ts';
import type { Settings } from './options.ts';
import type { Statement, Workers } from './workers.ts';

/** Beyond so many changes it is cheaper that all watches fire. */
const changesMax = 1_000;
/** After the connection failed in use: attempts to connect have their own pauses. */
const pauseMs = 50;
/** Of a pooler, to find out whether it shares sessions. */
const probeRounds = 10;
const probePauseMs = 5;

export interface NotifierOptions {
  readonly settings: Settings;
  readonly timers: Timers;
  readonly connector: Connector;
  readonly workers: Workers;
}

type Query = (text: string, values: readonly unknown[]) => Promise<Rows>;

interface Entry {
  readonly range: KeyRange;
  /** Changes up to this version came before the watch. */
  readonly base: number;
  readonly fire: () => void;
}

export class Notifier {
  readonly #options: NotifierOptions;
  readonly #entries: Set<Entry> = new Set();
  readonly #latch: Latch;
  /** The newest version that anybody here has heard of. */
  #newest = 0;
  /** The log has been looked at up to here. */
  #seen = 0;
  /** A version of ours that others have not been told. */
  #untold = 0;
  #running = false;
  #closed = false;

  constructor(options: NotifierOptions) {
    this.#options = options;
    this.#latch = new Latch(options.timers);
  }

  /** Resolves its promise after the next commit that changes `range`, of any client. */
  watch(range: KeyRange): Watch {
    let resolve: () => void = () => undefined;
    const changed = new Promise<void>((done) => {
      resolve = done;
    });
    const cancel = () => {
      this.#entries.delete(entry);
      resolve();
    };
    const entry: Entry = { range, base: this.#newest, fire: cancel };
    if (this.#closed || isEmptyRange(range)) {
      if (this.#closed) cancel();
      return { changed, cancel };
    }
    if (this.#entries.size === 0) this.#seen = this.#newest;
    this.#entries.add(entry);
    this.#wake();
    return { changed, cancel };
  }

  /** The store was seen at this version. */
  learn(version: number): void {
    this.#newest = Math.max(this.#newest, version);
  }

  /** This client has made this version. */
  committed(version: number): void {
    this.learn(version);
    this.#untold = version;
    this.#wake();
  }

  close(): void {
    this.#closed = true;
    this.#fireAll();
    this.#latch.open();
  }

  #wake(): void {
    this.#latch.open();
    if (this.#running || this.#closed) return;
    this.#running = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      if (this.#entries.size === 0 && this.#untold === 0) await this.#latch.wait();
      const connection = await this.#options.connector.connect().catch(() => undefined);
      if (connection === undefined) await this.#lookElsewhere();
      else await this.#serveUntilLost(connection);
    }
  }

  /** The server may have no connection left for this, while others of ours work. */
  async #lookElsewhere(): Promise<void> {
    if (this.#closed || this.#entries.size === 0) return;
    try {
      await this.#look((text, values) => this.#ask({ text, values: () => values, changes: false }));
      await this.#latch.wait(this.#options.settings.pollMs);
    } catch {
      // Nobody reaches the store. Who reads sees the error; what is watched is looked at when there is a connection again.
      return;
    }
  }

  async #serveUntilLost(connection: Connection): Promise<void> {
    try {
      await this.#serve(connection);
    } catch {
      // What is watched is looked at again over the next connection.
      await this.#latch.wait(pauseMs);
    }
    if (!this.#closed) connection.destroy();
  }

  /** Returns when the backend was closed, throws when the connection is of no use any more. */
  async #serve(connection: Connection): Promise<void> {
    connection.whenLost(() => this.#latch.open());
    connection.onNotification((payload) => this.#heard(Number(payload)));
    if (!(await this.#isShared(connection))) {
      await connection.query(`LISTEN "dgen:${this.#options.settings.schema}"`);
    }
    while (!this.#closed) {
      await this.#tell(connection);
      if (this.#entries.size > 0) await this.#look((text, values) => connection.query(text, values));
      if (connection.lost) throw new Error('the connection was lost');
      await this.#latch.wait(this.#entries.size > 0 ? this.#options.settings.pollMs : undefined);
    }
  }

  #heard(version: number): void {
    if (!(version > this.#seen)) return;
    this.learn(version);
    this.#latch.open();
  }

  async #tell(connection: Connection): Promise<void> {
    if (this.#untold === 0) return;
    const version = this.#untold;
    this.#untold = 0;
    try {
      await connection.query(`SELECT ${this.#options.settings.schema}.dgen_ring($1)`, [version]);
    } catch (error) {
      // The server may have no room for notifications. The others have their polls.
      if (connection.lost) throw error;
    }
  }

  async #look(query: Query): Promise<void> {
    const seen = this.#seen;
    const text = `SELECT * FROM ${this.#options.settings.schema}.dgen_changes($1, $2)`;
    const rows = await query(text, [seen, changesMax + 1]);
    const [version, known] = [Number(rows[0]?.[0]), Number(rows[0]?.[1])];
    // A version that went back is another history: a fail-over that lost commits, or a backup.
    const isOther = version < seen;
    if (isOther || seen < known || rows.length > changesMax) this.#fireAll();
    else for (const [, , until, key] of rows) if (key !== null) this.#fire(Number(until), bytesOf(key));
    this.#newest = isOther ? version : Math.max(this.#newest, version);
    this.#seen = version;
  }

  /**
   * Whether a pooler lets this connection and the others share sessions of the server. Then it would be deaf, and others
   * might get what is meant for it. A session that is ours alone answers with the same process each time, and with no
   * other's. Not to notice it, among the traffic of others, does no harm but that notifications do not arrive.
   */
  async #isShared(connection: Connection): Promise<boolean> {
    if (!connection.pooled) return false;
    const text = 'SELECT pg_catalog.pg_backend_pid()';
    const pidIn = (rows: Rows) => rows[0]?.[0];
    const own = pidIn(await connection.query(text));
    for (let round = 0; round < probeRounds; round++) {
      // Right after an answer the pooler would give each the session that it had.
      await new Promise<void>((resolve) => this.#options.timers.after(Math.random() * probePauseMs, resolve));
      if (pidIn(await this.#ask({ text, values: () => [], changes: false })) === own) return true;
      if (pidIn(await connection.query(text)) !== own) return true;
    }
    return false;
  }

  async #ask(statement: Statement): Promise<Rows> {
    const { timers, workers, settings } = this.#options;
    const timeoutMs = settings.connectTimeoutMs + settings.answerTimeoutMs;
    const lifetime = new Lifetime({ timers, timeoutMs, what: 'looking for a pooler' });
    try {
      return await workers.run(statement, lifetime);
    } finally {
      lifetime.end(new DGenError('closed', 'looking for a pooler'));
    }
  }

  #fire(version: number, key: Bytes): void {
    for (const { range, base, fire } of [...this.#entries]) {
      if (version <= base) continue;
      if (compareBytes(range.begin, key) <= 0 && compareBytes(key, range.end) < 0) fire();
    }
  }

  #fireAll(): void {
    for (const entry of [...this.#entries]) entry.fire();
  }
}
