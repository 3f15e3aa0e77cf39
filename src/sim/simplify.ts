// Runs that are simpler than a given one, one simplification at a time: a calmer network, clocks that agree, fewer nodes,
// faults that are shorter and strike who they struck. Whether the simpler run still fails is asked by shrink.ts.
import type { Action, FaultAction } from './actions.ts';
import { isDeed } from './actions.ts';
import { nodeNameOf, twinOf } from './machine.ts';
import { nodeNames, type Options } from './options.ts';
import { namesOf } from './plan.ts';
import type { Scenario } from './scenario.ts';

/** Runs with one option made plain. */
export function calmer(scenario: Scenario): Scenario[] {
  const { options } = scenario;
  const { weather, storeWeather, config } = options;
  const steps = Object.fromEntries(
    namesOf(options).flatMap((name) => [
      [name, 0],
      [twinOf(name), 0],
    ]),
  );
  const changes: Partial<Options>[] = [
    { weather: { delayMinMs: 1, delayMaxMs: 1, lossPerMille: 0, spikePerMille: 0, spikeMs: 1 } },
    { storeWeather: { delayMaxMs: 1, timeoutMs: storeWeather.timeoutMs, troublePerMille: 0, lateMaxMs: 1 } },
    { weather: { ...weather, spikePerMille: 0, spikeMs: 1 } },
    { weather: { ...weather, delayMinMs: 1, delayMaxMs: 1 } },
    { storeWeather: { ...storeWeather, troublePerMille: 0 } },
    { storeWeather: { ...storeWeather, delayMaxMs: 1 } },
    { durationsOf: {} },
    { clockSteps: steps },
    { proofPerMille: 0, recordProofs: false },
    { recordProofs: false },
    { config: { ...config, claimStaggerMs: 50, logOpsMax: 64, windowOpsMax: 256, partEntriesMax: 100 } },
    { config: { ...config, buckets: 4, removalsMax: 64 } },
  ];
  return changes
    .filter((change) => JSON.stringify({ ...options, ...change }) !== JSON.stringify(options))
    .map((change) => ({ ...scenario, options: { ...options, ...change } }));
}

/** Every action where it struck: no leader is looked for, no other node takes a call. */
export function concrete(scenario: Scenario, done: ReadonlyMap<Action, string>): Scenario {
  const actions = scenario.actions.map((action): Action => {
    const node = done.get(action) ?? action.node;
    if (isDeed(action) || action.do === 'start' || action.do === 'twin' || action.do === 'clock')
      return { ...action, node };
    const plain = { ...action, node, aim: false };
    const struck = action.aim === true;
    if (plain.do === 'cut' && struck) return { ...plain, from: [node] };
    if (plain.do === 'store' && struck && plain.who.length === 1) return { ...plain, who: [node] };
    return plain;
  });
  return { ...scenario, actions };
}

/** Runs without one of the nodes; those behind it move up. */
export function smaller(scenario: Scenario): Scenario[] {
  const names = namesOf(scenario.options);
  if (names.length < 2) return [];
  return names.map((gone, index) => {
    const { nodes, joiners } = scenario.options;
    const starts = index < nodes;
    const options = {
      ...scenario.options,
      nodes: nodes - Number(starts),
      joiners: joiners - Number(!starts),
    };
    const rename = new Map(
      names.filter((name) => name !== gone).map((name, to) => [name, nodeNames[to] ?? name]),
    );
    return renamed({ ...scenario, options }, { gone, rename });
  });
}

function renamed(
  scenario: Scenario,
  how: { readonly gone: string; readonly rename: ReadonlyMap<string, string> },
): Scenario {
  const to = (machine: string): string => {
    const name = how.rename.get(nodeNameOf(machine)) ?? machine;
    return machine === nodeNameOf(machine) ? name : twinOf(name);
  };
  const stays = (machine: string): boolean => nodeNameOf(machine) !== how.gone;
  const list = (names: readonly string[]): string[] => names.filter(stays).map(to);
  const map = <T>(by: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.entries(by).flatMap(([name, one]) => (stays(name) ? [[to(name), one]] : [])));
  const actions = scenario.actions.flatMap((action): Action[] => {
    if (!stays(action.node)) return [];
    const one = { ...action, node: to(action.node) };
    if (one.do === 'crash') return [{ ...one, links: map(one.links), proofs: map(one.proofs) }];
    if (one.do === 'cut')
      return cutsAnybody(one, how.gone) ? [{ ...one, from: list(one.from), to: list(one.to) }] : [];
    if (one.do === 'store')
      return one.who.length > 0 && list(one.who).length === 0 ? [] : [{ ...one, who: list(one.who) }];
    if (one.do === 'flap') return stays(one.to) ? [{ ...one, to: to(one.to) }] : [];
    if (one.do === 'twin') {
      const flips = one.flips.filter(({ from }) => stays(from));
      return [{ ...one, flips: flips.map((flip) => ({ ...flip, from: to(flip.from) })) }];
    }
    return [one];
  });
  const { options } = scenario;
  const durationsOf = map(options.durationsOf);
  const clocks = options.clockSteps === undefined ? {} : { clockSteps: map(options.clockSteps) };
  return { ...scenario, actions, options: { ...options, durationsOf, ...clocks } };
}

/** Without that node the cut still has two sides. */
function cutsAnybody(cut: Extract<FaultAction, { do: 'cut' }>, gone: string): boolean {
  const from = cut.from.filter((name) => nodeNameOf(name) !== gone);
  const to = cut.to.filter((name) => nodeNameOf(name) !== gone);
  return from.length > 0 && (cut.to.length === 0 || to.length > 0);
}

/** The same action, simpler in one respect. */
export function plainer(action: Action): Action[] {
  const simpler: Action[] = [];
  if ('lasts' in action && action.lasts !== null)
    for (const lasts of [round(action.lasts / 4), round(action.lasts / 2), round(action.lasts)])
      if (lasts < action.lasts) simpler.push({ ...action, lasts } as Action);
  switch (action.do) {
    case 'crash':
      if (action.back !== null) simpler.push({ ...action, back: null });
      for (const name of Object.keys(action.links))
        simpler.push({ ...action, links: without(action.links, name) });
      for (const name of Object.keys(action.proofs))
        simpler.push({ ...action, proofs: without(action.proofs, name) });
      break;
    case 'cut':
      if (action.noticed !== null) simpler.push({ ...action, noticed: null });
      if (action.store !== undefined) simpler.push(withoutStore(action));
      if (action.way === 'both') simpler.push({ ...action, way: 'out' }, { ...action, way: 'in' });
      break;
    case 'twin':
      for (const flip of action.flips)
        simpler.push({ ...action, flips: action.flips.filter((one) => one !== flip) });
      break;
    case 'store':
      if (action.mood !== 'unavailable') simpler.push({ ...action, mood: 'unavailable' });
      break;
    case 'register':
      if (action.process >= 0) simpler.push({ ...action, process: -1 });
      break;
    default:
  }
  if (action.at !== round(action.at)) simpler.push({ ...action, at: round(action.at) });
  return simpler;
}

function withoutStore({ store: _store, ...cut }: Extract<Action, { do: 'cut' }>): Action {
  return cut;
}

function without(delays: Readonly<Record<string, number>>, gone: string): Record<string, number> {
  return Object.fromEntries(Object.entries(delays).filter(([name]) => name !== gone));
}

/** To two digits, downwards. */
function round(ms: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(ms, 1))) - 1);
  return Math.floor(ms / unit) * unit;
}

/** Idle time before the action at `index` is halved. */
export function sooner(scenario: Scenario, index: number): Scenario | null {
  const { actions } = scenario;
  const gap = (actions[index]?.at ?? 0) - (actions[index - 1]?.at ?? 0);
  const by = Math.floor(gap / 2);
  if (by < 100) return null;
  return {
    ...scenario,
    actions: actions.map((one, at) => (at < index ? one : { ...one, at: one.at - by })),
  };
}
