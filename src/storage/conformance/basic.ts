// Single transactions: what is written can be read, in order, up to the limits and not beyond them.
import { compareBytes, rangeOfKey } from '../bytes.ts';
import { allKeys, prefixRange } from '../keys.ts';
import { type Bytes, type CommitResult, type KeyRange, limits, type Mutation } from '../port.ts';
import type { Tenant } from '../store.ts';
import { transact } from '../transact.ts';
import type { ConformanceCase } from './support.ts';
import {
  bytes,
  check,
  ending,
  equal,
  fails,
  key,
  keysIn,
  number,
  numberIn,
  reading,
  set,
  transactionMs,
  valueAt,
  write,
} from './support.ts';

const many = (count: number): Mutation[] =>
  Array.from({ length: count }, (_, i) => set(key('many', String(i).padStart(4, '0')), bytes(i & 0xff)));

async function writeMany(tenant: Tenant, count: number): Promise<void> {
  const writes = many(count);
  for (let i = 0; i < count; i += limits.writesMax)
    await write(tenant, ...writes.slice(i, i + limits.writesMax));
}

async function begun(tenant: Tenant) {
  return tenant.begin({ timeoutMs: transactionMs });
}

async function commitNothing(tenant: Tenant, id: Bytes): Promise<CommitResult> {
  const tx = await begun(tenant);
  return tx.commit({ reads: [], writes: [], id });
}

export const basicCases: readonly ConformanceCase[] = [
  {
    name: 'basic: set, get, overwrite, clear',
    async run({ tenant, other }) {
      equal(await valueAt(tenant, key('a')), undefined);
      equal(await write(tenant, set(key('a'), bytes(1))).then((result) => result.applied), 'now');
      equal(await valueAt(other, key('a')), bytes(1));
      await write(other, set(key('a'), bytes(2, 3)));
      equal(await valueAt(tenant, key('a')), bytes(2, 3));
      await write(tenant, { type: 'clear', key: key('a') }, { type: 'clear', key: key('never') });
      equal(await valueAt(tenant, key('a')), undefined);
    },
  },
  {
    name: 'basic: an empty value is not a missing one',
    async run({ tenant }) {
      await write(tenant, set(key('a'), bytes()));
      equal(await valueAt(tenant, key('a')), bytes());
      const page = await reading(tenant, (tx) => tx.getRange(allKeys(), { limit: 10 }));
      equal(
        page.items.map(([, value]) => value),
        [bytes()],
      );
    },
  },
  {
    name: 'basic: keys are ordered by unsigned bytes',
    async run({ tenant }) {
      const ordered = [[0], [0, 0], [0, 255], [1], [127], [127, 255], [128], [255], [255, 0], [255, 255]];
      const keys = ordered.map((values) => bytes(...values));
      for (const at of [...keys].reverse()) await write(tenant, set(at, at));
      equal(await keysIn(tenant, allKeys()), keys);
      const page = await reading(tenant, (tx) => tx.getRange(allKeys(), { limit: 100, reverse: true }));
      equal(
        page.items.map(([at]) => at),
        [...keys].reverse(),
      );
    },
  },
  {
    name: 'basic: ranges are half open; an inverted one is empty',
    async run({ tenant }) {
      for (const value of [1, 2, 3]) await write(tenant, set(bytes(value), bytes(value)));
      const range = (begin: Bytes, end: Bytes): KeyRange => ({ begin, end });
      equal(await keysIn(tenant, range(bytes(1), bytes(3))), [bytes(1), bytes(2)]);
      equal(await keysIn(tenant, range(bytes(1, 0), bytes(3, 0))), [bytes(2), bytes(3)]);
      equal(await keysIn(tenant, range(bytes(), bytes(2))), [bytes(1)]);
      equal(await keysIn(tenant, range(bytes(2), bytes(2))), []);
      equal(await keysIn(tenant, range(bytes(3), bytes(1))), []);
      equal(await keysIn(tenant, range(bytes(), bytes())), []);
      await write(tenant, { type: 'clearRange', begin: bytes(3), end: bytes(1) });
      equal(await keysIn(tenant, allKeys()), [bytes(1), bytes(2), bytes(3)]);
    },
  },
  {
    name: 'basic: a page has at most `limit` items and says whether there are more',
    async run({ tenant }) {
      for (const value of [1, 2, 3]) await write(tenant, set(bytes(value), bytes(value)));
      for (const reverse of [false, true]) {
        const page = (limit: number) => reading(tenant, (tx) => tx.getRange(allKeys(), { limit, reverse }));
        equal((await page(2)).items.length, 2);
        equal((await page(2)).items[0]?.[0], bytes(reverse ? 3 : 1));
        equal([(await page(2)).more, (await page(3)).more, (await page(4)).more], [true, false, false]);
      }
    },
  },
  {
    name: 'basic: 1000 keys page by page, upwards and downwards',
    async run({ tenant }) {
      await writeMany(tenant, 1000);
      const found: string[] = [];
      let { begin, end } = prefixRange('many');
      for (let more = true; more; ) {
        const page = await reading(tenant, (tx) => tx.getRange({ begin, end }, { limit: 70 }));
        found.push(...page.items.map(([at]) => at.join()));
        more = page.more;
        begin = rangeOfKey(page.items.at(-1)?.[0] ?? end).end;
      }
      equal(found.length, 1000);
      equal(new Set(found).size, 1000);
      ({ begin, end } = prefixRange('many'));
      for (let more = true; more; ) {
        const page = await reading(tenant, (tx) =>
          tx.getRange({ begin, end }, { limit: 130, reverse: true }),
        );
        for (const [at] of page.items) equal(at.join(), found.pop());
        more = page.more;
        end = page.items.at(-1)?.[0] ?? begin;
      }
      equal(found.length, 0);
    },
  },
  {
    name: 'basic: a page of large values ends early, and none is lost',
    async run({ tenant }) {
      const value = new Uint8Array(limits.valueBytesMax).fill(7);
      for (let i = 0; i < 40; i++) await write(tenant, set(bytes(i), value));
      let count = 0;
      let pages = 0;
      let { begin, end } = allKeys();
      for (let more = true; more; pages++) {
        const page = await reading(tenant, (tx) => tx.getRange({ begin, end }, { limit: 100 }));
        check(page.items.length > 0, 'a page with more to come is empty');
        const size = page.items.reduce((sum, item) => sum + item[0].length + item[1].length, 0);
        check(
          size <= limits.pageBytesMax + limits.valueBytesMax + limits.keyBytesMax,
          `a page of ${size} bytes`,
        );
        count += page.items.length;
        more = page.more;
        begin = rangeOfKey(page.items.at(-1)?.[0] ?? end).end;
      }
      equal([count, pages > 1], [40, true]);
    },
  },
  {
    name: 'basic: add counts modulo 2^64, max keeps the larger',
    async run({ tenant }) {
      const at = key('n');
      const add = (value: bigint): Mutation => ({ type: 'add', key: at, value: number(value) });
      await write(tenant, add(5n));
      await write(tenant, add(250n), add(1n));
      equal(numberIn(await valueAt(tenant, at)), 256n);
      await write(tenant, add(2n ** 64n - 257n));
      equal(numberIn(await valueAt(tenant, at)), 2n ** 64n - 1n);
      await write(tenant, add(3n));
      equal(numberIn(await valueAt(tenant, at)), 2n);
      const max = (...values: number[]): Mutation => ({
        type: 'max',
        key: key('m'),
        value: bytes(...values),
      });
      await write(tenant, max(1));
      await write(tenant, max(1, 0), max(0, 255));
      equal(await valueAt(tenant, key('m')), bytes(1, 0));
      await write(tenant, max(200));
      equal(await valueAt(tenant, key('m')), bytes(200));
    },
  },
  {
    name: 'basic: add to a value that is no number is refused, with all of its commit',
    async run({ tenant }) {
      await write(tenant, set(key('a'), bytes(1)));
      const bad = write(tenant, set(key('b'), bytes(2)), { type: 'add', key: key('a'), value: number(1n) });
      await fails(bad, 'store_invalid');
      equal(await valueAt(tenant, key('b')), undefined);
      const [refused, good] = [await begun(tenant), await begun(tenant)];
      const add: Mutation = { type: 'add', key: key('a'), value: number(1n) };
      const endings = await Promise.all([
        ending(refused.commit({ reads: [], writes: [set(key('b'), bytes(2)), add], id: bytes(1) })),
        ending(good.commit({ reads: [], writes: [set(key('c'), bytes(3))], id: bytes(2) })),
      ]);
      equal(endings, ['store_invalid', 'now']);
      equal(await keysIn(tenant, allKeys()), [key('a'), key('c')]);
      equal(await ending(commitNothing(tenant, bytes(1))), 'now', 'an id that a refused commit had');
      equal(await valueAt(tenant, key('a')), bytes(1));
    },
  },
  {
    name: 'basic: the writes of a commit are applied in their order',
    async run({ tenant }) {
      await write(
        tenant,
        set(key('a', '1'), bytes(1)),
        { type: 'clearRange', ...prefixRange('a') },
        set(key('a', '2'), number(1n)),
        { type: 'add', key: key('a', '2'), value: number(4n) },
        set(key('b'), bytes(1)),
        set(key('b'), bytes(2)),
        { type: 'clear', key: key('c') },
        set(key('c'), bytes(3)),
      );
      equal(await keysIn(tenant, prefixRange('a')), [key('a', '2')]);
      equal(numberIn(await valueAt(tenant, key('a', '2'))), 5n);
      equal([await valueAt(tenant, key('b')), await valueAt(tenant, key('c'))], [bytes(2), bytes(3)]);
    },
  },
  {
    name: 'basic: clearRange of 300 keys leaves its neighbours',
    async run({ tenant }) {
      await writeMany(tenant, 300);
      await write(tenant, set(key('mana'), bytes(1)), set(key('manz'), bytes(1)));
      await write(tenant, { type: 'clearRange', ...prefixRange('many') });
      equal(await keysIn(tenant, allKeys()), [key('mana'), key('manz')]);
    },
  },
  {
    name: 'basic: as many writes and read ranges as allowed, and one more',
    async run({ tenant }) {
      const reads = many(limits.readRangesMax).flatMap((one) =>
        one.type === 'set' ? [rangeOfKey(one.key)] : [],
      );
      const commit = async (writes: readonly Mutation[], ranges: readonly KeyRange[]) => {
        const tx = await begun(tenant);
        await tx.get(key('x'));
        return tx.commit({ reads: ranges, writes });
      };
      equal((await commit(many(limits.writesMax), reads)).applied, 'now');
      equal((await keysIn(tenant, allKeys())).length, limits.writesMax);
      await fails(commit(many(limits.writesMax + 1), []), 'store_too_large');
      await fails(commit([], [...reads, rangeOfKey(key('y'))]), 'store_too_large');
      const value = new Uint8Array(limits.valueBytesMax);
      const large = Array.from({ length: 17 }, (_, i) => set(key('large', String(i)), value));
      await fails(commit(large, []), 'store_too_large');
      equal((await commit(large.slice(0, 15), [])).applied, 'now');
    },
  },
  {
    name: 'basic: 64 reads and 64 writes in one transaction rest on every one of the reads',
    async run({ tenant, other }) {
      const at = (side: string, i: number) => key(side, String(i).padStart(2, '0'));
      const numbers = Array.from({ length: 64 }, (_, i) => i);
      const readAll = async (client: Tenant, side: string) => {
        const tx = await begun(client);
        for (const i of numbers) await tx.get(at(side, i));
        const reads = numbers.map((i) => rangeOfKey(at(side, i)));
        return (writes: readonly Mutation[]) => ending(tx.commit({ reads, writes }));
      };
      const allOf = (side: string) => numbers.map((i) => set(at(side, i), bytes(i)));
      equal(await (await readAll(tenant, 'none'))(allOf('a')), 'now');
      equal((await keysIn(other, prefixRange('a'))).length, 64);
      for (const i of [0, 31, 63]) {
        // Each has read what the other writes, and that is one key only.
        const [first, second] = [await readAll(tenant, 'a'), await readAll(other, 'b')];
        const endings = [await first([set(at('b', i), bytes(1))]), await second([set(at('a', i), bytes(1))])];
        check(endings.includes('store_conflict'), `both committed, on key ${i}: ${endings.join()}`);
      }
    },
  },
  {
    name: 'basic: random keys of the full length keep their order',
    async run({ tenant, host }) {
      const length = limits.keyBytesMax - 1 - key(tenant.name).length;
      const keys = Array.from({ length: 40 }, () => host.random.bytes(length));
      // Two that differ in their last byte only.
      const [one, two] = [keys[0] as Bytes, (keys[0] as Bytes).slice()];
      two[length - 1] = ((one[length - 1] as number) + 1) % 256;
      const all = [...keys, two].sort(compareBytes);
      await write(tenant, ...all.map((at) => set(at, at.subarray(0, 8))));
      equal(await keysIn(tenant, allKeys()), all);
      for (const at of all) equal(await valueAt(tenant, at), at.subarray(0, 8));
      await write(tenant, { type: 'clearRange', begin: all[10] as Bytes, end: all[30] as Bytes });
      equal(await keysIn(tenant, allKeys()), [...all.slice(0, 10), ...all.slice(30)]);
    },
  },
  {
    name: 'basic: the reads of a body show its snapshot, not its own writes',
    async run({ tenant }) {
      await write(tenant, set(key('a'), bytes(1)), set(key('n'), number(5n)));
      const seen = await transact(
        tenant,
        async (tx) => {
          tx.set(key('a'), bytes(2));
          tx.set(key('b'), bytes(2));
          tx.add(key('n'), 1n);
          tx.clearRange(prefixRange('a'));
          const { items } = await tx.getRange(allKeys(), { limit: 10 });
          return [
            await tx.get(key('a')),
            await tx.get(key('b')),
            numberIn(await tx.get(key('n'))),
            items.length,
          ];
        },
        { timeoutMs: transactionMs },
      );
      equal(seen, [bytes(1), undefined, 5n, 2]);
      equal(await keysIn(tenant, allKeys()), [key('b'), key('n')]);
      equal(numberIn(await valueAt(tenant, key('n'))), 6n);
    },
  },
  {
    name: 'basic: keys and values at their limits, and beyond',
    async run({ tenant, host }) {
      const prefix = 1 + key(tenant.name).length;
      const longest = host.random.bytes(limits.keyBytesMax - prefix);
      const value = host.random.bytes(limits.valueBytesMax);
      await write(tenant, set(longest, value));
      equal(await valueAt(tenant, longest), value);
      equal(await keysIn(tenant, rangeOfKey(longest)), [longest]);
      const longer = new Uint8Array(longest.length + 1);
      await fails(write(tenant, set(longer, bytes())), 'store_too_large');
      await fails(valueAt(tenant, longer), 'store_too_large');
      await fails(write(tenant, set(key('a'), new Uint8Array(value.length + 1))), 'store_too_large');
      await fails(write(tenant, set(bytes(), bytes())), 'store_invalid');
      await fails(valueAt(tenant, bytes()), 'store_invalid');
    },
  },
  {
    name: 'basic: arrays belong to whom the port says',
    async run({ tenant }) {
      const [at, value] = [key('a'), bytes(1, 2, 3)];
      const done = write(tenant, set(at, value));
      await done;
      value.fill(9);
      const read = await valueAt(tenant, key('a'));
      equal(read, bytes(1, 2, 3));
      read?.fill(8);
      at.fill(0);
      const page = await reading(tenant, (tx) => tx.getRange(allKeys(), { limit: 5 }));
      equal(page.items[0]?.[1], bytes(1, 2, 3));
      page.items[0]?.[0].fill(5);
      page.items[0]?.[1].fill(5);
      equal(await keysIn(tenant, allKeys()), [key('a')]);
      equal(await valueAt(tenant, key('a')), bytes(1, 2, 3));
    },
  },
  {
    name: 'basic: tenants share nothing',
    async run({ tenant }) {
      const names = ['conformance\u0000', 'conformanc', 'conformance2', 'ä', '\u{10ffff}'];
      await write(tenant, set(key('a'), bytes(1)));
      for (const name of names) {
        const stranger = tenant.store.tenant(name);
        equal(await keysIn(stranger, allKeys()), []);
        await write(stranger, { type: 'clearRange', ...allKeys() }, set(bytes(255, 255), bytes(2)));
      }
      equal(await keysIn(tenant, allKeys()), [key('a')]);
      await write(tenant, { type: 'clearRange', ...allKeys() });
      for (const name of names) equal((await keysIn(tenant.store.tenant(name), allKeys())).length, 1);
    },
  },
];
