// The other client of a store: commits when it is told to, and says when it began, by the clock that the processes of a
// machine share.
import { nodeHost } from '../src/host/index.ts';
import { keyOf, openStore } from '../src/storage/index.ts';
import { openPlace, type Place } from './stores/subjects.ts';

const store = await openStore(await openPlace(JSON.parse(process.argv[2] ?? '') as Place), {
  host: nodeHost(),
});
const tenant = store.tenant('bench');

async function write(count: number): Promise<number> {
  const tx = await tenant.begin({ timeoutMs: 5_000 });
  await tx.get(keyOf('watched'));
  const value = new TextEncoder().encode(String(count));
  const began = Number(process.hrtime.bigint()) / 1e6;
  await tx.commit({ reads: [], writes: [{ type: 'set', key: keyOf('watched'), value }] });
  return began;
}

process.on('message', (count: number) => {
  write(count).then(
    (began) => process.send?.({ began }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
process.once('disconnect', () => process.exit(0));
process.send?.({ ready: true });
