// The one table of error codes. A code is part of the public contract: it is added, never renamed.
// `retryable`: the same request may succeed later, unchanged. `maybeExecuted`: the effect may have happened, or still happen.
// A throw site may narrow the two flags, never widen them.

export interface CodeInfo {
  readonly retryable: boolean;
  readonly maybeExecuted: boolean;
  readonly meaning: string;
}

/** A flag that is not written is false. */
const table = {
  // Caller's mistakes
  badarg: { meaning: 'an argument has the wrong type or value' },
  bad_option: { meaning: 'an option is unknown, missing, or out of its range' },
  closed: { meaning: 'the node, registry or store was closed' },
  aborted: { meaning: 'the caller aborted the wait', maybeExecuted: true },
  timeout: { meaning: 'no answer within the deadline', retryable: true, maybeExecuted: true },

  // Terms
  not_encodable: { meaning: 'the value has no external term form for this peer' },
  bad_term: { meaning: 'the bytes are not a valid external term' },
  term_too_large: { meaning: 'the term is larger, deeper or longer than the limit' },

  // Processes
  noproc: { meaning: 'no such process' },
  noconnection: { meaning: 'the node of the process is not connected', retryable: true, maybeExecuted: true },
  name_taken: { meaning: 'the local name is registered to another process' },
  not_registered: { meaning: 'the name is not registered' },
  process_exit: { meaning: 'the process exited before it answered', maybeExecuted: true },
  system_limit: { meaning: 'a limit of the runtime is reached', retryable: true },
  mailbox_full: { meaning: 'the mailbox of the process is at its limit', retryable: true },

  // OTP
  bad_return: { meaning: 'a callback returned something that its contract does not allow' },
  unknown_request: { meaning: 'the server does not know the request' },
  already_started: { meaning: 'the name belongs to a running process' },
  start_failed: { meaning: 'the process ended before its start was complete' },

  // Distribution
  bad_cookie: { meaning: 'the peer does not know the cookie' },
  bad_peer: { meaning: 'the peer breaks the distribution protocol' },
  frame_too_large: { meaning: 'a frame is larger than the limit' },
  name_clash: { meaning: 'a node of that name is alive elsewhere' },
  unknown_node: { meaning: 'the node has no known address' },
  connect_failed: { meaning: 'no connection to the node could be made', retryable: true },
  send_buffer_full: { meaning: 'the bytes waiting for the peer are at their limit', retryable: true },
  insecure_listen: { meaning: 'refusing to listen beyond loopback without a cookie or mutual TLS' },

  // Storage
  store_conflict: { meaning: 'another commit changed what was read', retryable: true },
  store_too_old: { meaning: 'the snapshot is gone', retryable: true },
  store_unavailable: { meaning: 'the store cannot be reached, nothing was applied', retryable: true },
  store_commit_unknown: { meaning: 'the commit may have been applied, or may be later', maybeExecuted: true },
  store_too_large: { meaning: 'a key, value or transaction is beyond the limits' },
  store_invalid: { meaning: 'the transaction is malformed' },
  store_fatal: { meaning: 'the store cannot be used: authentication, corruption, permissions' },
  store_not_ours: { meaning: 'the store holds something else' },
  store_format: { meaning: 'the store was written by a newer format' },
  store_moved: { meaning: 'the store was moved: another one is in use in its place' },
  store_unfinished: { meaning: 'the store is the target of a move that is not complete' },
  store_not_empty: { meaning: 'the target of a move holds keys already' },
  store_version: { meaning: 'the SQLite library has a known corruption defect' },
  store_in_use: { meaning: 'the store is open in this process already' },

  // Registry
  unknown_registry: { meaning: 'no such registry on this node' },
  duplicate_registry: { meaning: 'a registry of that name runs on this node' },
  registry_in_use: { meaning: 'members of the registry may still run', retryable: true },
  bad_name: { meaning: 'the value cannot be a name' },
  unavailable: { meaning: 'nobody may decide now; nothing was done', retryable: true },
  unknown_outcome: {
    meaning: 'the decision was asked for and its answer was lost',
    retryable: true,
    maybeExecuted: true,
  },
  overloaded: { meaning: 'too many requests are waiting', retryable: true },
  fenced: {
    meaning: 'the member lost its session and gave up its names',
    retryable: true,
    maybeExecuted: true,
  },
  draining: { meaning: 'the member is leaving and takes no new names', retryable: true },
  not_local: { meaning: 'the process is on a node that this member cannot reach', retryable: true },
} as const;

export type ErrorCode = keyof typeof table;

export const codes: Readonly<Record<ErrorCode, CodeInfo>> = Object.fromEntries(
  Object.entries(table).map(([code, row]) => [code, { retryable: false, maybeExecuted: false, ...row }]),
) as Record<ErrorCode, CodeInfo>;
