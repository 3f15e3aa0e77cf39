// How a start fails, each case in one place.
import { DGenError } from '../errors/error.ts';
import type { Pid } from '../term/pid.ts';
import { describeTerm } from './requests.ts';

/** `details.pid` is the holder of the name, where it is known. */
export function alreadyStarted(label: string, holder: Pid | undefined, cause?: unknown): DGenError {
  return new DGenError('already_started', `${label}: the name belongs to ${holder ?? 'another process'}`, {
    details: holder === undefined ? {} : { pid: holder },
    cause,
  });
}

/** The process ended before `init` was done. `details.reason` is its exit reason, and the cause when that is an error. */
export function startFailed(label: string, reason: unknown): DGenError {
  const error = reason instanceof Error ? { cause: reason } : {};
  return new DGenError('start_failed', `${label} ended with ${describeTerm(reason)}`, {
    details: { reason },
    ...error,
  });
}

export function startTimeout(label: string, timeoutMs: number): DGenError {
  return new DGenError('timeout', `${label} did not start within ${timeoutMs} ms and was ended`, {
    details: { timeoutMs },
  });
}

export function startAborted(label: string, cause: unknown): DGenError {
  return new DGenError('aborted', `the start of ${label} was aborted and the process ended`, { cause });
}
