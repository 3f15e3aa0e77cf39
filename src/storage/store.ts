// What everybody but a backend uses: a store that is ours (a format record says so), divided into tenants that share
// nothing but the store. A tenant's keys live under a prefix of its own and are seen without it; the limits are judged
// here, alike for every backend.
import { DGenError } from '../errors/error.ts';
import type { Host } from '../host/ports.ts';
import { concatBytes } from './bytes.ts';
import { checkOpen, decodeStanding, encodeStanding, formatKey } from './format.ts';
import { allKeys, keyOf } from './keys.ts';
import type { KeyRange, StoreTransaction, WaitOptions, Watch } from './port.ts';
import { type Backend, type Bytes, limits } from './port.ts';
import { PrefixedSpace } from './prefixed.ts';
import type { Transaction } from './recording.ts';
import { transact } from './transact.ts';

export type StoreHost = Pick<Host, 'clock' | 'timers' | 'random'>;

/** An ordered set of keys with transactions over it; see the port for the semantics of `begin` and `watch`. */
export interface KeySpace {
  readonly host: StoreHost;
  /**
   * One transaction of the port, checked against the limits: `store_invalid` and `store_too_large` are found before
   * the backend is asked, and `bad_option` says that `timeoutMs` is out of its range. Nothing is retried: who decides
   * himself what an unknown outcome means uses this, everybody else `transact`. Once the store was moved every method
   * rejects with `store_moved`; a commit that the seal overtook with `store_conflict`, and nothing was applied.
   */
  begin(options: WaitOptions): Promise<StoreTransaction>;
  watch(range: KeyRange): Watch;
}

/** The keys of one cluster in a store. */
export interface Tenant extends KeySpace {
  readonly store: Store;
  readonly name: string;
}

export interface Store {
  /** Of the backend: for humans. */
  readonly description: string;
  /** Throws `bad_option` unless `name` is text of 1 to 128 bytes. Two calls with one name see the same keys. */
  tenant(name: string): Tenant;
  /** Closes the backend. Idempotent, never rejects. */
  close(): Promise<void>;
}

export interface OpenStoreOptions {
  readonly host: StoreHost;
  /** For reading, and at first writing, the format record. Default 5000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

const tenantByte = Uint8Array.of(1);
const tenantNameBytesMax = 128;

/**
 * Takes over `backend` and checks that the store behind it is ours, or empty; then marks it as ours.
 *
 * Rejects with: `store_not_ours` (it holds something else), `store_format` (a newer release wrote it), `store_moved`
 * (its keys are in another store now), `store_unfinished` (it is the target of a move that is not complete), and the errors
 * of `transact`. The backend is closed then.
 */
export async function openStore(backend: Backend, options: OpenStoreOptions): Promise<Store> {
  const { host, timeoutMs = limits.transactionMsMax, signal } = options;
  try {
    await transact(
      wholeStore(backend, host),
      claimFormat,
      signal === undefined ? { timeoutMs } : { timeoutMs, signal },
    );
  } catch (error) {
    await backend.close();
    throw error;
  }
  const store: Store = {
    description: backend.description,
    tenant: (name) => new TenantSpace(store, name, spaceOfTenant({ backend, host, name })),
    close: () => backend.close(),
  };
  return store;
}

/** All keys of a store, the format record among them. Nothing guards these transactions. */
export function wholeStore(backend: Backend, host: StoreHost): KeySpace {
  return new PrefixedSpace({ backend, host, prefix: new Uint8Array(0), guarded: false });
}

/** Makes an empty store ours. Throws what `openStore` rejects with. */
export async function claimFormat(tx: Transaction): Promise<void> {
  const written = await tx.get(formatKey);
  if (written !== undefined) {
    checkOpen(decodeStanding(written));
    return;
  }
  const others = await tx.getRange(allKeys(), { limit: 1 });
  if (others.items.length > 0) {
    throw new DGenError('store_not_ours', 'store', {
      expected: 'an empty one',
      got: 'keys of something else',
    });
  }
  tx.set(formatKey, encodeStanding({ state: 'open' }));
}

export interface TenantParts {
  readonly backend: Backend;
  readonly host: StoreHost;
  readonly name: string;
  /** Default true; see `SpaceParts`. */
  readonly guarded?: boolean;
}

/** The keys of one tenant. Throws `bad_option` for a name that is none. */
export function spaceOfTenant({ backend, host, name, guarded = true }: TenantParts): KeySpace {
  return new PrefixedSpace({ backend, host, prefix: concatBytes(tenantByte, tenantKey(name)), guarded });
}

export class TenantSpace implements Tenant {
  readonly store: Store;
  readonly name: string;
  readonly host: StoreHost;
  readonly #space: KeySpace;

  constructor(store: Store, name: string, space: KeySpace) {
    this.store = store;
    this.name = name;
    this.host = space.host;
    this.#space = space;
  }

  begin(options: WaitOptions): Promise<StoreTransaction> {
    return this.#space.begin(options);
  }

  watch(range: KeyRange): Watch {
    return this.#space.watch(range);
  }
}

function tenantKey(name: string): Bytes {
  const valid = typeof name === 'string' && name !== '' && !/\p{Surrogate}/u.test(name);
  if (!valid || new TextEncoder().encode(name).length > tenantNameBytesMax) {
    const expected = `well-formed text of 1 to ${tenantNameBytesMax} bytes`;
    throw new DGenError('bad_option', 'tenant name', { expected, got: String(name).slice(0, 64) });
  }
  return keyOf(name);
}
