// A cluster of real processes on one etcd member that is killed and restarted.
import type { TestContext } from 'node:test';
import { type FaultyStore, storeFaults } from '../integration/cluster/store-faults.ts';
import { EtcdServer } from '../support/etcd-server.ts';

async function oneMember(t: TestContext): Promise<FaultyStore> {
  const server = await EtcdServer.start();
  t.after(() => server.dispose());
  const [member] = server.members;
  return {
    address: `etcd://${server.endpoints.join()}`,
    takeAway: async () => member?.kill(),
    bringBack: async () => member?.up(),
  };
}

storeFaults({ name: 'etcd', create: oneMember, longMs: 30_000 });
