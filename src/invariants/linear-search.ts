// The search for one name: all states that the first k answers can leave behind, for k from 0 on. A state says which
// operations have their place and who holds the name; from it, whatever began before the first answer that is still missing
// may come next (Wing and Gong; "just in time": Lowe). Four things keep the states few. An answer that only looks (`found`,
// `taken`, `absent`) and fits is taken at once: it changes nothing. Unregistrations are alike: of those that may come next
// it is the one that ended first. Calls without an answer that would do the same are alike, too: the one that began first
// is used first, and of two states that differ in nothing else the one counts that has used less. And a registration without an answer counts only where somebody may still see its process.
import type { Operation } from './linearize.ts';

export type Outcome = 'explained' | 'unexplained' | 'undecided';

const nobody = -1;
const never = Number.POSITIVE_INFINITY;
const placed = '1'.charCodeAt(0);

/** An operation that was answered, in the order of their beginnings. Processes are numbers. */
interface Certain {
  readonly operation: Operation;
  readonly start: number;
  readonly end: number;
  /** The holder that it saw, or `nobody`; `undefined` for one that changes the holder. */
  readonly sees: number | undefined;
  /** The holder that it leaves behind. */
  readonly leaves: number;
}

interface State {
  readonly holder: number;
  /** All operations before this index have their place, */
  readonly low: number;
  /** and of those from it on the ones that are marked `1`. It ends with a `1`, or is empty. */
  readonly ahead: string;
  readonly count: number;
  /** How many unregistrations without an answer were used. */
  readonly unregistered: number;
  /** How many registrations without an answer, by process; of those that can still be seen. */
  readonly registered: ReadonlyMap<number, number>;
}

const start: State = {
  holder: nobody,
  low: 0,
  ahead: '',
  count: 0,
  unregistered: 0,
  registered: new Map(),
};

/** States with equally many operations in place, by everything but `unregistered`. */
type Layer = Map<string, State>;

export class Search {
  readonly #stepsMax: number;
  readonly #certain: readonly Certain[];
  readonly #numbers: Map<string, number> = new Map();
  readonly #processes: string[] = [];
  /** Beginnings of calls without an answer, in order: unregistrations, and registrations by process. */
  readonly #unregisters: readonly number[];
  readonly #registers: Map<number, number[]> = new Map();
  /** From when on the process may have exited. */
  readonly #exits: Map<number, number> = new Map();
  /** The last operation that saw the process. */
  readonly #lastSeen: Map<number, number> = new Map();
  readonly #layers: Map<number, Layer> = new Map();
  /** The layer that is being worked on, and what of it is left to do. */
  #current = -1;
  #pending: State[] = [];
  /** States that were looked at. */
  steps = 0;
  holder: string | null = null;
  stuck: readonly Operation[] = [];

  constructor(operations: readonly Operation[], stepsMax: number) {
    this.#stepsMax = stepsMax;
    const ordered = [...operations].sort((a, b) => a.start - b.start);
    this.#certain = ordered.filter(isAnswered).map((one) => this.#certainly(one));
    this.#certain.forEach(({ sees }, index) => {
      if (sees !== undefined) this.#lastSeen.set(sees, index);
    });
    const possible = ordered.filter(({ result }) => result === 'unknown');
    this.#unregisters = possible.filter(({ type }) => type === 'unregister').map((one) => one.start);
    for (const one of possible) this.#possibly(one);
  }

  run(): Outcome {
    const total = this.#certain.length;
    this.#reach(start);
    for (let count = 0; count < total; count++) {
      const layer = this.#layers.get(count);
      if (layer === undefined) continue;
      this.#current = count;
      this.#pending = [...layer.values()];
      for (let state = this.#pending.pop(); state !== undefined; state = this.#pending.pop()) {
        if (++this.steps > this.#stepsMax) return 'undecided';
        this.#goOn(state);
      }
      this.#layers.delete(count);
      if (this.#layers.size === 0) this.#note([...layer.values()][0] as State);
    }
    return this.#layers.has(total) ? 'explained' : 'unexplained';
  }

  /** To everything that may come next. */
  #goOn(state: State): void {
    const { holder, low } = state;
    const firstEnd = this.#firstEnd(state);
    let unregister: number | undefined;
    for (let index = low; index < this.#certain.length; index++) {
      const { sees, leaves, start, end } = this.#certain[index] as Certain;
      if (start > firstEnd) break;
      if (sees !== undefined || isPlaced(state, index)) continue;
      if (leaves === nobody) {
        if (unregister === undefined || end < (this.#certain[unregister] as Certain).end) unregister = index;
      } else if (holder === nobody || leaves === holder) this.#place(state, index);
    }
    if (unregister !== undefined) this.#place(state, unregister);
    if (holder === nobody) {
      this.#registerUnheard(state, firstEnd);
      return;
    }
    if ((this.#exits.get(holder) ?? never) <= firstEnd) this.#reach({ ...state, holder: nobody });
    const { unregistered } = state;
    if ((this.#unregisters[unregistered] ?? never) <= firstEnd)
      this.#reach({ ...state, holder: nobody, unregistered: unregistered + 1 });
  }

  #place(state: State, index: number): void {
    const { leaves } = this.#certain[index] as Certain;
    this.#reach({ ...state, holder: leaves, ahead: mark(state, index), count: state.count + 1 });
  }

  #registerUnheard(state: State, firstEnd: number): void {
    for (const [process, starts] of this.#registers) {
      const used = state.registered.get(process) ?? 0;
      if ((starts[used] ?? never) > firstEnd || (this.#lastSeen.get(process) ?? -1) < state.low) continue;
      const registered = new Map(state.registered).set(process, used + 1);
      this.#reach({ ...state, holder: process, registered });
    }
  }

  /** The state, with all answers that only look and fit. */
  #reach(from: State): void {
    let state = this.#advance(from);
    for (;;) {
      const { count } = state;
      state = this.#look(state);
      if (state.count === count) break;
      state = this.#advance(state);
    }
    const key = keyOf(state);
    let layer = this.#layers.get(state.count);
    if (layer === undefined) {
      layer = new Map();
      this.#layers.set(state.count, layer);
    }
    const known = layer.get(key);
    if (known !== undefined && known.unregistered <= state.unregistered) return;
    layer.set(key, state);
    if (state.count === this.#current) this.#pending.push(state);
  }

  #look(state: State): State {
    const firstEnd = this.#firstEnd(state);
    let { ahead, count } = state;
    for (let index = state.low; index < this.#certain.length; index++) {
      const { sees, start } = this.#certain[index] as Certain;
      if (start > firstEnd) break;
      if (sees !== state.holder || isPlaced(state, index)) continue;
      ahead = mark({ low: state.low, ahead }, index);
      count++;
    }
    return count === state.count ? state : { ...state, ahead, count };
  }

  /** Moves `low` on, and forgets registrations that nobody can see any more. */
  #advance(state: State): State {
    let done = 0;
    while (state.ahead.charCodeAt(done) === placed) done++;
    if (done === 0) return state;
    const low = state.low + done;
    const { registered } = state;
    const seen = [...registered].filter(([process]) => (this.#lastSeen.get(process) ?? -1) >= low);
    const kept = seen.length === registered.size ? registered : new Map(seen);
    return { ...state, low, ahead: state.ahead.slice(done), registered: kept };
  }

  /** The end of the first answer that is still missing. */
  #firstEnd(state: State): number {
    let firstEnd = never;
    for (let index = state.low; index < this.#certain.length; index++) {
      const { start, end } = this.#certain[index] as Certain;
      if (start > firstEnd) break;
      if (end < firstEnd && !isPlaced(state, index)) firstEnd = end;
    }
    return firstEnd;
  }

  /** The longest explanation. */
  #note(state: State): void {
    const firstEnd = this.#firstEnd(state);
    this.holder = this.#processes[state.holder] ?? null;
    this.stuck = this.#certain
      .filter((one, index) => index >= state.low && one.start <= firstEnd && !isPlaced(state, index))
      .map(({ operation }) => operation);
  }

  #certainly(operation: Operation): Certain {
    const { start, end, result } = operation;
    const holder = this.#number(operation.holder);
    switch (result) {
      case 'registered':
        return { operation, start, end, sees: undefined, leaves: this.#number(operation.process) };
      case 'done':
        return { operation, start, end, sees: undefined, leaves: nobody };
      case 'absent':
        return { operation, start, end, sees: nobody, leaves: nobody };
      default:
        return { operation, start, end, sees: holder, leaves: holder };
    }
  }

  #possibly({ type, process, start }: Operation): void {
    const who = this.#number(process);
    if (type === 'exit') this.#exits.set(who, Math.min(start, this.#exits.get(who) ?? never));
    if (type !== 'register' || !this.#lastSeen.has(who)) return;
    const starts = this.#registers.get(who);
    if (starts === undefined) this.#registers.set(who, [start]);
    else starts.push(start);
  }

  #number(process: string | undefined): number {
    const name = process ?? '';
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    this.#numbers.set(name, this.#processes.length);
    return this.#processes.push(name) - 1;
  }
}

function isAnswered({ result }: Operation): boolean {
  return result !== 'unknown' && result !== 'failed';
}

function isPlaced({ low, ahead }: Pick<State, 'low' | 'ahead'>, index: number): boolean {
  return ahead.charCodeAt(index - low) === placed;
}

function mark({ low, ahead }: Pick<State, 'low' | 'ahead'>, index: number): string {
  const at = index - low;
  return `${ahead.slice(0, at).padEnd(at, '0')}1${ahead.slice(at + 1)}`;
}

function keyOf({ holder, low, ahead, registered }: State): string {
  let key = `${holder} ${low} ${ahead}`;
  if (registered.size > 0)
    for (const [process, used] of [...registered].sort(([a], [b]) => a - b)) key += ` ${process}:${used}`;
  return key;
}
