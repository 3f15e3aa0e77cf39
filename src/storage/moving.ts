// A store that is being moved, as a node sees it that was given both: it uses the old one until it finds that sealed, is
// unavailable while the copy runs, and uses the new one from the moment at which that is complete. Nothing announces the
// switch; whoever begins a transaction looks, and a look in the background serves those who only watch.
//
// Exactly once, also across the switch. Markers of idempotency ids are not copied. But the seal conflicts with every commit
// to the old store, so a commit in doubt there was applied before it, and is in the copy, or never will be; and the old
// store's marker says which. So a commit with an id goes to the old store first, as one without writes: that finds the marker
// of an earlier attempt, or shuts it out for good. Only then is it applied to the new one. The price is that the old store
// must be within reach for commits with an id (the registry makes none but at the start of a node) until the node
// is started with the new store alone.
import { DGenError } from '../errors/error.ts';
import { formatRange, hasArrived, isTargetOf, movedError, type Standing, unfinishedError } from './format.ts';
import { isVacant, lookAt, notEmpty, type StoreLook } from './move.ts';
import { beingMoved, MovingSpace, type Switch, timeLeft } from './moving-space.ts';
import { type Backend, limits, type WaitOptions, type Watch } from './port.ts';
import {
  claimFormat,
  type KeySpace,
  type OpenStoreOptions,
  type Store,
  type StoreHost,
  spaceOfTenant,
  type Tenant,
  TenantSpace,
  wholeStore,
} from './store.ts';
import { transact } from './transact.ts';

/** Milliseconds between looks in the background where nothing tells of a change. */
const lookAgainMs = 1_000;
type Side = 'from' | 'wait' | 'to';

/**
 * A store over two backends, for nodes that run while `moveStore` moves `from` into `to`. Before the move it is the old store, while
 * the copy runs every transaction rejects with `store_unavailable`, and after it it is the new one; watches fire at the switch.
 * The new store stays as it is until it is moved into.
 *
 * Rejects with `store_not_empty` (the new store is in use, and was not moved into from this old one), `store_moved` (the old one was moved
 * somewhere else), `store_unfinished` (the old one is itself an unfinished target), `store_not_ours`, `store_format`, and the errors
 * of `transact`. Both backends are closed then.
 */
export async function movingStore(from: Backend, to: Backend, options: OpenStoreOptions): Promise<Store> {
  const { host, timeoutMs = limits.transactionMsMax, signal } = options;
  const wait = signal === undefined ? { timeoutMs } : { timeoutMs, signal };
  const store = new MovingStore(from, to, host);
  try {
    await store.open(wait);
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Which one is in use, from the records of both. Throws where they belong to different stories. */
function sideOf(from: StoreLook, to: StoreLook): Side {
  const [old, next]: readonly (Standing | undefined)[] = [from.standing, to.standing];
  if (old?.state === 'moved') {
    if (next !== undefined && hasArrived(next, old.move)) {
      if (next.state === 'moved') throw movedError(next);
      return 'to';
    }
    if (isTargetOf(next, old.move)) return 'wait';
    throw movedError(old);
  }
  if (old !== undefined && old.state !== 'open') {
    throw unfinishedError(old, 'old store');
  }
  // Between the mark on the target and the seal the target is taken, by a move of a store that is not empty.
  const isTaken = next?.state === 'filling' && !from.bare;
  const isFree = isVacant(to) && next?.state !== 'filling';
  if (!isTaken && !isFree) throw notEmpty(to);
  return 'from';
}

class MovingStore implements Store, Switch {
  readonly description: string;
  readonly #backends: { readonly from: Backend; readonly to: Backend };
  readonly #host: StoreHost;
  readonly #oldWatches: Set<Watch> = new Set();
  #side: Side = 'wait';
  #closed = false;
  #stopWaiting: () => void = () => undefined;

  constructor(from: Backend, to: Backend, host: StoreHost) {
    this.description = `${from.description}, moving to ${to.description}`;
    this.#backends = { from, to };
    this.#host = host;
  }

  async open(wait: { timeoutMs: number; signal?: AbortSignal }): Promise<void> {
    const { from, to } = this.#backends;
    this.#side = await decide(
      () => transact(wholeStore(from, this.#host), lookAt, wait),
      () => transact(wholeStore(to, this.#host), lookAt, wait),
    );
    if (this.#side === 'from') await transact(wholeStore(from, this.#host), claimFormat, wait);
    void this.#follow();
  }

  tenant(name: string): Tenant {
    const { from, to } = this.#backends;
    const host = this.#host;
    const sides = {
      from: spaceOfTenant({ backend: from, host, name }),
      to: spaceOfTenant({ backend: to, host, name }),
      unguarded: spaceOfTenant({ backend: from, host, name, guarded: false }),
    };
    return new TenantSpace(this, name, new MovingSpace(this, sides, host));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stopWaiting();
    await Promise.all([this.#backends.from.close(), this.#backends.to.close()]);
  }

  async sideFor(options: WaitOptions): Promise<'from' | 'to'> {
    // Once it is closed either side says so.
    if (this.#closed) return 'from';
    if (this.#side === 'wait') await this.#look(options);
    if (this.#side === 'wait') throw beingMoved();
    return this.#side;
  }

  sealed(): void {
    if (this.#side === 'from') this.#side = 'wait';
    this.#stopWaiting();
  }

  watchUntilSwitch(watch: Watch): Watch {
    this.#oldWatches.add(watch);
    void watch.changed.then(() => this.#oldWatches.delete(watch));
    return watch;
  }

  get usesNew(): boolean {
    return this.#side === 'to';
  }

  async #look(options: WaitOptions): Promise<void> {
    const left = timeLeft(this.#host.clock, options);
    const { from, to } = this.#backends;
    const side = await decide(
      () => readOnce(wholeStore(from, this.#host), left()),
      () => readOnce(wholeStore(to, this.#host), left()),
    );
    if (this.usesNew) return;
    this.#side = side;
    if (side === 'to') for (const watch of [...this.#oldWatches]) watch.cancel();
  }

  /** Until the switch: looks whenever one of the records changes. Never rejects. */
  async #follow(): Promise<void> {
    while (!this.#closed && !this.usesNew) {
      const watches = Object.values(this.#backends).map((backend) => backend.watch(formatRange));
      const looked = await this.#look({ timeoutMs: limits.transactionMsMax }).then(
        () => true,
        () => false,
      );
      const patient = looked && this.#side === 'from';
      if (!this.#closed && !this.usesNew) await this.#firstOf(watches, patient);
      for (const watch of watches) watch.cancel();
    }
  }

  #firstOf(watches: readonly Watch[], patient: boolean): Promise<void> {
    return new Promise((resolve) => {
      const again = patient ? undefined : this.#host.timers.after(lookAgainMs, resolve, { background: true });
      this.#stopWaiting = () => {
        again?.cancel();
        resolve();
      };
      for (const watch of watches) void watch.changed.then(this.#stopWaiting);
    });
  }
}

/** A move that began or ended between the two looks makes them look as if they did not belong together: then the first is repeated. */
async function decide(
  lookAtOld: () => Promise<StoreLook>,
  lookAtNew: () => Promise<StoreLook>,
): Promise<Side> {
  const [next, old] = [await lookAtNew(), await lookAtOld()];
  try {
    return sideOf(old, next);
  } catch (error) {
    if (!(error instanceof DGenError)) throw error;
    return sideOf(old, await lookAtNew());
  }
}

async function readOnce(space: KeySpace, options: WaitOptions): Promise<StoreLook> {
  const tx = await space.begin(options);
  try {
    return await lookAt(tx);
  } finally {
    tx.close();
  }
}
