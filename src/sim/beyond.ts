// Runs whose clocks leave the bound. Then two members may believe in the same right, so what safety promises is only
// counted: the first invariant that breaks. What must hold all the same: no step throws, no call is answered twice, no
// store grows, alarms end, the cluster comes to rest; and once the clocks keep the bound again and everything is at rest,
// the members agree about who holds what, each name at one of them.
import type { MemberState } from '../registry/protocol/state.ts';
import { sameVersion } from '../registry/protocol/version.ts';
import type { Cluster } from './cluster.ts';

/** Of one run: each process that loses a name to another raises one. */
const alarmsMax = 200;

/** What is promised whatever the clocks do. */
const always: ReadonlySet<string> = new Set(['answers', 'harness', 'at-rest', 'bounded-store']);

export class Beyond {
  /** The invariant that broke first, and how; `null` when none did. */
  broken: string | null = null;
  alarms = 0;
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    const { watch } = cluster;
    const fail = watch.broken.bind(watch);
    cluster.watch = {
      stepped: (...step) => this.#attempt(() => watch.stepped(...step)),
      replied: (...reply) => this.#attempt(() => watch.replied(...reply)),
      stopped: (...stop) => this.#attempt(() => watch.stopped(...stop)),
      snapshotRead: (...read) => this.#attempt(() => watch.snapshotRead(...read)),
      broken: fail,
    };
    const { changed } = cluster.store;
    cluster.store.changed = (op) => this.#attempt(() => changed?.(op));
    cluster.alarmed = (node, what) => {
      this.broken ??= `alarm: ${node.name}: ${what}`;
      if (++this.alarms > alarmsMax)
        fail('alarms', `more than ${alarmsMax}, the last at ${node.name}: ${what}`);
    };
  }

  /** Once something broke, the books of the checkers are wrong, and they are not asked again. */
  #attempt(judge: () => void): void {
    if (this.broken !== null) return;
    try {
      judge();
    } catch (error) {
      const invariant = (error as { readonly invariant?: unknown }).invariant;
      if (typeof invariant !== 'string' || always.has(invariant)) throw error;
      this.broken = (error as Error).message;
      this.#cluster.note('*', `broken beyond the bound: ${this.broken}`);
    }
  }

  /** Every name that a table shows is held where it says so, and nobody holds another one. */
  checkAtRest(): void {
    const states = [...this.#cluster.nodes.values()].flatMap(({ state }) => (state === null ? [] : [state]));
    for (const state of states) this.#checkAgreed(state, states);
    const { record, members } = this.#cluster.store;
    if ((record?.established.length ?? 0) > members.length)
      this.#cluster.watch.broken(
        'bounded-store',
        `established ${record?.established.length}, members ${members.length}`,
      );
  }

  #checkAgreed(state: MemberState, states: readonly MemberState[]): void {
    const { watch } = this.#cluster;
    for (const { pid, names } of state.host.hosted.values())
      for (const key of names) {
        const held = state.replica.entries.get(key);
        for (const other of states) {
          const shown = other.replica.entries.get(key);
          if (shown === undefined || held === undefined || !sameVersion(shown.token, held.token))
            watch.broken(
              'agreed',
              `${other.self} does not show ${key}, which ${state.self} holds for ${pid}`,
            );
        }
      }
    for (const entry of state.replica.entries.values()) {
      const host = states.find(({ self }) => self === entry.host);
      if (host?.host.hosted.get(entry.pid.key)?.names.has(entry.key) !== true)
        watch.broken('agreed', `${state.self} shows ${entry.key} at ${entry.host}, which does not hold it`);
    }
  }

  /** No alarm without a reason: once at rest, there is none. */
  checkEnd(): void {
    const before = this.alarms;
    this.#cluster.timeline.runUntil(this.#cluster.timeline.now + 1000);
    if (this.alarms > before) this.#cluster.watch.broken('alarms', 'still raised at rest');
  }
}
