// I12 from one state of the enumeration: every fault ends, nothing more goes wrong, nobody asks anything more, and the
// cluster runs on by its prompt steps. Within `quantaMax` all that run must serve, and every call must be answered. Who is
// down stays down, and nobody proves anything dead: the longest way back.
import type { Broken } from '../invariants/state.ts';
import type { Actions } from './actions.ts';
import type { Cluster } from './cluster.ts';
import { quantum, unrest } from './root.ts';

/** Waits for H, then for S, by the slowest clock, and what lies between. */
function quantaMax(cluster: Cluster): number {
  const { durations, quantumMs } = cluster.scope;
  const { leaseMs, sessionMs, holdMs, clockRateBound } = durations;
  const ms = ((holdMs + sessionMs + 4 * leaseMs) * (1 + clockRateBound)) / (1 - clockRateBound);
  return Math.ceil(ms / quantumMs);
}

/** Changes the row of the cluster. */
export function heal(cluster: Cluster, actions: Actions): Broken | null {
  actions.heal();
  cluster.setEnv({ late: [] });
  const max = quantaMax(cluster);
  let why: string | null = null;
  for (let quanta = 0; quanta <= max; quanta++) {
    quantum(actions);
    const broken = cluster.broken ?? cluster.check();
    if (broken !== null) return { ...broken, what: `while everything heals: ${broken.what}` };
    if (!cluster.names.some((_, node) => cluster.local(node) !== 0)) return null;
    why = unrest(cluster);
    if (why === null) return null;
  }
  return { invariant: 'at-rest', what: `${max} quanta after everything healed: ${why}` };
}
