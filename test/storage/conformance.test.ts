// The memory backend is the reference: it runs the cases that every backend runs; see src/storage/conformance.
import { nodeHost } from '../../src/host/index.ts';
import type { ConformanceTarget } from '../../src/storage/conformance/index.ts';
import { MemoryDatabase } from '../../src/storage/index.ts';
import { conformanceTests } from '../support/conformance-tests.ts';
import { forgetHistory } from '../support/memory-history.ts';

const host = nodeHost();

async function create(): Promise<ConformanceTarget> {
  const database = new MemoryDatabase(host);
  const [backend, other] = [database.connect(), database.connect()];
  return {
    backend,
    other,
    connect: async () => database.connect(),
    compact: () => forgetHistory(database),
    async dispose() {
      await backend.close();
      await other.close();
    },
  };
}

const lacks = {
  link: 'no network lies between the database and its clients; the wire store of the integration tests has one',
  restart: 'its content ends with the process',
  pause: 'it has no process of its own',
  dropNotifications: 'a watch is called by the commit itself',
};

conformanceTests({ host, create, lacks, prefix: 'memory: ', timeoutMs: 30_000 });
