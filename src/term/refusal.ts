// Why a value cannot be encoded, on its way out of the recursion. Each container that it passes adds where it was, so
// that paths cost nothing while all goes well. The top turns it into the coded error that callers see.
import { DGenError } from '../errors/error.ts';
import { inspect } from './inspect.ts';

const PATH_CHARACTERS_MAX = 200;

export interface RefusalReason {
  readonly code: 'not_encodable' | 'term_too_large';
  readonly expected: string;
  readonly got: string;
  readonly cause?: unknown;
}

export class Refusal {
  readonly reason: RefusalReason;
  /** Innermost first. */
  readonly path: string[] = [];

  constructor(reason: RefusalReason) {
    this.reason = reason;
  }
}

export function notEncodable(expected: string, got: string, cause?: unknown): Refusal {
  return new Refusal({ code: 'not_encodable', expected, got, cause });
}

export function tooLarge(expected: string, got: string): Refusal {
  return new Refusal({ code: 'term_too_large', expected, got });
}

/** Whatever was thrown below, to be thrown on: a refusal that knows one more step of the way, or a finished error. */
export function within(thrown: unknown, step: string): Refusal | DGenError {
  if (isFinished(thrown)) return thrown;
  const refusal = asRefusal(thrown);
  refusal.path.push(step);
  return refusal;
}

function asRefusal(thrown: unknown): Refusal {
  if (thrown instanceof Refusal) return thrown;
  const got = `a throw: ${inspect(thrown, { charactersMax: 100 })}`;
  return notEncodable('a value that can be read', got, thrown);
}

function isFinished(thrown: unknown): thrown is DGenError {
  return thrown instanceof DGenError && (thrown.code === 'term_too_large' || thrown.code === 'not_encodable');
}

export function indexStep(index: number): string {
  return `[${index}]`;
}

const IDENTIFIER = /^[A-Za-z_$][\w$]{0,60}$/;

export function keyStep(key: unknown): string {
  if (typeof key === 'string' && IDENTIFIER.test(key)) return `.${key}`;
  return `[${inspect(key, { charactersMax: 60 })}]`;
}

/** The coded error for the caller; `details.path` is the way to the offending element, '' for the term itself. */
export function refusalError(thrown: unknown): DGenError {
  if (isFinished(thrown)) return thrown;
  const refusal = asRefusal(thrown);
  const { code, expected, got, cause } = refusal.reason;
  const path = pathText(refusal.path);
  const what = path === '' ? 'the term' : `at ${path}`;
  return new DGenError(code, what, { expected, got, details: { path }, cause });
}

function pathText(steps: readonly string[]): string {
  let text = '';
  for (let index = steps.length - 1; index >= 0 && text.length <= PATH_CHARACTERS_MAX; index--) {
    text += steps[index];
  }
  if (text.startsWith('.')) text = text.slice(1);
  return text.length > PATH_CHARACTERS_MAX ? `${text.slice(0, PATH_CHARACTERS_MAX)}...` : text;
}
