// A shortest cycle of a directed graph, if there is one. Nodes are numbers from 0.

export type Graph = readonly ReadonlySet<number>[];

/** The nodes of a cycle in their order, each leading to the next and the last to the first; undefined for a graph without. */
export function shortestCycle(graph: Graph): readonly number[] | undefined {
  let best: readonly number[] | undefined;
  for (const node of withoutOrder(graph)) {
    const cycle = cycleThrough(graph, node, best?.length ?? Number.POSITIVE_INFINITY);
    if (cycle !== undefined) best = cycle;
    if (best?.length === 2) break;
  }
  return best;
}

/** What is left when nodes that nothing leads to are taken away again and again: cycles, and what comes after them. */
function withoutOrder(graph: Graph): readonly number[] {
  const leadingTo = graph.map(() => 0);
  for (const next of graph) for (const node of next) leadingTo[node] = (leadingTo[node] ?? 0) + 1;
  const free = [...graph.keys()].filter((node) => leadingTo[node] === 0);
  const placed = new Set<number>();
  for (let node = free.pop(); node !== undefined; node = free.pop()) {
    placed.add(node);
    for (const next of graph[node] ?? []) {
      leadingTo[next] = (leadingTo[next] ?? 0) - 1;
      if (leadingTo[next] === 0) free.push(next);
    }
  }
  return [...graph.keys()].filter((node) => !placed.has(node));
}

/** By breadth first search, given up at paths of `lengthMax` nodes. */
function cycleThrough(graph: Graph, start: number, lengthMax: number): readonly number[] | undefined {
  const cameFrom = new Map<number, number>();
  let frontier = [start];
  for (let length = 1; length < lengthMax && frontier.length > 0; length++) {
    const following: number[] = [];
    for (const node of frontier) {
      for (const next of graph[node] ?? []) {
        if (next === start) return pathTo(node, cameFrom, start);
        if (cameFrom.has(next)) continue;
        cameFrom.set(next, node);
        following.push(next);
      }
    }
    frontier = following;
  }
  return undefined;
}

function pathTo(end: number, cameFrom: ReadonlyMap<number, number>, start: number): readonly number[] {
  const path = [end];
  for (let node = end; node !== start; ) {
    node = cameFrom.get(node) ?? start;
    path.push(node);
  }
  return path.reverse();
}
