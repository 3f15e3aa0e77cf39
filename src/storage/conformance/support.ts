// What the cases are written with: a store of their own, two clients of it, and assertions that belong to no framework.
import type { ErrorCode } from '../../errors/codes.ts';
import { hasCode } from '../../errors/error.ts';
import { keyOf } from '../keys.ts';
import type { Backend, Bytes, CommitResult, KeyRange, Mutation, StoreTransaction, Watch } from '../port.ts';
import { openStore, type StoreHost, type Tenant } from '../store.ts';
import { type FaultPlan, faultyBackend } from './faulty.ts';
import type { ConformanceLink, ConformanceNeed, ConformanceTarget } from './target.ts';

/** What a case gets. */
export interface Bench {
  readonly host: StoreHost;
  readonly backend: Backend;
  /** What the case's `needs` promise is there; everything else may be missing. */
  readonly target: ConformanceTarget;
  /** Keys of the case, through the first client. */
  readonly tenant: Tenant;
  /** The same keys through the second client, where there is one. */
  readonly other: Tenant;
  /** The same keys through a client whose commits go wrong as planned. */
  faulty(plan: FaultPlan): Promise<Tenant>;
  /** The same keys through the link, and the link. Needs `link`. */
  remote(): Promise<Remote>;
  pause(ms: number): Promise<void>;
}

export interface Remote {
  readonly tenant: Tenant;
  readonly link: ConformanceLink;
  /** Milliseconds within which the client has recovered, some room for a busy machine included. */
  readonly recoveryMs: number;
}

export interface ConformanceCase {
  readonly name: string;
  /** Without these of the target it is skipped. Default: none. */
  readonly needs?: readonly ConformanceNeed[];
  run(bench: Bench): Promise<void>;
}

export async function openBench(target: ConformanceTarget, host: StoreHost): Promise<Bench> {
  const name = 'conformance';
  const open = async (backend: Backend) => (await openStore(backend, { host })).tenant(name);
  return {
    host,
    backend: target.backend,
    target,
    tenant: await open(target.backend),
    other: await open(target.other ?? target.backend),
    faulty: (plan) => open(faultyBackend(target.backend, plan)),
    remote: async () => {
      const { link } = target;
      check(link !== undefined, 'the case needs a link without saying so');
      return { link, tenant: await open(link.backend), recoveryMs: (link.recoveryMs ?? 10_000) + 2_000 };
    },
    pause: (ms) => new Promise((resolve) => void host.timers.after(ms, resolve)),
  };
}

export const transactionMs = 5_000;

/** A key of text. */
export const key: (...parts: readonly string[]) => Bytes = keyOf;

export function bytes(...values: readonly number[]): Bytes {
  return Uint8Array.from(values);
}

/** A number as eight little-endian bytes, as `add` counts. */
export function number(value: bigint): Bytes {
  const result = new Uint8Array(8);
  new DataView(result.buffer).setBigUint64(0, value, true);
  return result;
}

export function numberIn(value: Bytes | undefined): bigint {
  if (value === undefined) return 0n;
  return new DataView(value.buffer, value.byteOffset, value.byteLength).getBigUint64(0, true);
}

export function set(at: Bytes, value: Bytes): Mutation {
  return { type: 'set', key: at, value };
}

/** Commits writes that rest on nothing. */
export async function write(tenant: Tenant, ...writes: readonly Mutation[]): Promise<CommitResult> {
  const tx = await tenant.begin({ timeoutMs: transactionMs });
  return tx.commit({ reads: [], writes });
}

/** Reads in a transaction of its own. */
export async function reading<T>(tenant: Tenant, read: (tx: StoreTransaction) => Promise<T>): Promise<T> {
  const tx = await tenant.begin({ timeoutMs: transactionMs });
  try {
    return await read(tx);
  } finally {
    tx.close();
  }
}

export function valueAt(tenant: Tenant, at: Bytes): Promise<Bytes | undefined> {
  return reading(tenant, (tx) => tx.get(at));
}

export async function keysIn(tenant: Tenant, range: KeyRange): Promise<readonly Bytes[]> {
  const page = await reading(tenant, (tx) => tx.getRange(range, { limit: 10_000 }));
  return page.items.map(([at]) => at);
}

/** How a commit ended: 'now', 'earlier', or the code of its error. */
export async function ending(commit: Promise<CommitResult>): Promise<string> {
  try {
    return (await commit).applied;
  } catch (error) {
    return String((error as { code?: unknown }).code ?? error);
  }
}

/** What a commit said, checked for the flag that goes with it. */
export async function verdict(commit: Promise<CommitResult>): Promise<Verdict> {
  try {
    const result = await commit;
    return result.applied === 'now' ? { ending: 'now' } : { ending: 'earlier', attempt: result.attempt };
  } catch (error) {
    const { code, maybeExecuted } = error as { code?: unknown; maybeExecuted?: unknown };
    equal(maybeExecuted, code === 'store_commit_unknown', `maybeExecuted of ${String(error)}`);
    return { ending: String(code) };
  }
}

export interface Verdict {
  /** 'now', 'earlier', or the code of the error. */
  readonly ending: string;
  /** Of 'earlier'. */
  readonly attempt?: number;
}

/** Codes that say: not applied, and never will be; another attempt may be. */
export const refusals: readonly string[] = [
  'store_conflict',
  'store_too_old',
  'store_unavailable',
  'timeout',
];

/** Runs `action` until it resolves, after errors that allow another attempt, for at most `ms`. */
export async function persist<T>(bench: Bench, ms: number, action: () => Promise<T>): Promise<T> {
  const { clock } = bench.host;
  const end = clock.now() + ms;
  for (;;) {
    try {
      return await action();
    } catch (error) {
      const again = [...refusals, 'store_commit_unknown'].some(
        (code) => (error as { code?: unknown }).code === code,
      );
      if (!again) throw error;
      if (clock.now() > end) throw new Error(`not within ${ms} ms: ${String(error)}`, { cause: error });
    }
    await bench.pause(20);
  }
}

/** Rejects unless `work` settles within `ms`; settles like it. */
export async function within<T>(bench: Bench, ms: number, work: Promise<T>): Promise<T> {
  let late: (error: unknown) => void = () => undefined;
  const tooLate = new Promise<never>((_, reject) => {
    late = reject;
  });
  const timer = bench.host.timers.after(ms, () => late(new Error(`did not settle within ${ms} ms`)));
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    timer.cancel();
  }
}

export function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

/** Compares as text, bytes in hexadecimal. */
export function equal(actual: unknown, expected: unknown, what = 'value'): void {
  const [got, wanted] = [show(actual), show(expected)];
  check(got === wanted, `${what}: expected ${wanted}, got ${got}`);
}

/** Rejects unless the promise rejects with that code; resolves with the error. */
export async function fails(
  promise: Promise<unknown>,
  code: ErrorCode,
): Promise<{ maybeExecuted?: boolean }> {
  try {
    await promise;
  } catch (error) {
    check(hasCode(error, code), `expected ${code}, got ${String(error)}`);
    return error as { maybeExecuted?: boolean };
  }
  throw new Error(`expected ${code}, but it resolved`);
}

/** As many at once as there are workers, on the two clients in turn. */
export async function inTurns(
  bench: Pick<Bench, 'tenant' | 'other'>,
  workers: number,
  work: (tenant: Tenant, worker: number) => Promise<void>,
): Promise<void> {
  const tenants = [bench.tenant, bench.other];
  await Promise.all(Array.from({ length: workers }, (_, i) => work(tenants[i % 2] as Tenant, i)));
}

/** Whether the watch fires within `ms`. */
export async function fires(bench: Bench, watch: Watch, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = bench.host.timers.after(ms, () => resolve(false));
    void watch.changed.then(() => {
      timer.cancel();
      resolve(true);
    });
  });
}

function show(value: unknown): string {
  if (value instanceof Uint8Array)
    return `<${[...value].map((byte) => byte.toString(16).padStart(2, '0')).join('')}>`;
  if (Array.isArray(value)) return `[${value.map(show).join(', ')}]`;
  return typeof value === 'bigint' ? `${value}n` : String(value);
}
