// Invariants of members, at every step: I3 one-authority, I8 evicted, I10 own-names, and I7 snapshots: the version of a
// replica never goes back (`forward`), and what snapshot reads show is right for it.
import type { Check } from '../../invariants/catalogue.ts';
import { Snapshots } from '../../invariants/snapshots.ts';
import {
  type Broken,
  evicted,
  forward,
  type MemberAt,
  oneAuthority,
  ownNames,
} from '../../invariants/state.ts';
import type { Entry } from '../../registry/protocol/messages.ts';
import type { MemberState } from '../../registry/protocol/state.ts';
import type { MemberKey, NameKey, StoreOp } from '../../registry/protocol/types.ts';
import type { Version } from '../../registry/protocol/version.ts';
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
      this.#judge('one-authority', oneAuthority(this.#leaders()));
      this.#snapshots.led(state, state.leader);
    }
    const before = this.#seen.get(state.self);
    const { version } = state.replica;
    if (before === version) return;
    if (before !== undefined)
      this.#judge('forward', forward({ self: state.self, replica: { version: before } }, state));
    this.#seen.set(state.self, version);
    this.#judge('own-names', ownNames(state));
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
    if (node.state?.self === member) this.#judge('evicted', evicted(this.#at(node, node.state)));
  }

  *#leaders(): Generator<MemberAt, undefined> {
    for (const node of this.#cluster.nodes.values())
      if (node.state !== null && node.state.leader !== null) yield this.#at(node, node.state);
  }

  #at(node: SimNode, state: MemberState): MemberAt {
    return { state, now: this.#cluster.localTime(node) };
  }

  #judge(check: Check, broken: Broken | null): void {
    if (broken !== null) this.#broken(check, broken.what);
  }

  #broken(check: Check, what: string): never {
    return this.#cluster.watch.broken(check, what);
  }
}
