// Is there an order of all committed transactions, one after the other, in which each reads exactly what it read, and
// no transaction comes before one that had ended when it began? The search places one transaction after another and
// goes back where none fits; a situation (who is placed, what the keys hold) is tried once. With few clients few
// transactions are candidates at a time, so it is quick although the question in general is not.

export interface HistoryTransaction {
  /** Moments of a common counter: before the transaction began, after it was acknowledged. */
  readonly begin: number;
  readonly end: number;
  readonly seen: ReadonlyMap<string, string | undefined>;
  /** The last write of each key; undefined for a deletion. */
  readonly written: ReadonlyMap<string, string | undefined>;
}

type Content = ReadonlyMap<string, string | undefined>;

interface Situation {
  readonly placed: ReadonlySet<HistoryTransaction>;
  readonly content: Content;
}

/** Throws when no order explains the history. Every key is absent at first. */
export function checkHistory(history: readonly HistoryTransaction[]): void {
  if (!findOrder(history)) {
    throw new Error(`no serial order explains this history: ${history.map(showTransaction).join('; ')}`);
  }
}

function findOrder(history: readonly HistoryTransaction[]): boolean {
  const tried = new Set<string>();
  const open: Situation[] = [{ placed: new Set(), content: new Map() }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next.placed.size === history.length) return true;
    const name = showSituation(history, next);
    if (tried.has(name)) continue;
    tried.add(name);
    for (const transaction of candidates(history, next)) open.push(place(next, transaction));
  }
  return false;
}

/** Those not placed yet that began before any other of them had ended, and whose reads fit. */
function candidates(
  history: readonly HistoryTransaction[],
  { placed, content }: Situation,
): HistoryTransaction[] {
  const rest = history.filter((transaction) => !placed.has(transaction));
  const firstEnd = Math.min(...rest.map(({ end }) => end));
  return rest.filter(
    ({ begin, seen }) => begin < firstEnd && [...seen].every(([name, value]) => content.get(name) === value),
  );
}

function place({ placed, content }: Situation, transaction: HistoryTransaction): Situation {
  return {
    placed: new Set([...placed, transaction]),
    content: new Map([...content, ...transaction.written]),
  };
}

function showSituation(history: readonly HistoryTransaction[], { placed, content }: Situation): string {
  const who = history.map((transaction) => (placed.has(transaction) ? '1' : '0')).join('');
  const what = [...content].map(([name, value]) => `${name}=${value}`).sort();
  return `${who} ${what.join()}`;
}

function showTransaction({ begin, end, seen, written }: HistoryTransaction): string {
  const show = (content: Content) => [...content].map(([name, value]) => `${name}=${value ?? 'none'}`).join();
  return `[${begin},${end}] read ${show(seen)} wrote ${show(written)}`;
}
