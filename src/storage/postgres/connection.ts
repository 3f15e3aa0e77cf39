// One connection to the server. A statement that is not answered in time means a dead link, whatever TCP believes: the
// connection is given up then, and with it the statement. Nothing is ever waited for without a limit.
import { DGenError } from '../../errors/error.ts';
import type { Timers } from '../../host/ports.ts';
import type { PgClient, PgClientClass, ServerMessage } from './driver.ts';
import { connectError } from './errors.ts';
import type { Settings } from './options.ts';

const serverVersionMin = 130_000;
const keepAliveMs = 10_000;
const goodbyeMs = 300;
/** While a commit waits for its standbys somebody may end the wait: it is done here then, but a fail-over could undo it. */
const replicationWait = 'SyncRepWaitForLSN';

const helloSql = `SELECT pg_catalog.pg_backend_pid(), pg_catalog.pg_is_in_recovery(),
  pg_catalog.current_setting('server_version_num')::int, pg_catalog.version()`;
/** No statement here runs in a transaction block, or for long; these are for what should never happen. */
const sessionSql = `SET statement_timeout = 15000; SET idle_in_transaction_session_timeout = 5000;
  SET default_transaction_isolation = 'read committed'; SET bytea_output = 'hex'`;

export type Rows = readonly (readonly (string | null)[])[];

export interface ConnectOptions {
  readonly client: PgClientClass;
  readonly settings: Settings;
  readonly timers: Timers;
}

export class Connection {
  readonly #client: PgClient;
  readonly #timers: Timers;
  readonly #answerTimeoutMs: number;
  readonly #whenLost: Set<() => void> = new Set();
  #notified: ((payload: string) => void) | undefined;
  #lostBy: unknown;
  #lost = false;
  #opened = false;
  #warned: ServerMessage | undefined;
  #pooled = false;

  constructor({ client, settings, timers }: ConnectOptions) {
    this.#timers = timers;
    this.#answerTimeoutMs = settings.answerTimeoutMs;
    this.#client = new client(configOf(settings));
    this.#client.on('error', (error) => this.#lose(error));
    this.#client.on('end', () => this.#lose(new Error('the connection was closed')));
    this.#client.on('notification', ({ payload = '' }) => this.#notified?.(payload));
    this.#client.on('notice', (notice) => {
      if (notice.routine === replicationWait) this.#warned = notice;
    });
  }

  /** Whether there is a pooler between us and the server, whose sessions then are not ours. */
  get pooled(): boolean {
    return this.#pooled;
  }

  get lost(): boolean {
    return this.#lost;
  }

  /** Connects and looks who answers. Rejects with `store_fatal` or `store_unavailable`; the connection is lost then. */
  async open(): Promise<void> {
    try {
      await this.#client.connect();
      this.#opened = true;
      this.#client.unref();
      await this.#greet();
    } catch (error) {
      this.destroy();
      throw connectError(error);
    }
  }

  /** Calls `listener` once when the connection is lost, for whatever reason; at once if it is. */
  whenLost(listener: () => void): void {
    if (this.#lost) listener();
    else this.#whenLost.add(listener);
  }

  onNotification(listener: (payload: string) => void): void {
    this.#notified = listener;
  }

  /** The rows of the last statement, each value as text or null. Rejects with what the client or the server said. */
  async query(text: string, values: readonly unknown[] = []): Promise<Rows> {
    const late = new Error(`no answer within ${this.#answerTimeoutMs} ms`);
    const deadline = this.#timers.after(this.#answerTimeoutMs, () => this.#lose(late));
    this.#client.ref();
    try {
      const { rows } = await this.#client.query({ text, values, rowMode: 'array' });
      if (this.#warned !== undefined) throw new Error(this.#warned.message);
      return rows;
    } catch (error) {
      throw this.#lostBy ?? error;
    } finally {
      this.#warned = undefined;
      deadline.cancel();
      this.#client.unref();
    }
  }

  /** At once, and without a word. What it was asked is in doubt. */
  destroy(): void {
    this.#lose(new Error('the connection was given up'));
  }

  /** Takes leave of the server if it listens. Never rejects. */
  async close(): Promise<void> {
    if (!this.#opened) this.destroy();
    if (this.#lost) return;
    const gone = new Promise<void>((resolve) => this.whenLost(resolve));
    const late = this.#timers.after(goodbyeMs, () => this.destroy());
    this.#client.ref();
    this.#client.end().catch(() => this.destroy());
    await gone;
    late.cancel();
  }

  async #greet(): Promise<void> {
    const [row = []] = await this.query(helloSql);
    const [pid, standby, version, name] = row;
    if (Number(version) < serverVersionMin || !String(name).startsWith('PostgreSQL ')) {
      const [product = ''] = String(name).split(' on ');
      throw new DGenError('store_fatal', 'server', { expected: 'PostgreSQL 13 or later', got: product });
    }
    if (standby === 't') {
      throw new DGenError('store_unavailable', 'PostgreSQL server', {
        expected: 'the primary',
        got: 'a standby',
        details: { standby: true },
      });
    }
    this.#pooled = Number(pid) !== this.#client.processID;
    if (!this.#pooled) await this.query(sessionSql);
  }

  #lose(error: unknown): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#lostBy = error;
    this.#client.connection.stream.destroy();
    for (const listener of this.#whenLost) listener();
    this.#whenLost.clear();
  }
}

/** Values stay text: how others in this program want theirs is no matter of ours. */
const plainTypes = { getTypeParser: () => (text: string) => text };

function configOf(settings: Settings): Record<string, unknown> {
  const { host, port, user, database, password, ssl } = settings;
  return {
    host,
    port,
    user,
    database,
    password,
    ssl: ssl === false ? false : { ...ssl },
    application_name: settings.applicationName,
    connectionTimeoutMillis: settings.connectTimeoutMs,
    types: plainTypes,
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveMs,
  };
}
