// What SQLite's result codes mean here. The two libraries report them differently, one by number, one by name.

import type { ErrorCode } from '../../errors/codes.ts';
import { DGenError } from '../../errors/error.ts';

const names: Readonly<Record<number, string>> = {
  3: 'PERM',
  5: 'BUSY',
  6: 'LOCKED',
  7: 'NOMEM',
  8: 'READONLY',
  10: 'IOERR',
  11: 'CORRUPT',
  13: 'FULL',
  14: 'CANTOPEN',
  15: 'PROTOCOL',
  26: 'NOTADB',
};

const meanings: Readonly<Record<string, readonly [code: ErrorCode, what: string]>> = {
  BUSY: ['store_unavailable', 'SQLite file is locked'],
  CORRUPT: ['store_fatal', 'SQLite file is corrupt'],
  FULL: ['store_unavailable', 'disk is full'],
  IOERR: ['store_unavailable', 'input or output error on the SQLite file'],
  NOMEM: ['store_unavailable', 'out of memory'],
  NOTADB: ['store_not_ours', 'SQLite file'],
  PERM: ['store_fatal', 'no permission for the SQLite file'],
  READONLY: ['store_fatal', 'SQLite file or its directory cannot be written'],
  CANTOPEN: ['store_fatal', 'SQLite file cannot be opened'],
};

/** The name of the primary result code: "BUSY"; undefined for an error that is not SQLite's. */
function sqliteCode(error: unknown): string | undefined {
  const { code, errcode } = (error ?? {}) as { code?: unknown; errcode?: unknown };
  if (typeof errcode === 'number') return names[errcode & 0xff] ?? `ERROR_${errcode}`;
  return typeof code === 'string' ? /^SQLITE_([A-Z]+)/.exec(code)?.[1] : undefined;
}

/**
 * Whether another connection is in the way for a moment. That includes BUSY_RECOVERY, which the first to come after a
 * crash causes, and PROTOCOL, which is a lost race for the WAL index.
 */
export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error);
  return code === 'BUSY' || code === 'LOCKED' || code === 'PROTOCOL';
}

/** The library's error for one of SQLite; nothing was applied. Others pass unchanged. */
export function storeError(error: unknown): DGenError {
  if (error instanceof DGenError) return error;
  const [code, what] = meanings[sqliteCode(error) ?? ''] ?? ['store_fatal', 'SQLite'];
  return new DGenError(code, what, {
    got: error instanceof Error ? error.message : String(error),
    cause: error,
  });
}

/** The error for a COMMIT that failed. A full disk is noticed while the log is written; of a failed flush nobody knows. */
export function commitError(error: unknown): DGenError {
  const code = sqliteCode(error);
  if (code === 'FULL' || code === 'BUSY' || code === 'READONLY') return storeError(error);
  return new DGenError('store_commit_unknown', 'SQLite commit', { got: String(error), cause: error });
}
