// The etcd backend: members behind one connection (`cluster.ts`), snapshots as revisions (`transaction.ts`), commits as one
// transaction of the server with conditions (`commit.ts`), watches over one stream (`watcher.ts`).
import { DGenError } from '../../errors/error.ts';
import { nodeHost } from '../../host/node-host.ts';
import type { Host } from '../../host/ports.ts';
import { Lifetime } from '../lifetime.ts';
import type { Backend, KeyRange, StoreTransaction, WaitOptions, Watch } from '../port.ts';
import { Cluster } from './cluster.ts';
import { loadDriver } from './driver.ts';
import { Layout } from './layout.ts';
import { MarkerLeases } from './marker-leases.ts';
import { checkOptions, type EtcdOptions } from './options.ts';
import { repeatable } from './requests.ts';
import { EtcdTransaction } from './transaction.ts';
import { Watcher } from './watcher.ts';

/**
 * A store in etcd 3.4 or newer, as a backend for `openStore`. Any number of processes may use it. It contacts nobody: the first
 * transaction does, which is that of `openStore`, and so do later ones when a connection is lost.
 *
 * Rejects with: `bad_option` (also for a file of certificates that cannot be read); `store_fatal` (the packages `@grpc/grpc-js` and
 * `@grpc/proto-loader` are not installed). In transactions `store_fatal` means: user, password or permissions are wrong, a server
 * older than 3.4, members of different clusters, a store that was restored from a copy while in use, or the alarm CORRUPT.
 */
export async function openEtcd(options: EtcdOptions): Promise<Backend> {
  return openEtcdWith(options, {});
}

export interface EtcdInternals {
  /** How long etcd keeps a marker at most. */
  readonly markerSeconds?: number;
  /** How long the stream stays without a watch. */
  readonly lingerMs?: number;
}

/** For tests, which do not wait as long. */
export async function openEtcdWith(options: EtcdOptions, internals: EtcdInternals): Promise<Backend> {
  const checked = checkOptions(options);
  const host = nodeHost();
  const layout = new Layout(checked.prefix);
  const probe = layout.markers.begin;
  const cluster = new Cluster({ driver: await loadDriver(), options: checked, host, probe });
  return new EtcdBackend({ cluster, layout, host, ...internals });
}

interface EtcdParts extends EtcdInternals {
  readonly cluster: Cluster;
  readonly layout: Layout;
  readonly host: Host;
}

class EtcdBackend implements Backend {
  readonly description: string = 'etcd';
  readonly #parts: EtcdParts;
  readonly #leases: MarkerLeases;
  readonly #watcher: Watcher;
  readonly #lifetimes: Set<Lifetime> = new Set();
  #closed = false;

  constructor(parts: EtcdParts) {
    const { cluster, host, markerSeconds } = parts;
    this.#parts = parts;
    this.#watcher = new Watcher(parts);
    this.#leases = new MarkerLeases({
      host,
      grant: async (TTL, lifetime) => (await repeatable(cluster, lifetime, ['LeaseGrant', { TTL }])).ID,
      ...(markerSeconds !== undefined && { lifeSeconds: markerSeconds }),
    });
  }

  async begin(options: WaitOptions): Promise<StoreTransaction> {
    if (this.#closed) throw closedError();
    const { cluster, layout, host } = this.#parts;
    const lifetime = new Lifetime({ ...options, timers: host.timers, what: 'store transaction' });
    lifetime.check();
    lifetime.whenEnded(() => this.#lifetimes.delete(lifetime));
    this.#lifetimes.add(lifetime);
    return new EtcdTransaction({ cluster, layout, leases: this.#leases, lifetime });
  }

  watch(range: KeyRange): Watch {
    return this.#watcher.watch({ begin: range.begin.slice(), end: range.end.slice() });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const lifetime of [...this.#lifetimes]) lifetime.end(closedError());
    this.#watcher.close();
    this.#parts.cluster.close();
  }
}

function closedError(): DGenError {
  return new DGenError('closed', 'etcd store');
}
