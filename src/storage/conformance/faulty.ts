// A client whose commits go wrong on purpose, around any backend: what a network does to a request or its reply. It shows
// how the backend's markers and the shared layer settle an unknown outcome.
import { DGenError } from '../../errors/error.ts';
import type { Backend, Commit, CommitResult, StoreTransaction } from '../port.ts';

/**
 * What happens to one commit.
 * - `reply_lost`: it is applied, or refused, and nobody hears of it;
 * - `request_lost`: it never arrives;
 * - `late`: its outcome is unknown at once, and it arrives when `arrive` is called;
 * - `refused`: it is not applied, and that is known: `store_unavailable`.
 */
export type CommitFault =
  | { readonly kind: 'reply_lost' | 'request_lost' | 'refused' }
  | { readonly kind: 'late'; readonly hold: (arrive: () => Promise<CommitResult>) => void };

/** Asked before each commit; undefined lets it pass. */
export type FaultPlan = () => CommitFault | undefined;

export function faultyBackend(inner: Backend, plan: FaultPlan): Backend {
  return {
    description: `faulty ${inner.description}`,
    begin: async (options) => faultyTransaction(await inner.begin(options), plan),
    watch: (range) => inner.watch(range),
    close: () => inner.close(),
  };
}

function faultyTransaction(inner: StoreTransaction, plan: FaultPlan): StoreTransaction {
  let held = false;
  return {
    get: (key) => inner.get(key),
    getRange: (range, options) => inner.getRange(range, options),
    async commit(commit: Commit) {
      const fault = plan();
      if (fault === undefined) return inner.commit(commit);
      if (fault.kind === 'refused') throw new DGenError('store_unavailable', 'planned');
      if (fault.kind === 'reply_lost') await settled(inner.commit(commit));
      if (fault.kind === 'late') {
        held = true;
        fault.hold(() => inner.commit(commit));
      }
      throw new DGenError('store_commit_unknown', 'planned', { got: fault.kind });
    },
    close() {
      if (!held) inner.close();
    },
  };
}

async function settled(commit: Promise<CommitResult>): Promise<void> {
  await commit.then(
    () => undefined,
    () => undefined,
  );
}
