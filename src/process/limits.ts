// Everything that could grow has a limit; what happens at it is said at each.
import { DGenError } from '../errors/error.ts';

export interface RuntimeLimits {
  /** Living processes; default 1,048,576. At the limit `spawn` throws `system_limit`. */
  readonly processesMax: number;
  /** Messages that may wait in a mailbox that sets no limit of its own; default 1,000,000. See `SpawnOptions.mailboxMessagesMax`. */
  readonly mailboxMessagesMax: number;
  /** Calls that wait for an answer; default 1,048,576. At the limit a call rejects with `system_limit`. */
  readonly pendingCallsMax: number;
  /** Timers of `sendAfter` that have not fired; default 1,048,576. At the limit `sendAfter` throws `system_limit`. */
  readonly timersMax: number;
  /** Answers to one peer that wait for room in its link; default 65,536. Beyond it an answer is dropped and logged. */
  readonly repliesWaitingMax: number;
  /** Milliseconds that `close` gives to the processes that trap exits, all together, before it kills them, each at most half of what is left; default 5000. */
  readonly closeGraceMs: number;
}

export const LIMITS_DEFAULT: RuntimeLimits = {
  processesMax: 1_048_576,
  mailboxMessagesMax: 1_000_000,
  pendingCallsMax: 1_048_576,
  timersMax: 1_048_576,
  repliesWaitingMax: 65_536,
  closeGraceMs: 5000,
};

/** The defaults overlaid with what is given; throws `bad_option` for an unknown limit or a value that is no number above 0. */
export function limitsFrom(given: Partial<RuntimeLimits> = {}): RuntimeLimits {
  for (const [key, value] of Object.entries(given)) {
    if (!Object.hasOwn(LIMITS_DEFAULT, key)) throw new DGenError('bad_option', `unknown limit ${key}`);
    if (typeof value === 'number' && value > 0) continue;
    throw new DGenError('bad_option', `limit ${key}`, { expected: 'a number above 0', got: String(value) });
  }
  return { ...LIMITS_DEFAULT, ...given };
}
