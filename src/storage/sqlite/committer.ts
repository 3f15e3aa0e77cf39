// The only writer of the process. Commits that wait are put into one write transaction, and so into one flush of the
// disk; the change log judges each for itself. It runs in a thread of its own (`commit-worker.ts`), since a flush may take
// long. A commit that was not taken yet can be withdrawn at any time; from then on until the end of COMMIT it is on its way.
import type { Timers } from '../../host/ports.ts';
import type { Commit, CommitResult } from '../port.ts';
import type { CommitApplier } from './apply.ts';
import type { SqliteConnection } from './driver.ts';
import { commitError, isBusy, storeError } from './errors.ts';
import { afterPause } from './retry.ts';
import { rollback } from './schema.ts';

/** Commits in one transaction: what other processes wait for at once. */
const batchMax = 64;
/** Bytes of values in one transaction; a single commit may be as large as this. */
const batchBytesMax = 1_048_576;
const commitsPerSweep = 256;

export interface CommitterOptions {
  readonly connection: SqliteConnection;
  readonly applier: CommitApplier;
  readonly timers: Timers;
  /** Throws when the file must not be written any more. */
  readonly checkFile: () => void;
  /** After each transaction that has changed something, before anybody is told. */
  readonly committed: () => void;
}

/** A commit that somebody waits for. */
export interface PendingCommit {
  readonly commit: Commit;
  /** The version that it was decided on. */
  readonly snapshot: number | undefined;
  /** Whether whoever waited has given up. */
  isWithdrawn(): boolean;
  /** Right before it is applied: false if it was withdrawn; after true it cannot be withdrawn any more. */
  take(): boolean;
  /** Exactly one of these is called, unless it was withdrawn. */
  resolve(result: CommitResult): void;
  reject(error: unknown): void;
}

type Judged = { readonly result: CommitResult } | { readonly error: unknown };

export class Committer {
  readonly #options: CommitterOptions;
  #waiting: PendingCommit[] = [];
  #scheduled = false;
  #commitsUntilSweep = 0;

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  submit(pending: PendingCommit): void {
    this.#waiting.push(pending);
    this.#schedule();
  }

  #flush(): void {
    this.#scheduled = false;
    this.#waiting = this.#waiting.filter((pending) => !pending.isWithdrawn());
    if (this.#waiting.length === 0) return;
    const { connection, checkFile, timers } = this.#options;
    let refusal: unknown;
    try {
      checkFile();
      connection.exec('BEGIN IMMEDIATE');
    } catch (error) {
      refusal = error;
    }
    if (isBusy(refusal)) {
      this.#scheduled = true;
      afterPause(timers, () => this.#flush());
      return;
    }
    if (refusal === undefined) this.#commitBatch(this.#takeBatch());
    else settle(this.#takeBatch(), storeError(refusal));
    if (this.#waiting.length > 0) this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#options.timers.defer(() => this.#flush());
  }

  #takeBatch(): readonly PendingCommit[] {
    let count = 0;
    for (let bytes = 0; count < Math.min(batchMax, this.#waiting.length); count++) {
      bytes += sizeOf((this.#waiting[count] as PendingCommit).commit);
      if (count > 0 && bytes > batchBytesMax) break;
    }
    return this.#waiting.splice(0, count).filter((pending) => pending.take());
  }

  #commitBatch(batch: readonly PendingCommit[]): void {
    const { connection, applier, committed } = this.#options;
    let judged: readonly Judged[];
    let changed = false;
    try {
      applier.start();
      judged = batch.map((pending) => this.#judge(pending));
      changed = judged.some((one) => 'result' in one && one.result.applied === 'now');
      if (changed) this.#sweepSometimes(batch.length);
    } catch (error) {
      rollback(connection);
      settle(batch, storeError(error));
      return;
    }
    try {
      connection.exec(changed ? 'COMMIT' : 'ROLLBACK');
    } catch (error) {
      rollback(connection);
      settle(batch, commitError(error));
      return;
    }
    if (changed) committed();
    for (const [index, pending] of batch.entries()) deliver(pending, judged[index] as Judged);
  }

  /** Refusals belong to one commit, errors of SQLite to the whole batch. */
  #judge({ commit, snapshot }: PendingCommit): Judged {
    try {
      return { result: this.#options.applier.apply(commit, snapshot) };
    } catch (error) {
      if (storeError(error) !== error) throw error;
      return { error };
    }
  }

  #sweepSometimes(commits: number): void {
    this.#commitsUntilSweep -= commits;
    if (this.#commitsUntilSweep > 0) return;
    this.#commitsUntilSweep = commitsPerSweep;
    this.#options.applier.sweep();
  }
}

function deliver(pending: PendingCommit, judged: Judged): void {
  if ('result' in judged) pending.resolve(judged.result);
  else pending.reject(judged.error);
}

function settle(batch: readonly PendingCommit[], error: unknown): void {
  for (const { reject } of batch) reject(error);
}

function sizeOf({ writes }: Commit): number {
  return writes.reduce((sum, write) => sum + ('value' in write ? write.value.length : 0), 0);
}
