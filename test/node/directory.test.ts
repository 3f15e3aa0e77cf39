// Where nodes listen, from the store, and from what members have told while the store is away.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DGenError, MemoryDatabase, nodeHost, openStore, type Tenant } from '../../src/index.ts';
import { Directory } from '../../src/node/directory.ts';

const host = nodeHost();
const machineId = 'machine';
const here = { host: '127.0.0.1', port: 4001 };
const there = { host: '127.0.0.1', port: 4002 };

/** A tenant whose store can be taken away. */
async function tenantOf(): Promise<{ tenant: Tenant; away(isAway: boolean): void }> {
  const store = await openStore(new MemoryDatabase(host).connect(), { host });
  const tenant = store.tenant('test');
  let isAway = false;
  const breakable: Tenant = Object.create(tenant, {
    begin: {
      value: async (options: Parameters<Tenant['begin']>[0]) => {
        if (isAway) throw new DGenError('store_fatal', 'store', { got: 'an outage' });
        return tenant.begin(options);
      },
    },
    host: { value: tenant.host },
  });
  return {
    tenant: breakable,
    away: (now) => {
      isAway = now;
    },
  };
}

async function announced(directory: Directory, address: typeof here): Promise<number> {
  const { creation, unprovenFormers } = await directory.begin('a', machineId, async () => 'dead');
  await directory.announce('a', { creation, address, machineId, unprovenFormers });
  return creation;
}

test('a node that was never asked for is found by what its member told', async () => {
  const { tenant, away } = await tenantOf();
  const directory = new Directory(tenant);
  away(true);
  await assert.rejects(directory.find('a', 0), { code: 'store_fatal' });
  directory.learn('a', 1, here);
  assert.deepEqual(await directory.find('a', 0), here);
});

test('the store is asked first, and what it says is used while it is away', async () => {
  const { tenant, away } = await tenantOf();
  const directory = new Directory(tenant);
  const creation = await announced(directory, here);
  directory.learn('a', creation - 1, there);
  assert.deepEqual(await directory.find('a', 0), here);
  away(true);
  assert.deepEqual(await directory.find('a', 5_000), here);
});

test('a later start that a member told of counts more than an old record, and an earlier one less', async () => {
  const { tenant, away } = await tenantOf();
  const directory = new Directory(tenant);
  const creation = await announced(directory, here);
  await directory.find('a', 0);
  away(true);
  directory.learn('a', creation + 1, there);
  directory.learn('a', creation, here);
  assert.deepEqual(await directory.find('a', 5_000), there);
});
