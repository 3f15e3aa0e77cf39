// What a registry keeps in the store, and the operations of the protocol on it: one leader record, the list of those who
// count, and one record for each member. Nothing here grows with names, and no pid is ever written. What grows with members
// is written and read only when it has changed.
import { DGenError, hasCode } from '../errors/error.ts';
import {
  type KeySpace,
  keyAfter,
  keyOf,
  type Mutation,
  partsOf,
  prefixRange,
  rangeOfKey,
  type StoreTransaction,
  type Watch,
} from '../storage/index.ts';
import type { LeaderRecord, MemberKey, StoreOp, StoreOutcome, StoreView } from './protocol/types.ts';
import { nodeOf } from './protocol/types.ts';
import { StampedCopy } from './stamped-copy.ts';

/** Where a member is, for those who look for it. */
export interface MemberInfo {
  readonly member: MemberKey;
  readonly node: string;
  readonly creation: number;
  /** Which incarnation this is since the start of the node, from 1: a node has one at a time, so a later one has seen the end of this. */
  readonly generation: number;
  /** Where the node listens; `null` when it does not. */
  readonly address: { readonly host: string; readonly port: number } | null;
  /** Equal on nodes whose loopback addresses lead to each other. */
  readonly machineId: string;
  /** Creations of earlier starts of the node's name that were not proven dead when it started. */
  readonly unprovenFormers: readonly number[];
}

/** The leader record as it is stored: who counts stands beside it, under the stamp. */
type StoredRecord = Omit<LeaderRecord, 'established'> & { readonly establishedStamp: string };

interface StoredView extends StoreView {
  /** Of the list that the record refers to; undefined without a record. */
  readonly establishedStamp: string | undefined;
}

const membersPerPage = 1_000;
const stampBytes = 8;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export interface CoordinationOptions {
  /** Tells the registries of one tenant apart. */
  readonly root: string;
  /** Milliseconds for one operation. */
  readonly timeoutMs: number;
}

export class Coordination {
  readonly #space: KeySpace;
  readonly #options: CoordinationOptions;
  /** What is known of every member that was ever seen in the store and is not gone from it. */
  readonly infos: Map<MemberKey, MemberInfo> = new Map();
  readonly #established: StampedCopy<readonly MemberKey[]> = new StampedCopy();
  /** While there is a copy, `infos` is of the same members: whoever changes them otherwise drops it. */
  readonly #members: StampedCopy<readonly MemberKey[]> = new StampedCopy();
  #failure: unknown;

  constructor(space: KeySpace, options: CoordinationOptions) {
    this.#space = space;
    this.#options = options;
  }

  /** Whether a member of that node is recorded, as far as is known. */
  knows(node: string): boolean {
    for (const info of this.infos.values()) if (info.node === node) return true;
    return false;
  }

  /** Why the last operation had no answer; undefined when it had one. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Runs one operation of the protocol. Never rejects: what failed is in the outcome. `own` is written by `join`. */
  async run(op: StoreOp, own: MemberInfo, signal: AbortSignal): Promise<StoreOutcome> {
    let tx: StoreTransaction | undefined;
    this.#failure = undefined;
    try {
      tx = await this.#space.begin({ timeoutMs: this.#options.timeoutMs, signal });
      return await this.#attempt(tx, op, own);
    } catch (error) {
      if (hasCode(error, 'store_conflict')) return await this.#conflict(signal);
      this.#failure = error;
      return mayBeApplied(error) ? { status: 'unknown' } : { status: 'unavailable' };
    } finally {
      tx?.close();
    }
  }

  /** Somebody was faster: what stands in the store now is the answer. */
  async #conflict(signal: AbortSignal): Promise<StoreOutcome> {
    try {
      const tx = await this.#space.begin({ timeoutMs: this.#options.timeoutMs, signal });
      try {
        return { status: 'conflict', view: await this.#read(tx) };
      } finally {
        tx.close();
      }
    } catch (error) {
      // The write was refused; only the news of what stands there now is missing.
      this.#failure = error;
      return { status: 'unavailable' };
    }
  }

  /** Reads the members, and resolves with a watch for their next change. Rejects with the errors of the store. */
  async watchMembers(signal: AbortSignal): Promise<Watch> {
    const watch = this.#space.watch(rangeOfKey(this.#membershipKey()));
    try {
      const tx = await this.#space.begin({ timeoutMs: this.#options.timeoutMs, signal });
      try {
        await this.#readMembers(tx);
      } finally {
        tx.close();
      }
      return watch;
    } catch (error) {
      watch.cancel();
      throw error;
    }
  }

  async #attempt(tx: StoreTransaction, op: StoreOp, own: MemberInfo): Promise<StoreOutcome> {
    const view = await this.#read(tx);
    switch (op.kind) {
      case 'read':
        // A store that can be read and not written is out of reach: who reads wants to know whether it could claim.
        await tx.commit({ reads: [rangeOfKey(this.#leaderKey())], writes: [] });
        return { status: 'committed', view };
      case 'join':
        await tx.commit({
          reads: [],
          writes: [
            { type: 'set', key: this.#memberKey(op.member), value: encode(own) },
            this.#membershipChanged(),
          ],
        });
        this.#members.drop();
        this.infos.set(own.member, own);
        return {
          status: 'committed',
          view: { ...view, members: [...new Set([...view.members, op.member])].sort() },
        };
      case 'write':
        return this.#write(tx, op, view);
      default:
        return op satisfies never;
    }
  }

  async #write(
    tx: StoreTransaction,
    op: Extract<StoreOp, { kind: 'write' }>,
    view: StoredView,
  ): Promise<StoreOutcome> {
    if (!sameStamp(view.record, op.expect)) return { status: 'conflict', view };
    if (op.expectMembers !== null && op.expectMembers.join() !== view.members.join())
      return { status: 'conflict', view };
    const reads = [rangeOfKey(this.#leaderKey())];
    if (op.expectMembers !== null) reads.push(rangeOfKey(this.#membershipKey()));
    // Whoever changes the list changes the record with it, so the condition on the record covers both.
    const { established } = op.record;
    const kept = established.join() === view.record?.established.join() ? view.establishedStamp : undefined;
    const establishedStamp = kept ?? this.#newStamp();
    const list: Mutation[] = [
      { type: 'set', key: this.#establishedKey(), value: encode({ stamp: establishedStamp, established }) },
    ];
    await tx.commit({
      reads,
      writes: [
        { type: 'set', key: this.#leaderKey(), value: encode(storedRecord(op.record, establishedStamp)) },
        ...(kept === undefined ? list : []),
        ...this.#removals(op.removeMembers),
      ],
    });
    this.#established.keep(establishedStamp, established);
    const members = view.members.filter((member) => !op.removeMembers.includes(member));
    if (op.removeMembers.length > 0) this.#members.drop();
    for (const member of op.removeMembers) this.infos.delete(member);
    return { status: 'committed', view: { record: op.record, members } };
  }

  #removals(members: readonly MemberKey[]): Mutation[] {
    if (members.length === 0) return [];
    const cleared = members.map((member) => ({ type: 'clear' as const, key: this.#memberKey(member) }));
    return [...cleared, this.#membershipChanged()];
  }

  async #read(tx: StoreTransaction): Promise<StoredView> {
    const [bytes, members] = await Promise.all([tx.get(this.#leaderKey()), this.#readMembers(tx)]);
    if (bytes === undefined) return { record: null, members, establishedStamp: undefined };
    const { establishedStamp, ...record } = decodeRecord(bytes);
    const established =
      this.#established.at(establishedStamp) ?? (await this.#readEstablished(tx, establishedStamp));
    return { record: { ...record, established }, members, establishedStamp };
  }

  async #readEstablished(tx: StoreTransaction, stamp: string): Promise<readonly MemberKey[]> {
    const bytes = await tx.get(this.#establishedKey());
    return this.#established.keep(stamp, decodeEstablished(bytes, stamp));
  }

  async #readMembers(tx: StoreTransaction): Promise<readonly MemberKey[]> {
    const bytes = await tx.get(this.#membershipKey());
    // Without a stamp nobody has joined yet, or not since the registry was deleted: two such times look alike.
    if (bytes === undefined) {
      const members = await this.#listMembers(tx);
      this.#members.drop();
      return members;
    }
    const stamp = decoder.decode(bytes);
    return this.#members.at(stamp) ?? this.#members.keep(stamp, await this.#listMembers(tx));
  }

  async #listMembers(tx: StoreTransaction): Promise<readonly MemberKey[]> {
    const members: MemberKey[] = [];
    let range = prefixRange('registry', this.#options.root, 'member');
    for (let more = true; more; ) {
      const page = await tx.getRange(range, { limit: membersPerPage });
      for (const [key, value] of page.items) {
        const member = partsOf(key).at(-1) ?? '';
        members.push(member);
        if (!this.infos.has(member)) this.infos.set(member, decodeInfo(value, member));
        range = { ...range, begin: keyAfter(key) };
      }
      more = page.more;
    }
    const listed = new Set(members);
    for (const member of this.infos.keys()) if (!listed.has(member)) this.infos.delete(member);
    return members.sort();
  }

  #membershipChanged(): Mutation {
    return { type: 'set', key: this.#membershipKey(), value: encoder.encode(this.#newStamp()) };
  }

  #newStamp(): string {
    const bytes = this.#space.host.random.bytes(stampBytes);
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  }

  #leaderKey(): Uint8Array {
    return keyOf('registry', this.#options.root, 'leader');
  }

  #memberKey(member: MemberKey): Uint8Array {
    return keyOf('registry', this.#options.root, 'member', member);
  }

  #establishedKey(): Uint8Array {
    return keyOf('registry', this.#options.root, 'established');
  }

  #membershipKey(): Uint8Array {
    return keyOf('registry', this.#options.root, 'membership');
  }
}

/** The port promises that only this one leaves a commit in doubt; whatever is no error of a store proves nothing. */
function mayBeApplied(error: unknown): boolean {
  return !(error instanceof DGenError) || error.maybeExecuted;
}

function sameStamp(a: LeaderRecord | null, b: LeaderRecord | null): boolean {
  if (a === null || b === null) return a === b;
  return a.epoch === b.epoch && a.leader === b.leader && a.renewals === b.renewals;
}

function storedRecord(record: LeaderRecord, establishedStamp: string): StoredRecord {
  const { established: _beside, ...rest } = record;
  return { ...rest, establishedStamp };
}

function encode(value: object): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

export function decodeRecord(bytes: Uint8Array): StoredRecord {
  const record = parse(bytes) as StoredRecord;
  const valid =
    Number.isSafeInteger(record.epoch) &&
    Number.isSafeInteger(record.renewals) &&
    typeof record.establishedStamp === 'string';
  const flagged = typeof record.contested === 'boolean';
  if (!valid || !flagged || typeof record.durations?.leaseMs !== 'number') {
    throw new DGenError('store_not_ours', 'leader record', { expected: 'one of this format' });
  }
  const { durations } = record;
  return { ...record, durations: { ...durations, holdMs: durations.holdMs ?? durations.toleranceMs } };
}

/** The list is written with the record that refers to it: one that does not belong to it was written by somebody else. */
function decodeEstablished(bytes: Uint8Array | undefined, stamp: string): readonly MemberKey[] {
  const { stamp: found, established }: { stamp?: unknown; established?: unknown } =
    bytes === undefined ? {} : parse(bytes);
  const isList = Array.isArray(established) && established.every((member) => typeof member === 'string');
  if (found === stamp && isList) return established;
  throw new DGenError('store_not_ours', 'list of established members', { expected: 'one of this format' });
}

export function decodeInfo(bytes: Uint8Array, member: MemberKey): MemberInfo {
  const info = parse(bytes) as MemberInfo;
  const { generation = 0, unprovenFormers = [] } = info;
  return { ...info, generation, unprovenFormers, member, node: nodeOf(member) };
}

function parse(bytes: Uint8Array): object {
  try {
    const value: unknown = JSON.parse(decoder.decode(bytes));
    if (typeof value === 'object' && value !== null) return value;
  } catch (cause) {
    // biome-ignore lint/style/useErrorCause: it is in the options.
    throw new DGenError('store_not_ours', 'registry record', { expected: 'JSON', cause });
  }
  throw new DGenError('store_not_ours', 'registry record', { expected: 'an object' });
}
