// The targets of the conformance suite: one server serves all cases of a file, each under a prefix of its own. The client
// that the suite disturbs, and the one whose notifications it loses, know one member, each through a proxy; the others know
// all of them.
import type { ConformanceTarget } from '../../src/storage/conformance/index.ts';
import { openEtcd } from '../../src/storage/etcd/index.ts';
import type { EtcdServer } from '../support/etcd-server.ts';
import { tcpTarget } from '../support/tcp-link.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

let cases = 0;

/** Of a connection to the first client, once its notifications are to be lost. */
const hearingMs = 100;

/** From now on each connection goes deaf a moment after it was first used: it takes commands, and nothing comes back. */
function deafen(proxy: TcpProxy): void {
  const known = new Set<object>();
  for (const connection of proxy.connections) connection.pipe('down').swallow();
  proxy.onTurn((connection) => {
    if (known.has(connection)) return;
    known.add(connection);
    proxy.after(hearingMs, () => connection.pipe('down').swallow());
  });
}

export async function etcdTarget(server: EtcdServer): Promise<ConformanceTarget> {
  const first = await TcpProxy.start({ port: server.port });
  let clients = 0;
  const prefix = `case/${++cases}`;
  const all = server.members;
  const endpointsOf = (port: number): readonly string[] =>
    port === server.port ? server.endpoints : [`127.0.0.1:${port}`];
  const connect = (port: number) => {
    // The first client has a way of its own, to the first member, which can be made deaf.
    const endpoints = clients++ === 0 ? [`127.0.0.1:${first.port}`] : endpointsOf(port);
    return openEtcd({ endpoints, prefix, endpointTimeoutMs: 1_000 });
  };
  return tcpTarget({
    port: server.port,
    connect,
    dropNotifications: async () => deafen(first),
    cleanUp: () => first.close(),
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
