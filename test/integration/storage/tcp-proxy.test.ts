// The proxy itself: what it promises to the tests of networked stores, tried on a server that answers each line.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Backend } from '../../../src/storage/index.ts';
import { tcpLink } from '../../support/tcp-link.ts';
import { TcpProxy } from '../../support/tcp-proxy.ts';

const deadlineMs = 5_000;
const timeout = { timeout: 20_000 };

interface Echo {
  readonly proxy: TcpProxy;
  /** Lines that reached the server, in their order. */
  readonly heard: string[];
  /** Connections of the server that live. */
  readonly sockets: Set<Socket>;
  readonly server: Server;
  client(): Promise<Client>;
}

/** A client that speaks in lines. */
class Client {
  readonly socket: Socket;
  answers = '';
  ended: 'no' | 'closed' | 'reset' = 'no';

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('utf8').on('data', (text: string) => {
      this.answers += text;
    });
    socket.on('error', () => {
      this.ended = 'reset';
    });
    socket.on('close', () => {
      if (this.ended === 'no') this.ended = 'closed';
    });
  }

  say(line: string): void {
    this.socket.write(`${line}\n`);
  }

  async ask(line: string): Promise<void> {
    const expected = `${this.answers}${line}!\n`;
    this.say(line);
    await until(() => this.answers === expected, line.slice(0, 20));
  }
}

async function until(holds: () => boolean, what: string): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!holds()) {
    assert.ok(performance.now() < end, `not in time: ${what}`);
    await sleep(2);
  }
}

async function echo(t: TestContext): Promise<Echo> {
  const heard: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // A reset is what some of these tests are about.
    socket.on('error', () => sockets.delete(socket));
    let rest = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      const lines = `${rest}${text}`.split('\n');
      rest = lines.pop() ?? '';
      heard.push(...lines);
      for (const line of lines) socket.write(`${line}!\n`);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy = await TcpProxy.start({ port: (server.address() as AddressInfo).port });
  const clients: Client[] = [];
  t.after(async () => {
    for (const { socket } of clients) socket.destroy();
    await proxy.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const client = async (): Promise<Client> => {
    const socket = connect(proxy.port, '127.0.0.1');
    const made = new Client(socket);
    clients.push(made);
    await until(() => !socket.connecting || made.ended !== 'no', 'a connection, or none');
    return made;
  };
  return { proxy, heard, sockets, server, client };
}

const noBackend = {} as Backend;

describe('the proxy', () => {
  test('passes everything on, in both directions, and counts it', timeout, async (t) => {
    const { proxy, client } = await echo(t);
    const one = await client();
    await one.ask('a');
    const large = 'x'.repeat(3_000_000);
    await one.ask(large);
    assert.deepEqual(proxy.counts, { accepted: 1, cut: 0, up: 3_000_003, down: 3_000_005 });
    assert.equal(proxy.connections[0]?.turns, 2);
    one.socket.end();
    await until(() => proxy.connections.length === 0, 'the end is passed on');
  });

  test('cuts, refuses and lets pass again', timeout, async (t) => {
    const { proxy, client, sockets } = await echo(t);
    const link = tcpLink(proxy, noBackend);
    const one = await client();
    await one.ask('a');
    link.cut();
    await until(() => one.ended === 'reset' && sockets.size === 0, 'both sides see the cut');
    const two = await client();
    await two.ask('b');
    link.sever();
    await until(() => two.ended === 'reset', 'severed');
    const three = await client();
    await until(() => three.ended === 'reset', 'refused');
    link.heal();
    await (await client()).ask('c');
  });

  test('is silent for ever on the connections that it silenced, old and new', timeout, async (t) => {
    const { proxy, client, heard } = await echo(t);
    const link = tcpLink(proxy, noBackend);
    const old = await client();
    await old.ask('a');
    link.silence();
    const during = await client();
    for (const one of [old, during]) one.say('lost');
    await sleep(50);
    link.heal();
    await (await client()).ask('b');
    for (const one of [old, during]) one.say('still lost');
    await sleep(50);
    assert.deepEqual(heard, ['a', 'b']);
    assert.deepEqual([old.answers, old.ended, during.answers, during.ended], ['a!\n', 'no', '', 'no']);
  });

  test('holds the bytes of one direction and releases them in order', timeout, async (t) => {
    const { proxy, client, heard } = await echo(t);
    const one = await client();
    await one.ask('a');
    proxy.hold('up');
    one.say('b');
    one.say('c');
    await sleep(30);
    assert.deepEqual(heard, ['a']);
    proxy.release('up');
    await until(() => one.answers === 'a!\nb!\nc!\n', 'released');
    proxy.hold('down');
    one.say('d');
    await until(() => heard.length === 4, 'heard');
    await sleep(20);
    assert.equal(one.answers, 'a!\nb!\nc!\n');
    proxy.release('down');
    await until(() => one.answers.endsWith('d!\n'), 'answered');
  });

  test('drops an answer after so many bytes', timeout, async (t) => {
    const { proxy, client, heard } = await echo(t);
    const one = await client();
    await one.ask('a');
    proxy.dropAfter('down', 4);
    one.say('1234567');
    one.say('more');
    await until(() => heard.length === 3, 'heard');
    await sleep(30);
    assert.equal(one.answers, 'a!\n1234');
  });

  test('cuts each connection some time after it was made', timeout, async (t) => {
    const { proxy, client } = await echo(t);
    proxy.cutEachAfter(20);
    for (let i = 0; i < 3; i++) {
      const one = await client();
      await until(() => one.ended === 'reset', 'cut');
    }
    assert.equal(proxy.counts.cut, 3);
    proxy.cutEachAfter(undefined);
    const one = await client();
    await sleep(40);
    await one.ask('a');
  });

  test('tells a client that its server is gone', timeout, async (t) => {
    const { client, server, sockets } = await echo(t);
    const one = await client();
    await one.ask('a');
    for (const socket of sockets) socket.resetAndDestroy();
    await until(() => one.ended === 'reset', 'reset');
    server.close();
    const two = await client();
    await until(() => two.ended !== 'no', 'refused');
  });

  test('leaves nothing when it is closed', timeout, async (t) => {
    const { proxy, client, sockets } = await echo(t);
    const link = tcpLink(proxy, noBackend);
    await (await client()).ask('a');
    const two = await client();
    link.silence();
    two.say('b');
    await client();
    link.heal();
    const delayed = link.delayNextRequest();
    const three = await client();
    three.say('c');
    await until(() => delayed.struck && three.ended === 'reset', 'delayed');
    await proxy.close();
    await proxy.close();
    await until(() => sockets.size === 0 && proxy.connections.length === 0, 'all closed');
    assert.equal(proxy.connections.length, 0);
  });
});

describe('the faults of a link', () => {
  test('strike the turn they are armed for, once', timeout, async (t) => {
    const { proxy, client, heard } = await echo(t);
    const link = tcpLink(proxy, noBackend);
    const [one, two] = [await client(), await client()];
    const fault = link.loseNextRequest({ turns: 2 });
    await one.ask('a');
    await two.ask('b');
    assert.equal(fault.struck, false);
    one.say('c');
    await until(() => one.ended === 'reset', 'cut');
    assert.equal(fault.struck, true);
    await two.ask('d');
    const disarmed = link.loseNextRequest();
    disarmed.disarm();
    await two.ask('e');
    assert.equal(disarmed.struck, false);
    assert.deepEqual(heard, ['a', 'b', 'd', 'e']);
  });

  test('a lost reply leaves the request', timeout, async (t) => {
    const { proxy, client, heard } = await echo(t);
    const link = tcpLink(proxy, noBackend);
    const one = await client();
    await one.ask('a');
    const fault = link.loseNextReply();
    one.say('b');
    await until(() => one.ended === 'reset', 'cut');
    assert.deepEqual([fault.struck, heard, one.answers], [true, ['a', 'b'], 'a!\n']);
  });

  test(
    'a delayed request arrives when it is released, on a connection that the server believes in',
    timeout,
    async (t) => {
      const { proxy, client, heard, sockets } = await echo(t);
      const link = tcpLink(proxy, noBackend);
      const one = await client();
      await one.ask('a');
      const delayed = link.delayNextRequest();
      one.say('b');
      await until(() => one.ended === 'reset', 'cut');
      await (await client()).ask('c');
      assert.deepEqual([heard, sockets.size], [['a', 'c'], 2]);
      await delayed.release();
      assert.deepEqual(heard, ['a', 'c', 'b']);
      await until(() => sockets.size === 1, 'closed after its answer');
    },
  );
});
