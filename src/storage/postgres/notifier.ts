// What is watched, and how this client hears of changes. One loop owns the second connection: it listens there, tells others
// of this client's commits, and looks into the change log. A notification says which version changed which keys, so
// nothing is asked while they come one after the other; a look follows where one is missing, or none has come for a while,
// since a notification is only a hint. Whatever happens to the connection, the loop makes a new one and begins with a
// look, so nothing that is watched is missed.
import { DGenError } from '../../errors/error.ts';
import type { Clock, Timers } from '../../host/ports.ts';
import { Lifetime } from '../lifetime.ts';
import type { KeyRange, Watch } from '../port.ts';
import type { Connection, Rows } from './connection.ts';
import type { Connector } from './connector.ts';
import { bytesOf } from './encode.ts';
import { sqlState } from './errors.ts';
import { Latch } from './latch.ts';
import type { Settings } from './options.ts';
import { ringOf } from './ring.ts';
import { Versions } from './versions.ts';
import { Watches } from './watches.ts';
import type { Statement, Workers } from './workers.ts';

/** Beyond so many changes it is cheaper that all watches fire. */
const changesMax = 1_000;
/** Commits of ours that wait for a connection to be told by. Others find the rest, by the gap. */
const untoldMax = 100;
/** While notifications may not arrive, looks are so many times as frequent. */
const deafFactor = 10;
/** After the connection failed in use: attempts to connect have their own pauses. */
const pauseMs = 50;
/** Of a pooler, to find out whether it shares sessions. */
const probeRounds = 10;
const probePauseMs = 5;
const serverSql = '(extract(epoch FROM pg_catalog.pg_postmaster_start_time()) * 1000)::bigint';

export interface NotifierOptions {
  readonly settings: Settings;
  readonly timers: Timers;
  readonly clock: Clock;
  readonly connector: Connector;
  readonly workers: Workers;
}

type Query = (text: string, values: readonly unknown[]) => Promise<Rows>;

export class Notifier {
  readonly #options: NotifierOptions;
  readonly #watches: Watches = new Watches();
  readonly #versions: Versions = new Versions();
  readonly #latch: Latch;
  /** Versions of ours that others have not been told. */
  #untold: readonly number[] = [];
  /** Which process of a server answered the last look: after another one has, versions may mean something else. */
  #server: string | undefined;
  /** Whether notifications are known to arrive. */
  #hears = false;
  /** Whether one has come since the last look began. */
  #rang = false;
  #running = false;
  #closed = false;

  constructor(options: NotifierOptions) {
    this.#options = options;
    this.#latch = new Latch(options.timers);
  }

  /** Resolves its promise after the next commit that changes `range`, of any client. */
  watch(range: KeyRange): Watch {
    if (this.#watches.size === 0) this.#versions.forget();
    const watch = this.#watches.add(range, this.#versions.newest);
    if (this.#closed) watch.cancel();
    else if (this.#watches.size > 0) this.#wake();
    return watch;
  }

  /** The store was seen at this version. */
  learn(version: number): void {
    const { behind } = this.#versions;
    this.#versions.learn(version, this.#options.clock.now());
    // A notification should follow soon.
    if (!behind && this.#watches.size > 0) this.#latch.open();
  }

  /** This client has made this version. */
  committed(version: number): void {
    this.learn(version);
    this.#untold = [...this.#untold, version].slice(-untoldMax);
    this.#wake();
  }

  close(): void {
    this.#closed = true;
    this.#watches.fireAll();
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
      if (this.#watches.size === 0 && this.#untold.length === 0) await this.#latch.wait();
      const connection = await this.#options.connector.connect().catch(() => undefined);
      if (connection === undefined) await this.#workElsewhere();
      else await this.#serveUntilLost(connection);
    }
  }

  /** The server may have no connection left for this, while others of ours work. */
  async #workElsewhere(): Promise<void> {
    if (this.#closed) return;
    const query: Query = (text, values) => this.#ask({ text, values: () => values, changes: false });
    this.#hears = false;
    try {
      await this.#tell(query);
      if (this.#watches.size === 0) return;
      await this.#look(query);
      await this.#latch.wait(this.#pollMs());
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
    const query: Query = (text, values) => connection.query(text, values);
    connection.whenLost(() => this.#latch.open());
    connection.onNotification((payload) => this.#heard(payload));
    if (!(await this.#isShared(connection))) await query(`SELECT ${this.#schema}.dgen_listen()`, []);
    this.#hears = !connection.pooled;
    this.#versions.doubt();
    while (!this.#closed) {
      await this.#tell(query);
      if (this.#leftMs() <= 0) await this.#look(query);
      if (connection.lost) throw new Error('the connection was lost');
      await this.#latch.wait(this.#watches.size > 0 ? Math.max(0, this.#leftMs()) : undefined);
    }
  }

  get #schema(): string {
    return this.#options.settings.schema;
  }

  #pollMs(): number {
    const { pollMs } = this.#options.settings;
    return this.#hears ? pollMs : Math.max(10, pollMs / deafFactor);
  }

  /** Until a look is due; more than any wait while nothing is watched. */
  #leftMs(): number {
    if (this.#watches.size === 0) return Number.POSITIVE_INFINITY;
    return this.#versions.dueAt(this.#pollMs()) - this.#options.clock.now();
  }

  #heard(payload: string): void {
    const ring = ringOf(payload);
    if (ring === undefined) return;
    const { version, keys } = ring;
    this.#hears = true;
    this.#rang = true;
    if (version <= this.#versions.seen) return;
    if (keys === undefined) {
      this.learn(version);
      this.#versions.doubt();
    } else {
      for (const key of keys) this.#watches.fire(version, key);
      this.#versions.told(version, this.#options.clock.now());
    }
    if (this.#watches.size === 0) this.#versions.forget();
    if (this.#versions.behind) this.#latch.open();
  }

  /** Tells of our commits; over the next connection if this one fails. To be told twice does no harm. */
  async #tell(query: Query): Promise<void> {
    const versions = this.#untold;
    if (versions.length === 0) return;
    this.#untold = [];
    try {
      await query(`SELECT ${this.#schema}.dgen_ring($1)`, [`{${versions.join()}}`]);
    } catch (error) {
      // The server may have no room for notifications. The others look where one is missing.
      if (isRefused(error)) return;
      this.#untold = [...versions, ...this.#untold].slice(-untoldMax);
      throw error;
    }
  }

  async #look(query: Query): Promise<void> {
    const { seen, newest } = this.#versions;
    const shouldHaveHeard = !this.#versions.doubted && !this.#versions.rung;
    this.#rang = false;
    const text = `SELECT c.*, ${serverSql} FROM ${this.#schema}.dgen_changes($1, $2) c`;
    const rows = await query(text, [seen, changesMax + 1]);
    const [version, known, server] = [Number(rows[0]?.[0]), Number(rows[0]?.[1]), String(rows[0]?.[4])];
    const now = this.#options.clock.now();
    // A version that went back is another history: a fail-over that lost commits, or a backup. It may have come further since.
    const isOther = version < newest || (this.#server ?? server) !== server;
    this.#server = server;
    if (isOther || seen < known || rows.length > changesMax) this.#watches.fireAll();
    else
      for (const [, , until, key] of rows) if (key !== null) this.#watches.fire(Number(until), bytesOf(key));
    if (version > seen && shouldHaveHeard && !this.#rang) this.#hears = false;
    if (isOther) this.#versions.restart(version, now);
    else this.#versions.looked(version, now);
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
}

/** The server has answered, and its connection is none that ends. */
function isRefused(error: unknown): boolean {
  const state = sqlState(error instanceof DGenError ? error.cause : error);
  return state !== undefined && !state.startsWith('57');
}
