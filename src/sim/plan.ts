// The list of actions of a run, drawn from its options. Each fault and each call draws by its own number.
import type { Action, Delays, Fault } from './actions.ts';
import { createDraw, type Draw, decisionDraw } from './draw.ts';
import { twinOf } from './machine.ts';
import { type FaultKind, nodeNames, type Options } from './options.ts';
import { planDeeds } from './plan-deeds.ts';
import type { Mood } from './sim-store.ts';

/** In the order of their times. */
export function planRun(options: Options): Action[] {
  const faults = [...planStarts(options), ...planFaults(options), ...planSkews(options)];
  const machines = machinesOf(options, faults);
  return [...faults, ...planDeeds(options, machines)].sort((a, b) => a.at - b.at);
}

/** The nodes, and right behind each the second machine of its name, where one is started. */
export function machinesOf(
  options: Pick<Options, 'nodes' | 'joiners'>,
  actions: readonly Action[],
): string[] {
  const twins = new Set(actions.flatMap((one) => (one.do === 'twin' ? [one.node] : [])));
  return namesOf(options).flatMap((name) => (twins.has(name) ? [name, twinOf(name)] : [name]));
}

export function namesOf(options: Pick<Options, 'nodes' | 'joiners'>): readonly string[] {
  return nodeNames.slice(0, options.nodes + options.joiners);
}

function planStarts(options: Options): Action[] {
  const draw = createDraw(options.seed, 4);
  return namesOf(options).map((node, index) => ({
    at: index < options.nodes ? draw.below(300) : draw.between(1000, options.faultsUntilMs),
    do: 'start',
    node,
  }));
}

function planFaults(options: Options): Action[] {
  const { seed, faults, burstPerMille, config, faultEveryMs, faultsUntilMs } = options;
  const planned: Action[] = [];
  if (faults.length === 0) return planned;
  for (let at = 1500, number = 0; at < faultsUntilMs; number++) {
    const draw = decisionDraw(seed, 4, number);
    const fault = drawFault(draw, options, draw.pick(faults));
    if (fault !== null) planned.push({ at, ...fault });
    const most = draw.chance(burstPerMille) ? config.durations.leaseMs : faultEveryMs;
    at += draw.between(50, most);
  }
  return planned;
}

/** Beyond the bound: up to three times as far off, or standing still with the machine. */
function planSkews(options: Options): Action[] {
  if (!options.beyondBound) return [];
  const draw = createDraw(options.seed, 16);
  const planned: Action[] = [];
  for (let count = draw.between(1, 6); count > 0; count--) {
    const at = draw.between(1000, options.faultsUntilMs);
    const node = draw.pick(namesOf(options));
    const lasts = draw.between(500, 8000);
    if (draw.chance(300)) planned.push({ at, do: 'pause', node, aim: draw.chance(500), lasts, frozen: true });
    else {
      const steps = draw.pick([-3000, -2000, 2000, 3000]);
      planned.push({ at, do: 'clock', node, steps, lasts: draw.chance(200) ? null : lasts });
    }
  }
  return planned;
}

function drawFault(draw: Draw, options: Options, kind: FaultKind): Fault | null {
  const names = namesOf(options);
  const node = draw.pick(names);
  const other = draw.pick(names);
  const lasts = draw.between(20, options.faultLastsMs);
  const on = { node, aim: draw.chance(options.aimPerMille) };
  const back = (delay: number): number | null => (draw.chance(options.restartPerMille) ? delay : null);
  switch (kind) {
    case 'crash':
      return { do: 'crash', ...on, ...drawNews(draw, options), back: back(draw.between(5, 4000)) };
    case 'pause':
      return { do: 'pause', ...on, lasts };
    case 'partition':
    case 'isolate':
    case 'oneWay':
    case 'deaf':
    case 'alone':
      return drawCut(draw, { ...on, other, lasts, names, kind });
    case 'flap':
      return node === other ? null : { do: 'flap', ...on, to: other, up: draw.between(1, 100) };
    case 'storeOutage':
    case 'storeCut':
    case 'storeSplit':
    case 'storeSlow':
    case 'storeReadOnly':
      return drawStore(draw, options, { ...on, lasts, kind });
    case 'drain':
      return { do: 'drain', ...on, exits: draw.below(500), kill: lasts + 4000, back: back(10) };
    case 'slow':
      return { do: 'slow', ...on, lasts: 2 * lasts, maxMs: draw.pick([5, 40, 150, 400]) };
    case 'twin':
      return drawTwin(draw, { node, lasts: 2 * lasts, names });
    case 'rewind':
      return { do: 'rewind', ...on, runs: draw.below(lasts), away: draw.between(10, 4000) };
    case 'drift':
      return { do: 'clock', node, steps: draw.pick([-1000, -500, 0, 500, 1000]), lasts: null };
    default:
      return kind satisfies never;
  }
}

/** Who sees the connection of the crashed break, and who has proof. */
function drawNews(draw: Draw, options: Options): { links: Delays; proofs: Delays } {
  const links: Record<string, number> = {};
  const proofs: Record<string, number> = {};
  for (const name of namesOf(options)) {
    const sees = draw.chance(700);
    const link = draw.between(1, 200);
    const proves = draw.chance(options.proofPerMille);
    const proof = draw.between(1, draw.pick([30, 500, 4000]));
    if (sees) links[name] = link;
    if (proves) proofs[name] = proof;
  }
  return { links, proofs };
}

interface CutOrder {
  readonly node: string;
  readonly aim: boolean;
  readonly other: string;
  readonly lasts: number;
  readonly names: readonly string[];
  readonly kind: 'partition' | 'isolate' | 'oneWay' | 'deaf' | 'alone';
}

function drawCut(draw: Draw, order: CutOrder): Fault | null {
  const { node, aim, other, lasts, names, kind } = order;
  const side = names.filter(() => draw.chance(500));
  const common = {
    lasts,
    reset: draw.chance(500),
    noticed: draw.chance(600) ? draw.below(300) : null,
  };
  const isolated = { do: 'cut', node, aim, from: [node], to: [], way: 'both', ...common } as const;
  if (kind === 'isolate') return isolated;
  if (kind === 'alone') return { ...isolated, store: drawMood(draw) };
  if (kind === 'partition')
    return {
      do: 'cut',
      node,
      from: side,
      to: names.filter((one) => !side.includes(one)),
      way: 'both',
      ...common,
    };
  if (kind === 'deaf')
    return { do: 'cut', node, aim, from: [node], to: side, way: draw.pick(['out', 'in']), ...common };
  if (node === other) return null;
  return { do: 'cut', node, aim, from: [node], to: [other], way: 'out', ...common };
}

interface StoreOrder {
  readonly node: string;
  readonly aim: boolean;
  readonly lasts: number;
  readonly kind: 'storeOutage' | 'storeCut' | 'storeSplit' | 'storeSlow' | 'storeReadOnly';
}

function drawStore(draw: Draw, options: Options, order: StoreOrder): Fault {
  const { node, aim, lasts, kind } = order;
  const some = namesOf(options).filter(() => draw.chance(500));
  const one = { do: 'store', node, aim, who: [node], mood: drawMood(draw), lasts } as const;
  const longer = lasts + draw.pick([0, 0, 0, longOutageMs(draw, options)]);
  switch (kind) {
    case 'storeCut':
      return one;
    case 'storeOutage':
      return { ...one, aim: false, who: [], lasts: longer };
    case 'storeSplit':
      return { ...one, aim: false, who: some.length > 0 ? some : [node] };
    case 'storeSlow':
      return { ...one, aim: false, who: draw.pick([[], some, [node]]), mood: 'slow', lasts: longer };
    case 'storeReadOnly': {
      const mood = draw.pick(['refusesWrites', 'hangsWrites'] as const);
      return { ...one, aim: false, who: draw.pick([[], some, [node]]), mood, lasts: longer };
    }
    default:
      return kind satisfies never;
  }
}

function drawMood(draw: Draw): Mood {
  return draw.pick(['unavailable', 'silent', 'lost', 'late']);
}

/** Long enough for somebody to stop deciding; where durations are mixed, also for somebody to let sessions go. */
function longOutageMs(draw: Draw, options: Options): number {
  const { config, durationsOf } = options;
  const mixed = Object.values(durationsOf);
  if (mixed.length === 0) return config.durations.toleranceMs;
  const { toleranceMs, holdMs } = draw.pick(mixed);
  return draw.pick([toleranceMs, holdMs]);
}

function drawTwin(draw: Draw, order: { node: string; lasts: number; names: readonly string[] }): Fault {
  const { node, lasts, names } = order;
  const flips = Array.from({ length: draw.below(5) }, () => ({
    after: draw.below(lasts),
    from: draw.pick(names),
    second: draw.chance(500),
  }));
  return {
    do: 'twin',
    node,
    first: draw.pick(['runs', 'paused', 'cut']),
    lasts,
    flips: flips.filter(({ from }) => from !== node),
    keep: draw.pick(['first', 'second']),
  };
}
