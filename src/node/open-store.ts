// A store by its address, so that a program chooses it in one line. Backends are loaded when they are asked for: who
// uses one needs none of the others installed.
import { DGenError } from '../errors/error.ts';
import {
  type Backend,
  MemoryDatabase,
  movingStore,
  openStore,
  type Store,
  type StoreHost,
} from '../storage/index.ts';

/**
 * Opens `sqlite:PATH` (a file, made when missing), `etcd://[user:password@]host:port[,host:port...][/prefix]`, `etcds://…`
 * (the same over TLS), `postgres://user:password@host:port/database`, or `memory:NAME` (of this operating-system process).
 * `OLD => NEW` is a store that is being moved from one address to another; see `movingStore`. Rejects with `bad_option` for
 * another address, and with the errors of the backend, of `openStore` and of `movingStore`.
 */
export async function storeAt(address: string, host: StoreHost): Promise<Store> {
  const [from = '', to, ...more] = address.split(' => ');
  if (to === undefined) return openStore(await backendAt(from, host), { host });
  if (more.length > 0 || from === to)
    throw new DGenError('bad_option', 'store address', { expected: 'OLD => NEW' });
  const old = await backendAt(from, host);
  try {
    return await movingStore(old, await backendAt(to, host), { host });
  } catch (error) {
    await old.close();
    throw error;
  }
}

const databases: Map<string, MemoryDatabase> = new Map();

/** Opens the backend of one address. Rejects as `storeAt`. */
export async function backendAt(address: string, host: StoreHost): Promise<Backend> {
  const [, scheme, rest = ''] = /^([a-z]+):(.*)$/s.exec(address) ?? [];
  if (scheme === 'sqlite' && rest !== '') {
    const { openSqlite } = await import('../storage/sqlite/index.ts');
    return openSqlite({ path: rest });
  }
  if (scheme === 'etcd' || scheme === 'etcds') {
    const { etcdOptionsOf, openEtcd } = await import('../storage/etcd/index.ts');
    return openEtcd(etcdOptionsOf(address));
  }
  if (scheme === 'postgres' || scheme === 'postgresql') {
    const { openPostgres } = await import('../storage/postgres/index.ts');
    return openPostgres({ url: address });
  }
  if (scheme === 'memory') {
    const database = databases.get(rest) ?? new MemoryDatabase(host);
    databases.set(rest, database);
    return database.connect();
  }
  throw new DGenError('bad_option', 'store address', {
    expected: 'sqlite:PATH, etcd://HOST:PORT, postgres://USER@HOST/DATABASE or memory:NAME',
    // Whatever it was meant to be, a password may stand anywhere in it.
    got: scheme === undefined ? 'something without a scheme' : `${scheme}:…`,
  });
}
