// The one table of error codes. A code is part of the public contract: it is added, never renamed.
// `retryable`: the same request may succeed later, unchanged. `maybeExecuted`: the effect may have happened, or still happen.
// A throw site may narrow the two flags, never widen them.

export interface CodeInfo {
  readonly retryable: boolean;
  readonly maybeExecuted: boolean;
  readonly meaning: string;
}

const info = (meaning: string, flags: { retryable?: true; maybeExecuted?: true } = {}): CodeInfo => ({
  meaning,
  retryable: flags.retryable ?? false,
  maybeExecuted: flags.maybeExecuted ?? false,
});

export const codes = {
  // Caller's mistakes
  badarg: info('an argument has the wrong type or value'),
  bad_option: info('an option is unknown, missing, or out of its range'),
  closed: info('the node, registry or store was closed'),
  aborted: info('the caller aborted the wait', { maybeExecuted: true }),
  timeout: info('no answer within the deadline', { retryable: true, maybeExecuted: true }),

  // Terms
  not_encodable: info('the value has no external term form for this peer'),
  bad_term: info('the bytes are not a valid external term'),
  term_too_large: info('the term is larger, deeper or longer than the limit'),

  // Processes
  noproc: info('no such process'),
  noconnection: info('the node of the process is not connected', { retryable: true, maybeExecuted: true }),
  name_taken: info('the local name is registered to another process'),
  not_registered: info('the name is not registered'),
  process_exit: info('the process exited before it answered', { maybeExecuted: true }),
  system_limit: info('a limit of the runtime is reached', { retryable: true }),
  mailbox_full: info('the mailbox of the process is at its limit', { retryable: true }),

  // OTP
  bad_return: info('a callback returned something that its contract does not allow'),
  unknown_request: info('the server does not know the request'),
  already_started: info('the name belongs to a running process'),
  start_failed: info('the process ended before its start was complete'),

  // Distribution
  bad_cookie: info('the peer does not know the cookie'),
  bad_peer: info('the peer breaks the distribution protocol'),
  frame_too_large: info('a frame is larger than the limit'),
  name_clash: info('a node of that name is alive elsewhere'),
  unknown_node: info('the node has no known address'),
  connect_failed: info('no connection to the node could be made', { retryable: true }),
  send_buffer_full: info('the bytes waiting for the peer are at their limit', { retryable: true }),
  insecure_listen: info('refusing to listen beyond loopback without a cookie or mutual TLS'),

  // Storage
  store_conflict: info('another commit changed what was read', { retryable: true }),
  store_too_old: info('the snapshot is gone', { retryable: true }),
  store_unavailable: info('the store cannot be reached, nothing was applied', { retryable: true }),
  store_commit_unknown: info('the commit may have been applied, or may be later', { maybeExecuted: true }),
  store_too_large: info('a key, value or transaction is beyond the limits'),
  store_invalid: info('the transaction is malformed'),
  store_fatal: info('the store cannot be used: authentication, corruption, permissions'),
  store_not_ours: info('the store holds something else'),
  store_format: info('the store was written by a newer format'),
  store_version: info('the SQLite library has a known corruption defect'),
  store_in_use: info('the store is open in this process already'),

  // Registry
  unknown_registry: info('no such registry on this node'),
  duplicate_registry: info('a registry of that name runs on this node'),
  bad_name: info('the value cannot be a name'),
  unavailable: info('nobody may decide now; nothing was done', { retryable: true }),
  unknown_outcome: info('the decision was asked for and its answer was lost', { retryable: true, maybeExecuted: true }),
  overloaded: info('too many requests are waiting', { retryable: true }),
  fenced: info('the member lost its session and gave up its names', { retryable: true, maybeExecuted: true }),
  draining: info('the member is leaving and takes no new names', { retryable: true }),
  not_local: info('the process is on a node that this member cannot reach', { retryable: true }),
} as const satisfies Record<string, CodeInfo>;

export type ErrorCode = keyof typeof codes;
