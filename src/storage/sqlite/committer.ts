// The only writer of the process. Commits that wait are put into one write transaction, and so into one flush of the
// disk; the change log judges each for itself. From BEGIN IMMEDIATE to COMMIT nothing else runs, so a deadline or an abort
// finds a commit either not begun or done: an outcome is unknown only when COMMIT itself fails in an unclear way.
import type { Timers } from '../../host/ports.ts';
import type { Lifetime } from '../lifetime.ts';
import type { Commit, CommitResult } from '../port.ts';
import type { CommitApplier } from './apply.ts';
import type { SqliteConnection } from './driver.ts';
import { commitError, isBusy, storeError } from './errors.ts';
import { afterPause } from './retry.ts';
import { rollback } from './schema.ts';

/** Commits in one transaction: what the event loop waits for at once. */
const batchMax = 64;
const commitsPerSweep = 256;

export interface CommitterOptions {
  readonly connection: SqliteConnection;
  readonly applier: CommitApplier;
  readonly timers: Timers;
  /** Throws when the file must not be written any more. */
  readonly checkFile: () => void;
  /** After each transaction that has changed something. */
  readonly committed: () => void;
}

interface Waiting {
  readonly commit: Commit;
  readonly snapshot: number | undefined;
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: unknown) => void;
  /** Stops listening for the end of the lifetime. */
  readonly stop: () => void;
}

type Judged = { readonly result: CommitResult } | { readonly error: unknown };

export class Committer {
  readonly #options: CommitterOptions;
  #waiting: Waiting[] = [];
  #scheduled = false;
  #commitsUntilSweep = 0;

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  /** Rejects with the lifetime's reason if that ends first; nothing is applied then. `commit` must not change any more. */
  submit(commit: Commit, snapshot: number | undefined, lifetime: Lifetime): Promise<CommitResult> {
    lifetime.check();
    return new Promise<CommitResult>((resolve, reject) => {
      const stop = lifetime.whenEnded((reason) => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        reject(reason);
      });
      const waiting: Waiting = { commit, snapshot, resolve, reject, stop };
      this.#waiting.push(waiting);
      this.#schedule();
    });
  }

  #flush(): void {
    this.#scheduled = false;
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

  #takeBatch(): readonly Waiting[] {
    const batch = this.#waiting.splice(0, batchMax);
    for (const { stop } of batch) stop();
    return batch;
  }

  #commitBatch(batch: readonly Waiting[]): void {
    const { connection, applier, committed } = this.#options;
    let judged: readonly Judged[];
    let changed = false;
    try {
      applier.start();
      judged = batch.map((waiting) => this.#judge(waiting));
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
    for (const [index, waiting] of batch.entries()) deliver(waiting, judged[index] as Judged);
    if (changed) committed();
  }

  /** Refusals belong to one commit, errors of SQLite to the whole batch. */
  #judge({ commit, snapshot }: Waiting): Judged {
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

function deliver(waiting: Waiting, judged: Judged): void {
  if ('result' in judged) waiting.resolve(judged.result);
  else waiting.reject(judged.error);
}

function settle(batch: readonly Waiting[], error: unknown): void {
  for (const { reject } of batch) reject(error);
}
