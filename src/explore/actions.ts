// What may happen next in a state, as numbers, and how each is done. In `prompt` scopes whatever can be delivered goes
// first: not a reduction but a schedule, from which a scope deviates by its faults (a held link, a paused node, a slow
// store). In `free` scopes there is no schedule.
import type { MemberKey } from '../registry/protocol/types.ts';
import { type Cluster, cut, held, paused, storeCut, storeHeld, tickDue } from './cluster.ts';
import { type ClientOp, type Fault, type FaultRule, faults } from './scope.ts';
import { isAnswered, isAsked } from './store.ts';

export const kinds = [
  ...([
    'tick',
    'flush',
    'restart',
    'reply',
    'receive',
    'execute',
    'pass',
    'ask',
    'fault',
    'end',
    'late',
  ] as const),
] as const;

export type Kind = (typeof kinds)[number];

export interface Action {
  readonly kind: Kind;
  /** Node, link, client operation, fault, or place among the late writes. */
  readonly a: number;
  /** Of a fault: whom it hits. */
  readonly b: number;
}

const kindNumbers = Object.fromEntries(kinds.map((kind, index) => [kind, index])) as Record<Kind, number>;

export function encode(kind: Kind, a = 0, b = 0): number {
  return kindNumbers[kind] | (a << 4) | (b << 10);
}

export function decode(code: number): Action {
  return { kind: kinds[code & 15] as Kind, a: (code >>> 4) & 63, b: code >>> 10 };
}

const lasting: readonly Fault[] = ['pause', 'hold', 'cut', 'storeCut', 'storeHold'];
const ofLinks: readonly Fault[] = ['hold', 'cut', 'lose', 'linkUp', 'linkDown'];

/** A rule as it is enumerated: its targets are node numbers, or sets of links. */
interface Plan {
  readonly fault: Fault;
  readonly index: number;
  readonly quiet: boolean;
  readonly nodes: readonly number[];
  readonly sets: readonly (readonly number[])[];
  /** Nodes whose store goes with the links of the same place. */
  readonly stores: readonly (readonly number[])[];
  readonly stays: boolean;
  readonly until: number;
}

export class Actions {
  readonly #c: Cluster;
  readonly #plans: readonly Plan[];
  readonly #ops: readonly ClientOp[];

  constructor(cluster: Cluster) {
    this.#c = cluster;
    const { scope } = cluster;
    this.#ops = scope.ops;
    this.#plans = faults.flatMap((fault, index) => {
      const rule = scope.faults[fault];
      if (rule === undefined) return [];
      const { quiet = false, stays = false, until = Infinity } = rule;
      return [{ fault, index, quiet, stays, until, ...this.#targets(fault, rule) }];
    });
  }

  /** Everything that may happen next. */
  enabled(): number[] {
    const { scope } = this.#c;
    const free = scope.mode === 'free';
    const due = free ? this.#deliverable() : this.#prompt();
    const codes = [...due];
    const quiet = due.length === 0;
    if ((free ? !this.#anyTickDue() : quiet) && this.#c.env.time < scope.horizon) codes.push(encode('pass'));
    this.#clients(codes, quiet);
    for (const plan of this.#plans) if (quiet || !plan.quiet) this.#faults(codes, plan);
    this.#c.env.late.forEach((_, place) => {
      codes.push(encode('late', place));
    });
    return codes;
  }

  /** The one thing that happens next where nothing goes wrong. */
  next(): number {
    return this.#prompt()[0] ?? encode('pass');
  }

  get atRest(): boolean {
    return this.#prompt().length === 0;
  }

  do(code: number): void {
    const { kind, a, b } = decode(code);
    const c = this.#c;
    switch (kind) {
      case 'tick':
        c.setFlag(tickDue, a, false);
        c.deliver(a, c.locals.eventOf({ type: 'tick' }));
        return;
      case 'flush':
        c.deliver(a, c.locals.eventOf({ type: 'flush' }));
        return;
      case 'restart':
        c.restart(a);
        return;
      case 'reply': {
        const event = c.slot(a) >>> 1;
        c.row[c.at.slots + a] = 0;
        c.deliver(a, event);
        return;
      }
      case 'receive':
        c.receive(a);
        return;
      case 'execute':
        if (c.flag(storeCut, a)) c.refuse(a);
        else c.execute(a, true);
        return;
      case 'pass':
        c.pass();
        return;
      case 'ask':
        c.ask(a);
        return;
      case 'fault':
        this.begin(faults[a] as Fault, b);
        return;
      case 'end':
        this.end(faults[a] as Fault, b);
        return;
      case 'late':
        c.executeLate(a);
        return;
      default:
        kind satisfies never;
    }
  }

  /** `target`: a node, the place of a set of links, or a node and another. */
  begin(fault: Fault, target: number): void {
    const c = this.#c;
    c.spend(fault);
    const set = this.#setOf(fault, target);
    switch (fault) {
      case 'crash':
        c.stop(target);
        return;
      case 'start':
        c.start(target);
        return;
      case 'pause':
        c.setFlag(paused, target, true);
        c.setFlag(tickDue, target, false);
        return;
      case 'hold':
        for (const link of set) c.setLinkFlag(held, link, true);
        return;
      case 'cut':
        for (const link of set) {
          c.setLinkFlag(cut, link, true);
          c.row[c.at.queues + link] = c.queues.empty;
        }
        for (const node of this.#storesOf(target)) c.setFlag(storeCut, node, true);
        return;
      case 'lose':
        for (const link of set) c.row[c.at.queues + link] = c.queues.rest(c.queue(link));
        return;
      case 'storeCut':
        c.setFlag(storeCut, target, true);
        return;
      case 'storeHold':
        c.setFlag(storeHeld, target, true);
        return;
      case 'unavailable':
        c.refuse(target);
        return;
      case 'lost':
        c.execute(target, false);
        return;
      case 'silent':
      case 'late':
        this.#unanswered(fault, target);
        return;
      case 'proof':
      case 'mistake':
        this.#tellDead(fault, target);
        return;
      case 'drain':
        c.deliver(target, c.locals.eventOf({ type: 'drain' }));
        return;
      case 'linkUp':
      case 'linkDown':
        for (const link of set) this.#tellLink(link, fault === 'linkUp');
        return;
      default:
        fault satisfies never;
    }
  }

  end(fault: Fault, target: number): void {
    const c = this.#c;
    c.coverage.note('fault ends');
    const set = this.#setOf(fault, target);
    if (fault === 'pause') {
      c.setFlag(paused, target, false);
      c.setFlag(tickDue, target, true);
    } else if (fault === 'hold') for (const link of set) c.setLinkFlag(held, link, false);
    else if (fault === 'cut') {
      for (const link of set) c.setLinkFlag(cut, link, false);
      for (const node of this.#storesOf(target)) c.setFlag(storeCut, node, false);
    } else if (fault === 'storeCut') c.setFlag(storeCut, target, false);
    else if (fault === 'storeHold') c.setFlag(storeHeld, target, false);
  }

  /** Everything that lasts has an end, now. */
  heal(): void {
    const c = this.#c;
    for (let node = 0; node < c.count; node++) {
      if (c.flag(paused, node)) this.end('pause', node);
      c.setFlag(storeCut, node, false);
      c.setFlag(storeHeld, node, false);
    }
    c.row[c.at.links] = 0;
  }

  #setOf(fault: Fault, target: number): readonly number[] {
    return this.#plans.find((plan) => plan.fault === fault)?.sets[target] ?? [];
  }

  #storesOf(target: number): readonly number[] {
    return this.#plans.find((plan) => plan.fault === 'cut')?.stores[target] ?? [];
  }

  #unanswered(fault: 'silent' | 'late', node: number): void {
    const c = this.#c;
    const op = c.slot(node) >>> 1;
    c.row[c.at.slots + node] = 2 * c.unknown(op) + 1;
    if (fault === 'late') c.setEnv({ late: [...c.env.late, op] });
  }

  #tellDead(fault: 'proof' | 'mistake', target: number): void {
    const c = this.#c;
    const other = target >>> 2;
    const member = fault === 'proof' ? c.env.ended[other] : c.locals.facts(c.local(other)).self;
    if (member !== undefined) c.deliver(target & 3, c.locals.eventOf({ type: 'provenDead', member }));
  }

  #tellLink(link: number, up: boolean): void {
    const { from, to } = this.#c.links[link] as { from: number; to: number };
    const node = this.#c.names[from] as string;
    if (this.#runs(to)) this.#c.deliver(to, this.#c.locals.eventOf({ type: 'link', node, up }));
  }

  #runs(node: number): boolean {
    return this.#c.local(node) !== 0 && !this.#c.flag(paused, node);
  }

  #anyTickDue(): boolean {
    return this.#c.names.some((_, node) => this.#runs(node) && this.#c.flag(tickDue, node));
  }

  #phase(node: number): string {
    return this.#c.locals.facts(this.#c.local(node)).phase;
  }

  /** What one node can take now. */
  #takes(node: number): number[] {
    const c = this.#c;
    if (!this.#runs(node)) return [];
    const facts = c.locals.facts(c.local(node));
    const codes: number[] = [];
    if (facts.flushAsked && facts.phase !== 'fenced') codes.push(encode('flush', node));
    if (facts.phase === 'fenced') codes.push(encode('restart', node));
    if (c.flag(tickDue, node)) codes.push(encode('tick', node));
    if (isAnswered(c.slot(node)) && !c.flag(storeHeld, node)) codes.push(encode('reply', node));
    c.links.forEach(({ to }, link) => {
      if (to === node && c.queue(link) !== c.queues.empty && !c.linkFlag(held, link))
        codes.push(encode('receive', link));
    });
    return codes;
  }

  #executable(): number[] {
    const c = this.#c;
    const codes: number[] = [];
    for (let node = 0; node < c.count; node++)
      if (isAsked(c.slot(node)) && !c.flag(storeHeld, node)) codes.push(encode('execute', node));
    return codes;
  }

  #deliverable(): number[] {
    const codes = this.#executable();
    for (let node = 0; node < this.#c.count; node++) codes.push(...this.#takes(node));
    return codes;
  }

  /** Of what can be delivered that which goes first: all that one node can take, or all that the store can. */
  #prompt(): number[] {
    const one = this.#c.scope.oneOrder === true;
    for (let node = 0; node < this.#c.count; node++) {
      const codes = this.#takes(node);
      if (codes.length > 0) return one ? codes.slice(0, 1) : codes;
    }
    const codes = this.#executable();
    return one ? codes.slice(0, 1) : codes;
  }

  #clients(codes: number[], quiet: boolean): void {
    const c = this.#c;
    const { done, time } = c.env;
    this.#ops.forEach((op, index) => {
      if ((done & (1 << index)) !== 0 || (op.quiet === true && !quiet) || time > (op.until ?? time)) return;
      if (op.after !== undefined && (done & (1 << op.after)) === 0) return;
      const node = c.names.indexOf(op.at);
      if (!this.#runs(node) || this.#phase(node) === 'fenced') return;
      if (op.do === 'cancel' && !this.#waits((op.after ?? 0) + 1)) return;
      codes.push(encode('ask', index));
    });
  }

  #waits(id: number): boolean {
    return this.#c.ghosts.get(this.#c.row[this.#c.at.ghost] as number).calls.some((call) => call.id === id);
  }

  #faults(codes: number[], plan: Plan): void {
    const c = this.#c;
    const { fault, index } = plan;
    const targets = ofLinks.includes(fault) ? plan.sets.map((_, at) => at) : plan.nodes;
    if (lasting.includes(fault) && !plan.stays)
      for (const target of targets) if (this.#lasts(fault, target)) codes.push(encode('end', index, target));
    if ((c.env.left[index] ?? 0) <= 0 || c.env.time > plan.until) return;
    if (fault === 'proof' || fault === 'mistake') this.#deaths(codes, plan);
    else
      for (const target of targets)
        if (this.#mayBegin(fault, target)) codes.push(encode('fault', index, target));
  }

  #lasts(fault: Fault, target: number): boolean {
    const c = this.#c;
    if (fault === 'pause') return c.flag(paused, target);
    if (fault === 'storeCut') return c.flag(storeCut, target);
    if (fault === 'storeHold') return c.flag(storeHeld, target);
    const links = this.#setOf(fault, target).every((link) => c.linkFlag(fault === 'hold' ? held : cut, link));
    return links && (fault !== 'cut' || this.#storesOf(target).every((node) => c.flag(storeCut, node)));
  }

  #mayBegin(fault: Fault, target: number): boolean {
    const c = this.#c;
    const set = this.#setOf(fault, target);
    if (fault === 'start') return c.local(target) === 0;
    if (fault === 'lose') return set.some((link) => c.queue(link) !== c.queues.empty);
    if (lasting.includes(fault) && fault !== 'pause') return !this.#lasts(fault, target);
    if (ofLinks.includes(fault)) return true;
    if (c.local(target) === 0) return false;
    if (fault === 'crash') return true;
    if (fault === 'pause') return !c.flag(paused, target);
    if (fault === 'drain')
      return this.#runs(target) && ['joining', 'active', 'fenced'].includes(this.#phase(target));
    if (!isAsked(c.slot(target)) || c.flag(storeHeld, target)) return false;
    return fault === 'unavailable' || c.locals.ops.get(c.slot(target) >>> 1).kind !== 'read';
  }

  #deaths(codes: number[], { fault, index, nodes }: Plan): void {
    const c = this.#c;
    for (const node of nodes) {
      if (!this.#runs(node)) continue;
      const { dead } = c.locals.facts(c.local(node));
      const tell = (member: MemberKey, other: number): void => {
        if (!dead.has(member)) codes.push(encode('fault', index, node | (other << 2)));
      };
      if (fault === 'proof') c.env.ended.forEach(tell);
      else
        c.names.forEach((_, other) => {
          if (other !== node && c.local(other) !== 0) tell(c.locals.facts(c.local(other)).self, other);
        });
    }
  }

  #targets(fault: Fault, rule: FaultRule): Pick<Plan, 'nodes' | 'sets' | 'stores'> {
    const c = this.#c;
    if (!ofLinks.includes(fault))
      return { nodes: (rule.at ?? c.names).map((name) => c.names.indexOf(name)), sets: [], stores: [] };
    const names = (rule.at ?? c.links.map((link) => link.name)).map((set) => set.split('+'));
    const linkOf = (one: string): number => c.links.findIndex(({ name }) => name === one);
    return {
      nodes: [],
      sets: names.map((set) => set.filter((one) => !one.startsWith('@')).map(linkOf)),
      stores: names.map((set) =>
        set.filter((one) => one.startsWith('@')).map((one) => c.names.indexOf(one.slice(1))),
      ),
    };
  }
}
