// How transactions and clients end: by commit, close, deadline or abort, and with which words.
import process from 'node:process';
import { rangeOfKey } from '../bytes.ts';
import { type Backend, limits } from '../port.ts';
import { openStore } from '../store.ts';
import type { ConformanceCase } from './support.ts';
import {
  bytes,
  check,
  equal,
  fails,
  key,
  persist,
  reading,
  set,
  transactionMs,
  valueAt,
  within,
  write,
} from './support.ts';
import type { ConformanceTarget } from './target.ts';

const formatKey = Uint8Array.of(0, ...new TextEncoder().encode('format'));

export const lifetimeCases: readonly ConformanceCase[] = [
  {
    name: 'lifetime: after its deadline a transaction rejects with timeout, and nothing is applied',
    async run({ tenant, pause }) {
      const tx = await tenant.begin({ timeoutMs: 20 });
      await tx.get(key('a'));
      await pause(60);
      equal((await fails(tx.get(key('a')), 'timeout')).maybeExecuted, false);
      const commit = tx.commit({ reads: [], writes: [set(key('a'), bytes(1))] });
      equal((await fails(commit, 'timeout')).maybeExecuted, false);
      equal(await valueAt(tenant, key('a')), undefined);
    },
  },
  {
    name: 'lifetime: an abort ends a transaction, also before it begins',
    async run({ tenant }) {
      const abort = new AbortController();
      const tx = await tenant.begin({ timeoutMs: transactionMs, signal: abort.signal });
      await tx.get(key('a'));
      abort.abort();
      equal((await fails(tx.get(key('a')), 'aborted')).maybeExecuted, false);
      await fails(tx.commit({ reads: [], writes: [set(key('a'), bytes(1))] }), 'aborted');
      await fails(tenant.begin({ timeoutMs: transactionMs, signal: abort.signal }), 'aborted');
      equal(await valueAt(tenant, key('a')), undefined);
    },
  },
  {
    name: 'lifetime: timeouts out of range are refused',
    async run({ tenant }) {
      for (const timeoutMs of [0, -1, Number.NaN, limits.transactionMsMax + 1]) {
        await fails(tenant.begin({ timeoutMs }), 'bad_option');
      }
      for (const limit of [0, 1.5, limits.rangeItemsMax + 1]) {
        const range = { begin: bytes(1), end: bytes(2) };
        await fails(
          reading(tenant, (tx) => tx.getRange(range, { limit })),
          'store_invalid',
        );
      }
    },
  },
  {
    name: 'lifetime: a transaction ends with its commit',
    async run({ tenant }) {
      const tx = await tenant.begin({ timeoutMs: transactionMs });
      await tx.commit({ reads: [], writes: [] });
      await fails(tx.get(key('a')), 'store_invalid');
      await fails(tx.commit({ reads: [], writes: [] }), 'store_invalid');
      tx.close();
    },
  },
  {
    name: 'lifetime: a closed transaction reads and commits nothing; closing twice is harmless',
    async run({ tenant }) {
      const tx = await tenant.begin({ timeoutMs: transactionMs });
      await tx.get(key('a'));
      tx.close();
      tx.close();
      await fails(tx.get(key('a')), 'closed');
      await fails(tx.commit({ reads: [], writes: [set(key('a'), bytes(1))] }), 'closed');
      equal(await valueAt(tenant, key('a')), undefined);
    },
  },
  {
    name: 'lifetime: closing the backend ends its transactions and watches',
    async run({ tenant, backend }) {
      const tx = await tenant.begin({ timeoutMs: transactionMs });
      await tx.get(key('a'));
      const watch = tenant.watch({ begin: bytes(), end: bytes(255) });
      await backend.close();
      await backend.close();
      await watch.changed;
      await tenant.watch({ begin: bytes(), end: bytes(255) }).changed;
      await fails(tx.get(key('a')), 'closed');
      await fails(tx.commit({ reads: [], writes: [] }), 'closed');
      await fails(tenant.begin({ timeoutMs: transactionMs }), 'closed');
    },
  },
  {
    name: 'lifetime: many transactions at once, all with a snapshot open',
    async run({ tenant }) {
      await write(tenant, set(key('a'), bytes(1)));
      const reads = Array.from({ length: 100 }, () => valueAt(tenant, key('a')));
      equal(new Set((await Promise.all(reads)).map((value) => value?.[0])).size, 1);
    },
  },
  {
    name: 'lifetime: transactions left open keep others waiting no longer than their own deadline',
    async run(bench) {
      const { tenant } = bench;
      const open = Array.from({ length: 150 }, async () => {
        const tx = await tenant.begin({ timeoutMs: 700 });
        await tx.get(key('a'));
      });
      const endings = await within(bench, 3_000, Promise.allSettled(open));
      for (const one of endings) {
        if (one.status === 'fulfilled') continue;
        const { code } = one.reason as { code?: unknown };
        check(
          code === 'timeout' || code === 'store_unavailable',
          `a transaction that had to wait: ${one.reason}`,
        );
      }
      check(endings.filter(({ status }) => status === 'fulfilled').length >= 4, 'hardly any could begin');
      // None was closed, but all of them are beyond their deadline soon.
      await persist(bench, 5_000, () => write(tenant, set(key('a'), bytes(1))));
      equal(await valueAt(tenant, key('a')), bytes(1));
    },
  },
  {
    name: 'lifetime: what was committed is there when all clients have left and another one comes',
    needs: ['connect'],
    async run({ tenant, other, target, host }) {
      await write(tenant, set(key('a'), bytes(1)));
      await Promise.all([tenant.store.close(), other.store.close()]);
      const store = await openStore(await connect(target), { host });
      equal(await valueAt(store.tenant(tenant.name), key('a')), bytes(1));
      await store.close();
    },
  },
  {
    name: 'lifetime: a client that was closed keeps no program from ending',
    needs: ['connect'],
    async run(bench) {
      const { tenant, other, target, host, pause } = bench;
      await Promise.all([tenant.store.close(), other.store.close()]);
      await pause(100);
      const before = activeResources();
      const client = await openStore(await connect(target), { host });
      const keys = client.tenant(tenant.name);
      const watches = Array.from({ length: 20 }, (_, i) => keys.watch(rangeOfKey(key('w', String(i)))));
      await write(keys, set(key('w', '3'), bytes(1)));
      const open = await Promise.all(
        Array.from({ length: 5 }, () => keys.begin({ timeoutMs: transactionMs })),
      );
      await Promise.all(open.map((tx) => tx.get(key('a'))));
      await client.close();
      await Promise.all(watches.map((watch) => watch.changed));
      const end = host.clock.now() + 3_000;
      for (let left = leftOver(before); left.length > 0; left = leftOver(before)) {
        check(host.clock.now() < end, `still active three seconds after close: ${left.join(', ')}`);
        await pause(20);
      }
    },
  },
  {
    name: 'format: a store that holds something else is refused',
    async run({ backend, host }) {
      const tx = await backend.begin({ timeoutMs: transactionMs });
      await tx.commit({
        reads: [],
        writes: [{ type: 'clear', key: formatKey }, set(key('foreign'), bytes(1))],
      });
      await fails(openStore({ ...withoutClose(backend) }, { host }), 'store_not_ours');
    },
  },
  {
    name: 'format: a store of a newer release is refused',
    async run({ backend, host }) {
      const tx = await backend.begin({ timeoutMs: transactionMs });
      const newer = new TextEncoder().encode('dgen 2');
      await tx.commit({ reads: [], writes: [set(formatKey, newer)] });
      await fails(openStore(withoutClose(backend), { host }), 'store_format');
      const other = await backend.begin({ timeoutMs: transactionMs });
      await other.commit({ reads: [], writes: [set(formatKey, bytes(1, 2))] });
      await fails(openStore(withoutClose(backend), { host }), 'store_not_ours');
    },
  },
];

async function connect(target: ConformanceTarget): Promise<Backend> {
  check(target.connect !== undefined, 'the case needs connect without saying so');
  return target.connect();
}

/** How many of each kind keep the event loop going. */
function activeResources(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

/** Kinds of which there are more than before. Timers of whoever runs the case come and go. */
function leftOver(before: ReadonlyMap<string, number>): string[] {
  return [...activeResources()]
    .filter(([kind, count]) => kind !== 'Timeout' && kind !== 'Immediate' && count > (before.get(kind) ?? 0))
    .map(([kind, count]) => `${count} x ${kind}`);
}

/** The case goes on using the backend that `openStore` would close. */
function withoutClose(backend: Backend): Backend {
  return {
    description: backend.description,
    begin: (options) => backend.begin(options),
    watch: (range) => backend.watch(range),
    close: () => Promise.resolve(),
  };
}
