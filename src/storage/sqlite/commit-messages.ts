// What the thread of a client and its commit thread say to each other. Besides, each commit has a word of shared memory: who
// wants to withdraw it and who wants to take it both try to change that word from `waiting`, and one of them succeeds.
import { codes, type ErrorCode } from '../../errors/codes.ts';
import { DGenError } from '../../errors/error.ts';
import type { Commit, CommitResult } from '../port.ts';
import type { SqliteDriver } from './driver.ts';
import type { Synchronous } from './schema.ts';

/** Given to the thread when it starts. */
export interface CommitThreadData {
  readonly driver: SqliteDriver['name'];
  readonly file: string;
  /** See `fileIdentity`. */
  readonly identity: string | undefined;
  readonly synchronous: Synchronous;
  /** Milliseconds that it may take to open the file. */
  readonly timeoutMs: number;
}

export type ToCommitThread = CommitRequest | { readonly type: 'close' };

export interface CommitRequest {
  readonly type: 'commit';
  readonly number: number;
  readonly commit: Commit;
  readonly snapshot: number | undefined;
  readonly word: Int32Array<SharedArrayBuffer>;
}

export type FromCommitThread =
  | { readonly type: 'ready' }
  | { readonly type: 'failed'; readonly error: SentError }
  /** Something was committed. */
  | { readonly type: 'changed' }
  | { readonly type: 'settled'; readonly results: readonly SettledCommit[] };

export type SettledCommit =
  | { readonly number: number; readonly result: CommitResult }
  | { readonly number: number; readonly error: SentError };

/** An error between threads, where an instance of a class would lose what makes it one. */
export interface SentError {
  readonly code: string;
  readonly text: string;
  readonly cause: string | undefined;
}

const waiting = 0;
const taken = 1;
const withdrawn = 2;

export function newWord(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(4));
}

/** Whether it was not taken before; then it never will be. */
export function withdraw(word: Int32Array<SharedArrayBuffer>): boolean {
  return Atomics.compareExchange(word, 0, waiting, withdrawn) === waiting;
}

/** Whether it was not withdrawn before; then it cannot be any more. */
export function take(word: Int32Array<SharedArrayBuffer>): boolean {
  return Atomics.compareExchange(word, 0, waiting, taken) === waiting;
}

export function isWithdrawn(word: Int32Array<SharedArrayBuffer>): boolean {
  return Atomics.load(word, 0) === withdrawn;
}

export function sentError(error: DGenError): SentError {
  const text = error.message.startsWith(`${error.code}: `)
    ? error.message.slice(error.code.length + 2)
    : error.message;
  return { code: error.code, text, cause: error.cause === undefined ? undefined : String(error.cause) };
}

export function receivedError({ code, text, cause }: SentError): DGenError {
  const known: ErrorCode = Object.hasOwn(codes, code) ? (code as ErrorCode) : 'store_fatal';
  return new DGenError(known, text, cause === undefined ? {} : { cause: new Error(cause) });
}
