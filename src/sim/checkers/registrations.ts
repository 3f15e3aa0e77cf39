// Every registration that a caller was told of, with the interval in which it certainly held. The other checkers judge
// by this ledger, which is written from what callers saw and from when hosts let go; it knows nothing of leaders.
import type { Effect, NameKey } from '../../registry/protocol/types.ts';
import { sameVersion, type Version } from '../../registry/protocol/version.ts';
import type { Call, Cluster, SimNode, SimProcess } from '../cluster.ts';

export interface Registration {
  readonly key: NameKey;
  readonly token: Version;
  readonly process: SimProcess;
  readonly node: SimNode;
  readonly committedAt: number;
  /** When it stopped to hold for certain: the host let go, or the session lapsed, or the node crashed. */
  endedAt: number;
  /** It was gone by then at the latest: somebody was told so, or was given the name. */
  goneBy: number;
}

export class Ledger {
  readonly #cluster: Cluster;
  readonly #byKey: Map<NameKey, Registration[]> = new Map();
  readonly #active: Map<SimNode, Set<Registration>> = new Map();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  of(key: NameKey): readonly Registration[] {
    return this.#byKey.get(key) ?? [];
  }

  find(key: NameKey, token: Version): Registration | undefined {
    return this.of(key).find((one) => sameVersion(one.token, token));
  }

  activeOn(node: SimNode): Iterable<Registration> {
    return this.#active.get(node) ?? [];
  }

  add(call: Call & { readonly process: SimProcess }, token: Version): Registration {
    const node = this.#cluster.node(call.node);
    const one: Registration = {
      key: call.key,
      token,
      process: call.process,
      node,
      committedAt: this.#cluster.timeline.now,
      endedAt: Infinity,
      goneBy: Infinity,
    };
    const all = this.#byKey.get(call.key);
    if (all === undefined) this.#byKey.set(call.key, [one]);
    else all.push(one);
    const active = this.#active.get(node);
    if (active === undefined) this.#active.set(node, new Set([one]));
    else active.add(one);
    return one;
  }

  /** Until when the registration certainly held, or holds: later than now where nothing is known to end it. */
  heldUntil(one: Registration): number {
    return Math.min(one.endedAt, one.process.endedAt, this.#lapseOf(one));
  }

  end(one: Registration): void {
    one.endedAt = Math.min(this.#cluster.timeline.now, this.#lapseOf(one));
    this.#active.get(one.node)?.delete(one);
  }

  endAllOn(node: SimNode): void {
    for (const one of [...this.activeOn(node)]) this.end(one);
  }

  /** The host records it still, in its own list and in its table. */
  isRecorded(one: Registration): boolean {
    const { state } = one.node;
    if (state === null) return false;
    const listed = state.host.hosted.get(one.process.pid.key)?.names.has(one.key) === true;
    const entry = state.replica.entries.get(one.key);
    return listed && entry !== undefined && sameVersion(entry.token, one.token);
  }

  /** True time at which the session of its host lapses, as that host counts. */
  #lapseOf(one: Registration): number {
    const { state } = one.node;
    if (one.endedAt !== Infinity || state === null) return one.endedAt;
    const { sessionUntil } = state.follow;
    return sessionUntil === null ? Infinity : this.#cluster.trueTime(one.node, sessionUntil);
  }
}

export function fences(effects: readonly Effect[]): boolean {
  return effects.some((effect) => effect.type === 'fence');
}
