// Times without a store: a network that refuses or is silent, a server that is killed or stands still. Whoever waits
// hears in time that it failed, nothing is applied twice, and afterwards everything goes on by itself.
import { allKeys, prefixRange } from '../keys.ts';
import type { Transaction } from '../recording.ts';
import type { Tenant } from '../store.ts';
import { transact } from '../transact.ts';
import type { Bench, ConformanceCase } from './support.ts';
import {
  bytes,
  check,
  equal,
  key,
  keysIn,
  number,
  numberIn,
  persist,
  set,
  valueAt,
  verdict,
  within,
  write,
} from './support.ts';

const shortMs = 500;
/** Beyond a deadline, before a busy machine lets somebody hear of it. */
const slackMs = 1_500;
/** For a server that starts again. */
const restartMs = 20_000;

/** One transaction that reads and writes; resolves with how it ended, and throws if that took longer than allowed. */
async function attempt(bench: Bench, tenant: Tenant, at: string): Promise<string> {
  const work = async (): Promise<string> => {
    try {
      const tx = await tenant.begin({ timeoutMs: shortMs });
      await tx.get(key(at));
      return (await verdict(tx.commit({ reads: [], writes: [set(key(at), bytes(1))] }))).ending;
    } catch (error) {
      const { code, maybeExecuted } = error as { code?: unknown; maybeExecuted?: unknown };
      equal(maybeExecuted, false, `maybeExecuted of ${String(error)}`);
      return String(code ?? error);
    }
  };
  return within(bench, shortMs + slackMs, work());
}

/** Nothing gets through: each attempt fails within its deadline, by a word that is true. */
async function expectOutage(bench: Bench, tenant: Tenant): Promise<void> {
  for (let i = 0; i < 3; i++) {
    const ending = await attempt(bench, tenant, `lost ${i}`);
    check(
      ['store_unavailable', 'timeout', 'store_commit_unknown'].includes(ending),
      `during an outage: ${ending}`,
    );
  }
}

function countUp(tenant: Tenant, timeoutMs: number): Promise<void> {
  const body = async (tx: Transaction): Promise<void> => {
    tx.add(key('added'), 1n);
    tx.set(key('counted'), number(numberIn(await tx.get(key('counted'))) + 1n));
  };
  return transact(tenant, body, { timeoutMs });
}

async function checkCounted(bench: Bench, expected: bigint): Promise<void> {
  for (const name of ['added', 'counted']) {
    const value = await persist(bench, restartMs, () => valueAt(bench.tenant, key(name)));
    equal(numberIn(value), expected, name);
  }
}

export const outageCases: readonly ConformanceCase[] = [
  {
    name: 'outage: without a way to the store every call fails in time, and afterwards all goes on',
    needs: ['link'],
    async run(bench) {
      const { tenant, link, recoveryMs } = await bench.remote();
      equal(await attempt(bench, tenant, 'before'), 'now');
      for (const disturb of [link.sever, link.silence]) {
        disturb();
        await expectOutage(bench, tenant);
        link.heal();
        await persist(bench, recoveryMs, () => write(tenant, set(key('after'), bytes(1))));
      }
      equal(await keysIn(bench.tenant, prefixRange('after')), [key('after')]);
    },
  },
  {
    name: 'outage: a transaction that begins during one is carried out when it is over, once',
    needs: ['link'],
    async run(bench) {
      const { tenant, link, recoveryMs } = await bench.remote();
      for (const disturb of [link.sever, link.silence]) {
        disturb();
        const done = countUp(tenant, recoveryMs + 5_000);
        await bench.pause(shortMs);
        link.heal();
        await done;
      }
      await checkCounted(bench, 2n);
    },
  },
  {
    name: 'outage: a client can be closed while nothing passes',
    needs: ['link'],
    async run(bench) {
      const { tenant, link } = await bench.remote();
      const watch = tenant.watch(allKeys());
      const open = await tenant.begin({ timeoutMs: 5_000 });
      await open.get(key('a'));
      link.silence();
      const pending = verdict(open.commit({ reads: [], writes: [set(key('a'), bytes(1))] }));
      await within(bench, 5_000, link.backend.close());
      await within(bench, 100, watch.changed);
      const { ending } = await within(bench, 100, pending);
      check(['store_commit_unknown', 'closed', 'store_unavailable'].includes(ending), `closed: ${ending}`);
    },
  },
  {
    name: 'outage: many cuts during many transactions: each is applied once',
    needs: ['link'],
    async run(bench) {
      const { tenant, link, recoveryMs } = await bench.remote();
      let over = false;
      const cutting = (async () => {
        for (let i = 0; i < 20 && !over; i++) {
          await bench.pause(bench.host.random.uint32() % 60);
          link.cut();
        }
      })();
      const workers = Array.from({ length: 4 }, async () => {
        for (let i = 0; i < 5; i++) await countUp(tenant, recoveryMs + 5_000);
      });
      await Promise.all(workers);
      over = true;
      await cutting;
      await checkCounted(bench, 20n);
    },
  },
  { name: 'outage: a server that stands still: every call ends in time', needs: ['pause'], run: standStill },
  { name: 'outage: acknowledged commits survive the death of the server', needs: ['restart'], run: survive },
  {
    name: 'outage: transactions go on across the death of the server, each applied once',
    needs: ['restart'],
    run: goOn,
  },
];

async function standStill(bench: Bench): Promise<void> {
  const { tenant, other, target, host } = bench;
  const count = { type: 'add', key: key('added'), value: number(1n) } as const;
  const request = { reads: [], writes: [count], id: host.random.bytes(16) };
  const [first, second] = [await tenant.begin({ timeoutMs: 900 }), await other.begin({ timeoutMs: 900 })];
  await Promise.all([first.get(key('a')), second.get(key('a'))]);
  target.pauseServer?.();
  try {
    const endings = await within(
      bench,
      900 + slackMs,
      Promise.all([verdict(first.commit(request)), attempt(bench, tenant, 'a'), attempt(bench, other, 'b')]),
    );
    for (const ending of [endings[0].ending, endings[1], endings[2]]) {
      const allowed = ['store_unavailable', 'timeout', 'store_commit_unknown'];
      check(allowed.includes(ending), `while the server stands still: ${ending}`);
    }
  } finally {
    second.close();
    target.resumeServer?.();
  }
  // Whatever became of the first attempt, the second one settles it.
  const settled = await persist(bench, restartMs, async () => {
    const tx = await bench.tenant.begin({ timeoutMs: 3_000 });
    return tx.commit({ ...request, attempt: 1 });
  });
  check(settled.applied === 'now' || settled.attempt <= 1, 'an unknown attempt won');
  equal(numberIn(await persist(bench, restartMs, () => valueAt(other, key('added')))), 1n);
}

async function survive(bench: Bench): Promise<void> {
  const { tenant, other, target } = bench;
  for (let i = 0; i < 20; i++) await write(tenant, set(key('kept', String(i)), bytes(i)));
  await target.restart?.();
  for (const client of [tenant, other]) {
    const kept = await persist(bench, restartMs, () => keysIn(client, prefixRange('kept')));
    equal(kept.length, 20, 'keys that are left');
  }
  await persist(bench, restartMs, () => write(tenant, set(key('kept', '20'), bytes(20))));
  equal((await persist(bench, restartMs, () => keysIn(other, prefixRange('kept')))).length, 21);
}

async function goOn(bench: Bench): Promise<void> {
  const { tenant, other, target } = bench;
  let over = false;
  let done = 0n;
  const working = [tenant, other, tenant].map(async (client) => {
    while (!over) {
      await countUp(client, restartMs);
      done += 1n;
    }
  });
  const killing = async (): Promise<void> => {
    for (let i = 0; i < 2; i++) {
      await bench.pause(150);
      await target.restart?.();
    }
    await bench.pause(150);
  };
  await killing().finally(() => {
    over = true;
  });
  await Promise.all(working);
  await checkCounted(bench, done);
}
