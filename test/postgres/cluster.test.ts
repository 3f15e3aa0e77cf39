// A cluster of real processes on a PostgreSQL server that is killed and restarted.
import type { TestContext } from 'node:test';
import { type FaultyStore, storeFaults } from '../integration/cluster/store-faults.ts';
import { PostgresServer } from '../support/postgres-server.ts';

async function killed(t: TestContext): Promise<FaultyStore> {
  const server = await PostgresServer.start();
  t.after(() => server.dispose());
  return {
    address: server.url(),
    takeAway: () => server.kill(),
    bringBack: () => server.up(),
  };
}

storeFaults({ name: 'PostgreSQL', create: killed, longMs: 30_000 });
