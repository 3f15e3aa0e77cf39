// Calls within a node: how they end, and that they end once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DGenError } from '../../src/errors/error.ts';
import {
  type From,
  isCallMessage,
  isCastMessage,
  kill,
  type Runtime,
  type ViaModule,
} from '../../src/process/index.ts';
import { atom, type Pid } from '../../src/term/index.ts';
import { inWorld, rejection, rejectionIn, startEcho, startRecorder, startSilent, thrown } from './support.ts';

/** Keeps the requests it gets, for the test to answer. */
function startKeeper(runtime: Runtime): { pid: Pid; froms: From[] } {
  const froms: From[] = [];
  const pid = runtime.spawnBehaviour({
    handle: (message) => void (isCallMessage(message) && froms.push(message.from)),
  });
  return { pid, froms };
}

test(
  'a call by pid, name, atom, name with node, alias and via resolves with the answer',
  inWorld(async ({ host, runtime }) => {
    const pid = startEcho(runtime, 'echo');
    const owner = startRecorder(runtime);
    const alias = await owner.run((self) => self.alias());
    const ways = [pid, 'echo', atom('echo'), { name: atom('echo'), node: runtime.name }, alias, via('echo')];
    for (const [index, way] of ways.entries()) assert.equal(await runtime.call(way, index), index);
    await host.settle();
  }),
);

test(
  'a call to what is not there rejects with noproc; to what is no destination with badarg',
  inWorld(async ({ host, runtime }) => {
    const dead = runtime.spawn(() => undefined);
    await host.settle();
    const nowhere = [
      dead,
      'nobody',
      { name: atom('nobody'), node: runtime.name },
      runtime.makeRef(),
      via('nobody'),
    ];
    for (const way of nowhere) await rejection(runtime.call(way, 1), 'noproc');
    await rejection(runtime.call(undefined as never, 1), 'badarg');
    await rejection(runtime.call({ via: brokenVia, name: 'x' }, 1), 'unknown_registry');
  }),
);

test(
  'timeout: counted from the turn of the call, not before; the late answer reaches no later call',
  inWorld(async ({ host, runtime }) => {
    const keeper = startKeeper(runtime);
    const start = host.clock.now();
    await rejectionIn(host, runtime.call(keeper.pid, 1, { timeoutMs: 30 }), 'timeout');
    assert.equal(host.clock.now() - start, 30);
    const second = runtime.call(keeper.pid, 2);
    await host.settle();
    runtime.reply(keeper.froms[0] as From, 'late');
    runtime.reply(keeper.froms[1] as From, 'right');
    assert.equal(await second, 'right');
    await rejectionIn(host, runtime.call(keeper.pid, 3), 'timeout');
    assert.equal(host.clock.now() - start, 30 + 5000);
  }),
);

test(
  'timeout 0 fails unless the answer is there in the same turn; Infinity waits; nonsense is refused',
  inWorld(async ({ host, runtime }) => {
    const echo = startEcho(runtime);
    const keeper = startKeeper(runtime);
    await host.settle();
    assert.equal(await runtime.call(echo, 1, { timeoutMs: 0 }), 1);
    await rejectionIn(host, runtime.call(keeper.pid, 1, { timeoutMs: 0 }), 'timeout');
    for (const timeoutMs of [-1, Number.NaN])
      await rejection(runtime.call(echo, 1, { timeoutMs }), 'bad_option');
    const patient = runtime.call(keeper.pid, 2, { timeoutMs: Number.POSITIVE_INFINITY });
    await host.runFor(1e9);
    runtime.reply(keeper.froms[1] as From, 'at last');
    assert.equal(await patient, 'at last');
  }),
);

test(
  'calls of one turn and one timeout time out in the order in which they were made',
  inWorld(async ({ host, runtime }) => {
    const silent = startSilent(runtime);
    const order: number[] = [];
    for (const index of [1, 2, 3]) {
      runtime.call(silent, index, { timeoutMs: 10 }).catch(() => order.push(index));
    }
    await host.runFor(10);
    assert.deepEqual(order, [1, 2, 3]);
  }),
);

test(
  'the abort signal ends the wait, before and during',
  inWorld(async ({ host, runtime }) => {
    const keeper = startKeeper(runtime);
    const controller = new AbortController();
    const call = rejection(runtime.call(keeper.pid, 1, { signal: controller.signal }), 'aborted');
    await host.settle();
    controller.abort(new Error('why'));
    assert.equal(((await call).cause as Error).message, 'why');
    const before = await rejection(runtime.call(keeper.pid, 1, { signal: controller.signal }), 'aborted');
    assert.equal(before.maybeExecuted, false);
    runtime.reply(keeper.froms[0] as From, 'late');
    assert.equal(keeper.froms.length, 1);
  }),
);

test(
  'the callee dies: with the call in the mailbox, in its handler, taken and unanswered, and forwarded',
  inWorld(async ({ host, runtime }) => {
    const helper = startSilent(runtime);
    const kept: From[] = [];
    const pid = runtime.spawnBehaviour({
      handle(message, self) {
        if (!isCallMessage(message)) return;
        if (message.request === 'throw') throw new Error('in the handler');
        if (message.request === 'wait') return new Promise(() => undefined);
        if (message.request === 'kill me') self.exitOther(self.self, kill);
        kept.push(message.from);
      },
    });
    const errors = ['keep', 'wait', 'queued'].map((request) =>
      rejection(runtime.call(pid, request), 'process_exit'),
    );
    await host.settle();
    runtime.exit(pid, 'crash');
    for (const error of await Promise.all(errors)) assert.equal(error.details.reason, 'crash');
    runtime.reply(kept[0] as From, 'from the grave');
    const next = (): Pid =>
      runtime.spawnBehaviour({
        handle(message, self) {
          if (!isCallMessage(message)) return;
          if (message.request === 'throw') throw new Error('in the handler');
          self.exitOther(self.self, kill);
        },
      });
    const thrownError = await rejectionIn(host, runtime.call(next(), 'throw'), 'process_exit');
    assert.match(String(thrownError.details.reason), /in the handler/);
    const killError = await rejectionIn(host, runtime.call(next(), 'kill me'), 'process_exit');
    assert.equal(killError.details.reason, atom('killed'));
    assert.equal(runtime.isAlive(helper), true);
  }),
);

test(
  'an error as answer rejects with that very error',
  inWorld(async ({ host, runtime }) => {
    const error = new DGenError('unknown_request', 'what is that');
    const pid = runtime.spawnBehaviour({
      handle: (message) => void (isCallMessage(message) && runtime.replyError(message.from, error)),
    });
    const got = await host.runUntil(runtime.call(pid, 1).catch((reason: unknown) => reason));
    assert.equal(got, error);
  }),
);

test(
  'processes may call each other, and a call from a process names it',
  inWorld(async ({ host, runtime }) => {
    const callers: Pid[] = [];
    const inner = runtime.spawnBehaviour({
      handle(message) {
        if (!isCallMessage(message)) return;
        callers.push(message.from.pid);
        runtime.reply(message.from, `inner ${message.request}`);
      },
    });
    const outer = runtime.spawnBehaviour({
      async handle(message, self) {
        if (!isCallMessage(message)) return;
        runtime.reply(message.from, `outer ${await self.call(inner, message.request)}`);
      },
    });
    assert.equal(await host.runUntil(runtime.call(outer, 1)), 'outer inner 1');
    assert.deepEqual(callers, [outer]);
  }),
);

test(
  'a cast arrives as a cast, in order with sends; user messages are never taken for messages of the runtime',
  inWorld(async ({ host, runtime }) => {
    const recorder = startRecorder(runtime);
    const fakes = [
      { kind: 'cast' },
      { kind: 'call', from: { pid: recorder.pid } },
      { kind: 'down' },
      { kind: 'exit' },
    ];
    runtime.cast(recorder.pid, 'first');
    for (const fake of fakes) runtime.send(recorder.pid, fake);
    await host.settle();
    const [cast, ...rest] = recorder.messages;
    assert.ok(isCastMessage(cast));
    assert.equal(cast.request, 'first');
    assert.deepEqual(rest, fakes);
    assert.ok(!rest.some((message) => isCastMessage(message) || isCallMessage(message)));
  }),
);

test(
  'via: send asks the module, call and monitor ask where the name is',
  inWorld(async ({ host, runtime }) => {
    const recorder = startRecorder(runtime);
    runtime.register('known', recorder.pid);
    runtime.send(via('known'), 'sent');
    runtime.cast(via('known'), 'cast');
    runtime.cast(via('nobody'), 'lost');
    assert.throws(() => runtime.send(via('nobody'), 'lost'), thrown('badarg'));
    await host.settle();
    assert.equal(recorder.messages[0], 'sent');
    assert.ok(isCastMessage(recorder.messages[1]));
    assert.equal(recorder.messages.length, 2);
  }),
);

/** The local names, as a via module would offer them. */
const localVia: ViaModule = {
  whereisName: (runtime, name) => runtime.whereis(name as string),
  registerName: async () => 'no',
  unregisterName: async () => undefined,
  send(runtime, name, message) {
    const pid = runtime.whereis(name as string);
    if (pid === undefined) throw new DGenError('badarg', 'not registered');
    runtime.send(pid, message);
    return pid;
  },
};

const brokenVia: ViaModule = {
  ...localVia,
  whereisName: () => {
    throw new DGenError('unknown_registry', 'no such registry');
  },
};

function via(name: string): { via: ViaModule; name: string } {
  return { via: localVia, name };
}
