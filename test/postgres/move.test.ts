// The store is moved under a live cluster: from a SQLite file into PostgreSQL.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { moveUnderCluster } from '../integration/cluster/store-move.ts';
import { PostgresServer } from '../support/postgres-server.ts';

test('a cluster moves from SQLite into PostgreSQL while it works', { timeout: 90_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'dgen-move-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const server = await PostgresServer.start();
  t.after(() => server.dispose());
  await moveUnderCluster(t, { from: `sqlite:${join(folder, 'old.db')}`, to: server.url() });
});
