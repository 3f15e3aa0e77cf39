// A target of the conformance suite around the memory database on a wire, with or without a planted defect.
import { nodeHost } from '../../src/host/index.ts';
import type { ConformanceTarget } from '../../src/storage/conformance/index.ts';
import { MemoryDatabase } from '../../src/storage/index.ts';
import { forgetHistory } from './memory-history.ts';
import { tcpTarget } from './tcp-link.ts';
import { WireBackend, type WireDefect } from './wire-backend.ts';
import { WireServer } from './wire-server.ts';

export async function wireTarget(defect?: WireDefect): Promise<ConformanceTarget> {
  const database = new MemoryDatabase(nodeHost());
  const server = await WireServer.start(() => database.connect());
  return tcpTarget({
    port: server.port,
    connect: (port) => WireBackend.open(port, defect),
    recoveryMs: 4_000,
    restart: () => server.restart(),
    pauseServer: () => server.pause(),
    resumeServer: () => server.resume(),
    async compact() {
      await forgetHistory(database);
      server.forget();
    },
    cleanUp: () => server.close(),
  });
}
