// Scripted cases: a cluster whose network and store do nothing on their own, driven by name. L is 1000 ms, S 3000 ms,
// T 8000 ms, H 16,000 ms.
// The checkers watch every step, so a script that reaches a bad state fails even where it asserts nothing.
import type { Message } from '../registry/protocol/messages.ts';
import type { MemberState } from '../registry/protocol/state.ts';
import type { Durations, StoreOp } from '../registry/protocol/types.ts';
import type { Call, Cluster, SimNode, SimProcess } from './cluster.ts';
import { type Judged, judgedCluster } from './judge.ts';
import type { Parcel } from './network.ts';
import type { Mood } from './sim-store.ts';

export const leaseMs = 1000;
export const sessionMs = 3000;
export const toleranceMs = 8000;
export const holdMs = 16_000;

export class Script {
  readonly cluster: Cluster;
  readonly judged: Judged;
  /** Every parcel that was sent, in order; also those that were lost. */
  readonly sent: (Parcel & { readonly at: number })[] = [];
  #lose: ((parcel: Parcel) => boolean) | null = null;

  /** `own`: nodes that were started with other durations. */
  constructor(names: readonly string[], own: Readonly<Record<string, Partial<Durations>>> = {}) {
    const durations = { leaseMs, sessionMs, toleranceMs, holdMs, clockRateBound: 0.05 };
    this.judged = judgedCluster({
      seed: 1,
      names,
      config: {
        durations,
        buckets: 4,
        logOpsMax: 64,
        windowOpsMax: 64,
        partEntriesMax: 8,
        removalsMax: 2,
        requestsMax: 1000,
        claimStaggerMs: 50,
      },
      durationsOf: Object.fromEntries(
        Object.entries(own).map(([name, some]) => [name, { ...durations, ...some }]),
      ),
      weather: { delayMinMs: 1, delayMaxMs: 1, lossPerMille: 0, spikePerMille: 0, spikeMs: 1 },
      storeWeather: { delayMaxMs: 1, timeoutMs: 100, troublePerMille: 0, lateMaxMs: 1 },
      proofPerMille: 0,
      extremeClocks: true,
      traceLines: 2000,
    });
    this.cluster = this.judged.cluster;
    this.cluster.network.intercept = (parcel) => {
      this.sent.push({ ...parcel, at: this.cluster.timeline.now });
      return this.#lose?.(parcel) === true;
    };
  }

  get now(): number {
    return this.cluster.timeline.now;
  }

  run(ms: number): void {
    this.cluster.timeline.runUntil(this.now + ms);
  }

  /** Runs until it holds, for at most `ms`; throws with the story when it never does. */
  until(what: string, holds: () => boolean, ms = 20_000): void {
    const end = this.now + ms;
    while (!holds()) {
      if (this.now >= end) throw new Error(`never: ${what}\n${this.cluster.trace.story(60)}`);
      this.run(5);
    }
  }

  /** Starts the nodes one after the other, so that the first leads, and waits until all count. */
  start(...names: string[]): void {
    for (const name of names) {
      this.cluster.start(name);
      this.until(`${name} is active`, () => this.state(name).phase === 'active');
    }
    this.until('all are established', () => names.every((name) => this.isEstablished(name)));
  }

  node(name: string): SimNode {
    return this.cluster.node(name);
  }

  state(name: string): MemberState {
    const { state } = this.node(name);
    if (state === null) throw new Error(`${name} is down`);
    return state;
  }

  self(name: string): string {
    return this.state(name).self;
  }

  leads(name: string): boolean {
    return this.node(name).state?.leader?.complete === true;
  }

  isEstablished(name: string): boolean {
    return this.cluster.store.record?.established.includes(this.self(name)) === true;
  }

  spawn(name: string): SimProcess {
    return this.cluster.spawn(name);
  }

  register(name: string, key: string, process: SimProcess = this.spawn(name)): Call {
    return this.cluster.call(name, { type: 'register', key, process });
  }

  unregister(name: string, key: string): Call {
    return this.cluster.call(name, { type: 'unregister', key });
  }

  read(name: string, key: string): Call {
    return this.cluster.call(name, { type: 'read', key });
  }

  /** Runs until the call is answered, and returns the kind of answer. */
  answer(call: Call, ms = 20_000): string {
    this.until(`call ${call.id} is answered`, () => call.result !== null, ms);
    const { result } = call;
    return result?.type === 'error' ? result.code : (result?.type ?? '');
  }

  /** Registers and expects success. */
  hold(name: string, key: string): SimProcess {
    const process = this.spawn(name);
    const got = this.answer(this.register(name, key, process));
    if (got !== 'registered') throw new Error(`${key} at ${name}: ${got}`);
    return process;
  }

  /** Cuts both directions between one node and the others. */
  cut(one: string, ...others: string[]): void {
    for (const other of others) {
      this.cluster.network.cut(one, other);
      this.cluster.network.cut(other, one);
    }
  }

  heal(one: string, ...others: string[]): void {
    for (const other of others) {
      this.cluster.network.heal(one, other);
      this.cluster.network.heal(other, one);
    }
  }

  cutStore(name: string, mood: Mood = 'unavailable'): void {
    this.cluster.store.cut.set(name, mood);
  }

  healStore(name: string): void {
    this.cluster.store.cut.delete(name);
  }

  /** What the rule names gets lost; `null` ends it. */
  lose(rule: ((parcel: Parcel) => boolean) | null): void {
    this.#lose = rule;
  }

  /** Loses messages of these types to that node. */
  loseTo(name: string, ...types: Message['type'][]): void {
    this.lose((parcel) => parcel.toNode === name && types.includes(parcel.message.type));
  }

  /** The store never answers this node's operations of that kind, and does not apply them; they are collected. */
  holdStore(name: string, holds: (op: StoreOp) => boolean): StoreOp[] {
    const held: StoreOp[] = [];
    this.cluster.store.intercept = (node, op) => {
      if (node !== name || !holds(op)) return null;
      held.push(op);
      return 'silent';
    };
    return held;
  }

  sentBy(name: string, type: Message['type'], since = 0): Parcel[] {
    return this.sent.filter(
      (parcel) => parcel.fromNode === name && parcel.message.type === type && parcel.at >= since,
    );
  }

  /** Local lookup, as a snapshot read shows it. */
  sees(name: string, key: string): string | undefined {
    return this.state(name).replica.entries.get(key)?.pid.toString();
  }
}
