// Seeds on several threads. Which thread runs a seed changes nothing: each is a run of its own.
import { Worker } from 'node:worker_threads';
import { type Batch, type Outcome, runBatch } from './batch.ts';

const seedsPerBatch = 20;

export interface PoolOrder {
  readonly first: number;
  readonly seeds: number;
  readonly workers: number;
  readonly histories: boolean;
  /** Told of each outcome; false: no further batch is begun. */
  readonly take: (outcome: Outcome) => boolean;
}

/** Resolves when all seeds have run, or nobody wants more. Rejects when a worker fails. */
export async function runSeeds(order: PoolOrder): Promise<void> {
  const batches = batchesOf(order);
  const state = { wanted: true };
  const take = (outcomes: readonly Outcome[]): void => {
    for (const outcome of outcomes) if (state.wanted && !order.take(outcome)) state.wanted = false;
  };
  const next = (): Batch | null => (state.wanted ? (batches.next().value ?? null) : null);
  if (order.workers <= 1) {
    for (let batch = next(); batch !== null; batch = next()) take(runBatch(batch));
    return;
  }
  await Promise.all(Array.from({ length: order.workers }, () => work(next, take)));
}

function* batchesOf({ first, seeds, workers, histories }: PoolOrder): Generator<Batch, undefined> {
  const size = Math.max(1, Math.min(seedsPerBatch, Math.ceil(seeds / workers)));
  for (let done = 0; done < seeds; done += size)
    yield { first: first + done, seeds: Math.min(size, seeds - done), histories };
}

function work(next: () => Batch | null, take: (outcomes: readonly Outcome[]) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./worker.ts', import.meta.url));
    const proceed = (): void => {
      const batch = next();
      if (batch === null) void worker.terminate().then(() => resolve(), reject);
      else worker.postMessage(batch);
    };
    worker.on('error', reject);
    worker.on('message', (outcomes: Outcome[]) => {
      take(outcomes);
      proceed();
    });
    proceed();
  });
}
