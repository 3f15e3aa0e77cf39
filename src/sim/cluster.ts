// A cluster under simulation: nodes that run the real `step`, each on a clock of its own, joined by the simulated
// network and store. This file turns effects into what happens next; what goes wrong, and when, is decided in faults.ts
// or by a script; what must hold is judged in checkers/, which are told of everything through `Watch`.
import { step, wakeAt } from '../registry/protocol/member.ts';
import { createMember, type MemberState } from '../registry/protocol/state.ts';
import type { Config, Effect, Event, MemberKey, NameKey, Result } from '../registry/protocol/types.ts';
import { memberKey, nodeOf } from '../registry/protocol/types.ts';
import { atom } from '../term/atom.ts';
import { Pid } from '../term/pid.ts';
import { Clock } from './clock.ts';
import type { ClusterOptions, Watch } from './cluster-options.ts';
import { copyState } from './copy-state.ts';
import { createDraw, type Draw, keyOf, rollDraw } from './draw.ts';
import { type Call, createMachine, type SimNode, type SimProcess } from './machine.ts';
import { Names } from './names.ts';
import { Network, type Parcel } from './network.ts';
import { SimStore } from './sim-store.ts';
import { Timeline } from './timeline.ts';
import { Trace } from './trace.ts';

export type { ClusterOptions, Watch } from './cluster-options.ts';
export type { Call, SimNode, SimProcess } from './machine.ts';

/** The node without a member whose processes members register. */
const foreignNode = atom('ext');

export class Cluster {
  readonly timeline: Timeline = new Timeline();
  readonly trace: Trace;
  readonly nodes: ReadonlyMap<string, SimNode>;
  readonly network: Network;
  readonly store: SimStore;
  readonly calls: Map<number, Call> = new Map();
  /** Incarnations that have ended for certain. */
  readonly ended: Set<MemberKey> = new Set();
  readonly names: Names = new Names();
  watch: Watch;
  /** Something that the protocol excludes was seen by a member. */
  alarmed: (node: SimNode, what: string) => void;
  readonly options: ClusterOptions;
  readonly #draw: Draw;
  readonly #machines: Map<MemberKey, SimNode> = new Map();
  /** Which machine ever watched which process of the node without a member. */
  readonly #foreignSeen: Set<string> = new Set();
  #nextIncarnation = 1;
  #nextForeign = 1;
  #nextCall = 1;

  constructor(options: ClusterOptions, watch: Watch) {
    this.options = options;
    this.watch = watch;
    this.alarmed = (node, what) => this.watch.broken('alarm', `${node.name}: ${what}`);
    this.trace = new Trace(options.traceLines);
    this.#draw = createDraw(options.seed, 1);
    this.network = new Network(this.timeline, {
      seed: options.seed,
      weather: options.weather,
      arrive: (parcel) => this.#arrive(parcel),
      losses: options.losses,
    });
    this.store = new SimStore(this.timeline, { seed: options.seed, weather: options.storeWeather });
    this.nodes = new Map(options.names.map((name) => [name, this.#createNode(name)]));
  }

  node(name: string): SimNode {
    const node = this.nodes.get(name);
    if (node === undefined) throw new Error(`no node ${name}`);
    return node;
  }

  /** The machine on which that incarnation was started. */
  machineOf(member: MemberKey): SimNode {
    return this.#machines.get(member) ?? this.node(nodeOf(member));
  }

  localTime(node: SimNode): number {
    return node.clock.localAt(this.timeline.now);
  }

  /** True time at which the node's clock shows `local`. */
  trueTime(node: SimNode, local: number): number {
    return node.clock.trueAt(local);
  }

  /** The clock of the node runs at another rate from now on. */
  setRate(node: SimNode, rate: number): void {
    this.note(node.name, `its clock runs at ${rate.toFixed(3)}`);
    node.clock.setRate(this.timeline.now, rate);
    node.tickAt = Infinity;
    if (node.state !== null) this.#planTick(node);
  }

  note(node: string, text: string): void {
    this.trace.note(this.timeline.now, node, text);
  }

  /** Starts a node that is down, as a fresh incarnation, unless a script says which. */
  start(name: string, incarnation: string = this.#incarnation()): void {
    const node = this.node(name);
    if (node.state !== null) return;
    node.boot++;
    this.#wakeFresh(node);
    this.forgetSnapshot(node);
    node.nextPid = 1;
    node.creation = this.names.begin(node, node.draw.chance(this.options.proofPerMille));
    node.generation = 0;
    node.state = createMember(this.#configOf(name), memberKey(node.nodeName, incarnation));
    this.#noteIncarnation(node, node.state.self);
    this.note(name, `starts as ${node.state.self}`);
    this.deliver(node, { type: 'start' });
  }

  #wakeFresh(node: SimNode): void {
    node.paused = false;
    node.backlog.length = 0;
    node.lagging = 0;
    node.restoredBoot = null;
    node.tickAt = Infinity;
  }

  /** The node and all its processes are gone at this instant. */
  crash(name: string): MemberKey | null {
    const node = this.node(name);
    const { state } = node;
    if (state === null) return null;
    this.note(name, `crashes as ${state.self}`);
    this.#stop(node);
    this.ended.add(state.self);
    return state.self;
  }

  /** As a crash, but of a machine that may be put back: nothing can prove that its member has ended. */
  vanish(name: string): void {
    const node = this.node(name);
    if (node.state === null) return;
    this.note(name, `vanishes as ${node.state.self}`);
    node.vanished = node.state.self;
    this.#stop(node);
  }

  /** What vanished never comes back. */
  forgetSnapshot(node: SimNode): void {
    if (node.vanished !== null) this.ended.add(node.vanished);
    node.vanished = null;
  }

  /** What a snapshot of the machine keeps of its member. */
  snapshot(name: string): { readonly state: MemberState; readonly boot: number } | null {
    const { state, boot } = this.node(name);
    return state === null ? null : { state: copyState(state), boot };
  }

  /** The machine, which is down, goes on from the snapshot; its clock did not stand still. */
  restore(name: string, from: { readonly state: MemberState; readonly boot: number }): void {
    const node = this.node(name);
    if (node.state !== null || node.vanished === null) return;
    if (node.vanished !== from.state.self) this.ended.add(node.vanished);
    node.vanished = null;
    node.boot++;
    this.#wakeFresh(node);
    node.restoredBoot = from.boot;
    node.state = from.state;
    const { self } = node.state;
    this.note(name, `is put back as ${self}`);
    // The first thing that it does is to look at its session; until then nobody sees what it holds.
    const event: Event = { type: 'tick' };
    const effects = step(node.state, event, this.localTime(node));
    this.trace.step(this.timeline.now, name, { event, effects });
    if (node.state.phase !== 'fenced' && node.state.phase !== 'left')
      this.watch.broken('restored', `${self} goes on as if nothing had happened`);
    for (const effect of effects) if (node.state !== null) this.#perform(node, effect);
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
      if (node.boot === boot && !node.paused) this.#handle(node, event);
    }
  }

  /** One event into the member of that node; late where it is slow, held back while it is paused, lost while it is down. */
  deliver(node: SimNode, event: Event): void {
    if (node.state === null) return;
    if (node.lagMaxMs === 0 && node.lagging === 0) {
      this.#handle(node, event);
      return;
    }
    const { now } = this.timeline;
    const ready = node.lagMaxMs === 0 ? now : now + node.draw.between(1, node.lagMaxMs);
    const { boot } = node;
    // Whoever was not behind until now has nothing to wait for.
    node.busyUntil = node.lagging === 0 ? ready : Math.max(node.busyUntil, ready);
    node.lagging++;
    this.timeline.at(node.busyUntil, () => {
      if (node.boot !== boot) return;
      node.lagging--;
      this.#handle(node, event);
    });
  }

  #handle(node: SimNode, event: Event): void {
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
    return this.#addProcess(node, new Pid(atom(node.nodeName), node.nextPid++, 0, node.creation));
  }

  /**
   * A process of a node without a member, watched by this one over a link: one that another member watches, too, where there is
   * one that this member never watched, and `shared`; else a fresh one.
   */
  spawnForeign(name: string, shared: boolean): SimProcess {
    const node = this.node(name);
    const known = [...this.nodes.values()]
      .flatMap(({ processes }) => [...processes])
      .find(({ foreign, pid }) => foreign && !this.#foreignSeen.has(`${name} ${pid.key}`));
    const pid = shared && known !== undefined ? known.pid : new Pid(foreignNode, this.#nextForeign++, 0, 1);
    this.#foreignSeen.add(`${name} ${pid.key}`);
    return this.#addProcess(node, pid);
  }

  #addProcess(node: SimNode, pid: Pid): SimProcess {
    const foreign = pid.node === foreignNode;
    const process: SimProcess = { pid, node: node.name, foreign, alive: true, endedAt: Infinity };
    node.processes.add(process);
    return process;
  }

  exit(process: SimProcess): void {
    if (!process.alive) return;
    this.#end(process);
    const node = this.node(process.node);
    this.note(process.node, `${process.pid} exits`);
    this.deliverLater(node, node.draw.below(10), { type: 'exited', pid: process.pid });
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
    const [first, second] = [this.node(one), this.node(other)];
    this.deliver(first, { type: 'link', node: second.nodeName, up });
    this.deliver(second, { type: 'link', node: first.nodeName, up });
  }

  #createNode(name: string): SimNode {
    const { seed, config, extremeClocks, clockSteps } = this.options;
    const drawn = extremeClocks ? this.#draw.pick([-1000, 1000, 0]) : this.#draw.between(-999, 999);
    const steps = clockSteps?.[name] ?? drawn;
    const rate = 1 + (config.durations.clockRateBound * steps) / 1000;
    const clock = new Clock(this.#draw.below(1_000_000), rate);
    return createMachine(name, clock, rollDraw(keyOf(seed, 1, name), 0));
  }

  #noteIncarnation(node: SimNode, member: MemberKey): void {
    node.generation++;
    this.#machines.set(member, node);
    this.names.note(member, node);
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
          toNode: this.names.route(node, nodeOf(effect.to)),
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
        this.deliverLater(node, node.draw.below(3), { type: 'flush' });
        return;
      case 'suspect':
        this.#suspect(node, effect.member);
        return;
      case 'left':
        this.note(node.name, 'has left');
        this.ended.add((node.state as MemberState).self);
        this.#stop(node);
        return;
      case 'alarm':
        this.alarmed(node, effect.what);
        return;
      default:
        effect satisfies never;
    }
  }

  #askStore(node: SimNode, effect: Extract<Effect, { type: 'store' }>): void {
    const { boot } = node;
    this.store.ask(node.name, effect.op, (outcome) => {
      if (node.boot !== boot) return;
      this.deliver(node, { type: 'store', id: effect.id, outcome });
      if (this.options.recordProofs === true && 'view' in outcome)
        this.#lookAtAll(node, outcome.view.members);
    });
  }

  /** What the elector makes of the member records that it has read. */
  #lookAtAll(node: SimNode, members: readonly MemberKey[]): void {
    for (const member of this.names.replaced(members)) {
      if (member === node.state?.self) continue;
      if (!this.ended.has(member))
        this.watch.broken('proof', `${node.name} takes ${member} for dead by the records, but it runs`);
      this.deliver(node, { type: 'provenDead', member });
    }
  }

  #reply(node: SimNode, id: number, result: Result): void {
    const call = this.calls.get(id);
    if (call !== undefined && call.boot === node.restoredBoot) return;
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
    const incarnation = this.#incarnation();
    this.#noteIncarnation(node, memberKey(node.nodeName, incarnation));
    this.note(node.name, `fences itself as ${self}; it will be #${incarnation}`);
    const restart: Event = { type: 'restart', incarnation };
    if (node.restoredBoot === null) this.deliverLater(node, node.draw.between(1, 300), restart);
    // A member that was put back is seen by nobody before it has begun anew; one that was leaving has left.
    else if (node.state?.phase === 'fenced') this.#handle(node, restart);
  }

  /** A look at the incarnation proves only the end of one that has ended. */
  #suspect(node: SimNode, member: MemberKey): void {
    const { boot } = node;
    const proves = node.draw.chance(this.options.proofPerMille);
    this.timeline.after(node.draw.between(1, 50), () => {
      if (node.boot === boot && proves && this.ended.has(member)) this.proveDead(member, node);
    });
  }

  #stop(node: SimNode): void {
    const { self } = node.state as MemberState;
    for (const process of [...node.processes]) this.#end(process);
    node.state = null;
    node.boot++;
    this.#wakeFresh(node);
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
