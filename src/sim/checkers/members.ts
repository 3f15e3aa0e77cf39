// Invariants of members, at every step: I3 one-authority, I8 evicted, I10 own-names, and I7 snapshots: the version of a
// replica never goes back (`forward`), and what snapshot reads show is right for it.
import type { Check } from '../../invariants/catalogue.ts';
import { Snapshots } from '../../invariants/snapshots.ts';
import { hasAuthority } from '../../registry/protocol/authority.ts';
import type { Entry } from '../../registry/protocol/messages.ts';
import type { MemberKey, NameKey, StoreOp } from '../../registry/protocol/types.ts';
import { compareVersions, type Version } from '../../registry/protocol/version.ts';
import type { Cluster, SimNode } from '../cluster.ts';

export class Members {
  readonly #cluster: Cluster;
  readonly #snapshots: Snapshots;
  readonly #seen: Map<string, Version> = new Map();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#snapshots = new Snapshots((check, what) => this.#broken(check, what));
    cluster.store.changed = (op) => this.#storeChanged(op);
  }

  stepped(node: SimNode): void {
    const { state } = node;
    if (state === null) return;
    if (state.leader !== null) {
      this.#checkAuthority();
      this.#snapshots.led(state, state.leader);
    }
    const before = this.#seen.get(state.self);
    const { version } = state.replica;
    if (before === version) return;
    if (before !== undefined && compareVersions(version, before) < 0)
      this.#broken(
        'forward',
        `${state.self} went from ${tellVersion(before)} back to ${tellVersion(version)}`,
      );
    this.#seen.set(state.self, version);
    this.#checkOwnNames(node);
  }

  snapshotRead(node: SimNode, key: NameKey, entry: Entry | undefined): void {
    if (node.state !== null) this.#snapshots.read(node.state, key, entry);
  }

  #storeChanged(op: StoreOp): void {
    // Who resigns takes away its own record, and those of the dead.
    if (op.kind !== 'write' || op.record.leader === null) return;
    for (const member of op.removeMembers) this.#checkEvicted(member);
  }

  #checkEvicted(member: MemberKey): void {
    const node = this.#cluster.machineOf(member);
    const { state } = node;
    if (state?.self !== member || state.phase === 'fenced' || state.follow.goodbye) return;
    const until = state.follow.sessionUntil;
    const left = until === null ? 0 : this.#cluster.trueTime(node, until) - this.#cluster.timeline.now;
    if (left > 0)
      this.#broken(
        'evicted',
        `the record of ${member} is removed ${left.toFixed(1)} ms before its session lapses`,
      );
  }

  #checkAuthority(): void {
    let first: string | null = null;
    for (const node of this.#cluster.nodes.values()) {
      if (node.state?.leader == null || !hasAuthority(node.state, this.#cluster.localTime(node))) continue;
      if (first !== null) this.#broken('one-authority', `${first} and ${node.state.self} may both decide`);
      first = node.state.self;
    }
  }

  #checkOwnNames(node: SimNode): void {
    const { state } = node;
    if (state === null || state.phase === 'fenced') return;
    for (const { names, pid } of state.host.hosted.values()) {
      for (const key of names) {
        const entry = state.replica.entries.get(key);
        if (entry === undefined || entry.host !== state.self || !entry.pid.equals(pid))
          this.#broken('own-names', `${state.self} lists ${key} for ${pid}, its table does not`);
      }
    }
  }

  #broken(check: Check, what: string): never {
    return this.#cluster.watch.broken(check, what);
  }
}

function tellVersion(version: Version): string {
  return `${version.epoch}.${version.n}`;
}
