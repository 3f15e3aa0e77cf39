// What configurations are put together from.
import type { InvariantName } from '../invariants/catalogue.ts';
import { type ClientOp, plainDurations, type RootStep, type Scope } from './scope.ts';

export type Nodes = Scope['nodes'];

const slow = 0.75;
const fast = 1.25;

export const two: Nodes = [
  { name: 'B', rate: slow },
  { name: 'A', rate: fast },
];
/** The leader of the beginning is on the fastest clock: it waits least. */
export const twoSwapped: Nodes = [
  { name: 'B', rate: fast },
  { name: 'A', rate: slow },
];
export const three: Nodes = [...two, { name: 'C', rate: fast }];
export const threeSwapped: Nodes = [...twoSwapped, { name: 'C', rate: slow }];
export const four: Nodes = [...three, { name: 'D', rate: 1 }];

/** Who holds names keeps them for long, by its own clock. */
export const fourSlowHosts: Nodes = four.map((one) => (one.name === 'A' ? { ...one, rate: slow } : one));

export const common: Pick<Scope, 'durations' | 'quantumMs'> = { durations: plainDurations, quantumMs: 240 };

/** The first leads; all are established. */
export const formed = (nodes: Nodes): RootStep[] =>
  nodes.flatMap(({ name }) => [{ start: name }, 'settle' as const]);

export const register = (at: string, name = 'x', process = 1): ClientOp => ({
  at,
  do: 'register',
  name,
  process,
});
export const unregister = (at: string, name = 'x'): ClientOp => ({ at, do: 'unregister', name });
export const read = (at: string, name = 'x'): ClientOp => ({ at, do: 'read', name });
export const quiet = (op: ClientOp): ClientOp => ({ ...op, quiet: true });

/** Where a wrong word about a death is believed, uniqueness is lost by design, and all that rests on it. */
export const anything: readonly InvariantName[] = [
  ...(['one-owner', 'evicted', 'one-authority', 'answers', 'at-rest', 'kept'] as const),
  ...(['consistent', 'verdicts', 'tokens'] as const),
];

/** All links between one node and the others, both ways. */
export function links(nodes: Nodes, one: string): string {
  return nodes
    .filter(({ name }) => name !== one)
    .map(({ name }) => `${one}>${name}+${name}>${one}`)
    .join('+');
}

/** Its links and the store. */
export const isolated = (nodes: Nodes, one: string): string => `${links(nodes, one)}+@${one}`;
