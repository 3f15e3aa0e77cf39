// How many incarnations of a registry there were since the start of a node, over all that were closed there and started
// again: a node has one member of a registry at a time, so a later one has seen the end of those before, whoever started it.
import type { Runtime } from '../process/types.ts';

const latest: WeakMap<Runtime, Map<string, number>> = new WeakMap();

/** 1 for the first of that registry, then one more each time. */
export function nextGeneration(runtime: Runtime, registry: string): number {
  const counts = latest.get(runtime) ?? new Map<string, number>();
  latest.set(runtime, counts);
  const generation = (counts.get(registry) ?? 0) + 1;
  counts.set(registry, generation);
  return generation;
}
