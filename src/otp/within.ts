// The limit of one call, as a value among its arguments: a class of its own, so that no argument is mistaken for it.
import type { WaitOptions } from '../process/types.ts';

/** How long a call may take: made by `within`, passed after the arguments of the request. */
export class Within {
  readonly options: WaitOptions;

  /** @internal Use `within`. */
  constructor(options: WaitOptions) {
    this.options = options;
  }
}

/** A limit for one call: milliseconds (default without a limit: 5000; `Infinity` waits for ever), an `AbortSignal`, or both. */
export function within(limit: number | WaitOptions): Within {
  return new Within(typeof limit === 'number' ? { timeoutMs: limit } : limit);
}
