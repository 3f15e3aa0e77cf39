// What the cases for single guards share: clocks at chosen edges of the bound, messages that are held back and let through
// later, and answers of the store that come when the case says so.
import type { StoreOp } from '../../src/registry/protocol/types.ts';
import type { SimNode } from '../../src/sim/cluster.ts';
import type { Parcel } from '../../src/sim/network.ts';
import { Script } from '../../src/sim/script.ts';

/** Slow clocks let durations last longer, fast ones end them sooner: 5 % each. */
function setClock(s: Script, name: string, rate: 0.95 | 1.05 | 1): void {
  s.node(name).clock.setRate(s.now, rate);
}

export function withClocks(rates: Readonly<Record<string, 0.95 | 1.05 | 1>>): Script {
  const s = new Script(Object.keys(rates));
  for (const [name, rate] of Object.entries(rates)) setClock(s, name, rate);
  s.start(...Object.keys(rates));
  return s;
}

/** As `cutStore('*')`, but each can be healed by itself. */
export function cutStores(s: Script, ...names: string[]): void {
  for (const name of names) s.cutStore(name);
}

export function cluster(...names: string[]): Script {
  const s = new Script([...names, 'N']);
  s.start(...names);
  return s;
}

/** Keeps what the rule names, until it is forwarded; `null` ends it. */
export function keep(s: Script, rule: (parcel: Parcel) => boolean): Parcel[] {
  const kept: Parcel[] = [];
  s.lose((parcel) => {
    if (!rule(parcel)) return false;
    kept.push(parcel);
    return true;
  });
  return kept;
}

export function forward(s: Script, parcels: readonly Parcel[]): void {
  for (const parcel of parcels) s.cluster.network.forward(parcel);
}

/** Runs until the leader has renewed, and its members have heard it. */
export function untilRenewed(s: Script): void {
  const before = s.cluster.store.record?.renewals ?? 0;
  while (s.cluster.store.record?.renewals === before) s.run(1);
  s.run(6);
}

export interface HeldOp {
  readonly node: SimNode;
  readonly id: number;
  readonly op: StoreOp;
}

/** Operations of that node wait for an answer until `answerTo` gives it. */
export function holdAnswers(s: Script, name: string, holds: (op: StoreOp) => boolean): HeldOp[] {
  const held: HeldOp[] = [];
  s.cluster.store.weather.timeoutMs = 1e6;
  s.cluster.store.intercept = (node, op) => {
    if (node !== name || !holds(op)) return null;
    held.push({ node: s.node(name), id: s.state(name).store.inflight?.id ?? 0, op });
    return 'silent';
  };
  return held;
}

/** The store has carried it out `before`; now the answer arrives. */
export function answerTo(
  s: Script,
  held: HeldOp,
  outcome: ReturnType<Script['cluster']['store']['apply']>,
): void {
  s.cluster.deliver(held.node, { type: 'store', id: held.id, outcome });
}

/** All other nodes learn that the node has ended. */
export function crashProven(s: Script, name: string, ...to: string[]): void {
  const dead = s.cluster.crash(name);
  if (dead === null) throw new Error(`${name} is down`);
  for (const other of to) s.cluster.proveDead(dead, s.node(other));
}

/** So many own registrations at the leader that a follower who hears none of them must pull. */
export function missMuch(s: Script, leader: string, prefix: string): void {
  for (let count = 0; count < 140; count++) s.register(leader, `${prefix} ${count}`);
  s.run(60);
}

export const isWrite = (op: StoreOp): op is Extract<StoreOp, { kind: 'write' }> => op.kind === 'write';
