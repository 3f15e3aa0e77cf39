// Moving out of a backend and into it. The other store of each move is one in memory, for what is checked here is whether
// this backend holds still when it is sealed, gives all of its keys, and takes them.
import { MemoryDatabase } from '../memory.ts';
import { Mover } from '../move.ts';
import { movingStore } from '../moving.ts';
import type { Backend, Mutation } from '../port.ts';
import { openStore, type StoreHost, type Tenant } from '../store.ts';
import { transact } from '../transact.ts';
import {
  bytes,
  type ConformanceCase,
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
  write,
} from './support.ts';

const tenantNames = ['conformance', 'conformance\u0000', 'stranger'];
const keysPerTenant = 130;

function memory(host: StoreHost): Backend {
  return new MemoryDatabase(host).connect();
}

async function fill(backend: Backend, host: StoreHost): Promise<void> {
  const store = await openStore(backend, { host });
  for (const [index, name] of tenantNames.entries()) {
    const writes: Mutation[] = Array.from({ length: keysPerTenant }, (_, i) =>
      set(key(String(i)), new Uint8Array(i === 7 ? 65_536 : i % 5).fill(index)),
    );
    await write(store.tenant(name), ...writes.slice(0, 65));
    await write(store.tenant(name), ...writes.slice(65));
  }
}

async function checkFilled(backend: Backend, host: StoreHost): Promise<void> {
  const store = await openStore(backend, { host });
  for (const [index, name] of tenantNames.entries()) {
    const tx = await store.tenant(name).begin({ timeoutMs: transactionMs });
    const { items } = await tx.getRange({ begin: bytes(), end: bytes(255) }, { limit: 1_000 });
    tx.close();
    equal(items.length, keysPerTenant, `keys of ${JSON.stringify(name)}`);
    const sizes = items.reduce((sum, [, value]) => sum + value.length, 0);
    equal(sizes, 65_536 + 258, 'bytes');
    check(
      items.every(([, value]) => value.every((byte) => byte === index)),
      'a value of another tenant',
    );
  }
}

async function increment(tenant: Tenant, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const body = async (tx: Parameters<Parameters<typeof transact>[1]>[0]) =>
      tx.set(key('n'), number(numberIn(await tx.get(key('n'))) + 1n));
    await transact(tenant, body, { timeoutMs: 20_000 });
  }
}

export const movedCases: readonly ConformanceCase[] = [
  {
    name: 'moved: the seal ends reads and commits at one instant, for all clients, also those that had begun',
    async run({ tenant, other, backend, host }) {
      await write(tenant, set(key('a'), bytes(1)));
      const begin = (client: Tenant) => client.begin({ timeoutMs: transactionMs });
      const [reader, idle, blind] = [await begin(other), await begin(other), await begin(tenant)];
      await reader.get(key('a'));
      await new Mover(backend, memory(host), { host }).run();
      const writes = [set(key('b'), bytes(2))];
      equal(await ending(reader.commit({ reads: [], writes })), 'store_conflict');
      equal((await fails(idle.get(key('a')), 'store_moved')).maybeExecuted, false);
      equal(await ending(blind.commit({ reads: [], writes })), 'store_moved');
      idle.close();
      for (const client of [tenant, other]) await fails(increment(client, 1), 'store_moved');
      const tx = await backend.begin({ timeoutMs: transactionMs });
      const { items } = await tx.getRange({ begin: bytes(1), end: bytes(2) }, { limit: 5 });
      tx.close();
      equal(items.length, 1, 'keys in the sealed store');
    },
  },
  {
    name: 'moved: all keys of all tenants leave for another store',
    async run({ backend, host }) {
      await fill(backend, host);
      const to = memory(host);
      equal((await new Mover(backend, to, { host }).run()).keys, 3 * keysPerTenant);
      await checkFilled(to, host);
    },
  },
  {
    name: 'moved: all keys of all tenants arrive from another store',
    async run({ backend, host, tenant, other }) {
      const from = memory(host);
      await fill(from, host);
      equal((await new Mover(from, backend, { host }).run()).keys, 3 * keysPerTenant);
      await checkFilled(backend, host);
      for (const client of [tenant, other]) await increment(client, 1);
      equal(numberIn(await valueAt(tenant, key('n'))), 2n);
    },
  },
  {
    name: 'moved: clients of both stores go over in the middle of their work, and everything counts once',
    async run({ backend, host, tenant, pause }) {
      await fill(backend, host);
      const to = memory(host);
      const both = (await movingStore(backend, to, { host })).tenant('conformance');
      const work = Promise.all(Array.from({ length: 4 }, () => increment(both, 15)));
      await pause(5);
      await new Mover(backend, to, { host }).run();
      await work;
      await fails(increment(tenant, 1), 'store_moved');
      const alone = (await openStore(to, { host })).tenant('conformance');
      equal(numberIn(await valueAt(alone, key('n'))), 60n);
    },
  },
  {
    name: 'moved: a move that is given up leaves the store in use',
    async run({ backend, host, tenant, other }) {
      await fill(backend, host);
      const database = new MemoryDatabase(host);
      let commits = 0;
      const broken = database.connect({
        fault: (operation) => (operation === 'commit' && commits++ > 1 ? { kind: 'unavailable' } : undefined),
      });
      await fails(new Mover(backend, broken, { host, timeoutMs: 300 }).run(), 'timeout');
      await fails(increment(tenant, 1), 'store_moved');
      equal(await new Mover(backend, database.connect(), { host }).abort(false), true);
      for (const client of [tenant, other]) await increment(client, 1);
      equal(numberIn(await valueAt(tenant, key('n'))), 2n);
    },
  },
];
