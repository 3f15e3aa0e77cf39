// Invariants of answers, by intervals of real time per name:
//   real        `taken` and `found` name a registration that was acknowledged, of the process that they say.
//   not-stale   it had not certainly ended before the call began.
//   not-blind   `absent` is never said of a name that one registration held throughout the call.
//   effective   after an unregistration is `done`, what it could see at its beginning holds no more.

import type { Version } from '../../registry/protocol/version.ts';
import type { Pid } from '../../term/pid.ts';
import type { Call, Cluster } from '../cluster.ts';
import { tell } from './owners.ts';
import type { Ledger } from './registrations.ts';

export class History {
  readonly #cluster: Cluster;
  readonly #ledger: Ledger;

  constructor(cluster: Cluster, ledger: Ledger) {
    this.#cluster = cluster;
    this.#ledger = ledger;
  }

  /** `taken` or `found`. */
  named(call: Call, holder: { readonly pid: Pid; readonly token: Version }): void {
    const one = this.#ledger.find(call.key, holder.token);
    if (one === undefined || !one.process.pid.equals(holder.pid)) {
      const token = `${holder.token.epoch}.${holder.token.n}`;
      this.#broken(
        'real',
        `call ${call.id} names ${call.key} → ${holder.pid} (token ${token}): never acknowledged`,
      );
    }
    if (one.goneBy < call.invokedAt)
      this.#broken('not-stale', `call ${call.id} names ${tell(one)}, gone by ${one.goneBy.toFixed(1)}`);
  }

  absent(call: Call): void {
    const { now } = this.#cluster.timeline;
    for (const one of this.#ledger.of(call.key)) {
      if (one.committedAt >= call.invokedAt) continue;
      if (this.#ledger.heldUntil(one) > now)
        this.#broken('not-blind', `call ${call.id} says absent, but ${tell(one)} held throughout`);
      one.goneBy = Math.min(one.goneBy, now);
    }
  }

  unregistered(call: Call): void {
    const { now } = this.#cluster.timeline;
    for (const one of this.#ledger.of(call.key)) {
      if (one.committedAt >= call.invokedAt) continue;
      if (this.#ledger.heldUntil(one) > now)
        this.#broken('effective', `call ${call.id} is done, but ${tell(one)} holds`);
      one.goneBy = Math.min(one.goneBy, now);
    }
  }

  #broken(invariant: string, what: string): never {
    return this.#cluster.watch.broken(invariant, what);
  }
}
