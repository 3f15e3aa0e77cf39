// How transactions and clients end: by commit, close, deadline or abort, and with which words.
import { limits } from '../port.ts';
import { openStore } from '../store.ts';
import type { ConformanceCase } from './support.ts';
import { bytes, equal, fails, key, reading, set, transactionMs, valueAt, write } from './support.ts';

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

/** The case goes on using the backend that `openStore` would close. */
function withoutClose(backend: ConformanceBackend): ConformanceBackend {
  return {
    description: backend.description,
    begin: (options) => backend.begin(options),
    watch: (range) => backend.watch(range),
    close: () => Promise.resolve(),
  };
}

type ConformanceBackend = Parameters<typeof openStore>[0];
