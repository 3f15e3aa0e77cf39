// The store is moved under a live cluster, from one SQLite file to another. Other pairs of stores are tried by the suites
// of those stores.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { moveUnderCluster } from './store-move.ts';

test('a cluster goes on while its store is moved: nothing is refused, nobody is fenced, no name is lost', {
  timeout: 90_000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'dgen-move-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  await moveUnderCluster(t, {
    from: `sqlite:${join(folder, 'old.db')}`,
    to: `sqlite:${join(folder, 'new.db')}`,
  });
});
