// Carries out the faults of a run. Each begins at its moment, lasts its time and heals itself; several overlap. After
// `heal` nothing goes wrong any more, and what was down is up again.
import type { MemberState } from '../registry/protocol/state.ts';
import type { MemberKey } from '../registry/protocol/types.ts';
import type { Delays, Fault, FaultAction } from './actions.ts';
import { frozenRate } from './clock.ts';
import type { Cluster, SimNode } from './cluster.ts';
import { nodeNameOf, twinOf } from './machine.ts';

type Of<T extends Fault['do']> = Extract<Fault, { do: T }>;

/** What a fault did to the cluster, so that it can be undone once. */
type Undo = () => void;

export class Faults {
  readonly #cluster: Cluster;
  readonly counts: Map<string, number> = new Map();
  /** Whom each fault struck, where that was not said. */
  readonly struck: Map<FaultAction, string> = new Map();
  readonly #pending: Set<Undo> = new Set();
  /** The rates that clocks were given, the own one first. */
  readonly #rates: Map<SimNode, number[]> = new Map();
  #healed = false;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  plan(actions: readonly FaultAction[]): void {
    for (const action of actions)
      this.#cluster.timeline.at(action.at, () => {
        if (!this.#healed) this.#strike(action);
      });
  }

  /** Everything is whole again. Nodes that are down come back as fresh incarnations. */
  heal(): void {
    this.#healed = true;
    const cluster = this.#cluster;
    cluster.note('*', 'everything heals');
    for (const undo of [...this.#pending]) undo();
    for (const [from = '', to = ''] of cluster.network.healAll()) cluster.tellLink(from, to, true);
    cluster.network.weather.lossPerMille = 0;
    cluster.network.weather.spikePerMille = 0;
    cluster.store.weather.troublePerMille = 0;
    cluster.store.cut.clear();
    for (const node of cluster.nodes.values()) cluster.resume(node.name);
    for (const node of cluster.nodes.values()) if (node.name === node.nodeName) this.#keepUp(node);
  }

  /** A node that is down starts again; one that drains must get away first. */
  #keepUp(node: SimNode): void {
    const second = this.#cluster.nodes.get(twinOf(node.name));
    const running = second?.state != null ? second : node;
    if (running.state?.phase === 'draining') {
      for (const process of [...running.processes]) this.#cluster.exit(process);
      this.#cluster.timeline.after(100, () => this.#keepUp(node));
    } else if (running.state === null) this.#cluster.start(node.name);
  }

  #strike(action: FaultAction): void {
    const node = this.#victim(action);
    this.struck.set(action, node.name);
    this.counts.set(action.do, (this.counts.get(action.do) ?? 0) + 1);
    this.#carryOut(action, node);
  }

  #carryOut(fault: Fault, node: SimNode): void {
    switch (fault.do) {
      case 'start':
        this.#start(node);
        return;
      case 'crash':
        this.#crash(node, fault);
        return;
      case 'pause':
        this.#pause(node, fault);
        return;
      case 'cut':
        this.#cut(node, fault);
        return;
      case 'flap':
        this.#flap(node, fault);
        return;
      case 'store':
        this.#cutStore(fault.aim === true && fault.who.length === 1 ? [node.name] : fault.who, fault);
        return;
      case 'drain':
        this.#drain(node, fault);
        return;
      case 'slow':
        this.#slow(node, fault);
        return;
      case 'twin':
        this.#twin(node, fault);
        return;
      case 'rewind':
        this.#rewind(node, fault);
        return;
      case 'clock':
        this.#skew(node, fault);
        return;
      default:
        fault satisfies never;
    }
  }

  #victim(action: FaultAction): SimNode {
    const aim = 'aim' in action && action.aim === true;
    const leader = [...this.#cluster.nodes.values()].find(({ state }) => state?.leader != null);
    return (aim ? leader : undefined) ?? this.#cluster.node(action.node);
  }

  /** Undoes it after so long, or when everything heals. */
  #undoAfter(ms: number, undo: Undo): void {
    const once = (): void => {
      if (this.#pending.delete(once)) undo();
    };
    this.#pending.add(once);
    this.#cluster.timeline.after(ms, once);
  }

  /** Not while another machine runs a node of that name, unless that is the fault. */
  #start(node: SimNode, asTwin = false): void {
    if (!asTwin && this.#isNameTaken(node)) return;
    this.#cluster.start(node.name);
    for (const other of this.#cluster.nodes.values())
      if (other.nodeName !== node.nodeName)
        this.#cluster.deliverLater(other, node.draw.between(1, 60), {
          type: 'link',
          node: node.nodeName,
          up: true,
        });
  }

  #isNameTaken({ nodeName }: SimNode): boolean {
    return [...this.#cluster.nodes.values()].some((one) => one.nodeName === nodeName && one.state !== null);
  }

  #startLater(node: SimNode, delay: number): void {
    this.#cluster.timeline.after(delay, () => {
      if (!this.#healed) this.#start(node);
    });
  }

  #crash(node: SimNode, fault: { links: Delays; proofs: Delays; back: number | null }): void {
    const member = this.#cluster.crash(node.name);
    if (member === null) return;
    this.#tellDown(node, fault.links);
    for (const [name, delay] of Object.entries(fault.proofs)) this.#proveLater(name, member, delay);
    if (fault.back !== null) this.#startLater(node, fault.back);
  }

  #tellDown(node: SimNode, links: Delays): void {
    for (const [name, delay] of Object.entries(links)) {
      const other = this.#cluster.nodes.get(name);
      if (other !== undefined && other.nodeName !== node.nodeName)
        this.#cluster.deliverLater(other, delay, { type: 'link', node: node.nodeName, up: false });
    }
  }

  #proveLater(name: string, member: MemberKey, delay: number): void {
    const other = this.#cluster.nodes.get(name);
    if (other === undefined) return;
    const { boot } = other;
    this.#cluster.timeline.after(delay, () => {
      if (other.boot === boot) this.#cluster.proveDead(member, other);
    });
  }

  #pause(node: SimNode, fault: Of<'pause'>): void {
    const { boot } = node;
    if (node.state === null || node.paused) return;
    this.#cluster.pause(node.name);
    const thaw = fault.frozen === true ? this.#bend(node, frozenRate) : null;
    this.#undoAfter(fault.lasts, () => {
      thaw?.();
      if (node.boot === boot) this.#cluster.resume(node.name);
    });
  }

  #cut(node: SimNode, fault: Of<'cut'>): void {
    const { network, timeline } = this.#cluster;
    const from = fault.aim === true ? [node.name] : fault.from;
    const pairs = this.#pairs(from, fault);
    const told = `between ${from.join(' ')} and ${fault.to.length === 0 ? 'the others' : fault.to.join(' ')}`;
    this.#cluster.note('*', `cut ${told} (${fault.way}) for ${fault.lasts}`);
    for (const [one, other] of pairs) network.cut(one, other, fault.reset);
    if (fault.store !== undefined) this.#cutStore(from, { mood: fault.store, lasts: fault.lasts });
    if (fault.noticed !== null) this.#tellLinks(pairs, { up: false, delay: fault.noticed });
    timeline.after(fault.lasts, () => {
      if (this.#healed) return;
      this.#cluster.note('*', `whole again ${told}`);
      for (const [one, other] of pairs) network.heal(one, other);
      if (fault.noticed !== null) this.#tellLinks(pairs, { up: true, delay: fault.noticed });
    });
  }

  /** Ordered pairs, of machines that are there. */
  #pairs(from: readonly string[], fault: Of<'cut'>): [string, string][] {
    const all = [...this.#cluster.nodes.keys()];
    const to = fault.to.length > 0 ? fault.to : all.filter((name) => !from.includes(name));
    return from.flatMap((one) =>
      to
        .filter((other) => other !== one && all.includes(one) && all.includes(other))
        .flatMap((other): [string, string][] => [
          ...(fault.way === 'in' ? [] : [[one, other] satisfies [string, string]]),
          ...(fault.way === 'out' ? [] : [[other, one] satisfies [string, string]]),
        ]),
    );
  }

  #tellLinks(pairs: readonly (readonly [string, string])[], what: { up: boolean; delay: number }): void {
    for (const [from, to] of pairs)
      this.#cluster.timeline.after(what.delay, () => this.#cluster.tellLink(from, to, what.up));
  }

  #flap(node: SimNode, fault: Of<'flap'>): void {
    const other = this.#cluster.node(fault.to);
    if (other === node) return;
    for (const [from, to] of [[node.name, other.name] as const, [other.name, node.name] as const]) {
      this.#cluster.network.cut(from, to);
      this.#cluster.network.heal(from, to);
    }
    this.#cluster.note('*', `the connection of ${node.name} and ${other.name} breaks, and is there again`);
    this.#cluster.tellLink(node.name, other.name, false);
    this.#cluster.timeline.after(fault.up, () => this.#cluster.tellLink(node.name, other.name, true));
  }

  #cutStore(who: readonly string[], fault: Pick<Of<'store'>, 'mood' | 'lasts'>): void {
    const { store } = this.#cluster;
    const names = who.length === 0 ? ['*'] : who;
    this.#cluster.note('*', `the store is ${fault.mood} for ${names.join(' ')} for ${fault.lasts}`);
    for (const name of names) store.cut.set(name, fault.mood);
    this.#cluster.timeline.after(fault.lasts, () => {
      for (const name of names) if (store.cut.get(name) === fault.mood) store.cut.delete(name);
    });
  }

  #drain(node: SimNode, fault: Of<'drain'>): void {
    if (node.state === null || node.paused) return;
    const { boot } = node;
    this.#cluster.note(node.name, 'drains');
    this.#cluster.deliver(node, { type: 'drain' });
    this.#cluster.timeline.after(fault.exits, () => {
      if (node.boot === boot) for (const process of [...node.processes]) this.#cluster.exit(process);
    });
    this.#cluster.timeline.after(fault.kill, () => {
      if (this.#healed) return;
      if (node.boot === boot) this.#crash(node, { links: {}, proofs: {}, back: null });
      if (fault.back !== null) this.#startLater(node, fault.back);
    });
  }

  #slow(node: SimNode, fault: Of<'slow'>): void {
    this.#cluster.note(node.name, `is up to ${fault.maxMs} behind for ${fault.lasts}`);
    node.lagMaxMs = fault.maxMs;
    this.#undoAfter(fault.lasts, () => {
      node.lagMaxMs = 0;
    });
  }

  /** Two machines run a node of one name; in the end one of them does. */
  #twin(node: SimNode, fault: Of<'twin'>): void {
    const { timeline, names } = this.#cluster;
    const second = this.#cluster.node(twinOf(node.name));
    if (node.state === null || second.state !== null) return;
    if (fault.first === 'paused') this.#pause(node, { do: 'pause', node: node.name, lasts: fault.lasts });
    if (fault.first === 'cut') this.#cut(node, isolation(node.name, fault.lasts));
    this.#start(second, true);
    for (const flip of fault.flips)
      timeline.after(flip.after, () => {
        if (nodeNameOf(flip.from) === node.name || this.#healed) return;
        const to = flip.second ? second : node;
        names.setRoute(flip.from, node.name, to.name);
        this.#cluster.note(flip.from, `reaches ${to.name} as ${node.name}`);
        this.#cluster.deliver(this.#cluster.node(flip.from), { type: 'link', node: node.name, up: true });
      });
    this.#undoAfter(fault.lasts, () => {
      const [stays, goes] = fault.keep === 'first' ? [node, second] : [second, node];
      if (stays.state !== null) this.#cluster.crash(goes.name);
      names.settle(goes.state === null ? stays : goes);
    });
  }

  /** Put back only when its session has lapsed by its own clock, and not while somebody else runs under its name. */
  #rewind(node: SimNode, fault: Of<'rewind'>): void {
    const { timeline } = this.#cluster;
    const { boot } = node;
    const taken = node.paused ? null : this.#cluster.snapshot(node.name);
    if (taken === null || taken.state.follow.sessionUntil === null || taken.state.phase === 'fenced') return;
    this.#cluster.note(node.name, 'a snapshot of the machine is taken');
    timeline.after(fault.runs, () => {
      if (node.boot !== boot || this.#healed) return;
      this.#cluster.vanish(node.name);
      const away = Math.max(fault.away, this.#lapseOf(node, taken.state) - timeline.now + 1);
      this.#undoAfter(away, () => this.#putBack(node, taken));
    });
  }

  #putBack(node: SimNode, taken: { state: MemberState; boot: number }): void {
    const lapsed = this.#lapseOf(node, taken.state) <= this.#cluster.timeline.now;
    if (lapsed && !this.#isNameTaken(node)) this.#cluster.restore(node.name, taken);
    else this.#cluster.forgetSnapshot(node);
  }

  #lapseOf(node: SimNode, state: MemberState): number {
    return this.#cluster.trueTime(node, state.follow.sessionUntil ?? Infinity);
  }

  #skew(node: SimNode, fault: Of<'clock'>): void {
    const { clockRateBound } = this.#cluster.options.config.durations;
    const back = this.#bend(node, 1 + (clockRateBound * fault.steps) / 1000);
    if (fault.lasts !== null) this.#undoAfter(fault.lasts, back);
  }

  /** The last of several rates counts, for as long as it lasts, and a clock that stands does. */
  #bend(node: SimNode, rate: number): Undo {
    const rates = this.#rates.get(node) ?? [node.clock.rate];
    this.#rates.set(node, rates);
    rates.push(rate);
    this.#setRate(node, rates);
    return () => {
      rates.splice(rates.indexOf(rate), 1);
      this.#setRate(node, rates);
    };
  }

  #setRate(node: SimNode, rates: readonly number[]): void {
    const rate = rates.includes(frozenRate) ? frozenRate : (rates.at(-1) ?? 1);
    if (rate !== node.clock.rate) this.#cluster.setRate(node, rate);
  }
}

function isolation(node: string, lasts: number): Of<'cut'> {
  return { do: 'cut', node, from: [node], to: [], way: 'both', lasts, reset: false, noticed: null };
}
