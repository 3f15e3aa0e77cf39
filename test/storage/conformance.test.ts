// The memory backend is the reference: it runs the cases that every backend runs; see src/storage/conformance.
import { test } from 'node:test';
import { nodeHost } from '../../src/host/index.ts';
import { type ConformanceTarget, conformance } from '../../src/storage/conformance/index.ts';
import { MemoryDatabase } from '../../src/storage/index.ts';

const host = nodeHost();

async function create(): Promise<ConformanceTarget> {
  const database = new MemoryDatabase(host);
  const [backend, other] = [database.connect(), database.connect()];
  return {
    backend,
    other,
    async dispose() {
      await backend.close();
      await other.close();
    },
  };
}

for (const { name, skip, run } of conformance({ host, create })) {
  test(`memory: ${name}`, { skip, timeout: 30_000 }, run);
}
