// One error class for everything the library reports. Match on `code`, never on the class: two copies of the
// library may be loaded, and errors cross nodes as data.
import { codes, type ErrorCode } from './codes.ts';

export interface ErrorOptions {
  /** What was expected and what came, as short text; appended to the message. */
  readonly expected?: string;
  readonly got?: string;
  /** Plain data for programs: names, limits, sizes. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
  /** `false` narrows the table's `maybeExecuted`: the thrower knows that nothing happened. */
  readonly maybeExecuted?: false;
  readonly retryable?: false;
}

export class DGenError extends Error {
  readonly code: ErrorCode;
  /** The same request may succeed later, unchanged. */
  readonly retryable: boolean;
  /** The effect may have happened, or still happen. */
  readonly maybeExecuted: boolean;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, what: string, options: ErrorOptions = {}) {
    super(describe(code, what, options), options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'DGenError';
    this.code = code;
    this.retryable = options.retryable ?? codes[code].retryable;
    this.maybeExecuted = options.maybeExecuted ?? codes[code].maybeExecuted;
    this.details = options.details ?? {};
  }
}

/** True for an error of this library with that code, also one of another copy of it. */
export function hasCode(error: unknown, code: ErrorCode): boolean {
  return error instanceof Error && (error as { code?: unknown }).code === code;
}

function describe(code: ErrorCode, what: string, options: ErrorOptions): string {
  const expected = options.expected === undefined ? '' : `: expected ${options.expected}`;
  const got = options.got === undefined ? '' : `${expected === '' ? ':' : ','} got ${options.got}`;
  return `${code}: ${what}${expected}${got}`;
}
