// What a registry keeps in the store, and the operations of the protocol on it: one leader record and one record for
// each member. Nothing here grows with names, and no pid is ever written.
import { DGenError, hasCode } from '../errors/error.ts';
import {
  type KeySpace,
  keyAfter,
  keyOf,
  partsOf,
  prefixRange,
  rangeOfKey,
  type StoreTransaction,
  type Watch,
} from '../storage/index.ts';
import type { LeaderRecord, MemberKey, StoreOp, StoreOutcome, StoreView } from './protocol/types.ts';
import { nodeOf } from './protocol/types.ts';

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

const membersPerPage = 1_000;
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
  #failure: unknown;

  constructor(space: KeySpace, options: CoordinationOptions) {
    this.#space = space;
    this.#options = options;
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
    const watch = this.#space.watch(this.#members());
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
          writes: [{ type: 'set', key: this.#memberKey(op.member), value: encode(own) }],
        });
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
    view: StoreView,
  ): Promise<StoreOutcome> {
    if (!sameStamp(view.record, op.expect)) return { status: 'conflict', view };
    if (op.expectMembers !== null && op.expectMembers.join() !== view.members.join())
      return { status: 'conflict', view };
    const reads = [rangeOfKey(this.#leaderKey())];
    if (op.expectMembers !== null) reads.push(this.#members());
    await tx.commit({
      reads,
      writes: [
        { type: 'set', key: this.#leaderKey(), value: encode(op.record) },
        ...op.removeMembers.map((member) => ({ type: 'clear' as const, key: this.#memberKey(member) })),
      ],
    });
    const members = view.members.filter((member) => !op.removeMembers.includes(member));
    for (const member of op.removeMembers) this.infos.delete(member);
    return { status: 'committed', view: { record: op.record, members } };
  }

  async #read(tx: StoreTransaction): Promise<StoreView> {
    const leader = await tx.get(this.#leaderKey());
    const members = await this.#readMembers(tx);
    return { record: leader === undefined ? null : decodeRecord(leader), members };
  }

  async #readMembers(tx: StoreTransaction): Promise<MemberKey[]> {
    const members: MemberKey[] = [];
    let range = this.#members();
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

  #leaderKey(): Uint8Array {
    return keyOf('registry', this.#options.root, 'leader');
  }

  #memberKey(member: MemberKey): Uint8Array {
    return keyOf('registry', this.#options.root, 'member', member);
  }

  #members(): { begin: Uint8Array; end: Uint8Array } {
    return prefixRange('registry', this.#options.root, 'member');
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

function encode(record: LeaderRecord | MemberInfo): Uint8Array {
  return encoder.encode(JSON.stringify(record));
}

export function decodeRecord(bytes: Uint8Array): LeaderRecord {
  const record = parse(bytes) as LeaderRecord;
  const valid =
    Number.isSafeInteger(record.epoch) &&
    Number.isSafeInteger(record.renewals) &&
    Array.isArray(record.established);
  if (!valid || typeof record.durations?.leaseMs !== 'number') {
    throw new DGenError('store_not_ours', 'leader record', { expected: 'one of this format' });
  }
  const { durations } = record;
  return { ...record, durations: { ...durations, holdMs: durations.holdMs ?? durations.toleranceMs } };
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
