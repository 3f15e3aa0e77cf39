// A program that uses a store in etcd and closes it, for `close.test.ts`: afterwards nothing may keep it alive. Arguments: the options as
// JSON, and what it does before it closes.
import { nodeHost } from '../../src/host/index.ts';
import { openEtcd } from '../../src/storage/etcd/index.ts';
import { keyOf, openStore, prefixRange, transact } from '../../src/storage/index.ts';

const [options = '{}', plan = 'use'] = process.argv.slice(2);
const host = nodeHost();
const backend = await openEtcd(JSON.parse(options));

const said = new Promise<void>((resolve) => {
  process.once('message', () => {
    process.disconnect();
    resolve();
  });
});

if (plan === 'unreachable') {
  const opening = openStore(backend, { host }).catch((error: unknown) => error);
  process.send?.('ready');
  await said;
  await backend.close();
  await opening;
} else {
  const store = await openStore(backend, { host });
  const tenant = store.tenant('child');
  const watch = tenant.watch(prefixRange('a'));
  await transact(tenant, (tx) => tx.set(keyOf('a'), Uint8Array.of(1)), { timeoutMs: 5_000 });
  await watch.changed;
  const armed = tenant.watch(prefixRange('b'));
  process.send?.('ready');
  await said;
  const tx = await tenant.begin({ timeoutMs: 5_000 });
  const reading = tx.get(keyOf('a')).catch((error: unknown) => error);
  await store.close();
  await armed.changed;
  await reading;
}
