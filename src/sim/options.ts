// What a seed decides before its run begins: how many members, how their clocks go, how bad the network and the store
// are, which faults happen and how often. Printed with every failure.
import { slower } from '../registry/protocol/authority.ts';
import type { Config, Durations } from '../registry/protocol/types.ts';
import { createDraw, type Draw } from './draw.ts';
import type { Weather } from './network.ts';
import type { StoreWeather } from './sim-store.ts';

export const nodeNames = ['A', 'B', 'C', 'D', 'E', 'F', 'G'] as const;

/** Most members that a run has, those that join included. */
const membersMax = 7;

export const faultKinds = [
  'crash',
  'pause',
  'partition',
  'oneWay',
  'isolate',
  'storeOutage',
  'storeCut',
  'drain',
  'flap',
  /** One is not heard by some whom it hears, or hears not who hear it. */
  'deaf',
  /** Cut off from peers and store at once. */
  'alone',
  /** Some reach the store, others do not. */
  'storeSplit',
  /** The store answers later than its callers wait. */
  'storeSlow',
  /** The store answers reads only. */
  'storeReadOnly',
  'slow',
  'twin',
  'rewind',
  'drift',
] as const;

export type FaultKind = (typeof faultKinds)[number];

export interface Options {
  readonly seed: number;
  /** Members from the start, and those that join later. */
  readonly nodes: number;
  readonly joiners: number;
  /** Faults happen until here; then everything heals. */
  readonly faultsUntilMs: number;
  readonly config: Config;
  /** Members with durations of their own, by node; the others have those of `config`. */
  readonly durationsOf: Readonly<Record<string, Durations>>;
  readonly weather: Weather;
  readonly storeWeather: StoreWeather;
  readonly faults: readonly FaultKind[];
  /** Clocks leave the bound: safety is not promised, and only what must hold all the same is judged. */
  readonly beyondBound: boolean;
  /** From one fault to the next, at most. */
  readonly faultEveryMs: number;
  readonly faultLastsMs: number;
  /** Of 1000 faults of one node, so many strike the leader. */
  readonly aimPerMille: number;
  /** Of 1000 faults, so many are followed by another within a lease. */
  readonly burstPerMille: number;
  /** Of 1000 crashes seen by another node, so many are proven to it. */
  readonly proofPerMille: number;
  /** Of 1000 crashed nodes, so many come back before everything heals. */
  readonly restartPerMille: number;
  readonly names: number;
  readonly callEveryMs: number;
  readonly callDeadlineMs: number;
  readonly exitEveryMs: number;
  /** Of 1000 registrations, so many are of processes of a node without a member. */
  readonly foreignPerMille: number;
  /** Clocks at the very edges of the bound, instead of anywhere inside. */
  readonly extremeClocks: boolean;
  /** Rates of clocks in thousandths of the bound, instead of drawn ones. */
  readonly clockSteps?: Readonly<Record<string, number>>;
  /** Member records prove the end of those who were replaced, as in earnest. */
  readonly recordProofs: boolean;
}

export function drawOptions(seed: number): Options {
  const draw = createDraw(seed, 0);
  const calm = draw.chance(100);
  const counts = drawCounts(createDraw(seed, 11));
  const large = counts.nodes + counts.joiners > 4;
  const faultsUntilMs = draw.between(8, large ? 14 : 25) * 1000;
  const config = drawConfig(draw, seed);
  const beyondBound = createDraw(seed, 12).chance(50);
  return {
    seed,
    ...counts,
    faultsUntilMs,
    config,
    durationsOf: drawMixed(createDraw(seed, 10), config.durations),
    weather: drawWeather(draw),
    storeWeather: {
      delayMaxMs: draw.pick([5, 20, 60]),
      timeoutMs: draw.pick([150, 400, 1000]),
      troublePerMille: draw.pick([0, 0, 20, 150]),
      lateMaxMs: draw.pick([300, 2000, 8000]),
    },
    faults: calm ? [] : drawFaults(createDraw(seed, 13)),
    beyondBound,
    faultEveryMs: draw.pick([800, 2000, 5000]),
    faultLastsMs: draw.pick([600, 2500, 8000]),
    aimPerMille: draw.pick([0, 400, 800]),
    burstPerMille: draw.pick([0, 300, 700]),
    proofPerMille: draw.pick([0, 300, 1000]),
    restartPerMille: draw.pick([0, 500, 1000]),
    names: draw.between(1, 5),
    callEveryMs: draw.pick(large ? [60, 200] : [20, 60, 200]),
    callDeadlineMs: draw.pick([300, 1500, 6000]),
    exitEveryMs: draw.pick([300, 1500, 6000]),
    extremeClocks: draw.chance(500),
    foreignPerMille: createDraw(seed, 14).pick([0, 0, 100, 300]),
    recordProofs: createDraw(seed, 15).chance(500),
  };
}

/** Small clusters mostly: what goes wrong goes wrong among few, and a run costs more with each member. */
function drawCounts(draw: Draw): { nodes: number; joiners: number } {
  const nodes = draw.pick([1, 2, 2, 2, 3, 3, 3, 3, 3, 3, 4, 4, 4, 5, 5, 6, 7]);
  const joiners = Math.min(draw.pick([0, 0, 1, 2, 3]), membersMax - nodes);
  return { nodes, joiners };
}

function drawConfig(draw: Draw, seed: number): Config {
  const toleranceMs = draw.pick([3500, 6000, 10_000]);
  return {
    durations: {
      leaseMs: 1000,
      sessionMs: 3000,
      toleranceMs,
      holdMs: toleranceMs + createDraw(seed, 8).pick([0, 1000, 4000, 12_000]),
      clockRateBound: draw.pick([0.05, 0.05, 0.01]),
    },
    buckets: draw.pick([1, 4, 16]),
    logOpsMax: draw.pick([2, 8, 64]),
    windowOpsMax: draw.pick([2, 16, 256]),
    partEntriesMax: draw.pick([1, 3, 100]),
    removalsMax: createDraw(seed, 9).pick([1, 2, 64]),
    requestsMax: 1000,
    claimStaggerMs: draw.pick([0, 50, 150]),
  };
}

/** In every third run most nodes were started with options of their own, as a rolling change of them leaves it. */
function drawMixed(draw: Draw, common: Durations): Record<string, Durations> {
  const mixed: Record<string, Durations> = {};
  if (!draw.chance(333)) return mixed;
  for (const name of nodeNames) if (draw.chance(700)) mixed[name] = drawDurations(draw, common);
  return mixed;
}

/** Anything that the options of a registry allow, as far as members of one cluster can live with each other's. */
function drawDurations(draw: Draw, common: Durations): Durations {
  const leaseMs = draw.pick([500, 1000, 1000, 2000]);
  const toleranceMs = draw.pick([leaseMs, 3500, 6000, 10_000]);
  return {
    leaseMs,
    sessionMs: leaseMs * draw.pick([2, 3, 3, 6]),
    toleranceMs,
    holdMs: toleranceMs + draw.pick([0, 1000, 4000, 12_000]),
    clockRateBound: common.clockRateBound * draw.pick([1, 1, 2, 4]),
  };
}

/** The largest of each, over all nodes. */
export function longestDurations(options: Pick<Options, 'config' | 'durationsOf'>): Durations {
  return Object.values(options.durationsOf).reduce(slower, options.config.durations);
}

function drawWeather(draw: Draw): Weather {
  const delayMinMs = draw.pick([0, 1, 5]);
  return {
    delayMinMs,
    delayMaxMs: delayMinMs + draw.pick([1, 10, 40, 120]),
    lossPerMille: draw.pick([0, 0, 0, 10, 60, 200]),
    spikePerMille: draw.pick([0, 0, 5, 30]),
    spikeMs: draw.pick([200, 1500, 6000]),
  };
}

function drawFaults(draw: Draw): FaultKind[] {
  // Sometimes all at once, sometimes few of them again and again.
  const share = draw.pick([1000, 500, 250, 120]);
  const chosen = faultKinds.filter(() => draw.chance(share));
  return chosen.length > 0 ? chosen : [draw.pick(faultKinds)];
}

/** One line, in the order of the interface. */
export function tellOptions(options: Options): string {
  return JSON.stringify(options).replaceAll('"', '');
}
