// Is there an order of all operations on one name, each at some moment between its call and its answer, in which a single
// holder explains every answer? The search is that of Wing and Gong: take any operation that may be the next one, see
// whether its answer fits, and go back when nothing fits; states that were tried once are not tried again (Lowe).

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
   * `failed`: it certainly had no effect. `unknown`: it may have had one, or may still. An `exit` frees the name of its process
   * at any moment from its start on, so its result is `unknown`.
   */
  readonly result: 'registered' | 'taken' | 'done' | 'found' | 'absent' | 'failed' | 'unknown';
  /** Of `taken` and `found`. */
  readonly holder?: string;
}

/** Why a history has no such order: the name, and the operations from which none could come next. */
export interface Unexplained {
  readonly name: string;
  readonly operations: readonly Operation[];
  /** The longest explanation that was found: who held the name at its end, and what could not follow. */
  readonly holder: string | null;
  readonly stuck: readonly Operation[];
}

/** `undefined` when every name's operations can be explained. Throws `RangeError` when one has more steps than `stepsMax`. */
export function unexplained(history: readonly Operation[], stepsMax = 2_000_000): Unexplained | undefined {
  const byName = new Map<string, Operation[]>();
  for (const operation of history) {
    if (operation.result === 'failed') continue;
    if (operation.type === 'read' && operation.result === 'unknown') continue;
    const list = byName.get(operation.name);
    if (list === undefined) byName.set(operation.name, [operation]);
    else list.push(operation);
  }
  for (const [name, operations] of byName) {
    const search = new Search(operations, stepsMax);
    if (!search.run()) return { name, operations, holder: search.holder, stuck: search.stuck };
  }
  return undefined;
}

interface Frame {
  readonly holder: string | null;
  readonly choices: readonly number[];
  next: number;
  /** The operation that led here. */
  readonly taken: number;
}

class Search {
  readonly #operations: readonly Operation[];
  readonly #stepsMax: number;
  readonly #done: boolean[];
  readonly #tried: Set<string> = new Set();
  /** Operations that must have a place and do not have one yet. */
  #open: number;
  #deepest = -1;
  holder: string | null = null;
  stuck: readonly Operation[] = [];

  constructor(operations: readonly Operation[], stepsMax: number) {
    this.#operations = [...operations].sort((a, b) => a.start - b.start);
    this.#stepsMax = stepsMax;
    this.#done = this.#operations.map(() => false);
    this.#open = this.#operations.filter(mustHappen).length;
  }

  run(): boolean {
    const path: Frame[] = [this.#frame(null, -1, 0)];
    for (let steps = 0; this.#open > 0; steps++) {
      if (steps > this.#stepsMax) throw new RangeError(`no verdict within ${this.#stepsMax} steps`);
      const frame = path.at(-1);
      if (frame === undefined) return false;
      const index = frame.choices[frame.next++];
      if (index === undefined) this.#back(path);
      else this.#forward(path, { index, holder: frame.holder });
    }
    return true;
  }

  #forward(path: Frame[], from: { index: number; holder: string | null }): void {
    const operation = this.#operations[from.index] as Operation;
    const holder = apply(operation, from.holder);
    if (holder === undefined) return;
    this.#done[from.index] = true;
    if (mustHappen(operation)) this.#open--;
    const key = `${holder ?? ''} ${this.#done.map((done) => (done ? '1' : '0')).join('')}`;
    if (this.#tried.has(key)) {
      this.#undo(from.index);
      return;
    }
    this.#tried.add(key);
    path.push(this.#frame(holder, from.index, path.length));
  }

  #back(path: Frame[]): void {
    const frame = path.pop();
    if (frame !== undefined && frame.taken >= 0) this.#undo(frame.taken);
  }

  #undo(index: number): void {
    this.#done[index] = false;
    if (mustHappen(this.#operations[index] as Operation)) this.#open++;
  }

  /** What may come next: whatever began before the first answer that is still missing. */
  #frame(holder: string | null, taken: number, depth: number): Frame {
    let firstEnd = Number.POSITIVE_INFINITY;
    this.#operations.forEach((operation, index) => {
      if (!this.#done[index] && mustHappen(operation)) firstEnd = Math.min(firstEnd, operation.end);
    });
    const choices: number[] = [];
    this.#operations.forEach((operation, index) => {
      if (!this.#done[index] && operation.start <= firstEnd) choices.push(index);
    });
    if (depth > this.#deepest) {
      this.#deepest = depth;
      this.holder = holder;
      this.stuck = choices.map((index) => this.#operations[index] as Operation);
    }
    return { holder, choices, next: 0, taken };
  }
}

/** An answer was heard, so it has a place. */
function mustHappen(operation: Operation): boolean {
  return operation.result !== 'unknown';
}

/** The holder afterwards; `undefined` when the answer does not fit. */
function apply(operation: Operation, holder: string | null): string | null | undefined {
  switch (operation.result) {
    case 'registered':
      return holder === null || holder === operation.process ? operation.process : undefined;
    case 'taken':
    case 'found':
      return holder !== null && holder === operation.holder ? holder : undefined;
    case 'done':
      return null;
    case 'absent':
      return holder === null ? null : undefined;
    default:
      return applyUnknown(operation, holder);
  }
}

function applyUnknown(operation: Operation, holder: string | null): string | null | undefined {
  if (operation.type === 'exit') return holder === operation.process ? null : undefined;
  if (operation.type === 'unregister') return holder === null ? undefined : null;
  return holder === null ? operation.process : undefined;
}
