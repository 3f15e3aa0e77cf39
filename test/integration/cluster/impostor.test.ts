// The port of a dead node belongs to somebody else now: another program, another node, or a later start of the same one.
// What answers there decides whether death is proven or has to be waited for; either way the names go to one owner only.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { type TestContext, test } from 'node:test';
import {
  Cluster,
  grantsIn,
  leaderOf,
  leaseMs,
  namesOf,
  type RemoteNode,
  sessionMs,
  showExactly,
} from './cluster.ts';
import { nowMs } from './orders.ts';

const names = namesOf('room-', 10);

/** A free port that nothing else is likely to be given meanwhile. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** Something that is no node: it answers whatever it is asked with a line of text, or not at all. */
async function program(t: TestContext, port: number, says: string | undefined): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    if (says !== undefined) socket.end(says);
  });
  t.after(() => server.close());
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** Takes all names, as soon as they are free; returns when the last one was. */
async function seizeAll(node: RemoteNode): Promise<number> {
  const seized = await Promise.all(
    names.map((name) => node.order<{ status: string; at: number }>({ do: 'seize', name, timeoutMs: 10_000 })),
  );
  assert.ok(
    seized.every(({ status }) => status === 'registered'),
    JSON.stringify(seized),
  );
  return Math.max(...seized.map(({ at }) => at));
}

interface Scene {
  readonly cluster: Cluster;
  readonly rest: [RemoteNode, RemoteNode];
  readonly doomed: RemoteNode;
  readonly port: number;
}

async function scene(t: TestContext, options: { leaseMs: number; sessionMs: number }): Promise<Scene> {
  const cluster = new Cluster(t, options);
  const port = await freePort();
  const a = await cluster.start('a');
  const [b, doomed] = await Promise.all([cluster.start('b'), cluster.start('x', { port })]);
  await leaderOf([a, b, doomed]);
  grantsIn(await doomed.register(names));
  await showExactly([a, b, doomed], names);
  return { cluster, rest: [a, b], doomed, port };
}

for (const [what, says] of [
  ['a program that speaks another language', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
  ['a program that says nothing', undefined],
] as const) {
  test(`at the port of a dead node answers ${what}: its names are free, at the latest when its session lapsed`, {
    timeout: 60_000,
  }, async (t) => {
    const { rest, doomed, port } = await scene(t, { leaseMs, sessionMs });
    // Frozen first, so that the program has the port before anybody could see it refused.
    doomed.signal('SIGSTOP');
    const from = await doomed.kill();
    await program(t, port, says);
    const at = await seizeAll(rest[1]);
    t.diagnostic(`free ${(at - from).toFixed(0)} ms after the death, session ${sessionMs}`);
    await showExactly(rest, names);
  });
}

test('at the port of a dead node answers another node: death is proven', { timeout: 60_000 }, async (t) => {
  const { cluster, rest, doomed, port } = await scene(t, { leaseMs: 15_000, sessionMs: 45_000 });
  await doomed.kill();
  const other = await cluster.start('y', { port });
  const from = nowMs();
  await seizeAll(other);
  t.diagnostic(`registered again within ${(nowMs() - from).toFixed(0)} ms`);
  await showExactly([...rest, other], names);
});

test('at the port of a dead node answers its next start: death is proven', { timeout: 60_000 }, async (t) => {
  const { cluster, rest, doomed, port } = await scene(t, { leaseMs: 15_000, sessionMs: 45_000 });
  await doomed.kill();
  const again = await cluster.start('x', { port });
  const from = nowMs();
  await seizeAll(again);
  t.diagnostic(`registered again within ${(nowMs() - from).toFixed(0)} ms`);
  await showExactly([...rest, again], names);
});
