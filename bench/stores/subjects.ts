// The stores that are compared, each in a place of its own that goes with it. Those whose software is not on the machine
// are left out, and named.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeHost } from '../../src/host/index.ts';
import { backendAt } from '../../src/node/open-store.ts';
import type { Backend } from '../../src/storage/index.ts';
import { openSqlite } from '../../src/storage/sqlite/index.ts';
import { EtcdServer } from '../../test/support/etcd-server.ts';
import { PostgresServer } from '../../test/support/postgres-server.ts';

/** How another process opens the same store. */
export type Place =
  | { readonly kind: 'address'; readonly address: string }
  | { readonly kind: 'sqlite'; readonly path: string; readonly synchronous: 'full' | 'normal' };

export interface Subject {
  readonly name: string;
  readonly place: Place;
  dispose(): Promise<void>;
}

export function openPlace(place: Place): Promise<Backend> {
  if (place.kind === 'address') return backendAt(place.address, nodeHost());
  const { path, synchronous } = place;
  return openSqlite({ path, synchronous });
}

async function sqlite(synchronous: 'full' | 'normal'): Promise<Subject> {
  const directory = await mkdtemp(join(tmpdir(), 'dgen-bench-'));
  return {
    name: `SQLite, ${synchronous}`,
    place: { kind: 'sqlite', path: join(directory, 'store.db'), synchronous },
    dispose: () => rm(directory, { recursive: true, force: true }),
  };
}

async function etcd(size: 1 | 3): Promise<Subject> {
  const server = await EtcdServer.start({ size });
  return {
    name: `etcd, ${size === 1 ? 'one member' : 'three members'}`,
    place: { kind: 'address', address: `etcd://${server.endpoints.join()}/bench` },
    dispose: () => server.dispose(),
  };
}

/** As it is installed: every commit is on the disk before it is acknowledged. */
async function postgres(): Promise<Subject> {
  const server = await PostgresServer.start({ settings: { fsync: 'on', synchronous_commit: 'on' } });
  return {
    name: 'PostgreSQL',
    place: { kind: 'address', address: server.url() },
    dispose: () => server.dispose(),
  };
}

const makers: readonly (readonly [name: string, make: () => Promise<Subject>])[] = [
  [
    'memory',
    async () => ({
      name: 'memory',
      place: { kind: 'address', address: 'memory:bench' },
      dispose: () => Promise.resolve(),
    }),
  ],
  ['SQLite', () => sqlite('full')],
  ['SQLite', () => sqlite('normal')],
  ['etcd', () => etcd(1)],
  ['etcd', () => etcd(3)],
  ['PostgreSQL', postgres],
];

export async function startSubjects(): Promise<{ subjects: Subject[]; missing: string[] }> {
  const subjects: Subject[] = [];
  const missing = new Set<string>();
  for (const [name, make] of makers) {
    try {
      subjects.push(await make());
    } catch (error) {
      missing.add(`${name} (${error instanceof Error ? error.message.split('\n')[0] : String(error)})`);
    }
  }
  return { subjects, missing: [...missing] };
}
