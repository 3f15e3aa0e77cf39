// Is there an order of all operations on one name, each at some moment between its call and its answer, in which a single
// holder explains every answer? Names do not touch each other, so each is judged alone; the search is in linear-search.ts.
import { Search } from './linear-search.ts';

/** One call and what came of it. Times are of one clock; `end` is `Infinity` while nobody has heard an answer. */
export interface Operation {
  readonly client: string;
  readonly name: string;
  readonly type: 'register' | 'unregister' | 'read' | 'exit';
  /** Of `register` and `exit`: the process that it is about. */
  readonly process?: string;
  readonly start: number;
  readonly end: number;
  /**
   * `failed`: it certainly had no effect. `unknown`: it may have had one, or may still, also after `end`. An `exit` frees
   * the name of its process at any moment from its start on, as often as the process holds it then; its result is `unknown`.
   */
  readonly result: 'registered' | 'taken' | 'done' | 'found' | 'absent' | 'failed' | 'unknown';
  /** Of `taken` and `found`. */
  readonly holder?: string;
}

/** Why a history has no such order: the name, and all operations on it. */
export interface Unexplained {
  readonly name: string;
  readonly operations: readonly Operation[];
  /** The longest explanation that was found: who held the name at its end, and the answers that none of which could follow. */
  readonly holder: string | null;
  readonly stuck: readonly Operation[];
}

export interface Verdict {
  /** The first name whose answers have no order; `undefined` where each has one, or is among `undecided`. */
  readonly unexplained: Unexplained | undefined;
  readonly names: number;
  /** States that were looked at, over all names. */
  readonly steps: number;
  /** Names whose search was given up after `stepsMax` states. */
  readonly undecided: readonly string[];
}

/**
 * Judges a history, name by name, and stops at the first name that has no order. To find one is NP-hard in general; here
 * a name of n operations, w of which overlap at most, costs no more than n · 2^w states of w steps each, and about n where
 * few of those that overlap change the holder. No more than `stepsMax` states for each name are looked at; each is kept
 * until its name is decided, as a string of some 20 + w / 15 characters.
 */
export function judgeHistory(history: readonly Operation[], stepsMax = 500_000): Verdict {
  const byName = new Map<string, Operation[]>();
  for (const operation of history) {
    const list = byName.get(operation.name);
    if (list === undefined) byName.set(operation.name, [operation]);
    else list.push(operation);
  }
  const undecided: string[] = [];
  let steps = 0;
  for (const [name, operations] of byName) {
    const search = new Search(operations, stepsMax);
    const outcome = search.run();
    steps += search.steps;
    if (outcome === 'undecided') undecided.push(name);
    if (outcome !== 'unexplained') continue;
    const unexplained = { name, operations, holder: search.holder, stuck: search.stuck };
    return { unexplained, names: byName.size, steps, undecided };
  }
  return { unexplained: undefined, names: byName.size, steps, undecided };
}

/** `undefined` when every name's operations can be explained. Throws `RangeError` when no verdict is found in `stepsMax` states. */
export function unexplained(history: readonly Operation[], stepsMax = 500_000): Unexplained | undefined {
  const verdict = judgeHistory(history, stepsMax);
  if (verdict.unexplained === undefined && verdict.undecided.length > 0)
    throw new RangeError(`no verdict on ${verdict.undecided.join(', ')} within ${stepsMax} states`);
  return verdict.unexplained;
}
