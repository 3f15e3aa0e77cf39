// What the test and its node processes say to each other: plain data, for it travels as JSON.
import type { RegistryOptions } from '../../src/index.ts';

/** The one argument of a node process. */
export interface MemberPlan {
  readonly node: string;
  /** Where it listens. */
  readonly address: string;
  readonly store: string;
  readonly cookie: string;
  readonly options: RegistryOptions;
  /** Where its journal goes. */
  readonly folder: string;
  /** The file of the witness. */
  readonly witness: string;
}

export type Order =
  | { readonly do: 'status' }
  /** Registers a process under the name that stays, within the time. */
  | { readonly do: 'keep'; readonly name: string; readonly timeoutMs: number }
  /** Calls each name; the answer is the list of those that did not answer, with the reason. */
  | { readonly do: 'call'; readonly names: readonly string[] }
  | { readonly do: 'release'; readonly name: string }
  | { readonly do: 'work' }
  /** Ends the workload; answered when every call has its answer. */
  | { readonly do: 'rest' }
  | { readonly do: 'close' };

export interface Status {
  readonly phase: string;
  readonly member: string;
  readonly epoch: number;
  readonly leader: string | undefined;
  readonly serving: boolean;
  readonly established: boolean;
  readonly storeOutageMsLeft?: number | undefined;
}

export type Reply =
  | { readonly type: 'ready' }
  | { readonly type: 'done'; readonly id: number; readonly result: unknown }
  | { readonly type: 'failed'; readonly id: number; readonly why: string }
  /** The registry logged an error. */
  | { readonly type: 'alarm'; readonly what: string }
  /** The session lapsed. */
  | { readonly type: 'fenced' };
