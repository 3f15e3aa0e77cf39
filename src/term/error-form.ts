// Errors as plain data and back. A DGenError comes back as one, also when it was made by another copy of the library;
// every other error as an Error with its name, message, text code and cause. The stack stays where it was made: the
// receiver's error has a stack of one line instead of one that points into the decoder.
import { type CodeInfo, codes, type ErrorCode } from '../errors/codes.ts';
import { DGenError } from '../errors/error.ts';

export interface ErrorFields {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly retryable?: boolean;
  readonly maybeExecuted?: boolean;
  readonly details?: unknown;
  readonly cause?: unknown;
}

/** What of an error travels. `cause` and `details` are the sender's values, not checked. */
export function errorFields(error: Error): ErrorFields {
  const { code, retryable, maybeExecuted, details } = error as Partial<DGenError>;
  return {
    name: String(error.name),
    message: String(error.message),
    ...(typeof code === 'string' && { code }),
    ...(error.name === 'DGenError' && {
      retryable: retryable === true,
      maybeExecuted: maybeExecuted === true,
      details,
    }),
    ...('cause' in error && { cause: error.cause }),
  };
}

/** The error that those fields tell of. Fields of the wrong type are left out: they come from a peer. */
export function errorFrom(fields: unknown): Error {
  const given = (typeof fields === 'object' && fields !== null ? fields : {}) as Partial<
    Record<string, unknown>
  >;
  const cause = 'cause' in given ? { cause: given.cause } : undefined;
  const error = given.name === 'DGenError' ? codedError(given, cause) : otherError(given, cause);
  return pinned(error, { message: text(given.message), name: text(given.name, 'Error') });
}

function codedError(given: Partial<Record<string, unknown>>, cause: { cause: unknown } | undefined): Error {
  const { code } = given;
  const known = typeof code === 'string' && Object.hasOwn(codes, code);
  if (!known) return futureError(given, cause);
  const table: CodeInfo = codes[code as ErrorCode];
  const error = new DGenError(code as ErrorCode, '', {
    details: record(given.details),
    ...cause,
    ...(table.retryable && given.retryable !== true && { retryable: false }),
    ...(table.maybeExecuted && given.maybeExecuted !== true && { maybeExecuted: false }),
  });
  return error;
}

// A code that a newer peer knows: `hasCode` and the flags still work.
function futureError(given: Partial<Record<string, unknown>>, cause: { cause: unknown } | undefined): Error {
  return Object.assign(new Error('', cause), {
    code: text(given.code),
    retryable: given.retryable === true,
    maybeExecuted: given.maybeExecuted === true,
    details: record(given.details),
  });
}

function otherError(given: Partial<Record<string, unknown>>, cause: { cause: unknown } | undefined): Error {
  const error = new Error('', cause);
  return typeof given.code === 'string' ? Object.assign(error, { code: given.code }) : error;
}

function pinned(error: Error, values: { message: string; name: string }): Error {
  const stack = `${values.name}: ${values.message}`;
  for (const [key, value] of Object.entries({ ...values, stack })) {
    // What the constructor has set keeps its attributes, so that the error looks like one made here.
    const enumerable = Object.prototype.propertyIsEnumerable.call(error, key);
    Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable });
  }
  return error;
}

function text(value: unknown, otherwise = ''): string {
  return typeof value === 'string' ? value : otherwise;
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  const plain =
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
  return plain ? (value as Record<string, unknown>) : {};
}
