// Callers that are no good peers: whatever they do costs them the connection, is counted and logged once, and the node
// goes on. Also the probe, and what keeps strangers out in the first place.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createDistribution, type Distribution } from '../../../src/distribution/index.ts';
import { hasCode } from '../../../src/errors/error.ts';
import { nodeHost } from '../../../src/host/index.ts';
import { createRuntime } from '../../../src/process/index.ts';
import { atom } from '../../../src/term/index.ts';
import { Cluster, closed, type TestNode, until } from './support.ts';

const deadline = { timeout: 20_000 };
let cluster: Cluster;
beforeEach(() => {
  cluster = new Cluster();
});
afterEach(() => cluster.close());

const refusals = (node: TestNode): number => node.log.filter((entry) => entry.level === 'warn').length;

async function isWell(node: TestNode): Promise<void> {
  const friend = await cluster.start(`friend${Math.random()}@t`);
  assert.equal(await friend.distribution.connect(node.name), true);
  assert.equal(node.distribution.stats().handshaking, 0);
}

test('garbage on the port: closed, counted, logged once each', deadline, async () => {
  const node = await cluster.start('a@t');
  const inputs = [
    'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    '\xff\xff\xff\xff\xff\xff',
    '\x00\x00\x00\x00',
    '\x00\x01n',
  ];
  for (const input of inputs) {
    const socket = await cluster.socket(node);
    socket.write(Buffer.from(input, 'latin1'));
    await closed(socket);
  }
  assert.equal(node.distribution.stats().refused.bad_peer, inputs.length);
  assert.equal(refusals(node), inputs.length);
  await isWell(node);
});

test('a wrong cookie: refused on both sides with a code, the cookie in no log', deadline, async () => {
  const node = await cluster.start('a@t', { cookie: 'right' });
  const stranger = await cluster.start('b@t', { cookie: 'wrong' });
  assert.equal(await stranger.distribution.connect(node.name), false);
  await until(() => node.distribution.stats().refused.bad_cookie === 1, 'counted');
  assert.match(stranger.events[0]!, /^nodedown a@t bad_cookie/);
  assert.equal(await node.distribution.connect(stranger.name), false);
  for (const { log } of [node, stranger]) assert.doesNotMatch(JSON.stringify(log), /right|wrong/);
  assert.deepEqual([...node.distribution.connectedNodes(), ...stranger.distribution.connectedNodes()], []);
  await until(() => node.distribution.stats().handshaking === 0, 'nothing left behind');
});

test(
  'whoever says nothing, or half of it, is closed at the deadline; a mere look at the port is not an offence',
  deadline,
  async () => {
    const node = await cluster.start('a@t', { limits: { handshakeTimeoutMs: 200 } });
    const silent = await cluster.socket(node);
    const half = await cluster.socket(node);
    half.write(Buffer.from([0, 30, 0x4e, 0]));
    const looker = await cluster.socket(node);
    looker.destroy();
    await until(() => node.distribution.stats().handshaking === 2, 'two in the handshake');
    await Promise.all([closed(silent), closed(half)]);
    assert.equal(node.distribution.stats().refused.bad_peer, 2);
    await isWell(node);
  },
);

test('handshakes are limited; connected nodes do not suffer', deadline, async () => {
  const node = await cluster.start('a@t', { limits: { handshakesMax: 3, handshakeTimeoutMs: 300 } });
  const friend = await cluster.start('b@t');
  await friend.distribution.connect(node.name);
  const sockets = [];
  for (let count = 0; count < 3; count++) sockets.push(await cluster.socket(node));
  await until(() => node.distribution.stats().handshaking === 3, 'places taken');
  await closed(await cluster.socket(node));
  assert.equal(node.distribution.stats().refused.system_limit, 1);
  friend.distribution.send(friend.pid(), node.pid(), 'still here');
  await until(() => node.messages.length === 1, 'the message');
  await Promise.all(sockets.map(closed));
  await isWell(node);
});

test('a peer that turns to nonsense after the handshake is cut with a reason', deadline, async () => {
  const node = await cluster.start('a@t');
  // A relay lets us inject bytes behind a correct handshake.
  const friend = await cluster.start('b@t');
  let inject = (_: Uint8Array): void => {};
  const relay = createServer((incoming) => {
    const outgoing = new (incoming.constructor as new () => typeof incoming)();
    outgoing.connect(node.address.port, node.address.host);
    incoming.pipe(outgoing).pipe(incoming);
    for (const socket of [incoming, outgoing]) socket.on('error', () => socket.destroy());
    inject = (bytes) => void outgoing.write(bytes);
    cluster.defer(() => {
      incoming.destroy();
      outgoing.destroy();
    });
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  cluster.defer(() => void relay.close());
  cluster.addresses.set(node.name, [{ host: '127.0.0.1', port: (relay.address() as { port: number }).port }]);
  const nonsense: [number[], RegExp][] = [
    [[0, 0, 0, 2, 113, 131], /bad_peer/],
    [[0, 0, 0, 4, 112, 131, 97, 1], /bad_term/],
    [[0, 0, 0, 3, 112, 131, 255], /bad_term/],
    [[255, 0, 0, 0], /frame_too_large/],
  ];
  for (const [bytes, reason] of nonsense) {
    const before = node.events.length;
    assert.equal(await friend.distribution.connect(node.name), true);
    inject(Uint8Array.from(bytes));
    await until(() => node.events.length === before + 2, 'up and down');
    assert.match(node.events.at(-1)!, reason);
    await until(() => friend.distribution.connectedNodes().length === 0, 'the friend hears of it');
  }
  const cuts = node.log.filter((entry) => entry.message.includes('cut'));
  assert.equal(cuts.length, nonsense.length);
});

test('a challenge of ours that comes back to us is not answered', deadline, async () => {
  const node = await cluster.start('b@t');
  // The thief calls node, and when node calls the thief it shows node its own challenge.
  const stolen = await cluster.socket(node);
  const { ownFlags } = await import('../../../src/distribution/protocol/flags.ts');
  const { encodeName, encodeChallenge, encodeStatus, decodeChallenge } = await import(
    '../../../src/distribution/protocol/handshake-messages.ts'
  );
  const name = { name: 'z@t', creation: 1, flags: ownFlags(), marker: undefined };
  stolen.write(encodeName(name));
  const answer = await new Promise<Buffer>((resolve) => stolen.once('data', resolve));
  const status = 2 + answer.readUInt16BE(0);
  const { challenge } = decodeChallenge(answer.subarray(status + 2));
  const received: Buffer[] = [];
  const trap = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', () => {
      socket.write(encodeStatus('ok'));
      socket.write(encodeChallenge({ ...name, name: 'trap@t', challenge }));
    });
    socket.on('data', (chunk) => received.push(chunk));
  });
  await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve));
  cluster.defer(() => void trap.close());
  cluster.addresses.set(atom('trap@t'), [
    { host: '127.0.0.1', port: (trap.address() as { port: number }).port },
  ]);
  assert.equal(await node.distribution.connect(atom('trap@t')), false);
  assert.match(node.events[0]!, /bad_peer/);
  const hello = Buffer.concat(received);
  assert.equal(hello.length, 2 + hello.readUInt16BE(0), 'nothing but the name was said');
});

test(
  'probe: refused, alive, another start, another node, and everything else unknown',
  deadline,
  async () => {
    const asker = await cluster.start('asker@t');
    const node = await cluster.start('a@t', { creation: 5 });
    const { distribution } = asker;
    const seen: string[] = [];
    const probe = (address: TestNode['address'], name: string, creation: number): Promise<string> =>
      distribution.probe(
        address,
        { node: atom(name), creation },
        { timeoutMs: 300, onIdentity: (who, start) => seen.push(`${who} ${start}`) },
      );
    assert.equal(await probe(node.address, 'a@t', 5), 'alive');
    assert.equal(await probe(node.address, 'a@t', 4), 'other');
    assert.equal(await probe(node.address, 'b@t', 5), 'other');
    assert.deepEqual(seen, ['a@t 5', 'a@t 5', 'a@t 5']);
    assert.equal(await distribution.connect(node.name), true);
    assert.equal(await probe(node.address, 'a@t', 5), 'alive', 'also while connected');
    assert.equal(distribution.isConnected(node.name), true, 'which the probe does not disturb');
    assert.deepEqual(node.distribution.stats().refused, {});
    await node.distribution.close();
    assert.equal(await probe(node.address, 'a@t', 5), 'refused');
    const byName = { ...node.address, host: 'localhost' };
    assert.equal(await probe(byName, 'a@t', 5), 'refused', 'by every address of the name');
    const mute = createServer((socket) => void cluster.defer(() => void socket.destroy()));
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    cluster.defer(() => void mute.close());
    const mutePort = (mute.address() as { port: number }).port;
    assert.equal(await probe({ host: '127.0.0.1', port: mutePort }, 'a@t', 5), 'unknown');
    const chatter = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    });
    await new Promise<void>((resolve) => chatter.listen(0, '127.0.0.1', resolve));
    cluster.defer(() => void chatter.close());
    const chatterPort = (chatter.address() as { port: number }).port;
    assert.equal(await probe({ host: '127.0.0.1', port: chatterPort }, 'a@t', 5), 'unknown');
    assert.equal(await probe({ host: 'no-such-host.invalid', port: 1 }, 'a@t', 5), 'unknown');
    const aborted = AbortSignal.abort();
    const expected = { node: atom('a@t'), creation: 5 };
    assert.equal(await distribution.probe(node.address, expected, { signal: aborted }), 'unknown');
  },
);

function lone(cookie: string): Distribution {
  const host = nodeHost();
  const name = atom('lone@t');
  const { inbound } = createRuntime({ name, creation: 1, host });
  const distribution = createDistribution({
    name,
    creation: 1,
    cookie,
    host,
    inbound,
    resolve: async () => [],
  });
  cluster.defer(() => distribution.close());
  return distribution;
}

test('listening beyond loopback needs a cookie', deadline, async () => {
  const insecure = (error: unknown): boolean => hasCode(error, 'insecure_listen');
  for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.org']) {
    assert.throws(() => lone('').listen({ host }), insecure, host);
  }
  assert.ok((await lone('').listen({ host: '127.0.0.1' })).port > 0);
  assert.ok((await lone('secret').listen({ host: '0.0.0.0' })).port > 0);
});

test('a port that is taken, and listening twice, are errors', deadline, async () => {
  const first = lone('x');
  const { port } = await first.listen();
  assert.throws(
    () => first.listen(),
    (error) => hasCode(error, 'badarg'),
  );
  await assert.rejects(lone('x').listen({ port }), (error) => hasCode(error, 'connect_failed'));
});

test('after close nothing keeps the process alive', deadline, async () => {
  const script = fileURLToPath(new URL('./leave-nothing.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script], { timeout: 10_000 });
  assert.equal(stdout, 'closed\n');
});
