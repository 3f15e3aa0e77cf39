// What a cluster is made of, and who is told what happens in it.
import type { Check } from '../invariants/catalogue.ts';
import type { Entry } from '../registry/protocol/messages.ts';
import type { Config, Durations, Effect, Event, MemberKey, NameKey } from '../registry/protocol/types.ts';
import type { Call, SimNode } from './machine.ts';
import type { Weather } from './network.ts';
import type { StoreWeather } from './sim-store.ts';

export interface Watch {
  /** After each step, before its effects. */
  stepped(node: SimNode, event: Event, effects: readonly Effect[]): void;
  replied(node: SimNode, call: Call): void;
  /** The member runs no more: crash, or `left`. */
  stopped(node: SimNode, member: MemberKey): void;
  /** A client reads the local table; what it hides from readers is not told. */
  snapshotRead(node: SimNode, key: NameKey, entry: Entry | undefined): void;
  broken(check: Check | 'harness', what: string): never;
}

export interface ClusterOptions {
  readonly seed: number;
  /** Of the machines. */
  readonly names: readonly string[];
  readonly config: Config;
  /** Nodes that were started with durations of their own; no `clockRateBound` is below that of `config`, which the clocks keep. */
  readonly durationsOf?: Readonly<Record<string, Durations>>;
  readonly weather: Weather;
  readonly storeWeather: StoreWeather;
  readonly proofPerMille: number;
  readonly extremeClocks: boolean;
  readonly traceLines: number;
  /** Rates of clocks, in thousandths of the bound, instead of drawn ones. */
  readonly clockSteps?: Readonly<Record<string, number>> | undefined;
  /** Member records prove who was replaced, as in earnest; otherwise only what a fault tells is known. */
  readonly recordProofs?: boolean | undefined;
  /** Exactly these messages are lost. */
  readonly losses?: readonly string[] | undefined;
}
