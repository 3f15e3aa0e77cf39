// What the tests of the etcd backend share: stores that are closed with their test, and short ways to read and write.
import type { TestContext } from 'node:test';
import { nodeHost } from '../../src/host/index.ts';
import type { EtcdInternals } from '../../src/storage/etcd/backend.ts';
import { openEtcdWith } from '../../src/storage/etcd/backend.ts';
import type { EtcdOptions } from '../../src/storage/etcd/index.ts';
import {
  type Backend,
  keyOf,
  type Mutation,
  openStore,
  type Store,
  type Tenant,
  transact,
} from '../../src/storage/index.ts';

export const host = nodeHost();
const transactionMs = 5_000;

export interface Opened {
  readonly backend: Backend;
  readonly store: Store;
  readonly tenant: Tenant;
}

let prefixes = 0;

/** A prefix that no other test has. */
export function newPrefix(): string {
  return `test/${++prefixes}`;
}

export async function open(
  t: TestContext,
  options: EtcdOptions,
  internals: EtcdInternals = {},
): Promise<Opened> {
  const backend = await openEtcdWith({ endpointTimeoutMs: 1_000, ...options }, internals);
  t.after(() => backend.close());
  const store = await openStore(backend, { host });
  return { backend, store, tenant: store.tenant('test') };
}

export const key = keyOf;

export function set(at: string, value: number): Mutation {
  return { type: 'set', key: key(at), value: Uint8Array.of(value) };
}

/** Commits without a retry. */
export async function write(tenant: Tenant, ...writes: readonly Mutation[]): Promise<string> {
  const tx = await tenant.begin({ timeoutMs: transactionMs });
  return (await tx.commit({ reads: [], writes })).applied;
}

/** The first byte of a value. */
export async function valueAt(tenant: Tenant, at: string): Promise<number | undefined> {
  const tx = await tenant.begin({ timeoutMs: transactionMs });
  try {
    return (await tx.get(key(at)))?.[0];
  } finally {
    tx.close();
  }
}

/** Adds one, with retries, exactly once. */
export function countUp(tenant: Tenant, at: string, timeoutMs: number = transactionMs): Promise<void> {
  return transact(
    tenant,
    async (tx) => {
      const before = (await tx.get(key(at))) ?? new Uint8Array(8);
      const view = new DataView(before.buffer);
      view.setBigUint64(0, view.getBigUint64(0, true) + 1n, true);
      tx.set(key(at), before);
    },
    { timeoutMs },
  );
}

export async function countAt(tenant: Tenant, at: string): Promise<number> {
  const tx = await tenant.begin({ timeoutMs: transactionMs });
  try {
    const value = await tx.get(key(at));
    return value === undefined ? 0 : Number(new DataView(value.buffer).getBigUint64(0, true));
  } finally {
    tx.close();
  }
}

/** The code with which it rejects, or 'resolved'; and how long it took. */
export async function ending(
  promise: Promise<unknown>,
): Promise<{ readonly code: string; readonly ms: number; readonly error: unknown }> {
  const started = performance.now();
  const end = (code: string, error?: unknown) => ({ code, ms: performance.now() - started, error });
  return promise.then(
    () => end('resolved'),
    (error: unknown) => end(String((error as { code?: unknown }).code), error),
  );
}

/** Rejects when the promise does not resolve in time. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
