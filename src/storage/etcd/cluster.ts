// The members as one server. One connection is in use at a time, for calls and watch alike; while a new one takes over, calls
// under way on the old one may end, so for a moment there are two. Members are tried in turn, from a random one on, so that
// clients spread over them.
import { DGenError } from '../../errors/error.ts';
import type { Host } from '../../host/ports.ts';
import { Lifetime } from '../lifetime.ts';
import { Connection } from './connection.ts';
import type { Driver } from './driver.ts';
import { storeError } from './errors.ts';
import type { Header } from './messages.ts';
import type { CheckedOptions } from './options.ts';

export interface ClusterOptions {
  readonly driver: Driver;
  readonly options: CheckedOptions;
  readonly host: Host;
  /** A key that the user may read. */
  readonly probe: Uint8Array;
}

export class Cluster {
  readonly #parts: ClusterOptions;
  #next: number;
  #current: Connection | undefined;
  #left: Connection | undefined;
  #connecting: Promise<Connection> | undefined;
  #opening: Lifetime | undefined;
  #id: string | undefined;
  #revision: bigint | undefined;
  #closed = false;

  constructor(parts: ClusterOptions) {
    this.#parts = parts;
    this.#next = parts.host.random.uint32() % parts.options.endpoints.length;
  }

  /** The newest revision that any answer has told of; undefined before the first one. */
  get revision(): bigint | undefined {
    return this.#revision;
  }

  /**
   * A connection to a member that is of use at this moment. Rejects with `store_unavailable` after each was tried once,
   * `store_fatal`, `closed`, or the lifetime's reason. An attempt goes on when the lifetime has ended, for the next caller.
   */
  async connection(lifetime: Lifetime): Promise<Connection> {
    lifetime.check();
    if (this.#closed) throw closedError();
    if (this.#current !== undefined) return this.#current;
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    return lifetime.race(this.#connecting);
  }

  /** Remembers the revision of an answer, and returns it. */
  note(header: Header | null): bigint {
    const revision = BigInt(header?.revision ?? 0);
    if (this.#revision === undefined || revision > this.#revision) this.#revision = revision;
    return revision;
  }

  /** Idempotent. */
  close(): void {
    this.#closed = true;
    this.#opening?.end(closedError());
    this.#current?.close('the store was closed');
    this.#left?.close('the store was closed');
  }

  async #connect(): Promise<Connection> {
    const { endpoints } = this.#parts.options;
    const reasons: string[] = [];
    let fatal: unknown;
    for (let tried = 0; tried < endpoints.length; tried++) {
      const endpoint = endpoints[this.#next % endpoints.length] as string;
      try {
        const connection = await this.#open(endpoint);
        this.#current = connection;
        return connection;
      } catch (error) {
        if (this.#closed) throw closedError();
        this.#next += 1;
        const known = storeError(error) as DGenError;
        if (known.code === 'store_fatal') fatal ??= known;
        reasons.push(`${endpoint}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    throw fatal ?? new DGenError('store_unavailable', 'etcd', { got: reasons.join('; ') });
  }

  async #open(endpoint: string): Promise<Connection> {
    const { driver, host, options, probe } = this.#parts;
    const { credentials, tls, endpointTimeoutMs: timeoutMs } = options;
    const lifetime = new Lifetime({ timers: host.timers, timeoutMs, what: 'connection' });
    this.#opening = lifetime;
    const retired = (connection: Connection): void => this.#retired(connection);
    try {
      const connection = await Connection.open(
        { driver, endpoint, tls, host, credentials, timeoutMs, probe, retired },
        lifetime,
      );
      this.#admit(connection);
      return connection;
    } finally {
      lifetime.end(closedError());
      this.#opening = undefined;
    }
  }

  /** A store that changes its identity while in use would have two histories. */
  #admit(connection: Connection): void {
    const { cluster, revision } = connection.identity;
    this.#id ??= cluster;
    if (this.#closed || cluster !== this.#id) {
      connection.close('it is not wanted');
      if (this.#closed) throw closedError();
      const expected = `a member of the cluster ${this.#id}`;
      throw new DGenError('store_fatal', 'etcd endpoint', { expected, got: cluster });
    }
    this.note({ cluster_id: cluster, revision: String(revision) });
  }

  #retired(connection: Connection): void {
    if (this.#current !== connection) return;
    this.#current = undefined;
    this.#next += 1;
    this.#left?.close('another one was left after it');
    this.#left = connection;
  }
}

function closedError(): DGenError {
  return new DGenError('closed', 'etcd store');
}
