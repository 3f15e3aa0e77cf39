// Two or three nodes on loopback: dialling, order, loss, limits, and who wins when nodes meet in odd ways.
import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, test } from 'node:test';
import { ownFlags } from '../../../src/distribution/protocol/flags.ts';
import { encodeName } from '../../../src/distribution/protocol/handshake-messages.ts';
import { hasCode } from '../../../src/errors/error.ts';
import { atom, Pid } from '../../../src/term/index.ts';
import { Cluster, type TestNode, until } from './support.ts';

const deadline = { timeout: 20_000 };
let cluster: Cluster;
beforeEach(() => {
  cluster = new Cluster();
});
afterEach(() => cluster.close());

async function connectedPair(): Promise<[TestNode, TestNode]> {
  const a = await cluster.start('a@t');
  const b = await cluster.start('b@t');
  assert.equal(await a.distribution.connect(b.name), true);
  await until(() => b.distribution.isConnected(a.name), 'b knows a');
  return [a, b];
}

test(
  'the first signal dials; what was sent meanwhile arrives in order, before what is sent later',
  deadline,
  async () => {
    const a = await cluster.start('a@t');
    const b = await cluster.start('b@t');
    const ups: string[] = [];
    a.distribution.onNodeUp(({ node, kind, creation }) => ups.push(`${node.name} ${kind} ${creation}`));
    const message = { count: 0 };
    for (let index = 0; index < 500; index++) {
      message.count = index;
      a.distribution.send(a.pid(), b.pid(), message);
      if (index === 250) await until(() => a.distribution.isConnected(b.name), 'a is connected');
    }
    await until(() => b.messages.length === 500, '500 messages');
    assert.deepEqual(
      b.messages.map((each) => (each as { count: number }).count),
      Array.from({ length: 500 }, (_, index) => index),
    );
    assert.equal(b.events[0], 'up a@t typescript 1');
    assert.deepEqual(ups, ['b@t typescript 1']);
    assert.deepEqual(a.distribution.connectedNodes(), [{ node: b.name, creation: 1, kind: 'typescript' }]);
  },
);

test('every signal reaches the other side', deadline, async () => {
  const a = await cluster.start('a@t');
  const b = await cluster.start('b@t');
  const [from, to, ref] = [a.pid(), b.pid(), a.ref()];
  const { distribution } = a;
  const sendAll = (): void => {
    distribution.sendNamed(from, { name: atom('srv'), node: b.name }, 'hi');
    distribution.sendAlias(from, b.ref(), 'hi');
    distribution.link(from, to);
    distribution.unlink(from, to, 5);
    distribution.unlinkAck(from, to, 6);
    distribution.exit(from, to, 'x');
    distribution.exit2(from, to, 'y');
    distribution.monitor(from, to, ref);
    distribution.monitor(from, { name: atom('srv'), node: b.name }, ref);
    distribution.demonitor(from, to, ref);
    distribution.down(atom('srv'), to, ref, 'z');
  };
  sendAll();
  await until(() => b.events.length === 12, 'signals sent while dialling');
  sendAll();
  await until(() => b.events.length === 23, 'signals sent over the link');
  const expected = [
    `named ${from} srv`,
    `alias ${b.ref()}`,
    `link ${from} ${to}`,
    `unlink ${from} ${to} 5`,
    `ack ${from} ${to} 6`,
    `exit ${from} ${to} x`,
    `exit2 ${from} ${to} y`,
    `monitor ${from} ${to} ${ref}`,
    `monitor ${from} :srv ${ref}`,
    `demonitor ${from} ${to} ${ref}`,
    `down :srv ${to} ${ref} z`,
  ];
  assert.deepEqual(b.events.slice(1, 12), expected);
  assert.deepEqual(b.events.slice(12), expected);
});

test(
  'a value that cannot travel throws at its sender, while dialling and over the link',
  deadline,
  async () => {
    const a = await cluster.start('a@t');
    const b = await cluster.start('b@t');
    const bad = (): void => a.distribution.send(a.pid(), b.pid(), () => 0);
    assert.throws(bad, (error) => hasCode(error, 'not_encodable'));
    assert.equal(await a.distribution.connect(b.name), true);
    assert.throws(bad, (error) => hasCode(error, 'not_encodable'));
    a.distribution.send(a.pid(), b.pid(), 'fine');
    await until(() => b.messages.length === 1, 'the good message');
    assert.deepEqual(b.messages, ['fine']);
  },
);

test(
  'a node without an address, and one that refuses, end in nodeDown; signals within the pause fail without an attempt',
  deadline,
  async () => {
    const a = await cluster.start('a@t');
    const gone = new Pid(atom('gone@t'), 1, 0, 1);
    let lookups = 0;
    const addresses = cluster.addresses;
    cluster.addresses.get = (node) => {
      if (node === gone.node) lookups += 1;
      return Map.prototype.get.call(addresses, node) as ReturnType<typeof addresses.get>;
    };
    a.distribution.monitor(a.pid(), gone, a.ref());
    assert.deepEqual(a.events, [], 'not from within the call');
    await until(() => a.events.length === 1, 'nodeDown');
    assert.match(a.events[0]!, /^nodedown gone@t unknown_node/);
    a.distribution.monitor(a.pid(), gone, a.ref());
    a.distribution.monitor(a.pid(), gone, a.ref());
    assert.equal(a.events.length, 1, 'not from within the call');
    await until(() => a.events.length === 2, 'nodeDown for both');
    assert.match(a.events[1]!, /^nodedown gone@t recent attempts/);
    assert.equal(lookups, 1);
    assert.equal(await a.distribution.connect(gone.node), false, 'connect does not wait for the pause');
    assert.equal(lookups, 2);
    const b = await cluster.start('b@t');
    await b.distribution.close();
    a.distribution.send(a.pid(), b.pid(), 1);
    await until(() => a.events.at(-1)?.includes('ECONNREFUSED') === true, 'refused');
  },
);

test('a peer that comes after failures is dialled again within the longest pause', deadline, async () => {
  const a = await cluster.start('a@t', { limits: { backoffMaxMs: 100 } });
  const b = await cluster.start('b@t');
  const address = cluster.addresses.get(b.name)!;
  cluster.addresses.set(b.name, []);
  for (let round = 0; round < 6; round++) assert.equal(await a.distribution.connect(b.name), false);
  cluster.addresses.set(b.name, address);
  const before = performance.now();
  await until(() => {
    a.distribution.send(a.pid(), b.pid(), 'again');
    return a.distribution.isConnected(b.name);
  }, 'connected');
  assert.ok(performance.now() - before < 1_000);
});

test('nodes that cannot be reached are forgotten', deadline, async () => {
  const a = await cluster.start('a@t', { limits: { backoffMaxMs: 50 } });
  const gone = Array.from({ length: 100 }, (_, index) => new Pid(atom(`gone${index}@t`), 1, 0, 1));
  for (const pid of gone) a.distribution.send(a.pid(), pid, 'hello');
  await until(() => a.events.length === gone.length, 'all failed');
  for (const pid of gone) a.distribution.send(a.pid(), pid, 'within the pause');
  assert.equal(a.distribution.stats().known, gone.length);
  await until(() => a.distribution.stats().known === 0, 'forgotten');
});

test(
  'a signal waits for the handshake of a caller of that name, and dials when that comes to nothing',
  deadline,
  async () => {
    const a = await cluster.start('a@t');
    const b = await cluster.start('b@t');
    const pretender = await cluster.socket(a);
    pretender.write(encodeName({ name: b.name.name, creation: 1, flags: ownFlags(), marker: undefined }));
    await new Promise((resolve) => pretender.once('data', resolve));
    a.distribution.send(a.pid(), b.pid(), 'hello');
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(a.distribution.isConnected(b.name), false, 'it waits');
    pretender.destroy();
    await until(() => b.messages.length === 1, 'dialled');
    const second = await cluster.socket(b);
    second.write(encodeName({ name: 'z@t', creation: 1, flags: ownFlags(), marker: undefined }));
    await new Promise((resolve) => second.once('data', resolve));
    const z = await cluster.start('z@t');
    const before = performance.now();
    b.distribution.send(b.pid(), z.pid(), 'hello');
    await until(() => z.messages.length === 1, 'dialled in spite of the pretender');
    assert.ok(performance.now() - before < 2_000, 'after a short grace');
  },
);

test('a second address is tried when the first is dead', deadline, async () => {
  const a = await cluster.start('a@t');
  const b = await cluster.start('b@t');
  const c = await cluster.start('c@t');
  await c.distribution.close();
  cluster.addresses.set(b.name, [c.address, b.address]);
  assert.equal(await a.distribution.connect(b.name), true);
});

test('both dial each other at the same time: one connection, nothing lost', deadline, async () => {
  for (let round = 0; round < 30; round++) {
    const [left, right] = [await cluster.start(`l${round}@t`), await cluster.start(`r${round}@t`)];
    left.distribution.send(left.pid(), right.pid(), 'from left');
    if (round % 3 === 1) await new Promise((resolve) => setImmediate(resolve));
    if (round % 3 === 2) await new Promise((resolve) => setTimeout(resolve, 1));
    right.distribution.send(right.pid(), left.pid(), 'from right');
    await until(() => left.messages.length === 1 && right.messages.length === 1, `round ${round}`);
    for (const node of [left, right]) {
      assert.equal(node.events.filter((event) => event.startsWith('up')).length, 1, node.events.join());
      assert.equal(node.events.filter((event) => event.startsWith('nodedown')).length, 0, node.events.join());
    }
    await Promise.all([left.distribution.close(), right.distribution.close()]);
  }
});

test(
  'a broken connection is told at once, to both sides, and the next signal dials again',
  deadline,
  async () => {
    const [a, b] = await connectedPair();
    const downs: string[] = [];
    a.distribution.onNodeDown((node, reason) => downs.push(`${node.name}: ${reason}`));
    const before = performance.now();
    assert.equal(b.distribution.disconnect(a.name), true);
    await until(() => a.events.some((event) => event.startsWith('nodedown')), 'a hears of it');
    await until(() => b.events.some((event) => event.startsWith('nodedown')), 'b hears of it');
    assert.ok(performance.now() - before < 500);
    assert.equal(downs.length, 1);
    assert.equal(a.distribution.isConnected(b.name), false);
    await new Promise((resolve) => setTimeout(resolve, 60));
    a.distribution.send(a.pid(), b.pid(), 'again');
    await until(() => b.messages.length === 1, 'sent over a new connection');
  },
);

test('disconnect sends what is queued first', deadline, async () => {
  const [a, b] = await connectedPair();
  for (let index = 0; index < 1000; index++) a.distribution.send(a.pid(), b.pid(), 'x'.repeat(1000));
  a.distribution.disconnect(b.name);
  await until(() => b.events.some((event) => event.startsWith('nodedown')), 'b hears of it');
  assert.equal(b.messages.length, 1000);
});

test('a new start of a node replaces the old one: nodeDown first, then nodeUp', deadline, async () => {
  const [a] = await connectedPair();
  const again = await cluster.start('b@t', { creation: 2 });
  assert.equal(await again.distribution.connect(a.name), true);
  await until(() => a.events.length === 3, 'three events');
  assert.match(a.events[1]!, /^nodedown b@t/);
  assert.deepEqual([a.events[0], a.events[2]], ['up b@t typescript 1', 'up b@t typescript 2']);
  assert.equal(a.distribution.connectedNodes()[0]?.creation, 2);
});

test(
  'a peer that lost the connection and comes back takes over the one we still believe in',
  deadline,
  async () => {
    const [a, b] = await connectedPair();
    const twin = await cluster.start('b@t', { listen: false });
    assert.equal(await twin.distribution.connect(a.name), true, 'answers alive with true');
    await until(() => a.events.length === 3, 'replaced');
    await until(() => b.events.some((event) => event.startsWith('nodedown')), 'the old one hears of it');
  },
);

test('a caller with our own name is refused', deadline, async () => {
  const a = await cluster.start('a@t');
  const imposter = await cluster.start('a2@t', { listen: false });
  const twin = await cluster.start('a@t', { listen: false, creation: 9 });
  cluster.addresses.set(atom('x@t'), [a.address]);
  assert.equal(await twin.distribution.connect(atom('x@t')), false);
  assert.equal(await imposter.distribution.connect(atom('x@t')), false, 'another node than asked for');
  assert.equal(a.distribution.stats().refused.name_clash, 1);
  assert.ok(a.log.some((entry) => entry.fields.code === 'name_clash'));
  assert.equal(await a.distribution.connect(a.name), false, 'nobody dials itself');
});

test('a silent peer is cut after the net tick; a live idle one is kept', deadline, async () => {
  const limits = { netTickMs: 400 };
  const a = await cluster.start('a@t', { limits });
  const b = await cluster.start('b@t', { limits });
  await a.distribution.connect(b.name);
  // A man in the middle that goes deaf, while both ends stay open.
  const sockets: Socket[] = [];
  const relay = createServer((incoming) => {
    const outgoing = new (incoming.constructor as typeof Socket)();
    outgoing.connect(b.address.port, b.address.host);
    incoming.pipe(outgoing).pipe(incoming);
    sockets.push(incoming, outgoing);
    for (const socket of [incoming, outgoing]) socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  cluster.defer(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => relay.close(resolve));
  });
  const c = await cluster.start('c@t', { limits });
  cluster.addresses.set(b.name, [{ host: '127.0.0.1', port: (relay.address() as { port: number }).port }]);
  await c.distribution.connect(b.name);
  for (const socket of sockets) socket.unpipe();
  const before = performance.now();
  await until(() => c.events.includes('nodedown b@t tick timeout'), 'c gives up');
  const took = performance.now() - before;
  assert.ok(took > 300 && took < 1_000, `after ${took} ms`);
  await until(() => b.events.includes('nodedown c@t tick timeout'), 'b gives up');
  assert.equal(a.distribution.isConnected(b.name), true);
});

test(
  'a full send buffer refuses sends, lets other signals pass up to twice, then cuts',
  deadline,
  async () => {
    const limits = { sendBufferBytesMax: 50_000 };
    const a = await cluster.start('a@t', { limits });
    const b = await cluster.start('b@t');
    await a.distribution.connect(b.name);
    const payload = 'x'.repeat(10_000);
    let sent = 0;
    const send = (): void => a.distribution.send(a.pid(), b.pid(), payload);
    // Without a turn of the event loop nothing can leave: only the kernel's buffers and ours take bytes.
    assert.throws(
      () => {
        for (sent = 0; sent < 5_000; sent++) send();
      },
      (error) => hasCode(error, 'send_buffer_full'),
    );
    let room = 0;
    a.distribution.whenWritable(b.name, () => {
      room += 1;
    });
    a.distribution.exit(a.pid(), b.pid(), 'control signals still pass');
    assert.equal(room, 0);
    await until(() => room === 1, 'room');
    send();
    await until(() => b.messages.length === sent + 1, 'all arrived');
    assert.ok(b.events.some((event) => event.includes('control signals still pass')));
    for (let count = 0; count < 5_000; count++) a.distribution.exit(a.pid(), b.pid(), payload);
    assert.equal(a.distribution.isConnected(b.name), false, 'cut');
    await until(() => a.events.includes('nodedown b@t send buffer overflow'), 'told why');
  },
);

test('the queue of a node that is being dialled is bounded too', deadline, async () => {
  const limits = { sendBufferBytesMax: 100_000 };
  const a = await cluster.start('a@t', { limits });
  const b = await cluster.start('b@t');
  const payload = 'x'.repeat(5_000);
  assert.throws(
    () => {
      for (let count = 0; count < 50; count++) a.distribution.send(a.pid(), b.pid(), payload);
    },
    (error) => hasCode(error, 'send_buffer_full'),
  );
  for (let count = 0; count < 50; count++) a.distribution.exit(a.pid(), b.pid(), payload);
  await until(() => a.events.some((event) => event.includes('too many signals')), 'given up');
  assert.equal(b.messages.length, 0);
});

test(
  'a frame beyond the limit throws at its sender; one that a peer sends cuts the link',
  deadline,
  async () => {
    const a = await cluster.start('a@t', { limits: { frameBytesMax: 1_000_000 } });
    const b = await cluster.start('b@t', { limits: { frameBytesMax: 10_000 } });
    await a.distribution.connect(b.name);
    assert.throws(
      () => a.distribution.send(a.pid(), b.pid(), 'x'.repeat(1_000_001)),
      (error) => hasCode(error, 'term_too_large'),
    );
    a.distribution.send(a.pid(), b.pid(), 'x'.repeat(9_000));
    await until(() => b.messages.length === 1, 'the one within the limit');
    a.distribution.send(a.pid(), b.pid(), 'x'.repeat(11_000));
    await until(() => b.events.some((event) => event.includes('frame_too_large')), 'cut by b');
    await until(() => a.events.some((event) => event.startsWith('nodedown')), 'seen by a');
  },
);

test('a message of many megabytes passes, and small ones behind it', deadline, async () => {
  const [a, b] = await connectedPair();
  const large = new Uint8Array(20_000_000).fill(7);
  a.distribution.send(a.pid(), b.pid(), large);
  a.distribution.send(a.pid(), b.pid(), 'small');
  await until(() => b.messages.length === 2, 'both');
  assert.equal((b.messages[0] as Uint8Array).length, large.length);
  assert.equal(b.messages[1], 'small');
});

test('connections are limited', deadline, async () => {
  const hub = await cluster.start('hub@t', { limits: { connectionsMax: 2 } });
  const nodes = await Promise.all(['a@t', 'b@t', 'c@t'].map((name) => cluster.start(name)));
  const results: boolean[] = [];
  for (const node of nodes) results.push(await node.distribution.connect(hub.name));
  assert.deepEqual(results, [true, true, false]);
  assert.equal(await hub.distribution.connect(nodes[2]!.name), false);
  assert.ok(hub.events.some((event) => event.startsWith('nodedown c@t system_limit')));
});

test('close ends everything, tells the runtime, and later signals fail', deadline, async () => {
  const [a, b] = await connectedPair();
  a.distribution.send(a.pid(), b.pid(), 'last words');
  const first = a.distribution.close();
  assert.equal(first, a.distribution.close());
  await first;
  assert.deepEqual(a.events.slice(1), ['nodedown b@t closed']);
  await until(() => b.events.at(-1)?.startsWith('nodedown') === true, 'b hears of it');
  assert.deepEqual(b.messages, ['last words']);
  a.distribution.monitor(a.pid(), b.pid(), a.ref());
  await until(() => a.events.length === 3, 'nodeDown for the late monitor');
  assert.equal(await a.distribution.connect(b.name), false);
  assert.throws(
    () => a.distribution.listen(),
    (error) => hasCode(error, 'closed'),
  );
});
