// What a run is to do, from the environment, as scripts/test.ts passes it on from the command line.
import { type StoreKind, storeKinds } from './stores.ts';

export interface FaultOptions {
  /** The same seed draws the same faults in the same order. */
  readonly seed: number;
  /** How long faults go on with each store; every fault happens once all the same. 0: once each, and one pair. */
  readonly minutes: number;
  readonly stores: readonly StoreKind[];
  /** Only faults whose name contains this text; all when it is empty. */
  readonly fault: string;
}

/** Throws for what it does not understand. */
export function optionsFrom(env: Readonly<Record<string, string | undefined>>): FaultOptions {
  const { FAULTS_SEED, FAULTS_MINUTES, FAULTS_STORE, FAULTS_FAULT: fault = '' } = env;
  const stores = FAULTS_STORE === undefined ? (['sqlite', 'etcd'] as const) : [storeOf(FAULTS_STORE)];
  const seed = FAULTS_SEED === undefined ? Date.now() % 1_000_000 : numberOf('FAULTS_SEED', FAULTS_SEED);
  const minutes = FAULTS_MINUTES === undefined ? 0 : numberOf('FAULTS_MINUTES', FAULTS_MINUTES);
  return { seed, minutes, stores, fault };
}

function storeOf(text: string): StoreKind {
  const kind = storeKinds.find((one) => one === text);
  if (kind === undefined) throw new RangeError(`FAULTS_STORE: one of ${storeKinds.join(', ')}, not ${text}`);
  return kind;
}

function numberOf(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0)) throw new RangeError(`${name}: a number, not ${text}`);
  return value;
}
