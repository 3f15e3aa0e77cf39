// What goes wrong, and when. Each fault begins at a drawn moment, lasts a drawn time and heals itself; several overlap.
// After `heal` nothing goes wrong any more, and what was down is up again.
import type { MemberKey } from '../registry/protocol/types.ts';
import type { Cluster, SimNode } from './cluster.ts';
import { createDraw, type Draw } from './draw.ts';
import type { FaultKind, Options } from './options.ts';
import type { Mood } from './sim-store.ts';

export class Faults {
  readonly #cluster: Cluster;
  readonly #options: Options;
  readonly #draw: Draw;
  readonly counts: Map<FaultKind | 'join' | 'restart', number> = new Map();
  #healed = false;

  constructor(cluster: Cluster, options: Options) {
    this.#cluster = cluster;
    this.#options = options;
    this.#draw = createDraw(options.seed, 4);
  }

  /** Starts the first members, and plans everything else. */
  begin(): void {
    const names = [...this.#cluster.nodes.keys()];
    const { nodes, faultsUntilMs } = this.#options;
    names.forEach((name, index) => {
      const when = index < nodes ? this.#draw.below(300) : this.#draw.between(1000, faultsUntilMs);
      this.#cluster.timeline.at(when, () => {
        if (index >= nodes) this.#count('join');
        this.#cluster.start(name);
      });
    });
    if (this.#options.faults.length > 0) this.#planNext(1500);
  }

  /** Everything is whole again. Nodes that are down come back as fresh incarnations. */
  heal(): void {
    this.#healed = true;
    const cluster = this.#cluster;
    cluster.note('*', 'everything heals');
    for (const [from = '', to = ''] of cluster.network.healAll()) cluster.tellLink(from, to, true);
    cluster.network.weather.lossPerMille = 0;
    cluster.network.weather.spikePerMille = 0;
    cluster.store.weather.troublePerMille = 0;
    cluster.store.cut.clear();
    for (const node of cluster.nodes.values()) {
      cluster.resume(node.name);
      this.#keepUp(node);
    }
  }

  /** A node that is down starts again; one that drains must get away first. */
  #keepUp(node: SimNode): void {
    if (node.state?.phase === 'draining') {
      for (const process of [...node.processes]) this.#cluster.exit(process);
      this.#cluster.timeline.after(100, () => this.#keepUp(node));
    } else this.#cluster.start(node.name);
  }

  #planNext(delay: number): void {
    this.#cluster.timeline.after(delay, () => {
      if (this.#healed) return;
      this.#strike(this.#draw.pick(this.#options.faults));
      const burst = this.#draw.chance(this.#options.burstPerMille);
      const most = burst ? this.#options.config.durations.leaseMs : this.#options.faultEveryMs;
      this.#planNext(this.#draw.between(50, most));
    });
  }

  #strike(kind: FaultKind): void {
    this.#count(kind);
    const node = this.#victim();
    const other = this.#draw.pick([...this.#cluster.nodes.values()]);
    const lasts = this.#draw.between(20, this.#options.faultLastsMs);
    switch (kind) {
      case 'crash':
        this.#crash(node);
        return;
      case 'pause':
        this.#pause(node, lasts);
        return;
      case 'partition':
        this.#partition(lasts);
        return;
      case 'isolate':
        this.#cut(this.#pairsOf([node.name]), lasts);
        return;
      case 'oneWay':
        if (node !== other) this.#cut([[node.name, other.name]], lasts);
        return;
      case 'flap':
        if (node !== other) this.#flap(node, other);
        return;
      case 'storeOutage':
        this.#cutStore('*', lasts + this.#draw.pick([0, 0, 0, this.#longOutageMs()]));
        return;
      case 'storeCut':
        this.#cutStore(node.name, lasts);
        return;
      case 'drain':
        this.#drain(node, lasts);
        return;
      default:
        kind satisfies never;
    }
  }

  /** Long enough for somebody to stop deciding; where durations are mixed, also for somebody to let sessions go. */
  #longOutageMs(): number {
    const { config, durationsOf } = this.#options;
    const mixed = Object.values(durationsOf);
    if (mixed.length === 0) return config.durations.toleranceMs;
    const { toleranceMs, holdMs } = this.#draw.pick(mixed);
    return this.#draw.pick([toleranceMs, holdMs]);
  }

  #victim(): SimNode {
    const nodes = [...this.#cluster.nodes.values()];
    const leader = nodes.find(({ state }) => state !== null && state.leader !== null);
    if (leader !== undefined && this.#draw.chance(this.#options.aimPerMille)) return leader;
    return this.#draw.pick(nodes);
  }

  #crash(node: SimNode): void {
    const member = this.#cluster.crash(node.name);
    if (member === null) return;
    for (const other of this.#cluster.nodes.values())
      if (other !== node) this.#learnOfCrash(other, node, member);
    if (this.#draw.chance(this.#options.restartPerMille)) this.#startLater(node, this.#draw.between(5, 4000));
  }

  /** Another node may see the connection break, and may have proof. */
  #learnOfCrash(other: SimNode, node: SimNode, member: MemberKey): void {
    const { timeline } = this.#cluster;
    if (this.#draw.chance(700))
      this.#cluster.deliverLater(other, this.#draw.between(1, 200), {
        type: 'link',
        node: node.name,
        up: false,
      });
    if (!this.#draw.chance(this.#options.proofPerMille)) return;
    const boot = other.boot;
    timeline.after(this.#draw.between(1, this.#draw.pick([30, 500, 4000])), () => {
      if (other.boot === boot) this.#cluster.proveDead(member, other);
    });
  }

  #startLater(node: SimNode, delay: number): void {
    this.#cluster.timeline.after(delay, () => {
      if (node.state !== null) return;
      this.#count('restart');
      this.#cluster.start(node.name);
      for (const other of this.#cluster.nodes.values())
        if (other !== node)
          this.#cluster.deliverLater(other, this.#draw.between(1, 60), {
            type: 'link',
            node: node.name,
            up: true,
          });
    });
  }

  #pause(node: SimNode, lasts: number): void {
    const boot = node.boot;
    this.#cluster.pause(node.name);
    this.#cluster.timeline.after(lasts, () => {
      if (node.boot === boot) this.#cluster.resume(node.name);
    });
  }

  #partition(lasts: number): void {
    const side = [...this.#cluster.nodes.keys()].filter(() => this.#draw.chance(500));
    this.#cut(this.#pairsOf(side), lasts);
  }

  /** All ordered pairs between the side and the rest. */
  #pairsOf(side: readonly string[]): [string, string][] {
    const rest = [...this.#cluster.nodes.keys()].filter((name) => !side.includes(name));
    return side.flatMap((one) =>
      rest.flatMap((two): [string, string][] => [
        [one, two],
        [two, one],
      ]),
    );
  }

  #cut(pairs: readonly (readonly [string, string])[], lasts: number): void {
    const { network, timeline } = this.#cluster;
    const reset = this.#draw.chance(500);
    const noticed = this.#draw.chance(600);
    this.#cluster.note('*', `cut ${pairs.map((pair) => pair.join('>')).join(' ')} for ${lasts}`);
    for (const [from, to] of pairs) network.cut(from, to, reset);
    if (noticed) this.#tellLinks(pairs, false);
    timeline.after(lasts, () => {
      if (this.#healed) return;
      this.#cluster.note('*', `whole again ${pairs.map((pair) => pair.join('>')).join(' ')}`);
      for (const [from, to] of pairs) network.heal(from, to);
      if (noticed) this.#tellLinks(pairs, true);
    });
  }

  #tellLinks(pairs: readonly (readonly [string, string])[], up: boolean): void {
    for (const [from, to] of pairs)
      this.#cluster.timeline.after(this.#draw.between(0, 300), () => this.#cluster.tellLink(from, to, up));
  }

  /** A connection breaks and is there again at once: what was under way is lost. */
  #flap(node: SimNode, other: SimNode): void {
    for (const [from, to] of this.#pairsOf([node.name]).filter((pair) => pair.includes(other.name))) {
      this.#cluster.network.cut(from, to);
      this.#cluster.network.heal(from, to);
    }
    this.#cluster.tellLink(node.name, other.name, false);
    this.#cluster.timeline.after(this.#draw.between(1, 100), () =>
      this.#cluster.tellLink(node.name, other.name, true),
    );
  }

  #cutStore(who: string, lasts: number): void {
    const mood: Mood = this.#draw.pick(['unavailable', 'silent', 'lost', 'late']);
    const { store } = this.#cluster;
    this.#cluster.note('*', `the store is ${mood} for ${who} for ${lasts}`);
    store.cut.set(who, mood);
    this.#cluster.timeline.after(lasts, () => {
      if (store.cut.get(who) === mood) store.cut.delete(who);
    });
  }

  /** A planned leave: its processes end, the member leaves, and may come back; who does not get away is killed. */
  #drain(node: SimNode, lasts: number): void {
    if (node.state === null || node.paused) return;
    const boot = node.boot;
    this.#cluster.note(node.name, 'drains');
    this.#cluster.deliver(node, { type: 'drain' });
    this.#cluster.timeline.after(this.#draw.below(500), () => {
      if (node.boot === boot) for (const process of [...node.processes]) this.#cluster.exit(process);
    });
    this.#cluster.timeline.after(lasts + 4000, () => {
      if (this.#healed) return;
      if (node.boot === boot) this.#crash(node);
      if (this.#draw.chance(this.#options.restartPerMille)) this.#startLater(node, 10);
    });
  }

  #count(kind: FaultKind | 'join' | 'restart'): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }
}
