// What a seed decides before a whole-stack run begins. Printed with every failure.
import type { RegistryOptions } from '../../registry/index.ts';
import { createDraw, type Draw } from '../draw.ts';
import type { StoreWeather } from './store-client.ts';
import type { WireWeather } from './wires.ts';

export const faultKinds = [
  'crash',
  'powerOff',
  'close',
  'pause',
  'partition',
  'isolate',
  'oneWay',
  'stall',
  'reset',
  'refuse',
  'storeOutage',
  'storeCut',
] as const;

export type FaultKind = (typeof faultKinds)[number];

export interface WholeOptions {
  readonly seed: number;
  readonly nodes: number;
  /** Nodes of one machine: then a refused connection proves that a node is dead. */
  readonly oneMachine: boolean;
  /** Faults happen until here; then everything heals. */
  readonly faultsUntilMs: number;
  readonly registry: Required<RegistryOptions>;
  /** Clocks at the very edges of the bound, instead of anywhere inside. */
  readonly extremeClocks: boolean;
  readonly timersLateMs: number;
  readonly wires: WireWeather;
  readonly windowBytes: number;
  readonly netTickMs: number;
  /** For an attempt to connect, and for its handshake. */
  readonly connectMs: number;
  readonly store: StoreWeather;
  readonly faults: readonly FaultKind[];
  readonly faultEveryMs: number;
  readonly faultLastsMs: number;
  /** Of 1000 nodes that went down, so many come back before everything heals. */
  readonly restartPerMille: number;
  readonly names: number;
  readonly clientsPerNode: number;
  readonly clientPauseMs: number;
  readonly callTimeoutMs: number;
  readonly restart: 'temporary' | 'transient';
  /** At the end all nodes are closed at once, or one after the other. */
  readonly closeAtOnce: boolean;
}

export function drawOptions(seed: number): WholeOptions {
  const draw = createDraw(seed, 20);
  const oneMachine = draw.chance(500);
  return {
    seed,
    nodes: draw.pick([2, 3, 3, 3, 4]),
    oneMachine,
    faultsUntilMs: draw.between(5, 11) * 1000,
    registry: drawRegistry(draw),
    extremeClocks: draw.chance(300),
    timersLateMs: draw.pick([0, 1, 1, 5]),
    wires: {
      delayMinMs: draw.pick([0.05, 0.5, 1]),
      delayMaxMs: draw.pick([2, 5, 20]),
      spikePerMille: draw.pick([0, 5, 20]),
      spikeMs: draw.pick([50, 400]),
      piecesPerMille: draw.pick([0, 100, 500]),
    },
    windowBytes: draw.pick([200, 4_000, 64_000]),
    netTickMs: draw.pick([800, 2_500, 8_000]),
    connectMs: draw.pick([400, 1_500]),
    store: {
      delayMaxMs: draw.pick([2, 8, 40]),
      troublePerMille: draw.pick([0, 0, 10, 60]),
      lateMaxMs: draw.pick([300, 2_000]),
    },
    faults: draw.chance(100) ? [] : drawFaults(draw, oneMachine),
    faultEveryMs: draw.pick([500, 1_200, 3_000]),
    faultLastsMs: draw.pick([400, 1_500, 5_000]),
    restartPerMille: draw.pick([300, 800, 1000]),
    names: draw.between(2, 5),
    clientsPerNode: draw.between(1, 3),
    clientPauseMs: draw.pick([20, 60, 150]),
    callTimeoutMs: draw.pick([300, 1_000, 2_500]),
    restart: draw.pick(['temporary', 'transient'] as const),
    closeAtOnce: draw.chance(500),
  };
}

function drawRegistry(draw: Draw): Required<RegistryOptions> {
  const storeOutageToleranceMs = draw.pick([2_000, 4_000]);
  return {
    leaseMs: 1_000,
    sessionMs: 3_000,
    storeOutageToleranceMs,
    storeOutageHoldMs: storeOutageToleranceMs + draw.pick([0, 1_000]),
    clockRateBound: 0.05,
    requestsMax: draw.pick([20, 1_000]),
    // Whoever gives up sooner than the longest wait of the protocol, and begins again, may never get through it.
    readyTimeoutMs: draw.pick([0, 20_000]),
    timeoutMs: 2_000,
    drainTimeoutMs: draw.pick([0, 1_000, 3_000]),
  };
}

/** Some kinds, at least two. A filter that refuses would pass for a proof among the nodes of one machine. */
function drawFaults(draw: Draw, oneMachine: boolean): FaultKind[] {
  const possible = faultKinds.filter((kind) => !oneMachine || (kind !== 'refuse' && kind !== 'powerOff'));
  const most = draw.pick([250, 500, 800]);
  const chosen = possible.filter(() => draw.chance(most));
  return chosen.length >= 2 ? chosen : ['crash', draw.pick(possible)];
}

/** In short, for the head of a story. */
export function tellOptions(options: WholeOptions): string {
  return JSON.stringify(options).replaceAll('"', '');
}
