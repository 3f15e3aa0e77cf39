// Processes on two nodes that are joined by real sockets: calls, monitors, links, and what the loss of a node does.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { hasCode } from '../../../src/errors/error.ts';
import { type CallMessage, isCallMessage, isDownMessage, isExitMessage } from '../../../src/process/index.ts';
import { atom, Pid } from '../../../src/term/index.ts';
import { Cluster, type RuntimeNode, until } from './support.ts';

const deadline = { timeout: 20_000 };
let cluster: Cluster;
let a: RuntimeNode;
let b: RuntimeNode;
beforeEach(async () => {
  cluster = new Cluster();
  a = await cluster.startRuntime('a@t');
  b = await cluster.startRuntime('b@t');
});
afterEach(() => cluster.close());

function echo(node: RuntimeNode): Pid {
  return node.runtime.spawnBehaviour({
    handle(message, self) {
      if (isCallMessage(message)) self.runtime.reply(message.from, message.request);
    },
  });
}

test('a call by pid and by name, with values that only TypeScript nodes have', deadline, async () => {
  const server = echo(b);
  b.runtime.register('echo', server);
  const request = { map: new Map([[1n, Number.NaN]]), when: new Date(5), bytes: Uint8Array.of(1, 2) };
  assert.deepEqual(await a.runtime.call(server, request), request);
  assert.deepEqual(await a.runtime.call({ name: atom('echo'), node: b.name }, request), request);
});

test('a thousand calls at once are answered each with its own', deadline, async () => {
  const server = echo(b);
  const calls = Array.from({ length: 1000 }, (_, index) => a.runtime.call(server, index));
  assert.deepEqual(
    await Promise.all(calls),
    Array.from({ length: 1000 }, (_, index) => index),
  );
});

test('a call to nobody is noproc; one whose callee dies is process_exit', deadline, async () => {
  const dead = echo(b);
  b.runtime.exit(dead, atom('kill'));
  await b.runtime.whenDown(dead);
  await assert.rejects(a.runtime.call(dead, 1), (error) => hasCode(error, 'noproc'));
  await assert.rejects(a.runtime.call({ name: atom('nobody'), node: b.name }, 1), (error) =>
    hasCode(error, 'noproc'),
  );
  let requests = 0;
  const mute = b.runtime.spawnBehaviour({
    handle() {
      requests += 1;
    },
  });
  const call = a.runtime.call(mute, 1);
  await until(() => requests === 1, 'the request');
  b.runtime.exit(mute, atom('kill'));
  await assert.rejects(call, (error) => hasCode(error, 'process_exit'));
});

test('the loss of the node ends calls, monitors and links at once', deadline, async () => {
  const mute = b.runtime.spawnBehaviour({ handle() {} });
  const seen: unknown[] = [];
  a.runtime.spawn(async (self) => {
    self.trapExit(true);
    self.link(mute);
    self.monitor(mute);
    while (seen.length < 2) seen.push(await self.receive());
  });
  const call = a.runtime.call(mute, 1, { timeoutMs: 10_000 });
  await until(() => b.distribution.isConnected(a.name), 'connected');
  const before = performance.now();
  b.distribution.disconnect(a.name);
  await assert.rejects(call, (error) => hasCode(error, 'noconnection'));
  await until(() => seen.length === 2, 'down and exit');
  assert.ok(performance.now() - before < 500);
  const noconnection = atom('noconnection');
  assert.ok(seen.some((each) => isDownMessage(each) && each.reason === noconnection));
  assert.ok(seen.some((each) => isExitMessage(each) && each.reason === noconnection));
});

test('a call to a node that cannot be reached fails before its deadline', deadline, async () => {
  const server = echo(b);
  await b.distribution.close();
  const before = performance.now();
  await assert.rejects(a.runtime.call(server, 1, { timeoutMs: 8_000 }), (error) =>
    hasCode(error, 'noconnection'),
  );
  await assert.rejects(a.runtime.call(server, 1, { timeoutMs: 8_000 }), (error) =>
    hasCode(error, 'noconnection'),
  );
  assert.ok(performance.now() - before < 2_000);
});

test(
  'exits travel: a linked process of the other node dies with the reason, a monitor tells it',
  deadline,
  async () => {
    const reasons: unknown[] = [];
    const victim = b.runtime.spawnBehaviour({ handle() {} });
    a.runtime.spawn((self) => {
      self.link(victim);
      self.exit({ why: 'linked' });
    });
    a.runtime.spawn(async (self) => {
      self.monitor(victim);
      const down = await self.receive(isDownMessage);
      reasons.push((down as { reason: unknown }).reason);
    });
    await until(() => !b.runtime.isAlive(victim), 'the victim is dead');
    await until(() => reasons.length === 1, 'the monitor fired');
  },
);

test('calls wait for room in a full link and then go through', deadline, async () => {
  const small = await cluster.startRuntime('small@t', { limits: { sendBufferBytesMax: 200_000 } });
  const server = echo(b);
  await small.distribution.connect(b.name);
  const payload = 'x'.repeat(50_000);
  const calls = Array.from({ length: 200 }, () => small.runtime.call(server, payload, { timeoutMs: 15_000 }));
  const answers = await Promise.all(calls);
  assert.ok(answers.every((answer) => answer === payload));
});

test(
  'a server that answers later, over a link that was lost and made again, answers nobody',
  deadline,
  async () => {
    const requests: CallMessage[] = [];
    const late = b.runtime.spawnBehaviour({
      handle(message) {
        if (isCallMessage(message)) requests.push(message);
      },
    });
    const call = a.runtime.call(late, 'first');
    await until(() => requests.length === 1, 'the request');
    b.distribution.disconnect(a.name);
    await assert.rejects(call, (error) => hasCode(error, 'noconnection'));
    await a.distribution.connect(b.name);
    b.runtime.reply(requests[0]!.from, 'too late');
    const second = a.runtime.call(late, 'second');
    await until(() => requests.length === 2, 'the second request');
    b.runtime.reply(requests[1]!.from, 'in time');
    assert.equal(await second, 'in time');
  },
);

for (const [title, channels] of [
  ['both have channels', [true, true]],
  ['only the caller has', [true, false]],
  ['only the callee has', [false, true]],
] as const) {
  test(`calls and sends keep their order and their ends: ${title}`, deadline, async () => {
    const [c, d] = await Promise.all(
      channels.map((has, index) => cluster.startRuntime(`${'cd'[index]}@t`, { channels: has })),
    );
    assert.ok(c !== undefined && d !== undefined);
    const seen: unknown[] = [];
    const server = d.runtime.spawnBehaviour({
      handle(message) {
        seen.push(isCallMessage(message) ? message.request : message);
        if (isCallMessage(message) && message.request !== 'late')
          d.runtime.reply(message.from, message.request);
      },
    });
    d.runtime.register('server', server);
    const byName = { name: atom('server'), node: d.name };
    const answers: Promise<unknown>[] = [];
    // The first round goes while the node is dialled.
    for (let round = 0; round < 3; round++) {
      const before = seen.length;
      c.runtime.send(server, 0);
      answers.push(c.runtime.call(server, 1));
      c.runtime.send(byName, 2);
      answers.push(c.runtime.call(byName, 3));
      assert.throws(() => c.runtime.send(server, () => 1), { code: 'not_encodable' });
      await assert.rejects(
        c.runtime.call(server, () => 1),
        { code: 'not_encodable' },
      );
      await Promise.all(answers);
      assert.deepEqual(seen.slice(before), [0, 1, 2, 3]);
    }
    assert.deepEqual(await Promise.all(answers), [1, 3, 1, 3, 1, 3]);
    await assert.rejects(c.runtime.call(byName, 'late', { timeoutMs: 50 }), { code: 'timeout' });
    await assert.rejects(c.runtime.call({ ...byName, name: atom('nobody') }, 1), { code: 'noproc' });
    const exit = assert.rejects(c.runtime.call(byName, 'late'), { code: 'process_exit' });
    await until(() => seen.length === 14, 'the request');
    d.runtime.exit(server, 'gone');
    await exit;
  });
}

test(
  'a process of an earlier start of a node is found dead, not mistaken for another',
  deadline,
  async () => {
    const server = echo(b);
    assert.equal(await a.runtime.call(server, 1), 1);
    const earlier = new Pid(server.node, server.id, server.serial, server.creation + 1);
    const seen: unknown[] = [];
    const recorder = b.runtime.spawnBehaviour({ handle: (message) => void seen.push(message) });
    a.runtime.send(new Pid(recorder.node, recorder.id, recorder.serial, recorder.creation + 1), 'lost');
    a.runtime.send(recorder, 'kept');
    await assert.rejects(a.runtime.call(earlier, 1), { code: 'noproc' });
    assert.deepEqual(seen, ['kept']);
  },
);
