// What a test can order from a node in another process, and what comes back: plain data, for it travels as JSON.
import type { RegistryOptions } from '../../../src/index.ts';
import type { ChurnOrder } from './churn.ts';

export type Order =
  | {
      readonly do: 'start';
      readonly name: string;
      readonly store: string;
      readonly options: RegistryOptions;
      readonly port?: number;
    }
  /** Registers a fresh process under each name, all at once, or so many at a time; the processes act until they end. */
  | {
      readonly do: 'register';
      readonly names: readonly string[];
      readonly inFlight?: number;
      readonly timeoutMs?: number;
    }
  /** Registers one fresh process under the first of `prefix0`, `prefix1` and so on that is granted in a later epoch. */
  | { readonly do: 'awaitGrant'; readonly prefix: string; readonly afterEpoch: number }
  /** Tries to register the name again and again, until it is granted. */
  | { readonly do: 'seize'; readonly name: string; readonly timeoutMs: number }
  | { readonly do: 'lookup'; readonly names: readonly string[] }
  | { readonly do: 'consistent'; readonly names: readonly string[]; readonly timeoutMs?: number }
  | { readonly do: 'names' }
  | { readonly do: 'unregister'; readonly names: readonly string[] }
  /** Calls each name; the holder answers with the name of its node. */
  | { readonly do: 'call'; readonly names: readonly string[] }
  | { readonly do: 'status' }
  | { readonly do: 'owners' }
  | { readonly do: 'acts' }
  /** Begins a workload that is on record, and ends it: the answer is its report. */
  | { readonly do: 'churn'; readonly order: ChurnOrder }
  | { readonly do: 'endChurn' }
  | { readonly do: 'killMember' }
  | { readonly do: 'killElector' }
  | { readonly do: 'forgetHistory' }
  | { readonly do: 'close' }
  /** Closes everything and lets go of the channel too: from here on the process has to end by itself. */
  | { readonly do: 'leave' };

/** What came of a registration, a read or a call. */
export type Outcome =
  | { readonly status: 'registered'; readonly pid: string; readonly token: string }
  | { readonly status: 'taken'; readonly pid: string }
  | { readonly status: 'answer'; readonly value: string | null }
  | { readonly status: 'failed'; readonly code: string; readonly message: string };

/** One process that was granted a name, as its own node knows it. Moments are milliseconds of the machine's monotonic clock. */
export interface Owner {
  readonly name: string;
  readonly pid: string;
  readonly token: string;
  readonly grantedAt: number;
  readonly endedAt: number | null;
  readonly reason: string | null;
}

/** A sign of life of an owner: what an outside system would have seen. */
export interface Act {
  readonly name: string;
  readonly token: string;
  readonly at: number;
}

export interface Status {
  readonly phase: string;
  readonly member: string;
  readonly epoch: number;
  readonly leader: string | null;
  readonly serving: boolean;
  readonly storeOutageMsLeft?: number | undefined;
  readonly established: boolean;
  readonly names: number;
  readonly namesHosted: number;
  readonly members: readonly string[];
}

/** Milliseconds of the monotonic clock that all processes of a machine share. */
export function nowMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

/** Negative, zero or positive, as token `a` was given before, with or after `b`. */
export function compareTokenTexts(a: string, b: string): number {
  const [epochA = 0, nA = 0] = a.split('.').map(Number);
  const [epochB = 0, nB = 0] = b.split('.').map(Number);
  return epochA === epochB ? nA - nB : epochA - epochB;
}
