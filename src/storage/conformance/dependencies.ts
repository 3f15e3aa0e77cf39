// Was there an order of all transactions, one after the other, that explains what each of them read? The question is easy when
// every write tells which state it replaced: then the states of a key form a chain, and between transactions hold
// - ww: one replaced the state that the other had made;
// - wr: one read the state that the other had made;
// - rw: one read the state that the other replaced, so it came before;
// - time: one was acknowledged before the other began.
// An order exists if and only if these form no cycle. A cycle is the shortest proof of the opposite, and is told edge by edge.
// The method is known from Elle (Kingsbury, Alvaro: VLDB 2020).
import { shortestCycle } from './cycles.ts';

/** What a key holds at a time, by a name that no other state of any key has. The first state of every key is `''`. */
export type StateName = string;

export interface RecordedTransaction {
  /** For the report. */
  readonly name: string;
  /** Moments of a common counter: before it began, after it was told of its end. */
  readonly begin: number;
  readonly end: number;
  /** `unknown` counts as applied if anybody saw what it wrote. */
  readonly applied: 'yes' | 'no' | 'unknown';
  readonly reads: ReadonlyMap<string, StateName>;
  /** The last state that it gave to a key. It must have read that key: there is no blind write. */
  readonly writes: ReadonlyMap<string, StateName>;
  /** States that it replaced itself: nobody may ever see them. */
  readonly inner?: readonly StateName[];
}

export interface Anomaly {
  /** What such a fault is called: "lost update", "write skew", "stale read", ... */
  readonly kind: string;
  /** Several lines that tell who came before whom, and why. */
  readonly report: string;
}

/** The first anomaly found, a state that nobody may see before a cycle; undefined if the history is strictly serialisable. */
export function findAnomaly(history: readonly RecordedTransaction[]): Anomaly | undefined {
  return forbiddenRead(history) ?? cycleOf(appliedOnes(history));
}

/** Throws the anomaly. */
export function checkDependencies(history: readonly RecordedTransaction[]): void {
  const anomaly = findAnomaly(history);
  if (anomaly !== undefined) throw new Error(`not serialisable: ${anomaly.kind}\n${anomaly.report}`);
}

function forbiddenRead(history: readonly RecordedTransaction[]): Anomaly | undefined {
  const makers = new Map<StateName, RecordedTransaction>();
  const inner = new Map<StateName, RecordedTransaction>();
  for (const transaction of history) {
    for (const state of transaction.writes.values()) makers.set(state, transaction);
    for (const state of transaction.inner ?? []) inner.set(state, transaction);
  }
  for (const { name, applied, reads } of history) {
    if (applied === 'no') continue;
    for (const [key, state] of reads) {
      const what = `${name} read ${key} = ${show(state)}`;
      const half = inner.get(state);
      if (half !== undefined) {
        return { kind: 'intermediate read', report: `  ${what}, which ${half.name} replaced itself` };
      }
      const maker = makers.get(state);
      if (state !== '' && maker === undefined) {
        return { kind: 'read of what nobody wrote', report: `  ${what}` };
      }
      if (maker?.applied === 'no') {
        return { kind: 'aborted read', report: `  ${what}, but ${maker.name} was refused` };
      }
    }
  }
  return undefined;
}

/** Without those of unknown outcome that nobody saw. */
function appliedOnes(history: readonly RecordedTransaction[]): readonly RecordedTransaction[] {
  const applied = new Set(history.filter((transaction) => transaction.applied === 'yes'));
  for (let before = -1; before !== applied.size; ) {
    before = applied.size;
    const seen = new Set([...applied].flatMap(({ reads }) => [...reads.values()]));
    for (const transaction of history) {
      const isSeen = [...transaction.writes.values()].some((state) => seen.has(state));
      if (transaction.applied === 'unknown' && isSeen) applied.add(transaction);
    }
  }
  return history.filter((transaction) => applied.has(transaction));
}

/** Why one came before another. */
interface Edge {
  readonly type: 'ww' | 'wr' | 'rw' | 'time';
  readonly key?: string;
  readonly why: string;
}

type Edges = readonly Map<number, Edge>[];

function cycleOf(history: readonly RecordedTransaction[]): Anomaly | undefined {
  const edges: Edges = history.map(() => new Map<number, Edge>());
  addDependencies(history, edges);
  addTime(history, edges);
  const cycle = shortestCycle(edges.map((to) => new Set(to.keys())));
  if (cycle === undefined) return undefined;
  const steps = cycle.map((from, i) => {
    const to = cycle[(i + 1) % cycle.length] as number;
    return { from, to, edge: edges[from]?.get(to) as Edge };
  });
  const name = (index: number): string => history[index]?.name ?? '';
  const lines = steps.map(({ from, to, edge }) => `  ${name(from)} came before ${name(to)}: ${edge.why}`);
  return { kind: kindOf(steps.map(({ edge }) => edge)), report: lines.join('\n') };
}

function addDependencies(history: readonly RecordedTransaction[], edges: Edges): void {
  const makers = new Map<StateName, number>();
  for (const [index, { writes }] of history.entries()) {
    for (const state of writes.values()) makers.set(state, index);
  }
  const overwriters = overwritersOf(history);
  for (const [index, { reads, writes }] of history.entries()) {
    for (const [key, state] of reads) {
      const maker = makers.get(state);
      if (maker !== undefined) {
        const type = writes.has(key) ? 'ww' : 'wr';
        const why = `it wrote ${key} = ${show(state)}, which the other ${type === 'ww' ? 'replaced' : 'read'}`;
        add(edges, [maker, index], { type, key, why });
      }
      for (const overwriter of overwriters.get(`${key} ${state}`) ?? []) {
        const made = history[overwriter]?.writes.get(key) ?? '';
        const why = `it read ${key} = ${show(state)}, which the other replaced by ${show(made)}`;
        add(edges, [index, overwriter], { type: 'rw', key, why });
      }
    }
  }
}

function overwritersOf(history: readonly RecordedTransaction[]): ReadonlyMap<string, readonly number[]> {
  const overwriters = new Map<string, number[]>();
  for (const [index, { name, reads, writes }] of history.entries()) {
    for (const key of writes.keys()) {
      if (!reads.has(key)) throw new Error(`${name} wrote ${key} without having read it`);
      const replaced = `${key} ${reads.get(key)}`;
      overwriters.set(replaced, [...(overwriters.get(replaced) ?? []), index]);
    }
  }
  return overwriters;
}

/** Edges of time between neighbours only: the others follow from them. */
function addTime(history: readonly RecordedTransaction[], edges: Edges): void {
  const moments = [...history.keys()].flatMap((index) => {
    const { begin, end, applied } = history[index] as RecordedTransaction;
    const ends = applied === 'yes' ? [{ at: end, index, ends: true }] : [];
    return [{ at: begin, index, ends: false }, ...ends];
  });
  moments.sort((a, b) => a.at - b.at);
  let latest: number[] = [];
  for (const { index, ends } of moments) {
    if (ends) latest = [...latest.filter((other) => !edges[other]?.has(index)), index];
    else
      for (const other of latest)
        add(edges, [other, index], { type: 'time', why: 'it had ended before the other began' });
  }
}

/** The first reason counts: dependencies tell more than time. */
function add(edges: Edges, [from, to]: readonly [number, number], edge: Edge): void {
  if (from !== to && edges[from]?.has(to) === false) edges[from].set(to, edge);
}

function kindOf(edges: readonly Edge[]): string {
  const count = (type: Edge['type']): number => edges.filter((edge) => edge.type === type).length;
  const keys = new Set(edges.flatMap(({ key }) => (key === undefined ? [] : [key])));
  if (count('time') > 0) return count('rw') > 0 ? 'stale read' : 'order against time';
  if (keys.size === 1 && count('rw') > 0) return 'lost update';
  if (count('rw') > 1) return 'write skew';
  if (count('rw') === 1) return 'read skew';
  return count('wr') > 0 ? 'circular information' : 'circular writes';
}

function show(state: StateName): string {
  return state === '' ? 'nothing' : `<${state}>`;
}
