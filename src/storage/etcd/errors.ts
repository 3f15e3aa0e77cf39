// What a failed call means. The server refuses with texts of its own, and only those prove that nothing was applied; the
// status code does not, for gRPC libraries and proxies make up the same ones when a connection breaks. Whatever is not in
// the table leaves a commit in doubt, and makes a read try another endpoint.
import type { ErrorCode } from '../../errors/codes.ts';
import { DGenError } from '../../errors/error.ts';

/** A call that failed, as gRPC tells it. */
export class RpcError extends Error {
  /** False: the request never left this side, or was refused before. */
  readonly sent: boolean;

  constructor(details: string, { sent = true, cause }: { sent?: boolean; cause?: unknown } = {}) {
    super(details, cause === undefined ? undefined : { cause });
    this.name = 'RpcError';
    this.sent = sent;
  }
}

/** A refusal by the server itself. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly what: string;
  /**
   * What helps: `token`, a new token; `lease`, a new lease; `endpoint`, another member; undefined: nothing that this side could do.
   */
  readonly remedy?: 'token' | 'lease' | 'endpoint';
}

const unavailable = (what: string): Refusal => ({ code: 'store_unavailable', what, remedy: 'endpoint' });
const tokenRefused: Refusal = { code: 'store_unavailable', what: 'etcd: token', remedy: 'token' };

/**
 * By the begin of the text after `etcdserver: `. "request timed out", "leader changed" and "server stopped" are missing, since a
 * proposal may have been made before. So is "database space exceeded": the server says it before a proposal, but the release
 * 3.4 also after it has applied the one that crossed the limit.
 */
const refusals: readonly (readonly [text: string, refusal: Refusal])[] = [
  ['permission denied', { code: 'store_fatal', what: 'etcd: the user lacks a permission for the prefix' }],
  ['invalid auth token', tokenRefused],
  ['revision of auth store is old', tokenRefused],
  ['user name is empty', { code: 'store_fatal', what: 'etcd wants user and password', remedy: 'token' }],
  ['authentication failed', { code: 'store_fatal', what: 'etcd: wrong user or password' }],
  ['requested lease not found', { code: 'store_unavailable', what: 'etcd: lease', remedy: 'lease' }],
  ['mvcc: required revision has been compacted', { code: 'store_too_old', what: 'etcd: compacted' }],
  ['request is too large', { code: 'store_too_large', what: 'etcd: --max-request-bytes' }],
  ['too many operations in txn request', { code: 'store_too_large', what: 'etcd: --max-txn-ops' }],
  ['duplicate key given in txn request', { code: 'store_invalid', what: 'etcd' }],
  ['key is not provided', { code: 'store_invalid', what: 'etcd' }],
  ['corrupt cluster', { code: 'store_fatal', what: 'etcd: corruption alarm' }],
  ['too many requests', { code: 'store_unavailable', what: 'etcd is overloaded' }],
  ['no leader', unavailable('etcd: no leader')],
  ['not capable', unavailable('etcd: the member is starting')],
  ['rpc not supported for learner', unavailable('etcd: the member is a learner')],
];

const serverPrefix = 'etcdserver: ';

/** The server's refusal; undefined when it is none, or none that is known. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (!(error instanceof RpcError)) return undefined;
  return refusalIn(error.message);
}

/** The same of a text, such as the reason that ended a watch. */
export function refusalIn(text: string): Refusal | undefined {
  // Of the server's gRPC library; the one on this side writes it with a capital letter and without the colon.
  if (text.startsWith('grpc: received message larger than max')) {
    return { code: 'store_too_large', what: 'etcd: --max-request-bytes' };
  }
  const at = text.indexOf(serverPrefix);
  if (at < 0) return undefined;
  const said = text.slice(at + serverPrefix.length);
  return refusals.find(([begin]) => said.startsWith(begin))?.[1];
}

/** Whether the server answered at all, whatever it said. */
export function isAnswer(error: unknown): boolean {
  return error instanceof RpcError && error.message.includes(serverPrefix);
}

/** The library's error for a call that changes nothing, or that was refused. Other errors than those of a call pass. */
export function storeError(error: unknown): unknown {
  if (!(error instanceof RpcError)) return error;
  const { code, what, remedy }: Refusal = refusalOf(error) ?? { code: 'store_unavailable', what: 'etcd' };
  return new DGenError(code, what, {
    got: error.message,
    cause: error,
    ...(remedy !== undefined && { details: { remedy } }),
  });
}

/** The error for a commit that was handed over: its outcome is unknown unless the server refused it. */
export function commitError(error: unknown): unknown {
  if (!(error instanceof RpcError) || !error.sent || refusalOf(error) !== undefined) return storeError(error);
  return new DGenError('store_commit_unknown', 'etcd commit', { got: error.message, cause: error });
}

/** Whether the server says that its disk quota is used up. */
export function isOutOfSpace(error: unknown): boolean {
  return error instanceof RpcError && error.message.includes('database space exceeded');
}

/** Whether the server denies a permission. */
export function isDenied(error: unknown): boolean {
  return error instanceof RpcError && error.message.includes('permission denied');
}
