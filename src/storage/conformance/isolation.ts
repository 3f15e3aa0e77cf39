// Two and more transactions at once. A case accepts every serialisable result: where one of two must fail, either may,
// and a false conflict is no fault.
import { rangeOfKey } from '../bytes.ts';
import { allKeys, prefixRange } from '../keys.ts';
import type { Bytes, KeyRange, Mutation, StoreTransaction } from '../port.ts';
import type { Transaction } from '../recording.ts';
import type { Tenant } from '../store.ts';
import { transact } from '../transact.ts';
import type { Bench, ConformanceCase } from './support.ts';
import {
  bytes,
  check,
  ending,
  equal,
  inTurns,
  key,
  keysIn,
  number,
  numberIn,
  reading,
  set,
  transactionMs,
  valueAt,
  verdict,
  write,
} from './support.ts';

const retryMs = 20_000;

interface Side {
  readonly tenant: Tenant;
  readonly reads: KeyRange;
  readonly writes: readonly Mutation[];
}

/** Both read, then both commit: of two that each write what the other has read, at most one may succeed. */
async function atMostOne(a: Side, b: Side): Promise<void> {
  const begin = async ({ tenant, reads }: Side): Promise<StoreTransaction> => {
    const tx = await tenant.begin({ timeoutMs: transactionMs });
    await tx.getRange(reads, { limit: 1000 });
    return tx;
  };
  const [first, second] = [await begin(a), await begin(b)];
  const results = [
    await ending(first.commit({ reads: [a.reads], writes: a.writes })),
    await ending(second.commit({ reads: [b.reads], writes: b.writes })),
  ];
  check(results.includes('store_conflict'), `both committed: ${results.join()}`);
  check(!results.includes('earlier'), `unexpected: ${results.join()}`);
}

async function increment(tenant: Tenant, at: Bytes): Promise<void> {
  await transact(
    tenant,
    async (tx) => {
      tx.set(at, number(numberIn(await tx.get(at)) + 1n));
    },
    { timeoutMs: retryMs },
  );
}

export const isolationCases: readonly ConformanceCase[] = [
  {
    name: 'isolation: no lost update',
    async run({ tenant, other }) {
      const reads = rangeOfKey(key('a'));
      await write(tenant, set(key('a'), bytes(0)));
      await atMostOne(
        { tenant, reads, writes: [set(key('a'), bytes(1))] },
        { tenant: other, reads, writes: [set(key('a'), bytes(2))] },
      );
    },
  },
  {
    name: 'isolation: no write skew on existing keys',
    async run({ tenant, other }) {
      await write(tenant, set(key('a'), bytes(0)), set(key('b'), bytes(0)));
      await atMostOne(
        { tenant, reads: rangeOfKey(key('a')), writes: [set(key('b'), bytes(1))] },
        { tenant: other, reads: rangeOfKey(key('b')), writes: [set(key('a'), bytes(1))] },
      );
    },
  },
  {
    name: 'isolation: no write skew on absent keys',
    async run({ tenant, other }) {
      await atMostOne(
        { tenant, reads: rangeOfKey(key('a')), writes: [set(key('b'), bytes(1))] },
        { tenant: other, reads: rangeOfKey(key('b')), writes: [set(key('a'), bytes(1))] },
      );
    },
  },
  {
    name: 'isolation: a range reader sees inserts, deletions and cleared ranges',
    async run({ tenant, other }) {
      const [left, right] = [prefixRange('left'), prefixRange('right')];
      const fill = () => write(tenant, set(key('left', 'x'), bytes(1)), set(key('right', 'x'), bytes(1)));
      const forms: ((side: string) => Mutation)[] = [
        (side) => set(key(side, 'new'), bytes(1)),
        (side) => ({ type: 'clear', key: key(side, 'x') }),
        (side) => ({ type: 'clearRange', ...prefixRange(side) }),
        (side) => ({ type: 'add', key: key(side, 'number'), value: number(1n) }),
        (side) => ({ type: 'max', key: key(side, 'x'), value: bytes(9) }),
      ];
      for (const form of forms) {
        await fill();
        await atMostOne(
          { tenant, reads: left, writes: [form('right')] },
          { tenant: other, reads: right, writes: [form('left')] },
        );
      }
    },
  },
  {
    name: 'isolation: a refused commit has changed nothing and may be repeated',
    async run({ tenant, other }) {
      const tx = await tenant.begin({ timeoutMs: transactionMs });
      await tx.get(key('a'));
      await write(other, set(key('a'), bytes(1)));
      const id = bytes(1, 2, 3);
      const request = {
        reads: [rangeOfKey(key('a'))],
        writes: [set(key('a'), bytes(2)), set(key('b'), bytes(2))],
        id,
      };
      equal(await ending(tx.commit(request)), 'store_conflict');
      equal(await keysIn(tenant, allKeys()), [key('a')]);
      const again = await tenant.begin({ timeoutMs: transactionMs });
      await again.get(key('a'));
      equal(await ending(again.commit(request)), 'now');
      equal(await valueAt(other, key('b')), bytes(2));
    },
  },
  {
    name: 'isolation: all reads of a transaction show one snapshot',
    async run({ tenant, other, pause }) {
      await write(tenant, set(key('a'), bytes(1)), set(key('b'), bytes(1)));
      await reading(tenant, async (tx) => {
        equal(await tx.get(key('a')), bytes(1));
        await write(other, set(key('a'), bytes(2)), set(key('b'), bytes(2)), set(key('c'), bytes(2)));
        await pause(20);
        equal(await tx.get(key('b')), bytes(1));
        await write(other, { type: 'clearRange', ...allKeys() });
        const page = await tx.getRange(allKeys(), { limit: 10 });
        equal(
          page.items.map(([at, value]) => [at, value]),
          [
            [key('a'), bytes(1)],
            [key('b'), bytes(1)],
          ],
        );
      });
    },
  },
  {
    name: 'isolation: the snapshot is fixed by the first read and shows every acknowledged commit',
    async run({ tenant, other }) {
      for (let i = 0; i < 50; i++) {
        const [writer, reader] = i % 2 === 0 ? [tenant, other] : [other, tenant];
        const tx = await reader.begin({ timeoutMs: transactionMs });
        await write(writer, set(key('a'), bytes(i)));
        equal(await tx.get(key('a')), bytes(i));
        tx.close();
      }
    },
  },
  {
    name: 'isolation: transactions on keys of their own are rarely refused',
    async run(bench) {
      let runs = 0;
      await inTurns(bench, 8, async (tenant, worker) => {
        for (let i = 0; i < 20; i++) {
          await transact(
            tenant,
            async (tx) => {
              runs += 1;
              tx.set(
                key('own', String(worker)),
                number(numberIn(await tx.get(key('own', String(worker)))) + 1n),
              );
            },
            { timeoutMs: retryMs },
          );
        }
      });
      for (let i = 0; i < 8; i++) equal(numberIn(await valueAt(bench.tenant, key('own', String(i)))), 20n);
      // A false conflict now and then is allowed; as many as transactions means that whole tables are locked.
      check(runs < 2 * 160, `160 transactions on keys of their own took ${runs} runs`);
    },
  },
  {
    name: 'isolation: blind writes and additions go through, at worst after a false conflict',
    async run({ tenant, other }) {
      const writes: Mutation[] = [set(key('a'), bytes(1)), { type: 'add', key: key('n'), value: number(1n) }];
      const first = await tenant.begin({ timeoutMs: transactionMs });
      await first.get(key('elsewhere'));
      await write(other, ...writes);
      const { ending: said } = await verdict(first.commit({ reads: [], writes }));
      check(['now', 'store_conflict'].includes(said), `a blind write: ${said}`);
      equal(numberIn(await valueAt(tenant, key('n'))), said === 'now' ? 2n : 1n);
      // Without a read there is no snapshot either, and so nothing to conflict with.
      const blind = await tenant.begin({ timeoutMs: transactionMs });
      await write(other, ...writes);
      equal((await verdict(blind.commit({ reads: [], writes }))).ending, 'now');
      equal(numberIn(await valueAt(tenant, key('n'))), said === 'now' ? 4n : 3n);
    },
  },
  {
    name: 'isolation: a page conflicts as far as it was read',
    async run({ tenant, other }) {
      for (let i = 0; i < 10; i++) await write(tenant, set(key('r', String(i)), bytes(i)));
      const page = { begin: key('r', '0'), end: rangeOfKey(key('r', '2')).end };
      const done = rangeOfKey(key('done'));
      await atMostOne(
        { tenant, reads: page, writes: [set(key('done'), bytes(1))] },
        { tenant: other, reads: done, writes: [set(key('r', '1'), bytes(11))] },
      );
      let runs = 0;
      const paging = async (tx: Transaction): Promise<void> => {
        runs += 1;
        await tx.getRange(prefixRange('r'), { limit: 3 });
        if (runs === 1) await transact(other, beyondThePage, { timeoutMs: retryMs });
        tx.set(key('done'), bytes(2));
      };
      const beyondThePage = async (tx: Transaction): Promise<void> => {
        await tx.get(key('done'));
        tx.set(key('r', '7'), bytes(77));
      };
      await transact(tenant, paging, { timeoutMs: retryMs });
      check(runs <= 2, `a key beyond the page was in the way ${runs - 1} times`);
    },
  },
  {
    name: 'isolation: increments of one key by many are exact',
    async run(bench) {
      await inTurns(bench, 8, async (tenant) => {
        for (let i = 0; i < 20; i++) await increment(tenant, key('n'));
      });
      equal(numberIn(await valueAt(bench.tenant, key('n'))), 160n);
    },
  },
  {
    name: 'isolation: additions by many are exact',
    async run(bench) {
      await inTurns(bench, 8, async (tenant) => {
        for (let i = 0; i < 20; i++)
          await transact(tenant, (tx) => tx.add(key('n'), 3n), { timeoutMs: retryMs });
      });
      equal(numberIn(await valueAt(bench.tenant, key('n'))), 480n);
    },
  },
  { name: 'isolation: money is neither made nor lost while accounts come and go', run: runBank },
];

/** Accounts sum up to 1000 in every snapshot; an account that is emptied is deleted, a payment may create one. */
async function runBank(bench: Bench): Promise<void> {
  const { random } = bench.host;
  const account = () => key('account', String(random.uint32() % 12));
  await write(bench.tenant, set(key('account', '0'), number(600n)), set(key('account', '5'), number(400n)));
  await inTurns(bench, 6, async (tenant, worker) => {
    for (let i = 0; i < 15; i++) {
      if (worker === 0) equal(await bankTotal(tenant), 1000n, 'total');
      else await transact(tenant, (tx) => pay(tx, [account(), account()]), { timeoutMs: retryMs });
    }
  });
  equal(await bankTotal(bench.other), 1000n, 'total');
}

async function bankTotal(tenant: Tenant): Promise<bigint> {
  const { items } = await reading(tenant, async (tx) => tx.getRange(prefixRange('account'), { limit: 100 }));
  check(
    items.every(([, value]) => numberIn(value) > 0n),
    'an empty account exists',
  );
  return items.reduce((sum, [, value]) => sum + numberIn(value), 0n);
}

type Body = Parameters<typeof transact>[1];

async function pay(tx: Parameters<Body>[0], [from, to]: readonly [Bytes, Bytes]): Promise<void> {
  const available = numberIn(await tx.get(from));
  const amount = available > 100n ? 100n : available;
  if (amount === 0n || from.join() === to.join()) return;
  const there = numberIn(await tx.get(to));
  if (available === amount) tx.clear(from);
  else tx.set(from, number(available - amount));
  tx.set(to, number(there + amount));
}
