// Random transactions of every form by several clients at once, and the question whether some serial order explains
// what they saw. Two ways to ask: `history.ts` allows blind writes and searches; `dependencies.ts` follows the states of each
// key, takes any length, and names the fault. For the second a write names the state it made, and a deletion leaves
// that name in a record of its own, since an absent key cannot tell since when it is absent.
import { compareBytes, keyAfter } from '../bytes.ts';
import { prefixRange } from '../keys.ts';
import type { Bytes, KeyRange, Mutation, StoreTransaction } from '../port.ts';
import type { Transaction } from '../recording.ts';
import type { Tenant } from '../store.ts';
import { transact } from '../transact.ts';
import { checkDependencies, type RecordedTransaction, type StateName } from './dependencies.ts';
import { checkHistory, type HistoryTransaction } from './history.ts';
import type { Bench, ConformanceCase } from './support.ts';
import { bytes, check, inTurns, key, refusals } from './support.ts';

const retryMs = 20_000;
const names: readonly string[] = ['k0', 'k1', 'k2', 'k3', 'k4', 'k5'];
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const historyCases: readonly ConformanceCase[] = [
  { name: 'history: random transactions with blind writes have a serial order', run: runBlind },
  {
    name: 'history: random transactions with ranges and deletions depend on each other without a cycle',
    run: (bench) => runChained(bench, { tenants: [bench.tenant, bench.other], workers: 6, rounds: 50 }),
  },
  {
    name: 'history: the same over a network that fails',
    needs: ['link'],
    async run(bench) {
      const { tenant, link } = await bench.remote();
      let over = false;
      const failing = (async () => {
        for (; !over; await bench.pause(20 + (bench.host.random.uint32() % 100))) link.cut();
      })();
      try {
        await runChained(bench, { tenants: [tenant, bench.other], workers: 6, rounds: 25 });
      } finally {
        over = true;
        await failing;
      }
    },
  },
];

/** Blind writes, deletions and cleared ranges; unique values. */
async function runBlind(bench: Bench): Promise<void> {
  const { random } = bench.host;
  const few = names.slice(0, 4);
  const history: HistoryTransaction[] = [];
  let moment = 0;
  let unique = 0;
  await inTurns(bench, 5, async (tenant) => {
    for (let i = 0; i < 20; i++) {
      const begin = moment++;
      const [readOne, writeOne] = [few[random.uint32() % 4] as string, few[random.uint32() % 4] as string];
      const [readsAll, form] = [random.uint32() % 3 === 0, random.uint32() % 6];
      const body = async (tx: Transaction): Promise<Pick<HistoryTransaction, 'seen' | 'written'>> => {
        const seen = readsAll ? await seeAll(tx, few) : await seeOne(tx, readOne);
        const written = new Map<string, string | undefined>();
        if (form === 5) for (const name of few) written.set(name, undefined);
        if (form === 5) tx.clearRange(prefixRange());
        if (form > 1) {
          const value = bytes(++unique & 0xff, unique >> 8);
          tx.set(key(writeOne), value);
          written.set(writeOne, value.join());
        }
        if (form === 4) tx.clear(key(readOne));
        if (form === 4) written.set(readOne, undefined);
        return { seen, written };
      };
      const done = await transact(tenant, body, { timeoutMs: retryMs });
      history.push({ begin, end: moment++, ...done });
    }
  });
  checkHistory(history);
}

async function seeOne(tx: Transaction, name: string): Promise<Map<string, string | undefined>> {
  return new Map([[name, (await tx.get(key(name)))?.join()]]);
}

async function seeAll(tx: Transaction, few: readonly string[]): Promise<Map<string, string | undefined>> {
  const { items } = await tx.getRange(prefixRange(), { limit: 100 });
  return new Map(
    few.map((name) => [name, items.find(([at]) => compareBytes(at, key(name)) === 0)?.[1].join()]),
  );
}

interface ChainedOptions {
  readonly tenants: readonly [Tenant, Tenant];
  readonly workers: number;
  readonly rounds: number;
}

async function runChained(bench: Bench, { tenants, workers, rounds }: ChainedOptions): Promise<void> {
  const history: RecordedTransaction[] = [];
  let moment = 0;
  await inTurns({ tenant: tenants[0], other: tenants[1] }, workers, async (tenant, worker) => {
    for (let i = 0; i < rounds; i++) {
      const name = `t${worker}.${i}`;
      const begin = moment++;
      const recorded = await once(bench, tenant, name);
      history.push({ name, begin, end: moment++, ...recorded });
    }
  });
  const applied = history.filter((transaction) => transaction.applied === 'yes').length;
  check(applied >= history.length / 20, `only ${applied} of ${history.length} transactions were applied`);
  checkDependencies(history);
}

type Recorded = Pick<RecordedTransaction, 'applied' | 'reads' | 'writes' | 'inner'>;

/** One transaction, tried once: what was refused must leave no trace, what is unknown may have. */
async function once(bench: Bench, tenant: Tenant, name: string): Promise<Recorded> {
  const draft = new Draft(name);
  let applied: Recorded['applied'] = 'no';
  try {
    const tx = await tenant.begin({ timeoutMs: 3_000 });
    try {
      await draft.fill(tx, bench);
      applied = 'unknown';
      await tx.commit({ reads: draft.ranges, writes: draft.mutations });
      applied = 'yes';
    } finally {
      tx.close();
    }
  } catch (error) {
    const { code } = error as { code?: unknown };
    const isRefused = refusals.some((refusal) => refusal === code);
    if (!isRefused && code !== 'store_commit_unknown') throw error;
    if (isRefused) applied = 'no';
  }
  const { reads, writes, inner } = draft;
  return { applied, reads, writes, inner };
}

const live = (name: string): Bytes => key('live', name);
/** Who deleted a key last. */
const grave = (name: string): Bytes => key('grave', name);

/** A random transaction while it is made: what it read, by which ranges, and what it writes. */
class Draft {
  readonly reads: Map<string, StateName> = new Map();
  readonly writes: Map<string, StateName> = new Map();
  readonly inner: StateName[] = [];
  readonly ranges: KeyRange[] = [];
  readonly mutations: Mutation[] = [];
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  async fill(tx: StoreTransaction, { host: { random } }: Bench): Promise<void> {
    const pick = (): string => names[random.uint32() % names.length] as string;
    const form = random.uint32() % 16;
    if (form < 9) for (let i = 0; i <= form % 3; i++) await this.#readOne(tx, pick());
    else await this.#readRange(tx, { limit: form < 12 ? 3 : 100, reverse: random.uint32() % 2 === 0 });
    if (form === 15) this.#clearAll();
    if (form === 0 || form === 14) return;
    const target = pick();
    await this.#readOne(tx, target);
    if (random.uint32() % 5 === 0) this.#delete(target);
    else this.#set(target, random.uint32() % 4 === 0);
  }

  async #readOne(tx: StoreTransaction, name: string): Promise<void> {
    if (this.reads.has(name)) return;
    const value = await this.#get(tx, live(name));
    this.reads.set(name, value ?? (await this.#get(tx, grave(name))) ?? '');
  }

  async #get(tx: StoreTransaction, at: Bytes): Promise<string | undefined> {
    const value = await tx.get(at);
    this.ranges.push({ begin: at, end: keyAfter(at) });
    return value === undefined ? undefined : decoder.decode(value);
  }

  /** One page; what it does not reach was not read. */
  async #readRange(tx: StoreTransaction, options: { limit: number; reverse: boolean }): Promise<void> {
    const { begin, end } = prefixRange('live');
    const { items, more } = await tx.getRange({ begin, end }, options);
    const last = items.at(-1)?.[0];
    const covered = { begin, end };
    if (more && last !== undefined && options.reverse) covered.begin = last;
    else if (more && last !== undefined) covered.end = keyAfter(last);
    this.ranges.push(covered);
    for (const name of names) {
      const at = live(name);
      if (compareBytes(at, covered.begin) < 0 || compareBytes(at, covered.end) >= 0) continue;
      const found = items.find(([one]) => compareBytes(one, at) === 0)?.[1];
      this.reads.set(
        name,
        found === undefined ? ((await this.#get(tx, grave(name))) ?? '') : decoder.decode(found),
      );
    }
  }

  #set(name: string, twice: boolean): void {
    const made = this.#state(name);
    if (twice) {
      this.inner.push(`${made}?`);
      this.mutations.push({ type: 'set', key: live(name), value: encoder.encode(`${made}?`) });
    }
    this.mutations.push({ type: 'set', key: live(name), value: encoder.encode(made) });
  }

  #delete(name: string): void {
    this.mutations.push({ type: 'clear', key: live(name) });
    this.#bury(name);
  }

  #clearAll(): void {
    this.mutations.push({ type: 'clearRange', ...prefixRange('live') });
    for (const name of names) this.#bury(name);
  }

  #bury(name: string): void {
    this.mutations.push({ type: 'set', key: grave(name), value: encoder.encode(this.#state(name)) });
  }

  /** Unique, and the last one of a key counts. */
  #state(name: string): StateName {
    const made = `${this.#name}.${name}.${this.mutations.length}`;
    this.writes.set(name, made);
    return made;
  }
}
