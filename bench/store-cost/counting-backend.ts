// A backend that counts what is asked of the one behind it, kind by kind, and changes nothing. Several clients of one store
// may share their counts, so that they are those of a cluster.
import type { Backend, Commit, StoreTransaction, Watch } from '../../src/storage/index.ts';

/** What a store was asked, since the counts began. Bytes are those of keys and values. */
export interface Counts {
  begins: number;
  gets: number;
  getRanges: number;
  /** Of gets and getRanges. */
  bytesRead: number;
  /** With writes, or with an idempotency id, that were applied. */
  commits: number;
  /** Of nothing: only the reads are judged. */
  emptyCommits: number;
  /** Rejected, for whatever reason. */
  failedCommits: number;
  /** Of applied commits. */
  bytesWritten: number;
  watchesArmed: number;
  /** Of watches that fired, and were not cancelled. */
  watchFires: number;
}

export const countNames: readonly (keyof Counts)[] = [
  'begins',
  'gets',
  'getRanges',
  'bytesRead',
  'commits',
  'emptyCommits',
  'failedCommits',
  'bytesWritten',
  'watchesArmed',
  'watchFires',
];

export function noCounts(): Counts {
  return Object.fromEntries(countNames.map((name) => [name, 0])) as unknown as Counts;
}

/** What was added between two readings. */
export function countsBetween(before: Counts, after: Counts): Counts {
  return Object.fromEntries(
    countNames.map((name) => [name, after[name] - before[name]]),
  ) as unknown as Counts;
}

/** What a store has to answer: reads, commits and new watches. To begin a transaction costs nothing of its own. */
export function operationsOf(counts: Counts): number {
  const { gets, getRanges, commits, emptyCommits, failedCommits, watchesArmed } = counts;
  return gets + getRanges + commits + emptyCommits + failedCommits + watchesArmed;
}

/** Counts into `counts` what is asked of `inner`. */
export function countingBackend(inner: Backend, counts: Counts): Backend {
  return {
    description: inner.description,
    async begin(options) {
      counts.begins++;
      return countingTransaction(await inner.begin(options), counts);
    },
    watch: (range) => countingWatch(inner.watch(range), counts),
    close: () => inner.close(),
  };
}

function countingTransaction(inner: StoreTransaction, counts: Counts): StoreTransaction {
  return {
    async get(key) {
      counts.gets++;
      const value = await inner.get(key);
      counts.bytesRead += key.length + (value?.length ?? 0);
      return value;
    },
    async getRange(range, options) {
      counts.getRanges++;
      const page = await inner.getRange(range, options);
      for (const [key, value] of page.items) counts.bytesRead += key.length + value.length;
      return page;
    },
    async commit(commit) {
      try {
        const result = await inner.commit(commit);
        noteCommit(commit, counts);
        return result;
      } catch (error) {
        counts.failedCommits++;
        throw error;
      }
    },
    close: () => inner.close(),
  };
}

function noteCommit(commit: Commit, counts: Counts): void {
  if (commit.writes.length === 0 && commit.id === undefined) {
    counts.emptyCommits++;
    return;
  }
  counts.commits++;
  counts.bytesWritten += commit.id?.length ?? 0;
  for (const write of commit.writes) {
    if (write.type === 'clearRange') counts.bytesWritten += write.begin.length + write.end.length;
    else counts.bytesWritten += write.key.length + (write.type === 'clear' ? 0 : write.value.length);
  }
}

function countingWatch(inner: Watch, counts: Counts): Watch {
  counts.watchesArmed++;
  let cancelled = false;
  const changed = inner.changed.then(() => {
    if (!cancelled) counts.watchFires++;
  });
  return {
    changed,
    cancel() {
      cancelled = true;
      inner.cancel();
    },
  };
}
