// What the server's SQLSTATEs and the client's failures mean here. The question that matters is whether a commit may have
// been applied: a definite refusal is one of a closed list of states, which the server sends while it ends the transaction
// itself; whatever else answers a commit, or nothing, leaves it in doubt. The severity would say it too, but comes
// in the language of the server.
import type { ErrorCode } from '../../errors/codes.ts';
import { DGenError } from '../../errors/error.ts';

type Meaning = readonly [code: ErrorCode, what: string, expected?: string];

const grants = 'USAGE on the schema, SELECT, INSERT, UPDATE, DELETE on its tables (or CREATE, to make them)';
const missing: Meaning = ['store_fatal', 'PostgreSQL schema', 'the tables and functions of this library'];
const standby: Meaning = ['store_unavailable', 'PostgreSQL server cannot be written', 'the primary'];

/** States with which the server refuses a statement as a whole. */
const refusals: Readonly<Record<string, Meaning>> = {
  '40001': ['store_conflict', 'PostgreSQL store'],
  '40P01': ['store_conflict', 'PostgreSQL store'],
  '55P03': ['store_unavailable', 'PostgreSQL commit lock was not granted in time'],
  '25006': standby,
  YG004: standby,
  YG002: ['store_too_old', 'PostgreSQL store'],
  YG003: ['store_invalid', 'add', 'two values of 8 bytes'],
  '42501': ['store_fatal', 'PostgreSQL permission', grants],
  '42P01': missing,
  '42703': missing,
  '42883': missing,
  '3F000': missing,
  '53100': ['store_unavailable', 'disk of the PostgreSQL server is full'],
  '53200': ['store_unavailable', 'PostgreSQL server is out of memory'],
};

/** What ends a read, or an attempt to connect, for good. The rest may pass. */
const finals: Readonly<Record<string, Meaning>> = {
  '28000': ['store_fatal', 'PostgreSQL authentication'],
  '28P01': ['store_fatal', 'PostgreSQL authentication'],
  '3D000': ['store_fatal', 'PostgreSQL database', 'one that exists'],
  XX001: ['store_fatal', 'PostgreSQL data is corrupt'],
  XX002: ['store_fatal', 'PostgreSQL data is corrupt'],
  '53300': ['store_unavailable', 'PostgreSQL server has too many connections'],
};

/** The five characters by which the server classifies an error; undefined for an error that is not the server's. */
export function sqlState(error: unknown): string | undefined {
  const { code, severity } = (error ?? {}) as { code?: unknown; severity?: unknown };
  return typeof code === 'string' && code.length === 5 && severity !== undefined ? code : undefined;
}

/** Whether the server refused the statement and the connection is as good as before. */
export function isRefusal(error: unknown): boolean {
  return Object.hasOwn(refusals, sqlState(error) ?? '');
}

/** For a failed read: nothing was applied. Errors of this library pass unchanged. */
export function readError(error: unknown): DGenError {
  if (error instanceof DGenError) return error;
  const state = sqlState(error) ?? '';
  const meaning = refusals[state] ?? finals[state] ?? ['store_unavailable', 'PostgreSQL server'];
  return explain(meaning, error);
}

/** For a commit that was handed to the server. */
export function commitError(error: unknown): DGenError {
  if (error instanceof DGenError || isRefusal(error)) return readError(error);
  return new DGenError('store_commit_unknown', 'PostgreSQL commit', { got: textOf(error), cause: error });
}

/** For an attempt to connect. */
export function connectError(error: unknown): DGenError {
  if (error instanceof DGenError || sqlState(error) !== undefined) return readError(error);
  if (isTlsFault(error)) return explain(['store_fatal', 'PostgreSQL connection by TLS'], error);
  if (textOf(error).startsWith('SASL')) return explain(['store_fatal', 'PostgreSQL authentication'], error);
  return explain(['store_unavailable', 'PostgreSQL server'], error);
}

/** A server without TLS, a certificate that does not verify, or a key that is none: waiting helps none of them. */
function isTlsFault(error: unknown): boolean {
  const code = String((error as { code?: unknown } | null)?.code ?? '');
  return /CERT|SIGNATURE|_TLS_|_SSL_|OSSL/.test(code) || /\bSSL\b/.test(textOf(error));
}

function explain([code, what, expected]: Meaning, cause: unknown): DGenError {
  const options = { got: textOf(cause), cause };
  return new DGenError(code, what, expected === undefined ? options : { ...options, expected });
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message || String(error.name) : String(error);
}
