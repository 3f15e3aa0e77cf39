// Calls between nodes: what goes over the wire, and every way a call can end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DGenError } from '../../src/errors/error.ts';
import {
  createRuntime,
  type From,
  isCallMessage,
  isCastMessage,
  type LocalRuntime,
} from '../../src/process/index.ts';
import { type Atom, atom, ImproperList, improper, Pid, type Tuple, tuple } from '../../src/term/index.ts';
import { type Joined, type JoinedOptions, joinedRuntimes } from '../support/joined-runtimes.ts';
import { checkClean, rejection, rejectionIn, startEcho, startRecorder, startSilent } from './support.ts';

function joined(test: (world: Joined) => Promise<void>, options?: JoinedOptions): () => Promise<void> {
  return async () => {
    const world = joinedRuntimes(options);
    await test(world);
    await checkClean(world.host, [world.a, world.b]);
  };
}

function startKeeper(runtime: LocalRuntime, name?: string): { pid: Pid; froms: From[] } {
  const froms: From[] = [];
  const pid = runtime.spawnBehaviour(
    { handle: (message) => void (isCallMessage(message) && froms.push(message.from)) },
    name === undefined ? {} : { name },
  );
  return { pid, froms };
}

/** How two nodes may stand to each other, and the signals that then say that a callee is gone or a caller has given up. */
const relations = {
  typescript: { options: {}, gone: 'b> calleeGone', givenUp: 'a> givenUp' },
  'typescript without channel': { options: { channels: false }, gone: 'b> down', givenUp: 'a> demonitor' },
  erlang: { options: { kind: 'erlang' }, gone: 'b> down', givenUp: 'a> demonitor' },
} as const;

for (const [options, byPid, byName, answer] of [
  [{}, 'a> call', 'a> call', 'b> answer'],
  [{ channels: false }, 'a> send $gen_call', 'a> sendNamed $gen_call', 'b> sendAlias'],
] as const) {
  test(
    `a call between nodes of this library is one frame there and one back, by pid and by name: ${byPid}`,
    joined(async ({ host, network, a, b }) => {
      const pid = startEcho(b, 'echo');
      assert.deepEqual(await host.runUntil(a.call(pid, { deep: [1, 'two'] })), { deep: [1, 'two'] });
      assert.equal(await host.runUntil(a.call({ name: atom('echo'), node: b.name }, 5)), 5);
      assert.deepEqual(network.trace, [byPid, answer, byName, answer]);
    }, options),
  );
}

test(
  'a call to an Erlang node has its monitor, as gen does it',
  joined(
    async ({ host, network, a, b }) => {
      const pid = startEcho(b);
      assert.equal(await host.runUntil(a.call(pid, 1)), 1);
      await host.settle();
      assert.deepEqual(network.trace, ['a> send $gen_call', 'a> monitor', 'b> sendAlias', 'a> demonitor']);
    },
    { kind: 'erlang' },
  ),
);

for (const [relation, { options, gone, givenUp }] of Object.entries(relations)) {
  test(
    `${relation}: the callee is not there, dies in the call, or the connection is lost`,
    joined(async ({ host, network, a, b }) => {
      const dead = b.spawn(() => undefined);
      const other = new Pid(dead.node, dead.id, dead.serial, dead.creation + 1);
      await host.settle();
      await rejectionIn(host, a.call(dead, 1), 'noproc');
      await rejectionIn(host, a.call(other, 1), 'noproc');
      await rejectionIn(host, a.call({ name: atom('nobody'), node: b.name }, 1), 'noproc');
      for (const way of ['pid', 'name']) {
        const pid = startSilent(b, 'silent');
        const call = rejection(
          a.call(way === 'pid' ? pid : { name: atom('silent'), node: b.name }, 1),
          'process_exit',
        );
        await host.settle();
        b.exit(pid, tuple('crash', 1));
        assert.deepEqual((await host.runUntil(call)).details.reason, tuple('crash', 1));
      }
      assert.ok(!network.trace.includes(givenUp), 'what has fired need not be taken back');
      const downs = network.trace.filter((signal) => signal === gone).length;
      assert.equal(downs, 5, 'each call hears of it once');
      const lost = rejection(a.call(startSilent(b), 1), 'noconnection');
      await host.settle();
      network.disconnect(a, b);
      await lost;
      await rejectionIn(host, a.call(startSilent(b), 1), 'noconnection');
    }, options),
  );

  test(
    `${relation}: a call whose caller gives up is taken back, and the late answer reaches nobody`,
    joined(async ({ host, network, a, b }) => {
      const keeper = startKeeper(b);
      await rejectionIn(host, a.call(keeper.pid, 1, { timeoutMs: 50 }), 'timeout');
      await host.settle();
      assert.equal(network.trace.at(-1), givenUp);
      const second = a.call(keeper.pid, 2);
      await host.settle();
      b.reply(keeper.froms[0] as From, 'late');
      await host.settle();
      b.reply(keeper.froms[1] as From, 'right');
      assert.equal(await host.runUntil(second), 'right');
      const before = network.trace.length;
      b.exit(keeper.pid, 'gone');
      await host.settle();
      assert.deepEqual(network.trace.slice(before), [], 'nobody is told of this end');
    }, options),
  );
}

test(
  'a caller that dies takes its call back',
  joined(async ({ host, network, a, b }) => {
    const silent = startSilent(b);
    const caller = a.spawn(async (self) => void (await self.call(silent, 1)));
    await host.settle();
    a.exit(caller, 'gone');
    await host.settle();
    assert.equal(network.trace.at(-1), 'a> givenUp');
  }),
);

test('an error as answer arrives as an error with its code, towards Erlang as {error, {dgen_error, Code, Message}}', async () => {
  for (const kind of ['typescript', 'erlang'] as const) {
    const { host, a, b } = joinedRuntimes({ kind });
    const pid = b.spawnBehaviour({
      handle(message) {
        if (!isCallMessage(message)) return;
        b.replyError(message.from, new DGenError('unknown_request', 'what', { details: { request: 1 } }));
      },
    });
    if (kind === 'typescript') {
      const error = (await host.runUntil(a.call(pid, 1).catch((reason: unknown) => reason))) as DGenError;
      assert.ok(error instanceof Error);
      assert.equal(error.code, 'unknown_request');
    } else {
      const reply = (await host.runUntil(a.call(pid, 1))) as Tuple;
      const [mark, detail] = reply.elements as [Atom, Tuple];
      assert.equal(mark, atom('error'));
      assert.deepEqual(detail.elements.slice(0, 2), [atom('dgen_error'), atom('unknown_request')]);
    }
    await checkClean(host, [a, b]);
  }
});

test(
  'what cannot be encoded: the caller of a call, the sender, and the caller of an answer are told; a reason goes as text',
  joined(async ({ host, a, b }) => {
    const nonsense = { run: () => undefined };
    const pid = b.spawnBehaviour({
      handle: (message) => void (isCallMessage(message) && b.reply(message.from, nonsense)),
    });
    await rejectionIn(host, a.call(pid, nonsense), 'not_encodable');
    assert.throws(() => a.send(pid, nonsense), { code: 'not_encodable' });
    await rejectionIn(host, a.call(pid, 1), 'not_encodable');
    const watcher = startRecorder(a);
    await watcher.run((self) => self.monitor(pid));
    await host.settle();
    b.exit(pid, nonsense);
    await host.settle();
    const { reason } = watcher.messages[0] as { reason: Tuple };
    assert.equal(reason.elements[0], atom('not_encodable'));
  }),
);

test(
  'a call waits for room in the link, in order, until its deadline; a plain send throws',
  joined(async ({ host, network, a, b }) => {
    const recorder = startRecorder(b);
    network.signalsMax = 1;
    network.hold(a, b);
    a.send(recorder.pid, 'fills the link');
    const calls = ['first', 'second', 'third'].map((request) => a.call(recorder.pid, request));
    const hopeless = rejection(a.call(recorder.pid, 'hopeless', { timeoutMs: 5 }), 'send_buffer_full');
    assert.throws(() => a.send(recorder.pid, 'no room'), { code: 'send_buffer_full' });
    await host.runFor(5);
    assert.equal((await hopeless).maybeExecuted, false);
    network.signalsMax = 1000;
    assert.throws(() => a.cast(recorder.pid, 'would overtake'), { code: 'send_buffer_full' });
    calls.push(a.call(recorder.pid, 'fourth'));
    network.signalsMax = 1;
    network.release(a, b);
    assert.deepEqual(await host.runUntil(Promise.all(calls)), ['first', 'second', 'third', 'fourth']);
    const seen = recorder.messages.map((message) => (isCallMessage(message) ? message.request : message));
    assert.deepEqual(seen, ['fills the link', 'first', 'second', 'third', 'fourth']);
    a.send(recorder.pid, 'room again');
    await host.settle();
  }),
);

test(
  'calls that wait for room fail with the connection',
  joined(async ({ host, network, a, b }) => {
    const echo = startEcho(b);
    network.signalsMax = 0;
    const call = rejection(a.call(echo, 1), 'noconnection');
    await host.settle();
    network.disconnect(a, b);
    await host.runUntil(call);
    network.signalsMax = 10;
    network.connect(a, b);
    assert.equal(await host.runUntil(a.call(echo, 2)), 2);
  }),
);

test('answers wait for room too, up to their limit', async () => {
  const { host, network, a } = joinedRuntimes();
  const c = createRuntime({ name: atom('c@test'), creation: 3, host, limits: { repliesWaitingMax: 2 } });
  network.add(c);
  network.connect(a, c);
  const echo = startEcho(c);
  const calls = [1, 2, 3].map((request) => a.call(echo, request, { timeoutMs: 100 }));
  network.signalsMax = 0;
  const results = Promise.allSettled(calls);
  network.signalsMax = 3;
  await host.settle();
  assert.deepEqual(
    (await host.runUntil(results)).map((result) => result.status),
    ['fulfilled', 'fulfilled', 'fulfilled'],
  );
  network.hold(c, a);
  const more = Promise.allSettled([1, 2, 3, 4].map((request) => a.call(echo, request, { timeoutMs: 100 })));
  network.signalsMax = 1;
  await host.settle();
  network.signalsMax = 1000;
  network.release(c, a);
  const statuses = (await host.runUntil(more)).map((result) => result.status);
  assert.deepEqual(
    statuses.filter((status) => status === 'rejected').length,
    1,
    'the fourth found no place to wait',
  );
  await checkClean(host, [a, c]);
});

test(
  'answers that wait for room are dropped with the connection',
  joined(async ({ host, network, a, b }) => {
    const keeper = startKeeper(b);
    const call = rejection(a.call(keeper.pid, 1), 'noconnection');
    await host.settle();
    network.signalsMax = 0;
    b.reply(keeper.froms[0] as From, 'waits');
    await host.settle();
    network.signalsMax = 10;
    network.disconnect(a, b);
    network.connect(a, b);
    await host.runUntil(call);
    await host.settle();
    assert.deepEqual(network.trace, ['a> call']);
  }),
);

test(
  'casts and sends arrive as what they are, in order',
  joined(async ({ host, a, b }) => {
    const recorder = startRecorder(b);
    b.register('recorder', recorder.pid);
    a.send(recorder.pid, 'send');
    a.cast(recorder.pid, 'cast');
    a.send({ name: atom('recorder'), node: b.name }, tuple('by', 'name'));
    a.cast({ name: atom('recorder'), node: b.name }, 'cast by name');
    a.send({ name: atom('nobody'), node: b.name }, 'lost');
    const alias = await recorder.run((self) => self.alias());
    a.send(alias, 'to the alias');
    await host.settle();
    const seen = recorder.messages.map((message) =>
      isCastMessage(message) ? `cast: ${message.request}` : message,
    );
    assert.deepEqual(seen, ['send', 'cast: cast', tuple('by', 'name'), 'cast: cast by name', 'to the alias']);
    assert.equal(await host.runUntil(a.call(alias, 'called')), 'called');
  }),
);

test('without a distribution every other node is one that is not connected', async () => {
  const { host, a } = joinedRuntimes();
  const alone = createRuntime({ name: atom('alone@test'), creation: 1, host });
  const far = startSilent(a);
  alone.send(far, 'lost');
  alone.cast(far, 'lost');
  alone.exit(far, 'lost');
  const error = await rejection(alone.call(far, 1), 'noconnection');
  assert.equal(error.maybeExecuted, false);
  assert.equal(await alone.whenDown(far), atom('noconnection'));
  const watcher = startRecorder(alone, { trap: true });
  await watcher.run((self) => {
    self.monitor(far);
    self.link(far);
  });
  await host.settle();
  const reasons = watcher.messages.map((message) => (message as { reason: unknown }).reason);
  assert.deepEqual(reasons, [atom('noconnection'), atom('noconnection')]);
  await checkClean(host, [alone, a]);
});

test('Erlang calls: all three tags are echoed, to the alias or to the pid; malformed ones are messages', async () => {
  const { host, a, b } = joinedRuntimes({ kind: 'erlang' });
  const recorder = startRecorder(b);
  const caller = startRecorder(a);
  const alias = await caller.run((self) => self.alias());
  const pair = improper([atom('alias')], alias);
  const tags = [pair, [pair], [pair, 'label'], new ImproperList([pair], atom('label')), 'plain', a.makeRef()];
  for (const tag of tags) a.send(recorder.pid, tuple(atom('$gen_call'), tuple(caller.pid, tag), 'request'));
  a.send(recorder.pid, tuple(atom('$gen_call'), 'nobody', 'request'));
  a.send(recorder.pid, tuple(atom('$gen_call'), tuple('nobody', 1), 'request'));
  await host.settle();
  assert.equal(recorder.messages.filter(isCallMessage).length, tags.length);
  assert.equal(recorder.messages.length, tags.length + 2);
  assert.deepEqual(
    caller.messages,
    tags.map((tag) => tuple(tag, 'request')),
  );
  await checkClean(host, [a, b]);
});

test(
  "a request in Erlang's form that another node sends back here is answered here",
  joined(
    async ({ host, a, b }) => {
      const local = a.spawnBehaviour({
        handle(message) {
          if (!isCallMessage(message)) return;
          if (message.request === 'refused')
            a.replyError(message.from, new DGenError('unknown_request', 'no'));
          else a.reply(message.from, message.request);
        },
      });
      const forwarder = b.spawnBehaviour({
        handle(message) {
          if (!isCallMessage(message)) return;
          const { pid, tag } = message.from as unknown as { pid: Pid; tag: unknown };
          b.send(local, tuple(atom('$gen_call'), tuple(pid, tag), message.request));
        },
      });
      assert.equal(await host.runUntil(a.call(forwarder, 'round trip')), 'round trip');
      await rejectionIn(host, a.call(forwarder, 'refused'), 'unknown_request');
    },
    { channels: false },
  ),
);

test(
  'a number means something on its connection only',
  joined(async ({ host, network, a, b }) => {
    const c = network.join('c@test', 3);
    network.connect(a, c);
    const keeper = startKeeper(b);
    const call = a.call(keeper.pid, 'for b alone');
    await host.settle();
    const [stranger] = network.channelsOf(c, a);
    for (let number = 1; number < 20; number++) {
      stranger.answer(number, 'from c');
      stranger.calleeGone(number, atom('from c'));
      stranger.givenUp(number);
    }
    await host.settle();
    b.reply(keeper.froms[0] as From, 'from b');
    assert.equal(await host.runUntil(call), 'from b');
    await checkClean(host, [c]);
  }),
);

test(
  'an answer on a connection that has ended reaches nobody, also after the next one is up',
  joined(async ({ host, network, a, b }) => {
    const keeper = startKeeper(b);
    const lost = rejection(a.call(keeper.pid, 1), 'noconnection');
    await host.settle();
    network.disconnect(a, b);
    await lost;
    network.connect(a, b);
    const next = a.call(keeper.pid, 2);
    await host.settle();
    b.reply(keeper.froms[0] as From, 'late');
    await host.settle();
    b.reply(keeper.froms[1] as From, 'right');
    assert.equal(await host.runUntil(next), 'right');
    assert.deepEqual(network.trace, ['a> call', 'a> call', 'b> answer']);
  }),
);
