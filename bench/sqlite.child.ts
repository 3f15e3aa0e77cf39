// A process of `sqlite.ts`: `contend` commits without pause, `flush` keeps the disk busy.
import { existsSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeHost } from '../src/host/index.ts';
import { keyOf, openStore, transact } from '../src/storage/index.ts';
import { openSqlite } from '../src/storage/sqlite/index.ts';

const [mode, path = '', worker = '', runMs = '', go = ''] = process.argv.slice(2);

/** A reading and writing transaction on a key of its own, as often as it can. */
async function contend(): Promise<void> {
  const store = await openStore(await openSqlite({ path }), { host: nodeHost() });
  const tenant = store.tenant('bench');
  const key = keyOf('own', worker);
  console.log('{}');
  while (!existsSync(go)) await sleep(1);
  const begin = performance.now();
  let [commits, slowestMs] = [0, 0];
  while (performance.now() - begin < Number(runMs)) {
    const before = performance.now();
    const body = async (tx: Parameters<Parameters<typeof transact>[1]>[0]): Promise<void> => {
      tx.set(key, Uint8Array.of(((await tx.get(key))?.[0] ?? 0) + 1));
    };
    await transact(tenant, body, { timeoutMs: 10_000 });
    slowestMs = Math.max(slowestMs, performance.now() - before);
    commits += 1;
  }
  console.log(JSON.stringify({ commits, slowestMs }));
  await store.close();
}

/** Writes and flushes, until it is killed. */
function flush(): void {
  const file = openSync(path, 'w');
  const block = new Uint8Array(256 * 1024).fill(1);
  for (let i = 0; ; i++) {
    writeSync(file, block, 0, block.length, (i % 64) * block.length);
    fsyncSync(file);
  }
}

if (mode === 'contend') await contend();
if (mode === 'flush') flush();
