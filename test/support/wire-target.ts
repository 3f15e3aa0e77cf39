// A target of the conformance suite around the wire store, with or without a planted defect.
import { nodeHost } from '../../src/host/index.ts';
import type { ConformanceTarget } from '../../src/storage/conformance/index.ts';
import { tcpTarget } from './tcp-link.ts';
import { WireBackend, type WireDefect } from './wire-backend.ts';
import { WireServer } from './wire-server.ts';

export async function wireTarget(defect?: WireDefect): Promise<ConformanceTarget> {
  const server = await WireServer.start(nodeHost());
  return tcpTarget({
    port: server.port,
    connect: (port) => WireBackend.open(port, defect),
    recoveryMs: 4_000,
    restart: () => server.restart(),
    pauseServer: () => server.pause(),
    resumeServer: () => server.resume(),
    compact: () => server.compact(),
    cleanUp: () => server.close(),
  });
}
