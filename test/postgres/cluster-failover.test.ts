// A cluster of real processes on a PostgreSQL server that fails over by a restart, or stands still.
import { describe, test } from 'node:test';
import { lossUnderLoad } from '../integration/cluster/store-faults.ts';
import { PostgresServer } from '../support/postgres-server.ts';

describe('PostgreSQL that comes and goes beneath a cluster', () => {
  test('it is shut down at once and recovers, again and again: no call fails', {
    timeout: 90_000,
  }, async (t) => {
    const server = await PostgresServer.start();
    t.after(() => server.dispose());
    await lossUnderLoad(t, server.url(), async () => {
      await server.stop('immediate');
      return () => server.up();
    });
  });

  test('it is frozen, again and again', { timeout: 90_000 }, async (t) => {
    const server = await PostgresServer.start();
    t.after(() => server.dispose());
    await lossUnderLoad(t, server.url(), async () => {
      server.pause();
      return async () => server.resume();
    });
  });
});
