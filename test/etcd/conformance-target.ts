// The targets of the conformance suite: one server serves all cases of a file, each under a prefix of its own. The client
// that the suite disturbs knows one member, through the proxy; the others know all of them.
import type { ConformanceTarget } from '../../src/storage/conformance/index.ts';
import { openEtcd } from '../../src/storage/etcd/index.ts';
import type { EtcdServer } from '../support/etcd-server.ts';
import { tcpTarget } from '../support/tcp-link.ts';

let cases = 0;

export function etcdTarget(server: EtcdServer): Promise<ConformanceTarget> {
  const prefix = `case/${++cases}`;
  const all = server.members;
  const endpointsOf = (port: number): readonly string[] =>
    port === server.port ? server.endpoints : [`127.0.0.1:${port}`];
  return tcpTarget({
    port: server.port,
    connect: (port) => openEtcd({ endpoints: endpointsOf(port), prefix, endpointTimeoutMs: 1_000 }),
    restart: async () => {
      await Promise.all(all.map((member) => member.kill()));
      await Promise.all(all.map((member) => member.up()));
    },
    pauseServer: () => {
      for (const member of all) member.pause();
    },
    resumeServer: () => {
      for (const member of all) member.resume();
    },
    compact: () => server.compact(),
  });
}

export const lacks = {
  dropNotifications: 'events of the watch are not hints: a lost one is a broken connection',
};
