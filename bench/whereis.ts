// Looking a name up in the local snapshot of a registry, against a bare `Map.get` with the same keys: both in one run,
// rounds taking turns, medians.
import { MemoryDatabase, Node, nodeHost, openStore, type Pid } from '../src/index.ts';
import { sideBySide } from './statistics.ts';

const names = 10_000;
const lookups = 2_000_000;
const rounds = 9;

/** Look-ups per second. */
export async function whereisVersusMap(): Promise<{ value: number; baseline: number }> {
  const host = nodeHost();
  const store = await openStore(new MemoryDatabase(host).connect(), { host });
  const node = await Node.start({ name: 'whereis', store });
  try {
    const registry = await node.registry('bench');
    const bare = new Map<string, Pid>();
    const keys: string[] = [];
    await Promise.all(
      Array.from({ length: names }, async (_, index) => {
        const pid = node.runtime.spawnBehaviour({ handle() {} });
        const name = `room-${index}`;
        await registry.register(name, pid);
        bare.set(name, pid);
        keys.push(name);
      }),
    );
    return await sideBySide(
      rounds,
      () => perSecond(keys, (name) => registry.whereis(name)),
      () => perSecond(keys, (name) => bare.get(name)),
    );
  } finally {
    await node.close();
    await store.close();
  }
}

function perSecond(keys: readonly string[], find: (name: string) => Pid | undefined): number {
  let found = 0;
  const startedAt = performance.now();
  for (let count = 0; count < lookups; count++)
    if (find(keys[count % names] as string) !== undefined) found++;
  const ms = performance.now() - startedAt;
  if (found !== lookups) throw new Error(`${found} of ${lookups} found`);
  return (lookups * 1000) / ms;
}
