// etcd runs the same cases as the reference, once with one member and once with three. One server serves all cases of a file,
// each under a prefix of its own.
import { after, before, describe, test } from 'node:test';
import { nodeHost } from '../../src/host/index.ts';
import { type ConformanceTarget, conformance } from '../../src/storage/conformance/index.ts';
import { openEtcd } from '../../src/storage/etcd/index.ts';
import { EtcdServer } from '../support/etcd-server.ts';
import { tcpTarget } from '../support/tcp-link.ts';

const host = nodeHost();
let server: EtcdServer;
let cases = 0;

async function create(): Promise<ConformanceTarget> {
  const prefix = `case/${++cases}`;
  const [member] = server.members;
  return tcpTarget({
    port: server.port,
    connect: (port) => openEtcd({ endpoints: [`127.0.0.1:${port}`], prefix, endpointTimeoutMs: 1_000 }),
    restart: async () => {
      await member?.kill();
      await member?.up();
    },
    pauseServer: () => member?.pause(),
    resumeServer: () => member?.resume(),
    compact: () => server.compact(),
  });
}

const lacks = { dropNotifications: 'events of the watch are not hints: a lost one is a broken connection' };

describe('etcd', () => {
  before(async () => {
    server = await EtcdServer.start();
  });
  after(() => server.dispose());
  for (const { name, skip, run } of conformance({ host, create, lacks })) {
    test(name, { skip: skip ?? false, timeout: 60_000 }, run);
  }
});
