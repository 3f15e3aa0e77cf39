// Members that run beside an enumeration, each on a clock of its own: absolute times, counters as they come, nothing
// forgotten or renumbered, messages of their own on links of their own. Whatever happens in the enumeration happens to
// them; after each step both must stand alike.
import assert from 'node:assert/strict';
import { copyOf, limitsOf, rebaseTimes, textOf } from '../../src/explore/canonical.ts';
import type { Cluster } from '../../src/explore/cluster.ts';
import { cut } from '../../src/explore/cluster.ts';
import type { Output } from '../../src/explore/local.ts';
import { step } from '../../src/registry/protocol/member.ts';
import { createMember, type MemberState } from '../../src/registry/protocol/state.ts';
import { type Effect, type Event, nodeOf } from '../../src/registry/protocol/types.ts';

interface Twin {
  readonly state: MemberState;
  now: number;
}

/** A message of a twin, and the number of the event that it is in the enumeration. */
interface Parcel {
  readonly as: number;
  readonly event: Event;
}

export class Twins {
  steps = 0;
  readonly #cluster: Cluster;
  readonly #twins: Map<number, Twin> = new Map();
  #links: Parcel[][];

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#links = cluster.links.map(() => []);
    cluster.watch = (node, event, output) => this.#stepped(node, { event, output });
    const pass = cluster.pass.bind(cluster);
    cluster.pass = () => {
      pass();
      const { quantumMs, nodes } = cluster.scope;
      for (const [node, twin] of this.#twins) twin.now += quantumMs * (nodes[node]?.rate ?? 1);
    };
  }

  /** After each action: what the enumeration has lost of its messages is lost here. */
  follow(): void {
    this.#links = this.#links.map((parcels, link) => {
      const kept: Parcel[] = [];
      let at = parcels.length;
      for (const as of [...this.#cluster.queues.get(this.#cluster.queue(link))].reverse()) {
        do at--;
        while (at >= 0 && parcels[at]?.as !== as);
        assert.ok(at >= 0, 'a message that no twin has sent');
        kept.push(parcels[at] as Parcel);
      }
      return kept.reverse();
    });
  }

  #stepped(node: number, did: { event: Event; output: Output }): void {
    const after = this.#cluster.locals.state(this.#cluster.local(node));
    if (did.event.type === 'start')
      this.#twins.set(node, { state: createMember(after.config, after.self), now: 12_345 });
    const twin = this.#twins.get(node);
    assert.ok(twin !== undefined);
    const effects = step(twin.state, this.#translated(did.event, twin.state), twin.now);
    while (twin.state.flushAsked && twin.state.phase !== 'left' && twin.state.phase !== 'fenced')
      effects.push(...step(twin.state, { type: 'flush' }, twin.now));
    this.steps++;
    assert.equal(this.#plain(twin.state, twin.now), this.#plain(after, 0));
    this.#sent(node, { effects, output: did.output });
    const replies = effects.flatMap((one) =>
      one.type === 'reply' ? [{ id: one.id, result: one.result }] : [],
    );
    assert.equal(textOf(replies), textOf(did.output.replies));
  }

  #translated(event: Event, state: MemberState): Event {
    if (event.type === 'store') return { ...event, id: state.store.inflight?.id ?? -1 };
    if (event.type !== 'message') return event;
    const link = this.#linkOf(nodeOf(event.from), nodeOf(event.to));
    const parcel = this.#links[link]?.shift();
    assert.ok(parcel?.event.type === 'message' && parcel.event.message.type === event.message.type);
    return parcel.event;
  }

  #sent(node: number, did: { effects: readonly Effect[]; output: Output }): void {
    const from = this.#twins.get(node)?.state.self ?? '';
    const sends = did.effects.filter((one) => one.type === 'send');
    assert.equal(sends.length, did.output.sends.length);
    sends.forEach(({ to, message }, index) => {
      const other = this.#cluster.names.indexOf(nodeOf(to));
      const local = this.#cluster.local(other);
      const link = this.#linkOf(nodeOf(from), nodeOf(to));
      if (local === 0 || this.#cluster.locals.facts(local).self !== to) return;
      if (this.#cluster.linkFlag(cut, link)) return;
      const as = did.output.sends[index]?.event ?? 0;
      this.#links[link]?.push({ as, event: { type: 'message', from, to, message } });
    });
  }

  #linkOf(from: string, to: string): number {
    return this.#cluster.links.findIndex(({ name }) => name === `${from}>${to}`);
  }

  /** The state without what the canonical form renumbers or forgets. */
  #plain(state: MemberState, now: number): string {
    const { config: _, ...copy } = copyOf(state);
    rebaseTimes(copy as MemberState, now, limitsOf([this.#cluster.scope.durations]));
    copy.nextId = 0;
    if (copy.store.inflight !== null) copy.store.inflight = { ...copy.store.inflight, id: 0 };
    copy.follow.nonce = 0;
    copy.follow.nonces.clear();
    for (const peer of copy.leader?.peers.values() ?? []) {
      peer.ping = 0;
      peer.pings.clear();
    }
    const quiet = <T extends object>(all: Map<string, T>): unknown =>
      [...all].map(([key, one]) => [key, { ...one, id: 0 }]);
    const { peers, ...office } = copy.leader ?? { peers: null };
    const all = { ...copy, leader: [office, peers], pulls: quiet(copy.pulls), served: quiet(copy.served) };
    return textOf(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
