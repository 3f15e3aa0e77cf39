// I4 kept, at its host: an acknowledged registration stays there until its process exits, somebody unregisters it, or the
// session lapses. What answers alone tell is judged by the observer.
import type { Effect } from '../../registry/protocol/types.ts';
import type { Version } from '../../registry/protocol/version.ts';
import type { Call, Cluster, SimNode, SimProcess } from '../cluster.ts';
import { fences, type Held, type Ledger } from './registrations.ts';

export class Owners {
  readonly #cluster: Cluster;
  readonly #ledger: Ledger;

  constructor(cluster: Cluster, ledger: Ledger) {
    this.#cluster = cluster;
    this.#ledger = ledger;
  }

  registered(call: Call & { readonly process: SimProcess }, token: Version): void {
    const fresh = this.#ledger.registered(call, token);
    // An unregistration that waited for it may have ended it in the same step.
    if (fresh !== undefined && !this.#ledger.isRecorded(fresh)) this.#dropped(fresh);
  }

  stepped(node: SimNode, effects: readonly Effect[]): void {
    if (fences(effects)) {
      this.#ledger.endAllOn(node);
      return;
    }
    this.#ledger.noteSession(node);
    if (node.state?.phase === 'fenced') return;
    for (const one of this.#ledger.activeOn(node)) if (!this.#ledger.isRecorded(one)) this.#dropped(one);
  }

  #dropped(one: Held): void {
    const { alive } = one.process;
    this.#ledger.end(one);
    if (alive && !this.#mayBeUnregistered(one))
      this.#cluster.watch.broken(
        'kept',
        `${this.#ledger.observer.tell(one)} vanished from its host, but nobody unregistered it`,
      );
  }

  /** Some call could have taken effect after the registration was acknowledged. */
  #mayBeUnregistered(one: Held): boolean {
    for (const call of this.#cluster.calls.values()) {
      if (call.type !== 'unregister' || call.key !== one.name) continue;
      if (call.result === null || call.answeredAt >= one.heldFrom) return true;
      if (call.result.type === 'error' && call.result.maybeExecuted) return true;
    }
    return false;
  }
}
