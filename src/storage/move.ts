// Moving everything from one store into another, under a running cluster. The order is what makes it safe:
//   1. the empty target is marked `filling` with a fresh random number, the move;
//   2. the source is sealed with that number: from that commit on no transaction of anybody reads from it or commits to it;
//   3. all keys are copied, and compared;
//   4. the target is marked `open`, conditional on its still being filled by this move.
// It may die at any point, and be run again. Until 4 it can be given up: the target is marked `abandoned` first, so that 4 can never
// happen, and then the seal is taken off. Markers of idempotency ids stay behind; see `moving.ts`.
import { DGenError, hasCode } from '../errors/error.ts';
import { compareBytes, keyAfter } from './bytes.ts';
import {
  checkOpen,
  decodeStanding,
  encodeStanding,
  formatKey,
  hasArrived,
  hasLostTarget,
  isTargetOf,
  movedError,
  type Standing,
} from './format.ts';
import { allKeys } from './keys.ts';
import { type Backend, type Bytes, type KeyRange, limits } from './port.ts';
import type { Transaction } from './recording.ts';
import { type KeySpace, type StoreHost, wholeStore } from './store.ts';
import { transact } from './transact.ts';

export interface MoveOptions {
  readonly host: StoreHost;
  /** Milliseconds for everything; default 60,000. Then `timeout`: run it again. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** What the stores are called in each other's records, for people; default: the descriptions of the backends. No secrets. */
  readonly names?: { readonly from: string; readonly to: string };
}

/** What came of a move. */
export interface Move {
  /** `earlier`: it had been complete before. */
  readonly moved: 'now' | 'earlier';
  /** The number of the move, in the records of both stores. */
  readonly move: string;
  /** Keys copied by this run, of all tenants, and their bytes with those of their values. */
  readonly keys: number;
  readonly bytes: number;
}

type Item = readonly [key: Bytes, value: Bytes];

/** All keys but the format record, below which there is none. */
const contents: KeyRange = { begin: keyAfter(formatKey), end: allKeys().end };
const timeoutMsDefault = 60_000;
/** Room for the bounds of what a commit rests on. */
const batchBytesMax = limits.transactionBytesMax - 8 * limits.keyBytesMax;
const moveBytes = 16;
const formerMax = 16;

/** What is known of a store before it is touched. */
export interface StoreLook {
  /** `undefined`: there is no record, for the store is empty. */
  readonly standing: Standing | undefined;
  /** No key but the record. */
  readonly bare: boolean;
}

/** Throws `store_not_ours` (it holds something else), `store_format`. */
export async function lookAt(tx: Pick<Transaction, 'get' | 'getRange'>): Promise<StoreLook> {
  const record = await tx.get(formatKey);
  const { items } = await tx.getRange(allKeys(), { limit: 2 });
  if (record === undefined && items.length > 0) {
    throw new DGenError('store_not_ours', 'store', { expected: 'a format record', got: 'other keys' });
  }
  return { standing: standingOf(record), bare: items.length <= 1 };
}

function standingOf(record: Bytes | undefined): Standing | undefined {
  return record === undefined ? undefined : decodeStanding(record);
}

/** Nothing of value is in it: it may become the target of a move. */
export function isVacant({ standing, bare }: StoreLook): boolean {
  if (standing === undefined || standing.state === 'abandoned') return true;
  if (standing.state === 'filling') return bare;
  return standing.state === 'open' && standing.arrived === undefined && bare;
}

/** One run of a move. */
export class Mover {
  readonly #from: KeySpace;
  readonly #to: KeySpace;
  readonly #names: { readonly from: string; readonly to: string };
  readonly #options: MoveOptions;
  readonly #endsAt: number;

  constructor(from: Backend, to: Backend, options: MoveOptions) {
    const { host, timeoutMs = timeoutMsDefault } = options;
    if (!(timeoutMs > 0)) {
      throw new DGenError('bad_option', 'timeoutMs', { expected: 'more than 0', got: String(timeoutMs) });
    }
    this.#from = wholeStore(from, host);
    this.#to = wholeStore(to, host);
    this.#names = options.names ?? { from: from.description, to: to.description };
    this.#options = options;
    this.#endsAt = host.clock.now() + timeoutMs;
  }

  async run(): Promise<Move> {
    const { standing: source, bare } = await this.#look(this.#from);
    const target = await this.#look(this.#to);
    if (source?.state === 'moved') {
      const { move } = source;
      const { standing } = target;
      if (hasArrived(standing, move)) return { moved: 'earlier', move, keys: 0, bytes: 0 };
      if (hasLostTarget(standing, move)) await this.#reserveAgain(move);
      else if (standing?.state !== 'filling' || standing.move !== move) throw movedError(source);
      return this.#finish(move);
    }
    if (source !== undefined) checkOpen(source);
    if (bare) throw emptySource();
    const move = hexOf(this.#options.host.random.bytes(moveBytes));
    await this.#reserve(move);
    await this.#seal(move);
    return this.#finish(move);
  }

  /** Gives up a move; see `abortMove`. */
  async abort(targetIsLost: boolean): Promise<boolean> {
    const source = (await this.#look(this.#from)).standing;
    if (source?.state !== 'moved') return false;
    if (!targetIsLost) await this.#transact(this.#to, (tx) => abandon(tx, source.move));
    await this.#transact(this.#from, async (tx) => {
      const { standing } = await lookAt(tx);
      if (standing?.state !== 'moved' || standing.move !== source.move) return;
      tx.set(formatKey, encodeStanding({ state: 'open', arrived: standing.arrived }));
    });
    return true;
  }

  /** 1. What a move that was given up has left goes. */
  async #reserve(move: string): Promise<void> {
    await this.#transact(this.#to, async (tx) => {
      const look = await lookAt(tx);
      this.#take(tx, look, move);
    });
  }

  /**
   * For a move that has sealed its source and lost its target to another one. Only while the target still says so: that
   * is what giving the move up takes away, and a target that was marked for that must never be filled again.
   */
  async #reserveAgain(move: string): Promise<void> {
    await this.#transact(this.#to, async (tx) => {
      const look = await lookAt(tx);
      if (hasLostTarget(look.standing, move)) this.#take(tx, look, move);
      else if (!hasArrived(look.standing, move)) checkFilling(look.standing, move);
    });
  }

  #take(tx: Transaction, look: StoreLook, move: string): void {
    if (!isVacant(look)) throw notEmpty(look);
    tx.clearRange(contents);
    const former = formerOf(look.standing, move);
    tx.set(formatKey, encodeStanding({ state: 'filling', move, from: this.#names.from, former }));
  }

  /** 2. */
  async #seal(move: string): Promise<void> {
    await this.#transact(this.#from, async (tx) => {
      const { standing } = await lookAt(tx);
      if (standing === undefined) throw emptySource();
      checkOpen(standing);
      const arrived = standing.state === 'open' ? standing.arrived : undefined;
      tx.set(formatKey, encodeStanding({ state: 'moved', move, to: this.#names.to, arrived }));
    });
  }

  /** 3 and 4. Another run of the same move may be faster, and one of another move may have taken the target before the seal. */
  async #finish(move: string): Promise<Move> {
    for (;;) {
      try {
        return await this.#fill(move);
      } catch (error) {
        if (!hasCode(error, 'store_not_ours')) throw error;
        const { standing } = await this.#look(this.#to);
        if (hasArrived(standing, move)) return { moved: 'earlier', move, keys: 0, bytes: 0 };
        if (!hasLostTarget(standing, move)) throw error;
      }
      await this.#reserveAgain(move);
    }
  }

  async #fill(move: string): Promise<Move> {
    const copied = await this.#copy(move);
    await this.#compare(move);
    await this.#transact(this.#to, async (tx) => {
      const { standing } = await lookAt(tx);
      if (hasArrived(standing, move)) return;
      checkFilling(standing, move);
      tx.set(formatKey, encodeStanding({ state: 'open', arrived: move }));
    });
    return { moved: 'now', move, ...copied };
  }

  async #copy(move: string): Promise<{ keys: number; bytes: number }> {
    const total = { keys: 0, bytes: 0 };
    let batch: Item[] = [];
    let batchBytes = 0;
    const write = async (): Promise<void> => {
      await this.#transact(this.#to, (tx) => putAll(tx, batch, move));
      batch = [];
      batchBytes = 0;
    };
    for await (const item of this.#itemsOf(this.#from, (standing) => checkSealed(standing, move))) {
      const bytes = item[0].length + item[1].length;
      if (batch.length === limits.writesMax || batchBytes + bytes > batchBytesMax) await write();
      batch.push(item);
      batchBytes += bytes;
      total.keys += 1;
      total.bytes += bytes;
    }
    if (batch.length > 0) await write();
    return total;
  }

  /** What was copied is read once more, for it is what everybody will go by. */
  async #compare(move: string): Promise<void> {
    const copy = this.#itemsOf(this.#to, (standing) => checkFilling(standing, move));
    for await (const [key, value] of this.#itemsOf(this.#from, (standing) => checkSealed(standing, move))) {
      const { value: there } = await copy.next();
      if (!there || compareBytes(there[0], key) !== 0 || compareBytes(there[1], value) !== 0)
        throw copyDiffers();
    }
    if ((await copy.next()).done !== true) throw copyDiffers();
  }

  /** Page by page, each in a transaction of its own: nobody but a mover writes there while the record is what `check` lets pass. */
  async *#itemsOf(
    space: KeySpace,
    check: (standing: Standing | undefined) => void,
  ): AsyncGenerator<Item, undefined> {
    let range = contents;
    for (let more = true; more; ) {
      const page = await this.#transact(space, async (tx) => {
        check(standingOf(await tx.get(formatKey)));
        return tx.getRange(range, { limit: 1_000 });
      });
      yield* page.items;
      const last = page.items.at(-1)?.[0];
      if (last !== undefined) range = { ...range, begin: keyAfter(last) };
      more = page.more;
    }
    return undefined;
  }

  #look(space: KeySpace): Promise<StoreLook> {
    return this.#transact(space, lookAt);
  }

  #transact<T>(space: KeySpace, body: (tx: Transaction) => Promise<T> | T): Promise<T> {
    const { host, signal } = this.#options;
    const timeoutMs = Math.max(1, this.#endsAt - host.clock.now());
    return transact(space, body, signal === undefined ? { timeoutMs } : { timeoutMs, signal });
  }
}

function emptySource(): DGenError {
  return new DGenError('store_not_ours', 'source of the move', {
    expected: 'a store in use',
    got: 'an empty one',
  });
}

/** Somebody has given the move up. */
function checkSealed(standing: Standing | undefined, move: string): void {
  if (standing?.state === 'moved' && standing.move === move) return;
  throw new DGenError('store_not_ours', 'source of the move', { expected: `one sealed by the move ${move}` });
}

async function putAll(tx: Transaction, items: readonly Item[], move: string): Promise<void> {
  checkFilling(standingOf(await tx.get(formatKey)), move);
  for (const [key, value] of items) tx.set(key, value);
}

/** After this the target cannot be completed for that move. */
async function abandon(tx: Transaction, move: string): Promise<void> {
  const { standing } = await lookAt(tx);
  if (hasArrived(standing, move)) {
    const told = { expected: 'one that is not complete', got: 'one that is' };
    throw new DGenError('store_moved', 'move', { ...told, details: { move } });
  }
  if (!isTargetOf(standing, move)) checkFilling(standing, move);
  else if (standing?.state === 'filling' || standing?.state === 'abandoned') {
    const former = standing.former?.filter((other) => other !== move);
    const left = standing.move === move ? { state: 'abandoned' as const, move } : standing;
    tx.set(formatKey, encodeStanding({ ...left, former }));
  }
}

/** Those who had the target before, the latest last. */
function formerOf(standing: Standing | undefined, move: string): readonly string[] | undefined {
  if (standing?.state !== 'filling' && standing?.state !== 'abandoned') return undefined;
  const all = [...(standing.former ?? []), ...(standing.state === 'filling' ? [standing.move] : [])];
  return all.filter((other) => other !== move).slice(-formerMax);
}

/** Somebody else has given the move up, or uses the target for another one. */
function checkFilling(standing: Standing | undefined, move: string): void {
  if (standing?.state === 'filling' && standing.move === move) return;
  throw new DGenError('store_not_ours', 'target of the move', {
    expected: `the unfinished target of the move ${move}`,
    got: standing === undefined ? 'an empty store' : standing.state,
  });
}

export function notEmpty({ standing }: StoreLook): DGenError {
  const filling = standing?.state === 'filling';
  return new DGenError('store_not_empty', 'target of the move', {
    expected: 'an empty store',
    got: filling ? `the unfinished target of another move, from ${standing.from}` : 'one with keys in it',
  });
}

function copyDiffers(): DGenError {
  return new DGenError('store_fatal', 'target of the move does not hold what was copied into it');
}

function hexOf(bytes: Bytes): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
