// The tag bytes of the external term format (version 131), and the private forms of this library.
//
// A private form is understood between TypeScript nodes only; the marker of the handshake tells them apart, and the
// dialect `erlang` never writes or accepts one. Erlang leaves 240 to 246 unused. What follows each private tag:
//
//   240 special number   kind:8            0 NaN, 1 Infinity, 2 -Infinity
//   241 UTF-16 string    n:32 bytes:2n     code units, little end first: strings with a lone surrogate
//   242 Map              n:32 pairs        JavaScript Map, in its order
//   243 Set              n:32 terms
//   244 Date             f64               milliseconds since 1970, NaN for an invalid date
//   245 Error            116 map           name, message, code, retryable, maybeExecuted, details, cause
//   246 registered class type data         type as BINARY, data any term
//
// The empty Uint8Array is 77, 0, 8 between TypeScript nodes: Erlang refuses that, so it gets an empty BINARY.

import { DGenError } from '../errors/error.ts';

export const VERSION = 131;

export const NEW_FLOAT = 70;
export const BIT_BINARY = 77;
export const COMPRESSED = 80;
export const NEW_PID = 88;
export const NEW_PORT = 89;
export const NEWER_REFERENCE = 90;
export const SMALL_INTEGER = 97;
export const INTEGER = 98;
export const OLD_FLOAT = 99;
export const ATOM = 100;
export const OLD_REFERENCE = 101;
export const OLD_PORT = 102;
export const OLD_PID = 103;
export const SMALL_TUPLE = 104;
export const LARGE_TUPLE = 105;
export const NIL = 106;
export const STRING = 107;
export const LIST = 108;
export const BINARY = 109;
export const SMALL_BIG = 110;
export const LARGE_BIG = 111;
export const NEW_FUN = 112;
export const EXPORT = 113;
export const NEW_REFERENCE = 114;
export const SMALL_ATOM = 115;
export const MAP = 116;
export const ATOM_UTF8 = 118;
export const SMALL_ATOM_UTF8 = 119;
export const V4_PORT = 120;

export const PRIVATE_NUMBER = 240;
export const PRIVATE_STRING = 241;
export const PRIVATE_MAP = 242;
export const PRIVATE_SET = 243;
export const PRIVATE_DATE = 244;
export const PRIVATE_ERROR = 245;
export const PRIVATE_CLASS = 246;

/** Whether the other side understands the private forms. */
export type Dialect = 'typescript' | 'erlang';

/** Levels of nesting that both directions allow unless told otherwise. */
export const DEPTH_MAX_DEFAULT = 256;
/** The most that `depthMax` may be: recursion must never meet the end of the stack. */
const DEPTH_MAX_LIMIT = 512;
/** Bytes of one term or frame, unless told otherwise: 64 MiB. */
export const BYTES_MAX_DEFAULT: number = 64 * 1024 * 1024;
/** Bytes of the magnitude of one bigint, in both directions: larger ones cost more than linear time to use. */
export const BIGINT_BYTES_MAX: number = 512 * 1024;

/** The option `depthMax`, or its default; `bad_option` outside 1 to 512. */
export function checkedDepth(value: number = DEPTH_MAX_DEFAULT): number {
  if (Number.isInteger(value) && value >= 1 && value <= DEPTH_MAX_LIMIT) return value;
  const expected = `an integer from 1 to ${DEPTH_MAX_LIMIT}`;
  throw new DGenError('bad_option', 'depthMax', { expected, got: String(value) });
}
