// The observer of a simulated cluster: it is told each answer at its instant, and knows by itself when processes end and
// sessions lapse. The checkers judge by it; it is written from what callers saw and from when hosts let go.
import { Observer, type Registration } from '../../invariants/observer.ts';
import type { Effect } from '../../registry/protocol/types.ts';
import { sameVersion, type Version } from '../../registry/protocol/version.ts';
import type { Call, Cluster, SimNode, SimProcess } from '../cluster.ts';

export type Held = Registration<SimProcess>;

export class Ledger {
  readonly observer: Observer<SimProcess>;
  readonly #cluster: Cluster;
  readonly #active: Map<SimNode, Set<Held>> = new Map();
  /** When the session lapses, in the time of the host: as after its last step, for a host that has crashed has no more state. */
  readonly #sessionUntil: Map<SimNode, number> = new Map();
  /** When a process lost its names although it lived on, or ended later: the session of its host had lapsed. */
  readonly lapses: Map<SimProcess, number> = new Map();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.observer = new Observer({
      now: () => cluster.timeline.now,
      idOf: (process: SimProcess) => process.pid.key,
      holdsUntil: (one) => this.#holdsUntil(one),
      exact: true,
      broken: (check, what) => cluster.watch.broken(check, what),
    });
  }

  activeOn(node: SimNode): Iterable<Held> {
    return this.#active.get(node) ?? [];
  }

  /** Returns what is new. */
  registered(call: Call & { readonly process: SimProcess }, token: Version): Held | undefined {
    const one = this.observer.registered({ ...toldBy(call), process: call.process, token });
    if (one === undefined) return undefined;
    const node = this.#cluster.node(call.node);
    const active = this.#active.get(node);
    if (active === undefined) this.#active.set(node, new Set([one]));
    else active.add(one);
    return one;
  }

  end(one: Held): void {
    const node = this.nodeOf(one);
    const lapse = this.#lapseOf(node);
    one.endedAt = Math.min(this.#cluster.timeline.now, lapse);
    if (lapse === one.endedAt) this.lapses.set(one.process, lapse);
    this.#active.get(node)?.delete(one);
  }

  endAllOn(node: SimNode): void {
    for (const one of [...this.activeOn(node)]) this.end(one);
    this.#sessionUntil.delete(node);
  }

  /** After each step of the node that fences nothing. */
  noteSession(node: SimNode): void {
    const until = node.state?.follow.sessionUntil ?? Infinity;
    if (this.#sessionUntil.get(node) !== until) this.#sessionUntil.set(node, until);
  }

  /** The host records it still, in its own list and in its table. */
  isRecorded(one: Held): boolean {
    const { state } = this.nodeOf(one);
    if (state === null) return false;
    const listed = state.host.hosted.get(one.process.pid.key)?.names.has(one.name) === true;
    const entry = state.replica.entries.get(one.name);
    return listed && entry !== undefined && sameVersion(entry.token, one.token);
  }

  nodeOf({ process }: Held): SimNode {
    return this.#cluster.node(process.node);
  }

  #holdsUntil(one: Held): number {
    const { process, endedAt } = one;
    if (endedAt !== Infinity) return Math.min(endedAt, process.endedAt);
    return Math.min(process.endedAt, this.#lapseOf(this.nodeOf(one)));
  }

  /** True time at which the session of the host lapses, as that host counts. */
  #lapseOf(node: SimNode): number {
    const until = node.state?.follow.sessionUntil ?? this.#sessionUntil.get(node) ?? Infinity;
    return until === Infinity ? Infinity : this.#cluster.trueTime(node, until);
  }
}

export function toldBy(call: Call): { call: string; name: Call['key']; start: number } {
  return { call: `call ${call.id}`, name: call.key, start: call.invokedAt };
}

export function fences(effects: readonly Effect[]): boolean {
  return effects.some((effect) => effect.type === 'fence');
}
