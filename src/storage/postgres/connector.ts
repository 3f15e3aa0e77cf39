// Where connections come from, and the one place that decides when the next attempt is made: after a failure, and after
// a connection that died young, there is a growing pause for all who ask.
import { DGenError } from '../../errors/error.ts';
import type { Clock } from '../../host/ports.ts';
import { Connection, type ConnectOptions } from './connection.ts';

const pauseMsMin = 50;
const pauseMsMax = 1_000;
/** A connection that lived for so long was a good one. */
const trialMs = 1_000;

export interface ConnectorOptions extends ConnectOptions {
  readonly clock: Clock;
}

export class Connector {
  readonly #options: ConnectorOptions;
  readonly #open: Set<Connection> = new Set();
  readonly #pausing: Set<() => void> = new Set();
  #failures = 0;
  #notBefore = 0;
  #closed = false;

  constructor(options: ConnectorOptions) {
    this.#options = options;
  }

  /** A connection to a primary. Rejects with `store_unavailable`, `store_fatal`, `closed`, after one attempt. */
  async connect(): Promise<Connection> {
    await this.#pause();
    if (this.#closed) throw closedError();
    const { clock } = this.#options;
    const connection = new Connection(this.#options);
    this.#open.add(connection);
    connection.whenLost(() => this.#open.delete(connection));
    try {
      await connection.open();
    } catch (error) {
      this.#failed();
      throw this.#closed ? closedError() : error;
    }
    const openedAt = clock.now();
    connection.whenLost(() => {
      if (clock.now() - openedAt < trialMs) this.#failed();
      else this.#failures = 0;
    });
    return connection;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const wake of this.#pausing) wake();
    await Promise.all([...this.#open].map((connection) => connection.close()));
  }

  #failed(): void {
    const pauseMs = Math.min(pauseMsMax, pauseMsMin * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 10);
    this.#notBefore = this.#options.clock.now() + pauseMs * (0.5 + Math.random() / 2);
  }

  #pause(): Promise<void> {
    const ms = this.#notBefore - this.#options.clock.now();
    if (ms <= 0 || this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        timer.cancel();
        this.#pausing.delete(done);
        resolve();
      };
      const timer = this.#options.timers.after(ms, done);
      this.#pausing.add(done);
    });
  }
}

function closedError(): DGenError {
  return new DGenError('closed', 'PostgreSQL store');
}
