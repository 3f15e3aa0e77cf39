// The configurations. In most of them B leads at first, on the slowest clock that the bound allows, and the others are on
// the fastest: whoever counts a right of its own is slow, who waits for its end is fast. `-swapped` is the reverse.
import { type ClientOp, plainDurations, type RootStep, type Scope } from './scope.ts';

type Nodes = Scope['nodes'];

const node = (name: string, rate: number): Nodes[number] => ({ name, rate });
const slow = 0.75;
const fast = 1.25;
const two: Nodes = [node('B', slow), node('A', fast)];
const three: Nodes = [node('B', slow), node('A', fast), node('C', fast)];
const common = { durations: plainDurations, quantumMs: 240 } as const;

const formed = (nodes: Nodes): RootStep[] => nodes.flatMap(({ name }) => [{ start: name }, 'settle' as const]);
const register = (at: string, name = 'x', process = 1): ClientOp => ({ at, do: 'register', name, process });

const firstHold: ClientOp = register('A');

export const scopes: readonly Scope[] = [
  {
    ...common,
    name: 'two-free',
    about: 'two members, x asked for at both, every order of everything for three quanta',
    tier: 'ci',
    nodes: two,
    mode: 'free',
    root: formed(two),
    ops: [register('A'), register('B')],
    faults: {},
    horizon: 3,
    statesMax: 1e6,
  },
  {
    ...common,
    name: 'two-failover',
    about: 'two members, a crash with or without proof, a restart',
    tier: 'ci',
    nodes: two,
    mode: 'prompt',
    root: [...formed(two), { ask: firstHold }, 'settle'],
    ops: [firstHold, { ...register('A', 'x', 2), quiet: true }, { ...register('B'), quiet: true }],
    faults: { crash: { times: 1 }, proof: { times: 1 }, start: { times: 1, quiet: true } },
    horizon: 20,
    healEvery: 50,
  },
  {
    ...common,
    name: 'two-late-claim',
    about: 'two members, a link that holds, the store lost to one, a claim without an answer',
    tier: 'ci',
    nodes: two,
    mode: 'prompt',
    root: formed(two),
    ops: [{ ...register('A'), quiet: true }],
    faults: {
      hold: { times: 1, at: ['A>B+B>A', 'A>B', 'B>A'], quiet: true },
      storeCut: { times: 1, at: ['B'], quiet: true },
      late: { times: 1, at: ['A'] },
    },
    horizon: 14,
    healEvery: 50,
  },
];
void three;
