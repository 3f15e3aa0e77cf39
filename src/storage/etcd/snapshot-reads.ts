// The reads of one transaction. The first one asks for the newest state, which the members agree upon before they answer; the
// revision of its answer is the snapshot, and all later reads ask for that one, at whichever member. Reads that begin
// together travel together, which spares round trips: a transaction of the server may hold several, all of one revision.
import { DGenError } from '../../errors/error.ts';
import type { Lifetime } from '../lifetime.ts';
import type { Cluster } from './cluster.ts';
import type { RangeReply, RangeRequest, TxnReply } from './messages.ts';
import { repeatable } from './requests.ts';

interface Waiting {
  readonly request: RangeRequest;
  readonly resolve: (reply: RangeReply) => void;
  readonly reject: (error: unknown) => void;
}

/** Reads that travel together, and keys that these may return: values are up to 64 KiB, and replies are held in memory. */
const readsMax = 64;
const keysMax = 256;

export class SnapshotReads {
  readonly #cluster: Cluster;
  readonly #lifetime: Lifetime;
  #waiting: Waiting[] = [];
  #revision: bigint | undefined;
  /** Settles when the snapshot is fixed, or could not be. Never rejects. */
  #fixing: Promise<void> | undefined;

  constructor(cluster: Cluster, lifetime: Lifetime) {
    this.#cluster = cluster;
    this.#lifetime = lifetime;
  }

  /** Of the snapshot; undefined until something was read. */
  get revision(): bigint | undefined {
    return this.#revision;
  }

  /** Rejects as `repeatable`, and with `store_fatal` when the store went back in time. */
  range(request: RangeRequest): Promise<RangeReply> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      if (this.#waiting.length === 1) queueMicrotask(() => this.#flush());
    });
  }

  /** Resolves when the snapshot is fixed, or there is none to be fixed. */
  async settled(): Promise<void> {
    while (this.#fixing !== undefined || this.#waiting.length > 0) await this.#fixing;
  }

  #flush(): void {
    if (this.#fixing !== undefined) {
      void this.#fixing.then(() => this.#flush());
      return;
    }
    while (this.#waiting.length > 0) {
      const sent = this.#send(this.#takeBatch());
      if (this.#revision !== undefined) continue;
      this.#fixing = sent.then(() => {
        this.#fixing = undefined;
      });
      if (this.#waiting.length > 0) void this.#fixing.then(() => this.#flush());
      return;
    }
  }

  #takeBatch(): readonly Waiting[] {
    let keys = 0;
    const beyond = this.#waiting.findIndex(({ request }, i) => {
      keys += request.limit ?? 1;
      return i > 0 && (i >= readsMax || keys > keysMax);
    });
    return this.#waiting.splice(0, beyond < 0 ? this.#waiting.length : beyond);
  }

  /** Never rejects. */
  async #send(batch: readonly Waiting[]): Promise<void> {
    try {
      const replies = await this.#ask(batch.map(({ request }) => request));
      for (const [i, { resolve }] of batch.entries()) resolve(replies[i] as RangeReply);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  async #ask(requests: readonly RangeRequest[]): Promise<readonly RangeReply[]> {
    const known = this.#cluster.revision ?? 0n;
    const at = this.#revision === undefined ? {} : { revision: String(this.#revision) };
    const [first, ...others] = requests.map((request) => ({ ...request, ...at }));
    if (first === undefined) return [];
    const reply: RangeReply | TxnReply =
      others.length === 0
        ? await repeatable(this.#cluster, this.#lifetime, ['Range', first])
        : await repeatable(this.#cluster, this.#lifetime, ['Txn', together([first, ...others])]);
    if (this.#revision === undefined) this.#fix(this.#cluster.note(reply.header), known);
    if (!('responses' in reply)) return [reply];
    return reply.responses.map(({ response_range }) => response_range as RangeReply);
  }

  #fix(revision: bigint, known: bigint): void {
    if (revision < known) {
      // Only a store that was restored from a copy can do that. What this process knows of it is wrong then.
      const expected = `revision ${known} or later`;
      throw new DGenError('store_fatal', 'etcd went back in time', { expected, got: String(revision) });
    }
    this.#revision = revision;
  }
}

function together(requests: readonly RangeRequest[]) {
  const success = requests.map((request_range) => ({ request_range }));
  return { compare: [], success, failure: [] };
}
