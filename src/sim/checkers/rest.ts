// What must hold once nothing goes wrong any more. I12: every running member is active under one leader, all requests are
// answered, all replicas are equal (`at-rest`); the table holds exactly the acknowledged registrations that still hold
// (`complete`); the digests of a replica are those of its entries. I9: what the store holds grows with members only.
import type { Check } from '../../invariants/catalogue.ts';
import { createReplica, putEntry } from '../../registry/protocol/replica.ts';
import type { MemberState } from '../../registry/protocol/state.ts';
import { sameVersion } from '../../registry/protocol/version.ts';
import type { Cluster, SimNode } from '../cluster.ts';
import type { Ledger } from './registrations.ts';

interface Running {
  readonly node: SimNode;
  readonly state: MemberState;
}

/** The leader record without its lists, as JSON: numbers and durations. */
const recordBytesMax = 300;
const separatorBytes = 3;

export class Rest {
  readonly #cluster: Cluster;
  readonly #ledger: Ledger;

  constructor(cluster: Cluster, ledger: Ledger) {
    this.#cluster = cluster;
    this.#ledger = ledger;
  }

  /** What is still missing to be at rest, or `null`. */
  unrest(): string | null {
    const running = this.#running();
    const leaders = running.filter(({ state }) => state.leader !== null);
    if (leaders.length !== 1) return `${leaders.length} members lead`;
    const { state: head } = leaders[0] as Running;
    if (head.leader?.complete !== true) return `the take-over of ${head.self} is not complete`;
    for (const { state } of running) {
      if (state.phase !== 'active') return `${state.self} is ${state.phase}`;
      if (state.follow.leader !== head.self) return `${state.self} follows ${state.follow.leader}`;
      const difference = differs(head, state);
      if (difference !== null) return difference;
      if (state.host.outbox.size > 0)
        return `${state.self} waits for ${JSON.stringify([...state.host.outbox.values()])}`;
      if (!head.leader.record.established.includes(state.self)) return `${state.self} is not established`;
    }
    const expected = running.length;
    if (head.leader.record.established.length !== expected)
      return `established: ${head.leader.record.established.join(' ')} while ${expected} run`;
    if (head.leader.peers.size !== expected) return `${head.self} still counts who runs no more`;
    if (this.#cluster.store.members.length !== expected)
      return `the store lists ${this.#cluster.store.members.join(' ')} while ${expected} run`;
    const open = [...this.#cluster.calls.values()].find((call) => call.result === null && this.#isOpen(call));
    return open === undefined ? null : `call ${open.id} (${open.type} ${open.key} at ${open.node}) waits`;
  }

  /** Judged when at rest. */
  check(): void {
    const running = this.#running();
    for (const { state } of running) {
      this.#checkDigests(state);
      if (state.host.hidden.size > 0)
        this.#broken('complete', `${state.self} still hides ${[...state.host.hidden.keys()].join(' ')}`);
    }
    const any = running[0];
    if (any !== undefined) this.#checkComplete(any.state);
    this.#checkStore();
  }

  /** Not a byte for a name: what is not of members has one size. */
  #checkStore(): void {
    const { record, members } = this.#cluster.store;
    const listed = record?.established ?? [];
    if (listed.length > members.length)
      this.#broken('bounded-store', `established ${listed.join(' ')}, members ${members.join(' ')}`);
    const ofMembers = [...members, ...listed, record?.leader ?? ''].join('').length;
    const bytes = JSON.stringify(this.#cluster.store.view()).length - ofMembers;
    if (bytes > recordBytesMax + separatorBytes * (members.length + listed.length))
      this.#broken('bounded-store', `${bytes} bytes beside the keys of ${members.length} members`);
  }

  #running(): Running[] {
    const running: Running[] = [];
    for (const node of this.#cluster.nodes.values())
      if (node.state !== null) running.push({ node, state: node.state });
    return running;
  }

  #isOpen(call: { readonly node: string; readonly boot: number }): boolean {
    return this.#cluster.node(call.node).boot === call.boot;
  }

  #checkComplete(state: MemberState): void {
    const held = new Map<unknown, string>();
    for (const node of this.#cluster.nodes.values())
      for (const one of this.#ledger.activeOn(node)) {
        held.set(one.name, one.process.pid.key);
        const entry = state.replica.entries.get(one.name);
        if (entry === undefined || !sameVersion(entry.token, one.token))
          this.#broken('complete', `${one.name} of ${one.process.pid} is missing at ${state.self}`);
      }
    for (const entry of state.replica.entries.values())
      if (!held.has(entry.key))
        this.#broken('complete', `${state.self} holds ${entry.key} → ${entry.pid}, which nobody was told of`);
  }

  #checkDigests(state: MemberState): void {
    const again = createReplica(state.replica.buckets);
    for (const entry of state.replica.entries.values()) putEntry(again, entry);
    const same =
      again.digests.size === state.replica.digests.size &&
      [...again.digests].every(([host, digest]) => {
        const kept = state.replica.digests.get(host);
        return kept?.count === digest.count && kept.lanes.join() === digest.lanes.join();
      });
    if (!same) this.#broken('digests', `the digests of ${state.self} are not those of its entries`);
  }

  #broken(check: Check, what: string): never {
    return this.#cluster.watch.broken(check, what);
  }
}

function differs(head: MemberState, state: MemberState): string | null {
  if (!sameVersion(head.replica.version, state.replica.version))
    return `${state.self} is at another version than ${head.self}`;
  if (state.replica.entries.size !== head.replica.entries.size)
    return `${state.self} has another table: ${[...state.replica.entries.values()].map((one) => `${one.key} ${one.host} ${one.token.epoch}.${one.token.n}`).join(', ')}`;
  for (const entry of head.replica.entries.values()) {
    const other = state.replica.entries.get(entry.key);
    if (other === undefined || other.host !== entry.host || !sameVersion(other.token, entry.token))
      return `${state.self} has another ${entry.key} than ${head.self}`;
  }
  return null;
}
