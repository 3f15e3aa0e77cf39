// What the tests of PostgreSQL share: a server per file, clients that are closed with their test, transactions that count.
import assert from 'node:assert/strict';
import { after, before, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeHost } from '../../src/host/index.ts';
import {
  type Backend,
  type Bytes,
  keyOf,
  openStore,
  type Tenant,
  transact,
} from '../../src/storage/index.ts';
import { openPostgres, type PostgresOptions } from '../../src/storage/postgres/index.ts';
import { PostgresServer, type ServerOptions } from '../support/postgres-server.ts';

export const host = nodeHost();
export const timeout = { timeout: 60_000 };

/** The server of this file: started before its tests, removed after them. */
export function serverOfFile(options: ServerOptions = {}): { readonly server: PostgresServer } {
  let server: PostgresServer | undefined;
  before(async () => {
    server = await PostgresServer.start(options);
  });
  after(() => server?.dispose());
  return {
    get server() {
      assert.ok(server, 'the server has not been started');
      return server;
    },
  };
}

let schemas = 0;

/** A name that no other test has used. */
export function newSchema(): string {
  return `test_${++schemas}`;
}

/** A client that is closed with the test. */
export async function openBackend(t: TestContext, options: PostgresOptions): Promise<Backend> {
  const backend = await openPostgres(options);
  t.after(() => backend.close());
  return backend;
}

export async function openTenant(t: TestContext, options: PostgresOptions): Promise<Tenant> {
  return (await openStore(await openBackend(t, options), { host })).tenant('test');
}

export const key = keyOf;

export async function increment(tenant: Tenant, at: Bytes, timeoutMs = 20_000): Promise<void> {
  await transact(
    tenant,
    async (tx) => {
      tx.set(at, Buffer.from(String(numberIn(await tx.get(at)) + 1)));
    },
    { timeoutMs },
  );
}

async function valueAt(tenant: Tenant, at: Bytes): Promise<Bytes | undefined> {
  return transact(tenant, (tx) => tx.get(at), { timeoutMs: 20_000 });
}

export async function countAt(tenant: Tenant, at: Bytes): Promise<number> {
  return numberIn(await valueAt(tenant, at));
}

function numberIn(value: Bytes | undefined): number {
  return value === undefined ? 0 : Number(Buffer.from(value).toString());
}

export async function set(tenant: Tenant, at: Bytes, value: string): Promise<void> {
  await transact(tenant, (tx) => tx.set(at, Buffer.from(value)), { timeoutMs: 20_000 });
}

/** Waits until something holds. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  what: string,
  ms = 15_000,
): Promise<void> {
  const end = performance.now() + ms;
  while (!(await holds())) {
    assert.ok(performance.now() < end, `not in time: ${what}`);
    await sleep(10);
  }
}

/** The error of a promise that must reject. */
export async function errorOf(promise: Promise<unknown>): Promise<Error & { readonly code: string }> {
  return promise.then(
    () => assert.fail('it resolved'),
    (error: unknown) => error as Error & { readonly code: string },
  );
}
