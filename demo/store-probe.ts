// The demo's own look at the store: whether its address is one, and whether somebody stands on its lock.
import { DGenError, type ErrorCode, nodeHost, type Store, storeAt, transact } from '../src/index.ts';

const patienceMs = 300;
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
        this.#store.tenant('demo-probe'),
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

  close(): Promise<void> {
    return this.#store.close();
  }
}
