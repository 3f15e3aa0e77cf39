// Who removes the markers of commits when they are old: etcd itself. Each marker hangs on a lease that is never renewed, so it
// goes after a while, whether or not a client is left to sweep; and no wall clock is compared with another. A lease is
// used for half of its life, so each marker is kept for at least the other half, and by so many markers at most that
// their common end costs the server little. Losing the reply of a grant costs one empty lease, no more.

import { DGenError } from '../../errors/error.ts';
import type { Host } from '../../host/ports.ts';
import { Lifetime } from '../lifetime.ts';

/** A marker is kept for 10 to 20 minutes. */
const lifeSeconds = 1_200;
const markersMax = 1_000;
/** For a grant, which several commits may be waiting for. */
const grantMs = 5_000;

export interface MarkerLeasesOptions {
  readonly host: Pick<Host, 'clock' | 'timers'>;
  /** Asks for a lease of so many seconds, and resolves with its number. */
  readonly grant: (seconds: number, lifetime: Lifetime) => Promise<string>;
  /** Default 1200. */
  readonly lifeSeconds?: number;
}

interface Lease {
  readonly id: string;
  readonly usableUntil: number;
  markers: number;
}

export class MarkerLeases {
  readonly #options: MarkerLeasesOptions;
  #lease: Lease | undefined;
  #granting: Promise<Lease> | undefined;

  constructor(options: MarkerLeasesOptions) {
    this.#options = options;
  }

  /** A lease for one more marker. Rejects with the errors of `grant`, or the lifetime's reason. */
  async next(lifetime: Lifetime): Promise<string> {
    while (!this.#usable(this.#lease)) {
      this.#granting ??= this.#grant().finally(() => {
        this.#granting = undefined;
      });
      this.#lease = await lifetime.race(this.#granting);
    }
    this.#lease.markers += 1;
    return this.#lease.id;
  }

  /** The server does not know it: somebody has revoked it, or the store is another one. */
  forget(id: string): void {
    if (this.#lease?.id === id) this.#lease = undefined;
  }

  #usable(lease: Lease | undefined): lease is Lease {
    return (
      lease !== undefined && lease.markers < markersMax && this.#options.host.clock.now() < lease.usableUntil
    );
  }

  async #grant(): Promise<Lease> {
    const { host, grant, lifeSeconds: seconds = lifeSeconds } = this.#options;
    const usableUntil = host.clock.now() + (seconds * 1_000) / 2;
    const lifetime = new Lifetime({ timers: host.timers, timeoutMs: grantMs, what: 'marker lease' });
    try {
      return { id: await grant(seconds, lifetime), usableUntil, markers: 0 };
    } finally {
      lifetime.end(new DGenError('closed', 'marker lease'));
    }
  }
}
