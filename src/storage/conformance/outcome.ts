// Commits whose outcome is unknown: whatever the network does, a transaction is applied once or not at all, and its
// caller learns which.
import { rangeOfKey } from '../bytes.ts';
import type { CommitResult } from '../port.ts';
import type { Tenant } from '../store.ts';
import { transact } from '../transact.ts';
import type { CommitFault } from './faulty.ts';
import type { ConformanceCase } from './support.ts';
import {
  bytes,
  check,
  ending,
  equal,
  fails,
  key,
  number,
  numberIn,
  set,
  transactionMs,
  valueAt,
} from './support.ts';

const retryMs = 20_000;

function once(fault: CommitFault): () => CommitFault | undefined {
  let left = 1;
  return () => (left-- > 0 ? fault : undefined);
}

/** Adds one, and says how often it has run. */
async function countUp(tenant: Tenant): Promise<number> {
  let runs = 0;
  return transact(
    tenant,
    async (tx) => {
      runs += 1;
      tx.set(key('n'), number(numberIn(await tx.get(key('n'))) + 1n));
      return runs;
    },
    { timeoutMs: retryMs },
  );
}

async function commitWith(tenant: Tenant, attempt: number, value: number): Promise<CommitResult> {
  const tx = await tenant.begin({ timeoutMs: transactionMs });
  return tx.commit({ reads: [], writes: [set(key('a'), bytes(value))], id: bytes(1), attempt });
}

export const outcomeCases: readonly ConformanceCase[] = [
  {
    name: 'outcome: a reply lost after the commit was applied is found by its marker',
    async run({ faulty, tenant }) {
      equal(await countUp(await faulty(once({ kind: 'reply_lost' }))), 1, 'run that was applied');
      equal(numberIn(await valueAt(tenant, key('n'))), 1n);
    },
  },
  {
    name: 'outcome: a request that was lost is applied by the next attempt',
    async run({ faulty, tenant }) {
      equal(await countUp(await faulty(once({ kind: 'request_lost' }))), 2, 'run that was applied');
      equal(numberIn(await valueAt(tenant, key('n'))), 1n);
    },
  },
  {
    name: 'outcome: a first attempt that arrives after its retry is not applied',
    async run({ faulty, tenant }) {
      const held: (() => Promise<CommitResult>)[] = [];
      const late = await faulty(once({ kind: 'late', hold: (arrive) => held.push(arrive) }));
      await fails(commitWith(late, 0, 10), 'store_commit_unknown');
      equal((await commitWith(late, 1, 11)).applied, 'now');
      const result = await (held[0] as () => Promise<CommitResult>)();
      equal([result.applied, 'attempt' in result && result.attempt], ['earlier', 1]);
      equal(await valueAt(tenant, key('a')), bytes(11));
    },
  },
  {
    name: 'outcome: an id that was used answers with the attempt that won',
    async run({ tenant, other }) {
      equal((await commitWith(tenant, 7, 1)).applied, 'now');
      for (const client of [tenant, other]) {
        const result = await commitWith(client, 8, 2);
        equal([result.applied, 'attempt' in result && result.attempt], ['earlier', 7]);
      }
      equal(await valueAt(tenant, key('a')), bytes(1));
    },
  },
  {
    name: 'outcome: a commit without writes leaves a marker, which shuts out the others',
    async run({ tenant }) {
      const tx = await tenant.begin({ timeoutMs: transactionMs });
      equal(await ending(tx.commit({ reads: [], writes: [], id: bytes(1), attempt: 2 })), 'now');
      const result = await commitWith(tenant, 3, 1);
      equal([result.applied, 'attempt' in result && result.attempt], ['earlier', 2]);
      equal(await valueAt(tenant, key('a')), undefined);
    },
  },
  {
    name: 'outcome: the marker is found before a conflict is',
    async run({ tenant, other }) {
      const tx = await tenant.begin({ timeoutMs: transactionMs });
      await tx.get(key('a'));
      await commitWith(other, 0, 1);
      const request = {
        reads: [rangeOfKey(key('a'))],
        writes: [set(key('a'), bytes(2))],
        id: bytes(1),
        attempt: 1,
      };
      equal(await ending(tx.commit(request)), 'earlier');
    },
  },
  {
    name: 'outcome: two attempts of one id at the same time: exactly one is applied',
    async run({ tenant, other }) {
      for (let i = 0; i < 10; i++) {
        const attempt = async (client: Tenant, number: number) => {
          const tx = await client.begin({ timeoutMs: transactionMs });
          const writes = [{ type: 'add', key: key('n'), value: bytes(1, 0, 0, 0, 0, 0, 0, 0) }] as const;
          return ending(tx.commit({ reads: [], writes, id: bytes(9, i), attempt: number }));
        };
        const results = await Promise.all([attempt(tenant, 0), attempt(other, 1), attempt(tenant, 2)]);
        const applied = results.filter((result) => result === 'now').length;
        check(applied === 1, `applied ${applied} times: ${results.join()}`);
      }
      equal(numberIn(await valueAt(tenant, key('n'))), 10n);
    },
  },
  {
    name: 'outcome: tenants do not see the ids of each other',
    async run({ tenant }) {
      equal((await commitWith(tenant, 0, 1)).applied, 'now');
      equal((await commitWith(tenant.store.tenant('stranger'), 1, 2)).applied, 'now');
    },
  },
  {
    name: 'outcome: ids and attempts out of range are refused',
    async run({ tenant }) {
      const commit = async (id: Uint8Array, attempt: number) => {
        const tx = await tenant.begin({ timeoutMs: transactionMs });
        return tx.commit({ reads: [], writes: [], id, attempt });
      };
      equal((await commit(new Uint8Array(64), 2 ** 31 - 1)).applied, 'now');
      await fails(commit(new Uint8Array(65), 0), 'store_too_large');
      await fails(commit(new Uint8Array(0), 0), 'store_invalid');
      await fails(commit(bytes(1), 2 ** 31), 'store_invalid');
      await fails(commit(bytes(1), -1), 'store_invalid');
    },
  },
  {
    name: 'outcome: who commits by himself gets to see that it is unknown',
    async run({ faulty, tenant }) {
      const client = await faulty(once({ kind: 'reply_lost' }));
      equal((await fails(commitWith(client, 0, 5), 'store_commit_unknown')).maybeExecuted, true);
      equal(await valueAt(tenant, key('a')), bytes(5));
    },
  },
  {
    name: 'outcome: when it cannot be found out in time, that is what the caller hears',
    async run({ faulty }) {
      const client = await faulty(() => ({ kind: 'request_lost' }));
      const lost = transact(client, (tx) => tx.set(key('a'), bytes(1)), { timeoutMs: 100 });
      await fails(lost, 'store_commit_unknown');
      const refused = transact(
        await faulty(() => ({ kind: 'refused' })),
        (tx) => tx.set(key('a'), bytes(1)),
        {
          timeoutMs: 100,
        },
      );
      equal((await fails(refused, 'timeout')).maybeExecuted, false);
    },
  },
  {
    name: 'outcome: a body that throws after a lost reply does not hide that its first run was applied',
    async run({ faulty, tenant }) {
      let runs = 0;
      const client = await faulty(once({ kind: 'reply_lost' }));
      const value = await transact(
        client,
        async (tx) => {
          runs += 1;
          if ((await tx.get(key('a'))) !== undefined) throw new Error('taken');
          tx.set(key('a'), bytes(1));
          return `run ${runs}`;
        },
        { timeoutMs: retryMs },
      );
      equal([value, runs], ['run 1', 2]);
      equal(await valueAt(tenant, key('a')), bytes(1));
    },
  },
  {
    name: 'outcome: exactly once under random loss',
    async run({ faulty, tenant, host }) {
      const held: (() => Promise<CommitResult>)[] = [];
      const faults: readonly (CommitFault | undefined)[] = [
        { kind: 'reply_lost' },
        { kind: 'request_lost' },
        { kind: 'refused' },
        { kind: 'late', hold: (arrive) => held.push(arrive) },
        ...Array.from({ length: 6 }, () => undefined),
      ];
      const client = await faulty(() => faults[host.random.uint32() % faults.length]);
      for (let i = 0; i < 40; i++) {
        await countUp(client);
        while (held.length > 2) await ending((held.shift() as () => Promise<CommitResult>)());
      }
      for (const arrive of held) await ending(arrive());
      equal(numberIn(await valueAt(tenant, key('n'))), 40n);
    },
  },
];
