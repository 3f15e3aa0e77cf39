// Runs the seeds that the main thread sends, one batch after the other, and answers with what came of each.
import { parentPort } from 'node:worker_threads';
import { type Batch, runBatch } from './batch.ts';

parentPort?.on('message', (batch: Batch) => {
  parentPort?.postMessage(runBatch(batch));
});
