// Two stores in memory on a simulated clock, a mover between them, and clients of both.
import assert from 'node:assert/strict';
import { hasCode } from '../../src/errors/error.ts';
import { type SimulatedHost, simulatedHost } from '../../src/host/index.ts';
import { abortMove, moveStore } from '../../src/node/move-store.ts';
import {
  allKeys,
  type Backend,
  type Bytes,
  type FaultSource,
  keyOf,
  MemoryDatabase,
  type Move,
  movingStore,
  openStore,
  type Store,
  type Tenant,
  type Transaction,
  transact,
} from '../../src/storage/index.ts';

const formatKey: Bytes = Uint8Array.of(0, ...new TextEncoder().encode('format'));
export const tenants: readonly string[] = ['a', 'a\u0000b', 'ab'];

export class Pair {
  readonly host: SimulatedHost;
  readonly old: MemoryDatabase;
  readonly next: MemoryDatabase;

  constructor(seed = 1) {
    this.host = simulatedHost({ seed });
    this.old = new MemoryDatabase(this.host);
    this.next = new MemoryDatabase(this.host);
  }

  /** An old store with so many keys in each tenant, of all sizes. */
  static async filled(keys: number, seed = 1): Promise<Pair> {
    const pair = new Pair(seed);
    const store = await pair.plain(pair.old);
    for (const name of tenants) {
      for (let from = 0; from < keys; from += 40) {
        const put = (tx: Transaction) => {
          for (let index = from; index < Math.min(keys, from + 40); index++) {
            const value = new Uint8Array(index % 7 === 0 ? 65_536 : index % 5).fill(index);
            tx.set(keyOf('key', String(index)), value);
          }
        };
        await pair.host.runUntil(transact(store.tenant(name), put, { timeoutMs: 1_000 }));
      }
    }
    return pair;
  }

  plain(database: MemoryDatabase, fault?: FaultSource): Promise<Store> {
    return this.host.runUntil(openStore(connect(database, fault), { host: this.host }));
  }

  moving(faults: { old?: FaultSource; next?: FaultSource } = {}): Promise<Store> {
    const { host } = this;
    return this.host.runUntil(
      movingStore(connect(this.old, faults.old), connect(this.next, faults.next), { host }),
    );
  }

  move(
    options: { old?: Backend; next?: Backend; timeoutMs?: number; signal?: AbortSignal } = {},
  ): Promise<Move> {
    const { old = this.old.connect(), next = this.next.connect(), ...rest } = options;
    return moveStore(old, next, { host: this.host, ...rest });
  }

  abort(targetIsLost = false): Promise<boolean> {
    return abortMove(this.old.connect(), this.next.connect(), { host: this.host, targetIsLost });
  }
}

function connect(database: MemoryDatabase, fault: FaultSource | undefined): Backend {
  return database.connect(fault === undefined ? {} : { fault });
}

/** Everything but the format record, as text. */
export async function contentOf(database: MemoryDatabase): Promise<string[]> {
  const tx = await database.connect().begin({ timeoutMs: 5_000 });
  const items: string[] = [];
  let range = allKeys();
  for (let more = true; more; ) {
    const page = await tx.getRange(range, { limit: 10_000 });
    for (const [key, value] of page.items) {
      range = { ...range, begin: Uint8Array.of(...key, 0) };
      if (Buffer.compare(key, formatKey) === 0) continue;
      items.push(`${Buffer.from(key).toString('hex')}=${Buffer.from(value).toString('base64')}`);
    }
    more = page.more;
  }
  tx.close();
  return items;
}

export async function recordOf(database: MemoryDatabase): Promise<string> {
  const tx = await database.connect().begin({ timeoutMs: 5_000 });
  const record = await tx.get(formatKey);
  tx.close();
  return record === undefined ? '' : new TextDecoder().decode(record);
}

export async function writeRecord(database: MemoryDatabase, record: string): Promise<void> {
  const tx = await database.connect().begin({ timeoutMs: 5_000 });
  const value = new TextEncoder().encode(record);
  await tx.commit({ reads: [], writes: [{ type: 'set', key: formatKey, value }] });
}

/** Rejections of that code only. */
export const code =
  (expected: Parameters<typeof hasCode>[1]) =>
  (error: unknown): true => {
    assert.ok(hasCode(error, expected), `expected ${expected}, got ${String(error)}`);
    return true;
  };

export const counterKey: Bytes = keyOf('n');

export function numberIn(value: Bytes | undefined): number {
  return value === undefined ? 0 : Number(new TextDecoder().decode(value));
}

/** Adds one by reading and writing; resolves with the sum. */
export function increment(tenant: Tenant, timeoutMs = 30_000): Promise<number> {
  return transact(
    tenant,
    async (tx) => {
      const sum = numberIn(await tx.get(counterKey)) + 1;
      tx.set(counterKey, new TextEncoder().encode(String(sum)));
      return sum;
    },
    { timeoutMs },
  );
}

export async function counterIn(store: Store, tenant: string): Promise<number> {
  const tx = await store.tenant(tenant).begin({ timeoutMs: 1_000 });
  try {
    return numberIn(await tx.get(counterKey));
  } finally {
    tx.close();
  }
}

/** A mover that stops for good at its n-th operation: before it, or when it is a commit, with its outcome unknown. */
export interface Crash {
  readonly at: number;
  readonly kind: 'before' | 'request_lost' | 'reply_lost';
}

export async function crashedMove(pair: Pair, crash: Crash): Promise<boolean> {
  const { host } = pair;
  const dead = new AbortController();
  let operations = 0;
  const fault: FaultSource = (operation) => {
    if (operation === 'watch' || operations++ < crash.at) return undefined;
    dead.abort();
    if (crash.kind === 'before' || operation !== 'commit') return { kind: 'unavailable' };
    return { kind: crash.kind };
  };
  const options = {
    old: pair.old.connect({ fault }),
    next: pair.next.connect({ fault }),
    signal: dead.signal,
  };
  const ended = await host.runUntil(pair.move(options)).then(
    () => true,
    (error: unknown) => {
      assert.ok(hasCode(error, 'aborted') || hasCode(error, 'store_commit_unknown'), String(error));
      return false;
    },
  );
  assert.equal(ended, operations <= crash.at);
  return ended;
}
