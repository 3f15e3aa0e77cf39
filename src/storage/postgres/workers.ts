// The connections that work, by default one. Every operation is one statement, so operations of many transactions take turns
// on one connection, and none holds it while its caller thinks. Who waits can leave; who was sent cannot be called
// back: its caller may go, but the connection is busy until the answer comes, or does not come in time.
import { DGenError } from '../../errors/error.ts';
import type { Lifetime } from '../lifetime.ts';
import type { Connection, Rows } from './connection.ts';
import type { Connector } from './connector.ts';
import { commitError, isRefusal, readError } from './errors.ts';

/** Statements that may wait; each ends with its transaction, so this is only reached by a flood. */
const waitingMax = 100_000;

export interface Statement {
  readonly text: string;
  /** Asked when it is sent. */
  values(): readonly unknown[];
  /** Whether it may have changed something once it was sent. */
  readonly changes: boolean;
}

interface Job {
  readonly statement: Statement;
  readonly resolve: (rows: Rows) => void;
  readonly reject: (error: unknown) => void;
  /** Stops listening for the end of the lifetime. */
  readonly stop: () => void;
  sent: boolean;
}

export class Workers {
  readonly #connector: Connector;
  readonly #max: number;
  readonly #waiting: Set<Job> = new Set();
  readonly #idle: Connection[] = [];
  #count = 0;
  #connecting = false;

  constructor(connector: Connector, max: number) {
    this.#connector = connector;
    this.#max = max;
  }

  /** The rows. Rejects with an error of the port: the lifetime's reason, or what became of the statement. */
  run(statement: Statement, lifetime: Lifetime): Promise<Rows> {
    lifetime.check();
    if (this.#waiting.size >= waitingMax) {
      const expected = `at most ${waitingMax} operations waiting`;
      throw new DGenError('store_unavailable', 'PostgreSQL store', { expected });
    }
    return new Promise((resolve, reject) => {
      const stop = lifetime.whenEnded((reason) => {
        this.#waiting.delete(job);
        reject(
          job.sent && statement.changes ? commitError(new Error(reason.message, { cause: reason })) : reason,
        );
      });
      const job: Job = { statement, resolve, reject, stop, sent: false };
      this.#waiting.add(job);
      this.#pump();
    });
  }

  /** A first connection, before there is work. Rejects like `Connector.connect`. */
  async start<T>(use: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = await this.#connector.connect();
    try {
      return await use(connection);
    } catch (error) {
      connection.destroy();
      throw error;
    } finally {
      this.#take(connection);
    }
  }

  #pump(): void {
    for (const job of this.#waiting) {
      const connection = this.#idle.pop();
      if (connection === undefined) break;
      this.#waiting.delete(job);
      void this.#send(job, connection);
    }
    if (this.#waiting.size > 0 && this.#count < this.#max && !this.#connecting) void this.#grow();
  }

  async #grow(): Promise<void> {
    this.#connecting = true;
    try {
      const connection = await this.#connector.connect();
      this.#connecting = false;
      this.#take(connection);
    } catch (error) {
      this.#connecting = false;
      if (this.#count === 0) this.#refuseAll(error);
    }
  }

  #take(connection: Connection): void {
    if (connection.lost) return;
    this.#count += 1;
    this.#idle.push(connection);
    connection.whenLost(() => {
      this.#count -= 1;
      const at = this.#idle.indexOf(connection);
      if (at >= 0) this.#idle.splice(at, 1);
      this.#pump();
    });
    this.#pump();
  }

  async #send(job: Job, connection: Connection): Promise<void> {
    const { statement } = job;
    job.sent = true;
    try {
      job.resolve(await connection.query(statement.text, statement.values()));
    } catch (error) {
      job.reject(statement.changes ? commitError(error) : readError(error));
      if (!isRefusal(error)) connection.destroy();
    }
    job.stop();
    if (!connection.lost) this.#idle.push(connection);
    this.#pump();
  }

  #refuseAll(error: unknown): void {
    const jobs = [...this.#waiting];
    this.#waiting.clear();
    for (const job of jobs) {
      job.stop();
      job.reject(error);
    }
  }
}
