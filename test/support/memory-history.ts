// The memory database forgets by itself, after so many commits.
import type { MemoryDatabase } from '../../src/storage/index.ts';

const commitsToForget = 21_000;

/** Makes it forget all earlier commits: snapshots of before cannot be judged any more. */
export async function forgetHistory(database: MemoryDatabase): Promise<void> {
  const client = database.connect();
  for (let i = 0; i < commitsToForget; i++) {
    const tx = await client.begin({ timeoutMs: 5_000 });
    await tx.commit({ reads: [], writes: [{ type: 'clear', key: Uint8Array.of(0) }] });
  }
  await client.close();
}
