// A cluster under simulation: nodes that run the real `step`, each on a clock of its own, joined by the simulated
// network and store. This file turns effects into what happens next; what goes wrong, and when, is decided in faults.ts
// or by a script; what must hold is judged in checkers/, which are told of everything through `Watch`.
import { step, wakeAt } from '../registry/protocol/member.ts';
import { createMember, type MemberState } from '../registry/protocol/state.ts';
import type {
  Config,
  Durations,
  Effect,
  Event,
  MemberKey,
  NameKey,
  Result,
} from '../registry/protocol/types.ts';
import { memberKey, nodeOf } from '../registry/protocol/types.ts';
import { atom } from '../term/atom.ts';
import { Pid } from '../term/pid.ts';
import { createDraw, type Draw } from './draw.ts';
import { Network, type Parcel, type Weather } from './network.ts';
import { SimStore, type StoreWeather } from './sim-store.ts';
import { Timeline } from './timeline.ts';
import { Trace } from './trace.ts';

export interface SimProcess {
  readonly pid: Pid;
  readonly node: string;
  alive: boolean;
  endedAt: number;
}

export interface Call {
  readonly id: number;
  readonly node: string;
  readonly boot: number;
  readonly type: 'register' | 'unregister' | 'read';
  readonly key: NameKey;
  readonly process: SimProcess | null;
  readonly invokedAt: number;
  answeredAt: number;
  /** `null` until it is answered; stays so where the node crashed first. */
  result: Result | null;
}

export interface SimNode {
  readonly name: string;
  readonly clock: { readonly offset: number; readonly rate: number };
  /** `null` while the node is down, or has left. */
  state: MemberState | null;
  boot: number;
  paused: boolean;
  readonly backlog: Event[];
  tickAt: number;
  nextPid: number;
  readonly processes: Set<SimProcess>;
}

export interface Watch {
  /** After each step, before its effects. */
  stepped(node: SimNode, event: Event, effects: readonly Effect[]): void;
  replied(node: SimNode, call: Call): void;
  /** The member runs no more: crash, or `left`. */
  stopped(node: SimNode, member: MemberKey): void;
  broken(invariant: string, what: string): never;
}

export interface ClusterOptions {
  readonly seed: number;
  readonly names: readonly string[];
  readonly config: Config;
  /** Nodes that were started with durations of their own; no `clockRateBound` is below that of `config`, which the clocks keep. */
  readonly durationsOf?: Readonly<Record<string, Durations>>;
  readonly weather: Weather;
  readonly storeWeather: StoreWeather;
  readonly proofPerMille: number;
  readonly extremeClocks: boolean;
  readonly traceLines: number;
}

export class Cluster {
  readonly timeline: Timeline = new Timeline();
  readonly trace: Trace;
  readonly nodes: ReadonlyMap<string, SimNode>;
  readonly network: Network;
  readonly store: SimStore;
  readonly calls: Map<number, Call> = new Map();
  /** Incarnations that have ended for certain. */
  readonly ended: Set<MemberKey> = new Set();
  watch: Watch;
  readonly options: ClusterOptions;
  readonly #draw: Draw;
  #nextIncarnation = 1;
  #nextCall = 1;

  constructor(options: ClusterOptions, watch: Watch) {
    this.options = options;
    this.watch = watch;
    this.trace = new Trace(options.traceLines);
    this.#draw = createDraw(options.seed, 1);
    this.network = new Network(this.timeline, {
      draw: createDraw(options.seed, 2),
      weather: options.weather,
      arrive: (parcel) => this.#arrive(parcel),
    });
    this.store = new SimStore(this.timeline, {
      draw: createDraw(options.seed, 3),
      weather: options.storeWeather,
    });
    this.nodes = new Map(options.names.map((name) => [name, this.#createNode(name)]));
  }

  node(name: string): SimNode {
    const node = this.nodes.get(name);
    if (node === undefined) throw new Error(`no node ${name}`);
    return node;
  }

  localTime(node: SimNode): number {
    return node.clock.offset + node.clock.rate * this.timeline.now;
  }

  /** True time at which the node's clock shows `local`. */
  trueTime(node: SimNode, local: number): number {
    return (local - node.clock.offset) / node.clock.rate;
  }

  note(node: string, text: string): void {
    this.trace.note(this.timeline.now, node, text);
  }

  /** Starts a node that is down, as a fresh incarnation. */
  start(name: string): void {
    const node = this.node(name);
    if (node.state !== null) return;
    node.boot++;
    node.nextPid = 1;
    node.paused = false;
    node.backlog.length = 0;
    node.tickAt = Infinity;
    node.state = createMember(this.#configOf(name), memberKey(name, this.#incarnation()));
    this.note(name, `starts as ${node.state.self}`);
    this.deliver(node, { type: 'start' });
  }

  /** The node and all its processes are gone at this instant. */
  crash(name: string): MemberKey | null {
    const node = this.node(name);
    const { state } = node;
    if (state === null) return null;
    this.note(name, `crashes as ${state.self}`);
    this.#stop(node, state.self);
    return state.self;
  }

  pause(name: string): void {
    const node = this.node(name);
    if (node.state === null || node.paused) return;
    this.note(name, 'is paused');
    node.paused = true;
  }

  resume(name: string): void {
    const node = this.node(name);
    if (!node.paused) return;
    this.note(name, 'goes on');
    node.paused = false;
    const boot = node.boot;
    for (const event of node.backlog.splice(0)) {
      if (node.boot === boot && !node.paused) this.deliver(node, event);
    }
  }

  /** One event into the member of that node; held back while it is paused, lost while it is down. */
  deliver(node: SimNode, event: Event): void {
    const { state } = node;
    if (state === null) return;
    if (node.paused) {
      node.backlog.push(event);
      return;
    }
    const now = this.localTime(node);
    const effects = step(state, event, now);
    this.trace.step(this.timeline.now, node.name, { event, effects });
    this.watch.stepped(node, event, effects);
    const boot = node.boot;
    for (const effect of effects) if (node.boot === boot && node.state !== null) this.#perform(node, effect);
    if (node.boot === boot && node.state !== null) this.#planTick(node);
  }

  /** Delivers later, unless the node has been restarted by then. */
  deliverLater(node: SimNode, delay: number, event: Event): void {
    const { boot } = node;
    this.timeline.after(delay, () => {
      if (node.boot === boot) this.deliver(node, event);
    });
  }

  spawn(name: string): SimProcess {
    const node = this.node(name);
    const pid = new Pid(atom(name), node.nextPid++, 0, node.boot);
    const process: SimProcess = { pid, node: name, alive: true, endedAt: Infinity };
    node.processes.add(process);
    return process;
  }

  exit(process: SimProcess): void {
    if (!process.alive) return;
    this.#end(process);
    const node = this.node(process.node);
    this.note(process.node, `${process.pid} exits`);
    this.deliverLater(node, this.#draw.below(10), { type: 'exited', pid: process.pid });
  }

  /** A call of a client of that node; the answer arrives in `Call.result` and at the watch. */
  call(name: string, what: { type: Call['type']; key: NameKey; process?: SimProcess }): Call {
    const node = this.node(name);
    const id = this.#nextCall++;
    const call: Call = {
      id,
      node: name,
      boot: node.boot,
      type: what.type,
      key: what.key,
      process: what.process ?? null,
      invokedAt: this.timeline.now,
      answeredAt: Infinity,
      result: null,
    };
    this.calls.set(id, call);
    if (what.type !== 'register' || what.process === undefined) {
      this.deliver(node, { type: what.type === 'read' ? 'read' : 'unregister', id, key: what.key });
    } else {
      const { pid } = what.process;
      this.deliver(node, { type: 'register', id, key: what.key, name: what.key, pid, metadata: null });
    }
    return call;
  }

  cancel(call: Call): void {
    const node = this.node(call.node);
    if (call.result === null && node.boot === call.boot) this.deliver(node, { type: 'cancel', id: call.id });
  }

  /** Everybody who runs and may hear of it learns that the incarnation has ended. */
  proveDead(member: MemberKey, to: SimNode): void {
    if (!this.ended.has(member)) throw new Error(`${member} runs`);
    this.deliver(to, { type: 'provenDead', member });
  }

  /** The link event that both ends of a pair get. */
  tellLink(one: string, other: string, up: boolean): void {
    this.deliver(this.node(one), { type: 'link', node: other, up });
    this.deliver(this.node(other), { type: 'link', node: one, up });
  }

  #createNode(name: string): SimNode {
    const { clockRateBound } = this.options.config.durations;
    const steps = this.options.extremeClocks
      ? this.#draw.pick([-1000, 1000, 0])
      : this.#draw.between(-999, 999);
    return {
      name,
      clock: { offset: this.#draw.below(1_000_000), rate: 1 + (clockRateBound * steps) / 1000 },
      state: null,
      boot: 0,
      paused: false,
      backlog: [],
      tickAt: Infinity,
      nextPid: 1,
      processes: new Set(),
    };
  }

  #configOf(name: string): Config {
    const { config, durationsOf } = this.options;
    const own = durationsOf?.[name];
    return own === undefined ? config : { ...config, durations: own };
  }

  #incarnation(): string {
    return String(this.#nextIncarnation++);
  }

  #arrive(parcel: Parcel): void {
    const { from, to, message } = parcel;
    this.deliver(this.node(parcel.toNode), { type: 'message', from, to, message });
  }

  #perform(node: SimNode, effect: Effect): void {
    switch (effect.type) {
      case 'send':
        this.network.send({
          fromNode: node.name,
          toNode: nodeOf(effect.to),
          from: (node.state as MemberState).self,
          to: effect.to,
          message: effect.message,
        });
        return;
      case 'store':
        this.#askStore(node, effect);
        return;
      case 'reply':
        this.#reply(node, effect.id, effect.result);
        return;
      case 'fence':
        this.#fence(node, effect.pids);
        return;
      case 'end':
        for (const process of node.processes) if (process.pid.equals(effect.pid)) this.exit(process);
        return;
      case 'flushSoon':
        this.deliverLater(node, this.#draw.below(3), { type: 'flush' });
        return;
      case 'suspect':
        this.#suspect(node, effect.member);
        return;
      case 'left':
        this.note(node.name, 'has left');
        this.#stop(node, (node.state as MemberState).self);
        return;
      case 'alarm':
        this.watch.broken('alarm', `${node.name}: ${effect.what}`);
        return;
      default:
        effect satisfies never;
    }
  }

  #askStore(node: SimNode, effect: Extract<Effect, { type: 'store' }>): void {
    const { boot } = node;
    this.store.ask(node.name, effect.op, (outcome) => {
      if (node.boot === boot) this.deliver(node, { type: 'store', id: effect.id, outcome });
    });
  }

  #reply(node: SimNode, id: number, result: Result): void {
    const call = this.calls.get(id);
    if (call === undefined || call.node !== node.name || call.boot !== node.boot)
      this.watch.broken('answers', `${node.name} answered ${id}, which nobody asked there`);
    if (call.result !== null) this.watch.broken('answers', `${node.name} answered call ${id} twice`);
    call.result = result;
    call.answeredAt = this.timeline.now;
    this.watch.replied(node, call);
  }

  #fence(node: SimNode, pids: readonly Pid[]): void {
    const self = (node.state as MemberState).self;
    for (const process of [...node.processes]) {
      if (pids.some((pid) => pid.equals(process.pid))) this.exit(process);
    }
    this.ended.add(self);
    this.deliverLater(node, this.#draw.between(1, 300), {
      type: 'restart',
      incarnation: this.#incarnation(),
    });
  }

  /** A look at the incarnation proves only the end of one that has ended. */
  #suspect(node: SimNode, member: MemberKey): void {
    const { boot } = node;
    const proves = this.#draw.chance(this.options.proofPerMille);
    this.timeline.after(this.#draw.between(1, 50), () => {
      if (node.boot === boot && proves && this.ended.has(member)) this.proveDead(member, node);
    });
  }

  #stop(node: SimNode, self: MemberKey): void {
    for (const process of [...node.processes]) this.#end(process);
    this.ended.add(self);
    node.state = null;
    node.boot++;
    node.paused = false;
    node.backlog.length = 0;
    this.watch.stopped(node, self);
  }

  #end(process: SimProcess): void {
    process.alive = false;
    process.endedAt = this.timeline.now;
    this.node(process.node).processes.delete(process);
  }

  #planTick(node: SimNode): void {
    const state = node.state as MemberState;
    const at = Math.max(this.timeline.now + 0.01, this.trueTime(node, wakeAt(state, this.localTime(node))));
    if (at >= node.tickAt - 1e-6) return;
    node.tickAt = at;
    const { boot } = node;
    this.timeline.at(at, () => {
      if (node.boot !== boot || node.tickAt !== at) return;
      node.tickAt = Infinity;
      this.deliver(node, { type: 'tick' });
    });
  }
}
