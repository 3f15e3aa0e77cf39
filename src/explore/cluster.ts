// A cluster as a row of numbers, and what happens to it. The row: the local state of each node (0: down), what the store
// owes it, the messages on each link; what the store holds; what callers know; flags; and `env`, which holds everything
// that changes rarely: the time, what is left of the budgets, which clients have asked, who was ever started.
import { type Broken, type MemberAt, oneAuthority } from '../invariants/state.ts';
import type { Config, Event, MemberKey } from '../registry/protocol/types.ts';
import { memberKey, nodeOf } from '../registry/protocol/types.ts';
import { atom } from '../term/atom.ts';
import { Pid } from '../term/pid.ts';
import { limitsOf, textOf } from './canonical.ts';
import { Coverage } from './coverage.ts';
import { Ghosts } from './ghost.ts';
import { Locals, type Output } from './local.ts';
import { Queues } from './queues.ts';
import { type ClientOp, type Fault, faults, type Scope } from './scope.ts';
import { answered, asked, isAsked, judgeChange, Stores } from './store.ts';
import { Interner } from './tables.ts';

export interface Env {
  readonly time: number;
  /** By fault: how often it may still happen. */
  readonly left: readonly number[];
  /** Bits: client operations that were asked. */
  readonly done: number;
  /** Incarnations started, by node. */
  readonly started: readonly number[];
  /** Incarnations that have ended. */
  readonly ended: readonly MemberKey[];
  /** Operations without an asker that may still be executed. */
  readonly late: readonly number[];
}

/** Places in a row. */
export interface Places {
  readonly flags: number;
  readonly links: number;
  readonly env: number;
  readonly store: number;
  readonly ghost: number;
  readonly slots: number;
  readonly queues: number;
  readonly width: number;
}

/** Bits of `flags`, shifted by the node. */
export const tickDue = 1;
export const paused = 1 << 4;
export const storeCut = 1 << 8;
export const storeHeld = 1 << 12;
/** Bits of `links`, shifted by the link. */
export const held = 1;
export const cut = 1 << 12;

export class Cluster {
  readonly scope: Scope;
  readonly names: readonly string[];
  readonly at: Places;
  /** From and to of each link. */
  readonly links: readonly { readonly from: number; readonly to: number; readonly name: string }[] = [];
  readonly coverage: Coverage = new Coverage();
  readonly locals: Locals;
  readonly stores: Stores;
  readonly ghosts: Ghosts = new Ghosts();
  readonly queues: Queues = new Queues();
  /** The row that is being changed, and what was broken on the way. */
  readonly row: Int32Array;
  broken: Broken | null = null;
  /** Told of each step of a member, for a story. */
  watch: ((node: number, event: Event, output: Output) => void) | null = null;
  readonly #envs: Interner<Env> = new Interner();
  readonly #linkOf: number[];
  readonly #ops: readonly ClientOp[];

  constructor(scope: Scope, ops: readonly ClientOp[] = scope.ops) {
    this.scope = scope;
    this.#ops = ops;
    this.names = scope.nodes.map((node) => node.name);
    const count = this.names.length;
    this.at = placesOf(count);
    this.#linkOf = new Array<number>(count * count).fill(-1);
    const links = this.links as { from: number; to: number; name: string }[];
    for (let from = 0; from < count; from++)
      for (let to = 0; to < count; to++) {
        if (from === to) continue;
        this.#linkOf[from * count + to] = links.length;
        links.push({ from, to, name: `${this.names[from]}>${this.names[to]}` });
      }
    const config = configOf(scope);
    this.locals = new Locals({
      configOf: () => config,
      passMs: (node) => scope.quantumMs * (scope.nodes.find(({ name }) => name === node)?.rate ?? 1),
      limits: limitsOf([scope.durations]),
      coverage: this.coverage,
      flushAtOnce: scope.flushLater !== true,
    });
    this.stores = new Stores(this.locals);
    this.row = new Int32Array(this.at.width);
    this.#begin();
  }

  get count(): number {
    return this.names.length;
  }

  get env(): Env {
    return this.#envs.get(this.row[this.at.env] as number);
  }

  setEnv(change: Partial<Env>): void {
    const env = { ...this.env, ...change };
    this.row[this.at.env] = this.#envs.intern(textOf(env), () => env);
  }

  spend(fault: Fault): void {
    const left = this.env.left.slice();
    const index = faults.indexOf(fault);
    left[index] = (left[index] ?? 0) - 1;
    this.setEnv({ left });
    this.coverage.note(`fault ${fault}`);
  }

  local(node: number): number {
    return this.row[node] as number;
  }

  flag(bit: number, node: number): boolean {
    return ((this.row[this.at.flags] as number) & (bit << node)) !== 0;
  }

  setFlag(bit: number, node: number, on: boolean): void {
    const old = this.row[this.at.flags] as number;
    this.row[this.at.flags] = on ? old | (bit << node) : old & ~(bit << node);
  }

  linkFlag(bit: number, link: number): boolean {
    return ((this.row[this.at.links] as number) & (bit << link)) !== 0;
  }

  setLinkFlag(bit: number, link: number, on: boolean): void {
    const old = this.row[this.at.links] as number;
    this.row[this.at.links] = on ? old | (bit << link) : old & ~(bit << link);
  }

  queue(link: number): number {
    return this.row[this.at.queues + link] as number;
  }

  slot(node: number): number {
    return this.row[this.at.slots + node] as number;
  }

  /** The session of that incarnation runs at this instant. */
  readonly runs = (member: MemberKey): boolean => {
    const local = this.local(this.names.indexOf(nodeOf(member)));
    if (local === 0) return false;
    const facts = this.locals.facts(local);
    return facts.self === member && facts.sessionRuns;
  };

  /** One event into a node that runs and is not paused. */
  deliver(node: number, event: number): void {
    const before = this.local(node);
    const index = this.locals.step(before, event);
    const after = this.locals.next(index);
    this.row[node] = after;
    const output = this.locals.output(index);
    this.watch?.(node, this.locals.events.get(event), output);
    for (const { to, event: message } of output.sends) this.#send(node, to, message);
    if (output.broken !== null) this.broken ??= output.broken;
    if (output.op !== 0) this.row[this.at.slots + node] = asked(output.op);
    if (!output.plain || this.locals.facts(before).hostedText !== this.locals.facts(after).hostedText)
      this.#told(node, { before, output });
  }

  /** Takes the first message of a link. */
  receive(link: number): void {
    const at = this.at.queues + link;
    const queue = this.row[at] as number;
    this.row[at] = this.queues.rest(queue);
    this.deliver(this.links[link]?.to ?? 0, this.queues.first(queue));
  }

  /** The store executes what the node has asked; the answer waits. `answers` false: it is lost. */
  execute(node: number, answers: boolean): void {
    const op = this.slot(node) >>> 1;
    const index = this.#change(op);
    this.row[this.at.slots + node] = answered(answers ? this.stores.answer(index) : this.unknown(op));
    this.coverage.note('store executes');
  }

  /** An operation that nobody waits for any more. */
  executeLate(place: number): void {
    const { late } = this.env;
    this.#change(late[place] ?? 0);
    this.setEnv({ late: late.filter((_, at) => at !== place) });
    this.coverage.note('late write executes');
  }

  /** A read that never came back has no unknown effect. */
  unknown(op: number): number {
    const status = this.locals.ops.get(op).kind === 'read' ? 'unavailable' : 'unknown';
    return this.stores.answerOf({ status });
  }

  refuse(node: number): void {
    this.row[this.at.slots + node] = answered(this.stores.answerOf({ status: 'unavailable' }));
  }

  /** Starts a node that is down. */
  start(node: number): void {
    const self = this.#incarnation(node);
    this.row[node] = this.locals.fresh(memberKey(this.names[node] ?? '', self));
    this.setFlag(paused, node, false);
    this.setFlag(tickDue, node, false);
    this.deliver(node, this.locals.eventOf({ type: 'start' }));
  }

  /** A fenced member goes on as another. */
  restart(node: number): void {
    this.deliver(node, this.locals.eventOf({ type: 'restart', incarnation: this.#incarnation(node) }));
    this.dropTo(node);
  }

  /** The node and its processes are gone at this instant. */
  stop(node: number): void {
    const { self } = this.locals.facts(this.local(node));
    this.row[node] = 0;
    this.#orphan(node);
    for (const bit of [tickDue, paused]) this.setFlag(bit, node, false);
    this.dropTo(node, true);
    this.#ended(self);
    this.row[this.at.ghost] = this.ghosts.stopped(this.row[this.at.ghost] as number, node, self);
  }

  ask(index: number): void {
    const op = this.#ops[index] as ClientOp;
    const node = this.names.indexOf(op.at);
    const id = index + 1;
    const key = op.name ?? '';
    this.setEnv({ done: this.env.done | (1 << index) });
    this.coverage.note('client asks');
    const about = op.after === undefined ? undefined : this.#ops[op.after];
    if (op.do === 'cancel') {
      this.deliver(node, this.locals.eventOf({ type: 'cancel', id: (op.after ?? 0) + 1 }));
      return;
    }
    const pid = this.#pidOf(node, op.process ?? about?.process ?? 0);
    if (op.do === 'exit') {
      this.exit(node, pid);
      return;
    }
    const ghost = this.row[this.at.ghost] as number;
    const what = { id, node, type: op.do, key, pid: op.do === 'register' ? pid.key : null };
    this.row[this.at.ghost] = this.ghosts.invoke(ghost, what);
    const event: Event =
      op.do === 'register'
        ? { type: 'register', id, key, name: key, pid, metadata: null }
        : { type: op.do, id, key };
    this.deliver(node, this.locals.eventOf(event));
  }

  exit(node: number, pid: Pid): void {
    this.row[this.at.ghost] = this.ghosts.exited(this.row[this.at.ghost] as number, pid.key);
    this.coverage.note('process exits');
    this.deliver(node, this.locals.eventOf({ type: 'exited', pid }));
  }

  /** All clocks go on; whoever runs has to look what is due. */
  pass(): void {
    for (let node = 0; node < this.count; node++) {
      const local = this.local(node);
      if (local === 0) continue;
      this.row[node] = this.locals.pass(local);
      if (!this.flag(paused, node)) this.setFlag(tickDue, node, true);
    }
    this.setEnv({ time: this.env.time + 1 });
    this.coverage.note('time passes');
  }

  /** Invariants of the row as it stands. */
  check(): Broken | null {
    let deciding = 0;
    for (let node = 0; node < this.count; node++) {
      const local = this.local(node);
      if (local !== 0 && this.locals.facts(local).authority) deciding++;
    }
    if (deciding > 1) return oneAuthority(this.#running().values());
    return this.ghosts.check(this.row[this.at.ghost] as number, this.runs);
  }

  /** Nothing that is under way to the node reaches anybody any more. `all`: also to the incarnation that it has. */
  dropTo(node: number, all = false): void {
    const self = all || this.local(node) === 0 ? null : this.locals.facts(this.local(node)).self;
    this.links.forEach(({ to }, link) => {
      if (to !== node) return;
      const kept = this.queues.get(this.queue(link)).filter((event) => {
        const message = this.locals.events.get(event);
        return message.type === 'message' && message.to === self;
      });
      this.row[this.at.queues + link] = this.queues.of(kept);
    });
  }

  #begin(): void {
    const { row, at } = this;
    row.fill(0);
    const left = faults.map(() => 1000);
    const env: Env = { time: 0, left, done: 0, started: this.names.map(() => 0), ended: [], late: [] };
    row[at.env] = this.#envs.intern(textOf(env), () => env);
    row[at.store] = this.stores.empty;
    row[at.ghost] = this.ghosts.empty;
    for (let link = 0; link < this.links.length; link++) row[at.queues + link] = this.queues.of([]);
  }

  /** Messages to an incarnation that has ended reach nobody, ever: they are not kept. */
  #send(from: number, to: MemberKey, event: number): void {
    const node = this.names.indexOf(nodeOf(to));
    const local = this.local(node);
    if (local === 0 || this.locals.facts(local).self !== to) return;
    const link = this.#linkOf[from * this.count + node] as number;
    if (this.linkFlag(cut, link)) return;
    const at = this.at.queues + link;
    this.row[at] = this.queues.push(this.row[at] as number, event);
  }

  #told(node: number, what: { before: number; output: Output }): void {
    const { output } = what;
    const member = this.locals.facts(what.before).self;
    const after = this.locals.facts(this.local(node));
    const ghost = this.row[this.at.ghost] as number;
    const judged = this.ghosts.stepped(ghost, { node, member, output, after, runs: this.runs });
    this.row[this.at.ghost] = judged.ghost;
    this.broken ??= judged.broken;
    if (output.fenced !== null) {
      this.#ended(member);
      this.#orphan(node);
    }
    for (const key of output.ended) {
      const pid = this.#pidOf(node, Number(key.slice(0, key.indexOf('.'))));
      if (pid.key === key) this.exit(node, pid);
    }
    if (output.left) this.stop(node);
  }

  #ended(member: MemberKey): void {
    const { ended } = this.env;
    if (!ended.includes(member)) this.setEnv({ ended: [...ended, member] });
  }

  /** Nobody waits for the store here any more. Whether what was asked is still executed is open where the scope has late writes. */
  #orphan(node: number): void {
    const slot = this.slot(node);
    this.row[this.at.slots + node] = 0;
    if (!isAsked(slot) || (this.scope.faults.late?.times ?? 0) === 0) return;
    if (this.locals.ops.get(slot >>> 1).kind !== 'read')
      this.setEnv({ late: [...this.env.late, slot >>> 1] });
  }

  #change(op: number): number {
    const before = this.row[this.at.store] as number;
    const index = this.stores.execute(before, op);
    const after = this.stores.next(index);
    this.row[this.at.store] = after;
    if (before === after) return index;
    const started = this.env.started.reduce((a, b) => a + b, 0);
    const [old, fresh] = [this.stores.get(before), this.stores.get(after)];
    this.broken ??= judgeChange(old, fresh, { running: () => this.#running(), started });
    return index;
  }

  #running(): Map<MemberKey, MemberAt> {
    const running = new Map<MemberKey, MemberAt>();
    for (let node = 0; node < this.count; node++)
      if (this.local(node) !== 0) {
        const state = this.locals.look(this.local(node));
        running.set(state.self, { state, now: 0 });
      }
    return running;
  }

  #incarnation(node: number): string {
    const started = this.env.started.map((count, at) => (at === node ? count + 1 : count));
    this.setEnv({ started });
    return String(started[node]);
  }

  /** Processes of one incarnation are not those of the next. */
  #pidOf(node: number, process: number): Pid {
    return new Pid(atom(this.names[node] ?? ''), process, 0, this.env.started[node] ?? 1);
  }
}

function placesOf(nodes: number): Places {
  const flags = nodes;
  const slots = nodes + 5;
  const queues = slots + nodes;
  return {
    flags,
    links: flags + 1,
    env: flags + 2,
    store: flags + 3,
    ghost: flags + 4,
    slots,
    queues,
    width: queues + nodes * (nodes - 1),
  };
}

function configOf(scope: Scope): Config {
  return {
    durations: scope.durations,
    buckets: 1,
    logOpsMax: 64,
    windowOpsMax: 64,
    partEntriesMax: 8,
    removalsMax: 8,
    requestsMax: 100,
    claimStaggerMs: scope.staggerMs ?? 0,
  };
}
