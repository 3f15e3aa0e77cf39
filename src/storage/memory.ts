// The memory backend: the reference for every other one, and the store of the simulator. One `MemoryDatabase` stands
// for the server; `connect` gives a client of its own, so that each simulated node can lose the store by itself. A client
// asks its `fault` function what is to go wrong with each operation; without one, nothing ever waits.
import { DGenError } from '../errors/error.ts';
import type { Clock, Timers } from '../host/ports.ts';
import { copyCommit } from './bytes.ts';
import { Lifetime } from './lifetime.ts';
import { MemoryState, readKey, readRange, type Snapshot } from './memory-database.ts';
import type {
  Backend,
  Bytes,
  Commit,
  CommitResult,
  KeyRange,
  RangeOptions,
  RangePage,
  StoreTransaction,
  WaitOptions,
  Watch,
} from './port.ts';

export type MemoryOperation = 'begin' | 'read' | 'commit' | 'watch';

/** What goes wrong with one operation. With a `watch`, only the delay of its notification counts. */
export interface MemoryFault {
  /** Milliseconds before the operation reaches the store; default 0. The transaction's deadline may pass meanwhile. */
  readonly delayMs?: number;
  /**
   * - `unavailable`: nothing happens, `store_unavailable`.
   * - `request_lost`: a commit is never applied, yet its outcome is unknown.
   * - `reply_lost`: a commit is applied, but its outcome is unknown.
   * - `late`: a commit's outcome is unknown at once, and the store gets it only after `delayMs`.
   *
   * For begin and read the last three are `unavailable`. Default: nothing but the delay.
   */
  readonly kind?: 'unavailable' | 'request_lost' | 'reply_lost' | 'late';
}

/** Asked before each operation. */
export type FaultSource = (operation: MemoryOperation) => MemoryFault | undefined;

export interface MemoryHost {
  readonly clock: Clock;
  readonly timers: Timers;
}

export interface MemoryConnectOptions {
  readonly fault?: FaultSource;
  /** Timers of this client; default: those of the database. */
  readonly timers?: Timers;
}

export class MemoryDatabase {
  readonly #host: MemoryHost;
  readonly #state: MemoryState;

  constructor(host: MemoryHost) {
    this.#host = host;
    this.#state = new MemoryState(host.clock);
  }

  /** A client. Closing it leaves the content and the other clients alone. */
  connect(options: MemoryConnectOptions = {}): Backend {
    const fault = options.fault ?? (() => undefined);
    return new MemoryClient(this.#state, options.timers ?? this.#host.timers, fault);
  }
}

/** The only client of a database of its own. */
export function memoryBackend(host: MemoryHost, options: MemoryConnectOptions = {}): Backend {
  return new MemoryDatabase(host).connect(options);
}

class MemoryClient implements Backend {
  readonly description: string = 'memory';
  readonly #state: MemoryState;
  readonly #timers: Timers;
  readonly #fault: FaultSource;
  readonly #lifetimes: Set<Lifetime> = new Set();
  readonly #watches: Set<Watch> = new Set();
  #closed = false;

  constructor(state: MemoryState, timers: Timers, fault: FaultSource) {
    this.#state = state;
    this.#timers = timers;
    this.#fault = fault;
  }

  async begin(options: WaitOptions): Promise<StoreTransaction> {
    if (this.#closed) throw closedError();
    const lifetime = new Lifetime({ ...options, timers: this.#timers, what: 'store transaction' });
    lifetime.check();
    lifetime.whenEnded(() => this.#lifetimes.delete(lifetime));
    this.#lifetimes.add(lifetime);
    try {
      await suffer(lifetime, this.#fault('begin'));
    } catch (error) {
      lifetime.end(closedError());
      throw error;
    }
    return new MemoryTransaction({ state: this.#state, timers: this.#timers, fault: this.#fault, lifetime });
  }

  watch(range: KeyRange): Watch {
    let resolve: () => void = () => undefined;
    const changed = new Promise<void>((done) => {
      resolve = done;
    });
    const copy = { begin: range.begin.slice(), end: range.end.slice() };
    const stop = this.#state.watch(copy, () => {
      stop();
      const delayMs = this.#fault('watch')?.delayMs ?? 0;
      if (delayMs > 0) this.#timers.after(delayMs, watch.cancel);
      else watch.cancel();
    });
    const watch: Watch = {
      changed,
      cancel: () => {
        stop();
        this.#watches.delete(watch);
        resolve();
      },
    };
    if (this.#closed) watch.cancel();
    else this.#watches.add(watch);
    return watch;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const lifetime of [...this.#lifetimes]) lifetime.end(closedError());
    for (const watch of [...this.#watches]) watch.cancel();
  }
}

interface TransactionOptions {
  readonly state: MemoryState;
  readonly timers: Timers;
  readonly fault: FaultSource;
  readonly lifetime: Lifetime;
}

class MemoryTransaction implements StoreTransaction {
  readonly #state: MemoryState;
  readonly #timers: Timers;
  readonly #fault: FaultSource;
  readonly #lifetime: Lifetime;
  #snapshot: Snapshot | undefined;

  constructor({ state, timers, fault, lifetime }: TransactionOptions) {
    this.#state = state;
    this.#timers = timers;
    this.#fault = fault;
    this.#lifetime = lifetime;
  }

  async get(key: Bytes): Promise<Bytes | undefined> {
    return readKey(await this.#read(), key);
  }

  async getRange(range: KeyRange, options: RangeOptions): Promise<RangePage> {
    return readRange(await this.#read(), range, options);
  }

  async commit(commit: Commit): Promise<CommitResult> {
    this.#lifetime.check();
    const fault = this.#fault('commit') ?? {};
    const request = copyCommit(commit);
    try {
      if (fault.kind === 'unavailable') await suffer(this.#lifetime, fault);
      return await this.#send(request, fault);
    } finally {
      this.close();
    }
  }

  close(): void {
    this.#lifetime.end(closedError());
  }

  async #read(): Promise<Snapshot> {
    this.#lifetime.check();
    await suffer(this.#lifetime, this.#fault('read'));
    this.#snapshot ??= this.#state.snapshot;
    return this.#snapshot;
  }

  /** From here on the request is on its way: whatever ends the wait, the outcome is unknown. */
  async #send(request: Commit, { delayMs = 0, kind }: MemoryFault): Promise<CommitResult> {
    const reply = kind === 'request_lost' ? undefined : this.#deliver(request, delayMs);
    if (reply !== undefined && kind === undefined) {
      return this.#lifetime.race(reply).catch((error: unknown) => {
        throw error === this.#lifetime.reason ? unknown(error) : error;
      });
    }
    reply?.catch(ignoreReply);
    if (kind !== 'late' && delayMs > 0) await this.#lifetime.sleep(delayMs).catch(ignoreReply);
    throw unknown();
  }

  async #deliver(request: Commit, delayMs: number): Promise<CommitResult> {
    if (delayMs > 0) await new Promise<void>((resolve) => this.#timers.after(delayMs, resolve));
    return this.#state.apply(request, this.#snapshot);
  }
}

/** Waits out the delay of a fault, then throws if the fault is more than a delay. */
async function suffer(lifetime: Lifetime, fault: MemoryFault | undefined): Promise<void> {
  if (fault === undefined) return;
  if ((fault.delayMs ?? 0) > 0) await lifetime.sleep(fault.delayMs ?? 0);
  if (fault.kind !== undefined) throw new DGenError('store_unavailable', 'memory store', { got: fault.kind });
}

/** A lost reply has nobody to go to. */
const ignoreReply = () => undefined;

function closedError(): DGenError {
  return new DGenError('closed', 'memory store');
}

function unknown(cause?: unknown): DGenError {
  return new DGenError('store_commit_unknown', 'memory store', { cause });
}
