// What a runtime holds, in numbers: for those who look whether anything is left behind. A walk over everything.
import type { RuntimeParts } from './parts.ts';

export interface Holdings {
  readonly processes: number;
  /** In all mailboxes. */
  readonly messages: number;
  /** Taken from a mailbox and not answered yet. */
  readonly openRequests: number;
  /** Calls from here that wait for an answer. */
  readonly calls: number;
  /** Waits with a deadline: calls, `sendAfter`, ends of processes. */
  readonly deadlines: number;
  /** Monitors of processes of other nodes. */
  readonly remoteMonitors: number;
  readonly remoteLinks: number;
  /** What other nodes monitor here. */
  readonly remoteWatchers: number;
  /** Calls and answers that wait for room in a link. */
  readonly waitingForRoom: number;
}

export function countHoldings({ table, calls, deadlines, monitors, peers }: RuntimeParts): Holdings {
  const records = table.list();
  const sum = <T>(list: readonly T[], of: (one: T) => number): number =>
    list.reduce((total, one) => total + of(one), 0);
  const known = peers.list();
  return {
    processes: records.length,
    messages: sum(records, (record) => record.mailbox.size),
    openRequests:
      sum(records, (record) => record.openRequests?.size ?? 0) + sum(known, (peer) => peer.openRequests.size),
    calls: calls.pending,
    deadlines: deadlines.size,
    remoteMonitors: monitors.remoteCount,
    remoteLinks: sum(known, (peer) => peer.links.size),
    remoteWatchers: sum(known, (peer) => peer.watchers.size),
    waitingForRoom: sum(known, (peer) => peer.outbox.size),
  };
}
