// What the process that runs the demo and the processes of the cluster say to each other, over Node's own channel
// between parent and child: it is no part of the cluster.

/** Everything that a cluster process is told, as its one argument. */
export interface WorkerPlan {
  readonly node: string;
  readonly store: string;
  readonly tenant: string;
  readonly witness: string;
  readonly names: readonly string[];
  /** How long a node takes to call all names once. */
  readonly tourMs: number;
  readonly leaseMs: number;
  readonly sessionMs: number;
}

export type Command =
  /** Start a server for each of these names. Answered by `owned`. */
  | { readonly type: 'own'; readonly names: readonly string[] }
  /** Call all names, over and over, until told otherwise. */
  | { readonly type: 'callAll'; readonly run: boolean }
  /** Answered by `round` when every name has answered a call that was begun after this. */
  | { readonly type: 'round'; readonly id: number }
  /** Start a server for a name that was never there, at once. */
  | { readonly type: 'fresh'; readonly name: string }
  /** Leave in good order. */
  | { readonly type: 'close' };

/** Counted since the process started. */
export interface Tally {
  /** Calls that came to an end. */
  calls: number;
  /** Of these: answered by the first attempt. */
  atOnce: number;
  /** Answered by a later attempt. */
  retried: number;
  /** Not answered within the deadline. */
  failed: number;
  /** Servers started for names that nobody had. */
  started: number;
  /** Such starts that came second. */
  lateStarts: number;
  /** Answers with an older token than an answer before. */
  tokensBack: number;
}

/** An attempt that failed. */
export interface Failure {
  readonly name: string;
  /** The node that the name was on, as far as the caller knew. */
  readonly host: string | undefined;
  readonly code: string;
  readonly fromUs: number;
  readonly toUs: number;
}

export type Report =
  | { readonly type: 'ready'; readonly startMs: number }
  | { readonly type: 'owned' }
  | { readonly type: 'leader'; readonly leader: string | undefined; readonly atUs: number }
  | { readonly type: 'phase'; readonly phase: string; readonly atUs: number }
  | { readonly type: 'tally'; readonly tally: Tally; readonly failures: readonly Failure[] }
  | { readonly type: 'round'; readonly id: number; readonly atUs: number }
  | { readonly type: 'fenced'; readonly atUs: number }
  | { readonly type: 'alarm'; readonly what: string };

/** `n1` for `n1@127.0.0.1`. */
export const shortName = (node: string): string => node.replace(/@.*$/, '');
