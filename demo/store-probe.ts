// The demo's own look at the store: whether its address is one, and whether somebody stands on its lock; and it cleans up.
import { DGenError, type ErrorCode, nodeHost, type Store, storeAt, transact } from '../src/index.ts';

const patienceMs = 300;
const cleanTimeoutMs = 2_000;
const probeTenant = 'demo-probe';
/** Every key that is made of text: no UTF-8 begins with this byte. */
const everything = { begin: new Uint8Array(0), end: Uint8Array.of(255) };
const blocked: readonly ErrorCode[] = ['timeout', 'store_unavailable', 'store_commit_unknown'];

export class StoreProbe {
  readonly #store: Store;

  private constructor(store: Store) {
    this.#store = store;
  }

  /** Rejects with what `storeAt` says of an address, and with `bad_option` for a store that processes cannot share. */
  static async open(address: string): Promise<StoreProbe> {
    if (address.startsWith('memory:')) {
      throw new DGenError('bad_option', 'store address', {
        expected: 'a store that processes can share',
        got: address,
      });
    }
    return new StoreProbe(await storeAt(address, nodeHost()));
  }

  /** Whether the store takes a write now. */
  async works(): Promise<boolean> {
    const key = new TextEncoder().encode('probe');
    try {
      await transact(
        this.#store.tenant(probeTenant),
        (tx) => {
          tx.set(key, new Uint8Array(1));
        },
        { timeoutMs: patienceMs },
      );
      return true;
    } catch (error) {
      if (error instanceof DGenError && blocked.includes(error.code)) return false;
      throw error;
    }
  }

  /** Takes out what a run has written, so that a store of yours is as it was. What goes wrong is not worth a failure. */
  async clean(tenant: string): Promise<void> {
    for (const name of [tenant, probeTenant]) {
      await transact(this.#store.tenant(name), (tx) => tx.clearRange(everything), {
        timeoutMs: cleanTimeoutMs,
      }).catch(() => undefined);
    }
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}
