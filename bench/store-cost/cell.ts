// One cluster of so many members and names, and what its store is asked: at rest, while the names are registered, when one
// more member joins, and when the leader ends. Every replica holds all names.
import type { Counts } from './counting-backend.ts';
import { SimulatedCluster } from './simulated-cluster.ts';

export interface CellOrder {
  readonly members: number;
  readonly names: number;
  /** Where the end of a node can be proven; elsewhere the others wait until the lease of a leader has run out. */
  readonly oneMachine: boolean;
}

export interface Phase {
  readonly seconds: number;
  readonly counts: Counts;
}

export interface Cell extends CellOrder {
  /** From the first registration until all replicas have all names, and half a minute beyond. */
  readonly registering: Phase;
  readonly atRest: Phase;
  readonly stored: { readonly keys: number; readonly bytes: number };
  readonly joins: Phase;
  /** Without a member that stays there is nobody to count. */
  readonly leaderEnds: Phase | undefined;
}

export const restSeconds = 100;
const changeSeconds = 30;

export async function measureCell(order: CellOrder): Promise<Cell> {
  const { members, names, oneMachine } = order;
  const cluster = await SimulatedCluster.of({ members, oneMachine });
  const registering = await phase(cluster, 0, () => cluster.register(names));
  if (cluster.namesEverywhere !== names) throw new Error(`${cluster.namesEverywhere} of ${names} names`);
  const atRest = await phase(cluster, restSeconds);
  const stored = await cluster.stored();
  const leaderEnds =
    members === 1 ? undefined : await phase(cluster, changeSeconds, () => cluster.kill(cluster.leader));
  await cluster.rest();
  const joins = await phase(cluster, changeSeconds, () => cluster.join());
  return { ...order, registering, atRest, stored, joins, leaderEnds };
}

async function phase(
  cluster: SimulatedCluster,
  seconds: number,
  what?: () => Promise<unknown>,
): Promise<Phase> {
  const startedAt = cluster.host.clock.now();
  const counts = await cluster.during(seconds * 1_000, what);
  return { seconds: (cluster.host.clock.now() - startedAt) / 1_000, counts };
}
