// The nodes of a cluster in the store: where each listens, and which start of it that is. So no port mapper and no list
// of nodes is needed, and a name cannot be started twice at a time.
import { DGenError } from '../errors/error.ts';
import type { NodeAddress } from '../registry/index.ts';
import { keyOf, type Tenant, transact } from '../storage/index.ts';

export interface NodeRecord {
  /** Grows with every start of the name. */
  readonly creation: number;
  /** `null` until the node listens. */
  readonly address: NodeAddress | null;
  readonly machineId: string;
  /** Earlier starts of the name that nobody proved dead, the latest last: they may still run, paused or cut off. */
  readonly unprovenFormers: readonly number[];
}

/** `dead`: proven. `unproven`: it did not answer, which proves nothing. `alive`: it did. */
export type FormerVerdict = 'dead' | 'unproven' | 'alive';

export interface Beginning {
  readonly creation: number;
  readonly unprovenFormers: readonly number[];
}

const storeTimeoutMs = 5_000;
const cacheMs = 1_000;
/** Who dials waits for a store that is away no longer than this, and goes by the last address known. */
const findTimeoutMs = 1_000;
/** The same, where an address is known already. */
const confirmTimeoutMs = 250;
const learntMax = 10_000;
const creationMax = 2 ** 32 - 1;
const unprovenMax = 16;

export class Directory {
  readonly #tenant: Tenant;
  readonly #cache: Map<string, { readonly record: NodeRecord | undefined; readonly readAt: number }> =
    new Map();
  /** What registries know from their members, by node: it needs no store. */
  readonly #learnt: Map<string, { readonly creation: number; readonly address: NodeAddress }> = new Map();

  constructor(tenant: Tenant) {
    this.#tenant = tenant;
  }

  /**
   * Takes the next creation for a node name. `judge` is asked about the start before, if there was one.
   * Rejects with `name_clash` when that is alive, and the errors of the store.
   */
  async begin(
    name: string,
    machineId: string,
    judge: (former: NodeRecord) => Promise<FormerVerdict>,
  ): Promise<Beginning> {
    const former = await this.#read(name);
    const verdict = former === undefined ? 'dead' : await judge(former);
    if (former !== undefined && verdict === 'alive') {
      throw new DGenError('name_clash', `node ${name} runs already`, {
        expected: 'a name that no other node has',
        details: { name, address: former.address },
      });
    }
    return transact(
      this.#tenant,
      async (tx) => {
        const stored = parse(await tx.get(keyOf('nodes', name)));
        if ((stored?.creation ?? 0) !== (former?.creation ?? 0)) throw startedElsewhere(name);
        const creation = ((former?.creation ?? 0) % creationMax) + 1;
        const unproven = [...(former?.unprovenFormers ?? [])];
        if (former !== undefined && verdict === 'unproven') unproven.push(former.creation);
        const unprovenFormers = unproven.slice(-unprovenMax);
        tx.set(keyOf('nodes', name), encode({ creation, address: null, machineId, unprovenFormers }));
        return { creation, unprovenFormers };
      },
      { timeoutMs: storeTimeoutMs },
    );
  }

  /** Makes the address known. Rejects with `name_clash` when the name was started elsewhere meanwhile. */
  async announce(name: string, record: NodeRecord): Promise<void> {
    await transact(
      this.#tenant,
      async (tx) => {
        const stored = parse(await tx.get(keyOf('nodes', name)));
        if (stored?.creation !== record.creation) throw startedElsewhere(name);
        tx.set(keyOf('nodes', name), encode(record));
      },
      { timeoutMs: storeTimeoutMs },
    );
  }

  /** Takes note of where a start of a node listens, unless a later start is known. */
  learn(name: string, creation: number, address: NodeAddress): void {
    const known = this.#learnt.get(name);
    if (known !== undefined && known.creation >= creation) return;
    if (this.#learnt.size >= learntMax) this.#learnt.clear();
    this.#learnt.set(name, { creation, address });
  }

  /**
   * Where a node listens, by a record at most a second old; while the store does not answer, by the last record or member of that
   * node that is known here. `undefined` when it does not listen. Rejects with the errors of the store when nothing is known.
   */
  async find(name: string, now: number): Promise<NodeAddress | undefined> {
    const cached = this.#cache.get(name);
    if (cached !== undefined && now - cached.readAt < cacheMs) return cached.record?.address ?? undefined;
    const known = this.#lastKnown(name);
    try {
      const record = await this.#read(name, known === undefined ? findTimeoutMs : confirmTimeoutMs);
      this.#cache.set(name, { record, readAt: now });
      return record?.address ?? undefined;
    } catch (error) {
      if (known === undefined) throw error;
      return known;
    }
  }

  #lastKnown(name: string): NodeAddress | undefined {
    const record = this.#cache.get(name)?.record;
    const learnt = this.#learnt.get(name);
    if (learnt === undefined || (record !== undefined && record.creation > learnt.creation))
      return record?.address ?? undefined;
    return learnt.address;
  }

  /** The shared secret of the cluster: the first node makes it. Who reads the store belongs to the cluster. */
  cookie(random: (bytes: number) => Uint8Array): Promise<string> {
    return transact(
      this.#tenant,
      async (tx) => {
        const stored = await tx.get(keyOf('cookie'));
        if (stored !== undefined) return new TextDecoder().decode(stored);
        const made = Array.from(random(24), (byte) => byte.toString(16).padStart(2, '0')).join('');
        tx.set(keyOf('cookie'), new TextEncoder().encode(made));
        return made;
      },
      { timeoutMs: storeTimeoutMs },
    );
  }

  #read(name: string, timeoutMs: number = storeTimeoutMs): Promise<NodeRecord | undefined> {
    return transact(this.#tenant, async (tx) => parse(await tx.get(keyOf('nodes', name))), {
      timeoutMs,
    });
  }
}

function startedElsewhere(name: string): DGenError {
  return new DGenError('name_clash', `node ${name} was started elsewhere at the same time`, {
    details: { name },
  });
}

function encode(record: NodeRecord): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(record));
}

function parse(bytes: Uint8Array | undefined): NodeRecord | undefined {
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as NodeRecord;
  } catch (cause) {
    // biome-ignore lint/style/useErrorCause: it is in the options.
    throw new DGenError('store_not_ours', 'node record', { expected: 'JSON', cause });
  }
}
