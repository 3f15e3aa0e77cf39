// One process that uses a store file: `worker.ts <mode> <json>`. It tells what it does by lines of JSON on its standard
// output, and ends by itself.
import { appendFileSync, existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeHost } from '../../../src/host/index.ts';
import {
  keyOf,
  openStore,
  rangeOfKey,
  type Tenant,
  type Transaction,
  transact,
} from '../../../src/storage/index.ts';
import { openSqlite } from '../../../src/storage/sqlite/index.ts';

export interface WorkerOptions {
  readonly path: string;
  /** Its number among the workers of the test. */
  readonly worker: number;
  readonly runMs: number;
  /** One byte is added for each acknowledged transaction. */
  readonly acknowledged?: string;
  /** Work begins once this file exists. */
  readonly go?: string;
}

export const tenantName = 'processes';
export const sharedKey: Uint8Array = keyOf('shared');
export const ownKey = (worker: number): Uint8Array => keyOf('own', String(worker));

export function numberIn(value: Uint8Array | undefined): number {
  return value === undefined ? 0 : Number(new DataView(value.buffer, value.byteOffset).getBigUint64(0, true));
}

function number(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}

export async function open(path: string): Promise<Tenant> {
  const backend = await openSqlite({ path });
  return (await openStore(backend, { host: nodeHost() })).tenant(tenantName);
}

function say(message: object): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

async function increment(tx: Transaction, key: Uint8Array): Promise<void> {
  tx.set(key, number(numberIn(await tx.get(key)) + 1));
}

/** Commits to its own key as fast as it can, and says how often, and how long the slowest commit took. */
async function contend(options: WorkerOptions): Promise<void> {
  const tenant = await open(options.path);
  say({ opened: true });
  while (options.go !== undefined && !existsSync(options.go)) await sleep(1);
  const begin = performance.now();
  let [commits, slowestMs] = [0, 0];
  while (performance.now() - begin < options.runMs) {
    const before = performance.now();
    await transact(tenant, (tx) => increment(tx, ownKey(options.worker)), { timeoutMs: 10_000 });
    slowestMs = Math.max(slowestMs, performance.now() - before);
    commits += 1;
  }
  say({ commits, slowestMs });
  await tenant.store.close();
}

/** Counts on a shared and on its own key in one transaction, and notes each acknowledgement, until it is killed. */
async function acknowledge(options: WorkerOptions): Promise<void> {
  const tenant = await open(options.path);
  const end = performance.now() + options.runMs;
  say({ opened: true });
  while (performance.now() < end) {
    const count = async (tx: Transaction) => {
      await increment(tx, sharedKey);
      await increment(tx, ownKey(options.worker));
    };
    await transact(tenant, count, { timeoutMs: 10_000 });
    appendFileSync(options.acknowledged as string, '.');
  }
  await tenant.store.close();
}

/** Says each value of the shared key that a watch has led it to. */
async function watch(options: WorkerOptions): Promise<void> {
  const tenant = await open(options.path);
  const end = performance.now() + options.runMs;
  say({ ready: true });
  while (performance.now() < end) {
    const handle = tenant.watch(rangeOfKey(sharedKey));
    const tx = await tenant.begin({ timeoutMs: 5000 });
    const value = numberIn(await tx.get(sharedKey));
    tx.close();
    say({ value });
    await Promise.race([handle.changed, sleep(Math.max(1, end - performance.now()))]);
    handle.cancel();
  }
  await tenant.store.close();
}

/** Opens, uses and closes everything; then nothing may keep the process alive. */
async function leave(options: WorkerOptions): Promise<void> {
  const tenant = await open(options.path);
  const handle = tenant.watch(rangeOfKey(sharedKey));
  await transact(tenant, (tx) => increment(tx, sharedKey), { timeoutMs: 5000 });
  await handle.changed;
  await (await tenant.begin({ timeoutMs: 5000 })).get(sharedKey);
  tenant.watch(rangeOfKey(sharedKey));
  await tenant.store.close();
  say({ closed: true });
}

const modes: Readonly<Record<string, (options: WorkerOptions) => Promise<void>>> = {
  contend,
  acknowledge,
  watch,
  leave,
};

const mode = modes[process.argv[2] ?? ''];
if (mode !== undefined) await mode(JSON.parse(process.argv[3] ?? '{}') as WorkerOptions);
