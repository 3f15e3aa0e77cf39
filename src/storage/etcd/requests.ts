// Requests to whichever member is of use, from reads of the snapshot to the commit. What changes nothing is tried again at
// another member as long as there is one; a commit is handed over once, and then only an answer of the server is believed.
import { DGenError } from '../../errors/error.ts';
import type { Lifetime } from '../lifetime.ts';
import type { Cluster } from './cluster.ts';
import type { Connection } from './connection.ts';
import { commitError, isAnswer, isOutOfSpace, RpcError, refusalOf, storeError } from './errors.ts';
import type { Method, Methods, TxnReply, TxnRequest } from './messages.ts';

/** Attempts for one request, each with whichever connection is the one to use then. */
const triesMax = 4;
/** Before another attempt at the same member, and a multiple of it later. */
const pauseMsMax = 50;

type ReadMethod = Exclude<Method, 'Authenticate' | 'Status'>;

/**
 * A request that may be repeated: it changes nothing, or nothing that matters. Rejects with errors of the port, or the
 * lifetime's reason.
 */
export async function repeatable<M extends ReadMethod>(
  cluster: Cluster,
  lifetime: Lifetime,
  [method, request]: readonly [M, Methods[M]['request']],
): Promise<Methods[M]['reply']> {
  let failure: unknown;
  for (let tries = 0; tries < triesMax; tries++) {
    const connection = await cluster.connection(lifetime);
    try {
      const reply = await connection.call(method, request, lifetime);
      cluster.note(reply.header);
      return reply;
    } catch (error) {
      if (lifetime.reason !== undefined) throw lifetime.reason;
      if (!mayTryAnother(error)) throw storeError(error);
      failure = error;
      if (!leaveAfter(error, connection)) await lifetime.sleep(Math.random() * pauseMsMax * (tries + 1));
    }
  }
  throw storeError(failure);
}

/**
 * Hands a transaction over. Rejects with `store_commit_unknown` once it was, unless the server refused it; before, with the
 * lifetime's reason and what `repeatable` rejects with.
 */
export async function handOver(
  cluster: Cluster,
  lifetime: Lifetime,
  { request, writes }: { readonly request: TxnRequest; readonly writes: boolean },
): Promise<TxnReply> {
  for (let tries = 0; ; tries++) {
    const connection = await connectionWithSpace(cluster, lifetime);
    if (!writes) return repeatable(cluster, lifetime, ['Txn', request]);
    try {
      const reply = await connection.call('Txn', request, lifetime);
      cluster.note(reply.header);
      return reply;
    } catch (error) {
      if (error instanceof RpcError && !error.sent) {
        if (lifetime.reason !== undefined) throw lifetime.reason;
        connection.retire('not connected');
        if (tries < triesMax) continue;
      }
      leaveAfter(error, connection);
      throw commitError(error);
    }
  }
}

/** A store that takes no writes is out of reach for everything that is about to write. */
async function connectionWithSpace(cluster: Cluster, lifetime: Lifetime): Promise<Connection> {
  const connection = await cluster.connection(lifetime);
  const isFull = await connection.isOutOfSpace(lifetime).catch((error: unknown) => {
    throw lifetime.reason ?? storeError(error);
  });
  if (!isFull) return connection;
  const expected = 'room below --quota-backend-bytes: compact, defragment, and disarm the alarm';
  throw new DGenError('store_unavailable', 'etcd has raised NOSPACE', { expected });
}

function mayTryAnother(error: unknown): boolean {
  if (!(error instanceof RpcError) || isOutOfSpace(error)) return false;
  const refusal = refusalOf(error);
  return refusal === undefined || refusal.remedy === 'endpoint';
}

/** Whoever does not answer, or says that he is of no use, is left: then true. "leader changed" and the like pass by themselves. */
function leaveAfter(error: unknown, connection: Connection): boolean {
  if (!(error instanceof RpcError)) return false;
  const isUseless = refusalOf(error)?.remedy === 'endpoint' || error.message.includes('server stopped');
  if (!isUseless && isAnswer(error)) return false;
  connection.retire(error.message);
  return true;
}
