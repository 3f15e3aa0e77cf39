// Invariants of ownership, from the contract:
//   one-owner   at every instant at most one live process whose host's session runs was told `registered` for a name.
//   tokens      the tokens of a name rise strictly in the order in which their registrations were acknowledged.
//   kept        an acknowledged registration stays at its host until its process exits, somebody unregisters it, or the
//               session lapses.
import type { Effect } from '../../registry/protocol/types.ts';
import { compareVersions, type Version } from '../../registry/protocol/version.ts';
import type { Call, Cluster, SimNode, SimProcess } from '../cluster.ts';
import { fences, type Ledger, type Registration } from './registrations.ts';

export class Owners {
  readonly #cluster: Cluster;
  readonly #ledger: Ledger;

  constructor(cluster: Cluster, ledger: Ledger) {
    this.#cluster = cluster;
    this.#ledger = ledger;
  }

  registered(call: Call & { readonly process: SimProcess }, token: Version): void {
    const known = this.#ledger.find(call.key, token);
    if (known !== undefined) this.#checkRepeated(call, known);
    else {
      this.#checkOrder(call, token);
      const fresh = this.#ledger.add(call, token);
      this.#checkAlone(fresh);
      for (const one of this.#ledger.of(call.key))
        if (one !== fresh) one.goneBy = Math.min(one.goneBy, fresh.committedAt);
      // An unregistration that waited for it may have ended it in the same step.
      if (!this.#ledger.isRecorded(fresh)) this.#dropped(fresh);
    }
  }

  stepped(node: SimNode, effects: readonly Effect[]): void {
    if (fences(effects)) {
      this.#ledger.endAllOn(node);
      return;
    }
    if (node.state?.phase === 'fenced') return;
    for (const one of this.#ledger.activeOn(node)) if (!this.#ledger.isRecorded(one)) this.#dropped(one);
  }

  #checkAlone(fresh: Registration): void {
    const { now } = this.#cluster.timeline;
    if (this.#ledger.heldUntil(fresh) <= now) return;
    for (const one of this.#ledger.of(fresh.key)) {
      if (one !== fresh && this.#ledger.heldUntil(one) > now)
        this.#broken('one-owner', `${tell(fresh)} was acknowledged while ${tell(one)} holds`);
    }
  }

  #checkOrder(call: Call, token: Version): void {
    for (const one of this.#ledger.of(call.key)) {
      if (compareVersions(token, one.token) <= 0)
        this.#broken('tokens', `call ${call.id} got token ${tellToken(token)} after ${tell(one)}`);
    }
  }

  /** The same token once more: the same process, which held the name at some moment of the call. */
  #checkRepeated(call: Call & { readonly process: SimProcess }, known: Registration): void {
    if (!known.process.pid.equals(call.process.pid))
      this.#broken('tokens', `call ${call.id} of ${call.process.pid} got the token of ${tell(known)}`);
    if (Math.min(known.endedAt, known.goneBy) < call.invokedAt)
      this.#broken('kept', `call ${call.id} was told that ${tell(known)} holds, which had ended before`);
  }

  #dropped(one: Registration): void {
    const { alive } = one.process;
    this.#ledger.end(one);
    if (alive && !this.#mayBeUnregistered(one))
      this.#broken('kept', `${tell(one)} vanished from its host, but nobody unregistered it`);
  }

  /** Some call could have taken effect after the registration was acknowledged. */
  #mayBeUnregistered(one: Registration): boolean {
    for (const call of this.#cluster.calls.values()) {
      if (call.type !== 'unregister' || call.key !== one.key) continue;
      if (call.result === null || call.answeredAt >= one.committedAt) return true;
      if (call.result.type === 'error' && call.result.maybeExecuted) return true;
    }
    return false;
  }

  #broken(invariant: string, what: string): never {
    return this.#cluster.watch.broken(invariant, what);
  }
}

export function tell(one: Registration): string {
  return `${one.key} → ${one.process.pid} (token ${tellToken(one.token)}, since ${one.committedAt.toFixed(1)})`;
}

function tellToken(token: Version): string {
  return `${token.epoch}.${token.n}`;
}
