// The large scope: configurations of the small one with wider budgets and longer horizons. Those that do not end are cut
// at a number of states, which is a depth, since the search is breadth first.
import type { Scope } from './scope.ts';
import { quiet, read, register, unregister } from './scope-parts.ts';
import { scopesOfThree } from './scopes-three.ts';
import { scopesOfTwo } from './scopes-two.ts';

function widened(name: string, change: Partial<Scope>): Scope {
  const scope = [...scopesOfTwo, ...scopesOfThree].find((one) => one.name === name);
  if (scope === undefined) throw new Error(`no configuration ${name}`);
  return { ...scope, name: `${name}-deep`, tier: 'deep', healEvery: 5000, statesMax: 3_000_000, ...change };
}

const opsOf = (name: string): Scope['ops'] =>
  [...scopesOfTwo, ...scopesOfThree].find((one) => one.name === name)?.ops ?? [];
const faultsOf = (name: string): Scope['faults'] =>
  [...scopesOfTwo, ...scopesOfThree].find((one) => one.name === name)?.faults ?? {};

/** The faults of the configuration, no longer only at the beginning, and all of them end at any time. */
function atAnyTime(name: string): Scope['faults'] {
  const entries = Object.entries(faultsOf(name));
  return Object.fromEntries(entries.map(([fault, { until: _, stays: __, ...rule }]) => [fault, rule]));
}

const anyTime = (name: string, change: Partial<Scope> = {}): Scope =>
  widened(name, { faults: atAnyTime(name), ...change });

export const widerScopes: readonly Scope[] = [
  widened('two-free', { horizon: 3, healEvery: 0 }),
  widened('two-free-batches', {
    horizon: 2,
    healEvery: 0,
    ops: [...opsOf('two-free-batches'), read('A')],
  }),
  widened('three-free', { horizon: 2, healEvery: 0 }),
  widened('two-from-nothing', { horizon: 2, healEvery: 0 }),
  anyTime('two-failover', { horizon: 16 }),
  anyTime('two-late-claim', { horizon: 14 }),
  anyTime('two-unknown', { horizon: 10 }),
  anyTime('two-pause', { horizon: 18 }),
  anyTime('two-drain', { horizon: 6 }),
  anyTime('two-names', { horizon: 8 }),
  anyTime('three-both-holders'),
  anyTime('three-membership'),
  anyTime('three-evicted-claimant'),
  anyTime('three-no-authority'),
  widened('three-unregister', {
    horizon: 2,
    oneOrder: false,
    ops: [...opsOf('three-unregister'), unregister('B'), quiet(read('A'))],
  }),
  anyTime('three-crash', { oneOrder: false, ops: [...opsOf('three-crash'), quiet(register('B', 'y'))] }),
  anyTime('three-outage', { horizon: 18 }),
];
