// Moving a store, for programs and the command: stores are named by their addresses, or given as open backends.
import { DGenError } from '../errors/error.ts';
import type { Host } from '../host/index.ts';
import { nodeHost } from '../host/index.ts';
import type { Backend, Move } from '../storage/index.ts';
import { Mover } from '../storage/move.ts';
import { backendAt } from './open-store.ts';

export interface MoveStoreOptions {
  /** Default: that of Node.js. */
  readonly host?: Pick<Host, 'clock' | 'timers' | 'random'>;
  /** Milliseconds for everything; default 60,000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface AbortMoveOptions extends MoveStoreOptions {
  /**
   * Default false. True: the target can never be used again, on your word, and is not marked. **If it can, and the move is completed
   * after all, there are two stores in use, and with them two clusters of one name.**
   */
  readonly targetIsLost?: boolean;
}

/**
 * Moves everything that is in the store `from`, of all tenants, into the empty store `to`, also while nodes use it: they need to
 * have been started with both (`OLD => NEW`, or `movingStore`), and go on by themselves; a node with the old store alone gets
 * `store_moved` from then on. Stores are addresses as for `storeAt`, or backends, which stay open.
 *
 * Resolves with what was copied; `moved` is `earlier` when it had been complete before. May be called again after any failure,
 * and takes up where it was left; until it is complete `abortMove` takes it back.
 *
 * Rejects with `store_not_empty` (the target), `store_moved` (the source, into another target), `store_unfinished` (the source is itself an unfinished
 * target), `store_not_ours` (no store of ours; the source is empty; or the move was given up meanwhile), `store_fatal` (the copy differs),
 * `timeout`, `aborted`, and the errors of the backends and of `transact`.
 */
export async function moveStore(
  from: string | Backend,
  to: string | Backend,
  options: MoveStoreOptions = {},
): Promise<Move> {
  if (from === to) throw new DGenError('bad_option', 'target of the move', { expected: 'another store' });
  return withBoth(from, to, { options, act: (mover) => mover.run() });
}

/**
 * Takes back a move that is not complete: the target becomes useless, then the source is in use again. Resolves with false when the
 * source is not sealed. Rejects with `store_moved` when the move is complete, `store_not_ours` when `to` is not its target, and as `moveStore`.
 */
export async function abortMove(
  from: string | Backend,
  to: string | Backend,
  options: AbortMoveOptions = {},
): Promise<boolean> {
  const { targetIsLost = false, ...rest } = options;
  const target = targetIsLost ? from : to;
  return withBoth(from, target, { options: rest, act: (mover) => mover.abort(targetIsLost) });
}

interface Errand<T> {
  readonly options: MoveStoreOptions;
  readonly act: (mover: Mover) => Promise<T>;
}

async function withBoth<T>(
  from: string | Backend,
  to: string | Backend,
  { options, act }: Errand<T>,
): Promise<T> {
  const { host = nodeHost(), ...rest } = options;
  const opened: Backend[] = [];
  const open = async (store: string | Backend): Promise<Backend> => {
    if (typeof store !== 'string') return store;
    const backend = await backendAt(store, host);
    opened.push(backend);
    return backend;
  };
  try {
    const source = await open(from);
    const target = to === from ? source : await open(to);
    const names = { from: nameOf(from), to: nameOf(to) };
    return await act(new Mover(source, target, { ...rest, host, names }));
  } finally {
    for (const backend of opened) await backend.close();
  }
}

/** Without what is secret in an address: users and passwords, and whatever follows a question mark. */
function nameOf(store: string | Backend): string {
  return typeof store === 'string'
    ? store.replace(/[?#].*$/s, '').replace(/\/\/.*@/s, '//')
    : store.description;
}
