// Every way in which a start ends, and that nothing is left of one that failed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DGenError } from '../../src/errors/error.ts';
import { call, GenServer, type ServerClass, start, startLink } from '../../src/otp/index.ts';
import type { Process } from '../../src/process/types.ts';
import { atom } from '../../src/term/atom.ts';
import type { Pid } from '../../src/term/pid.ts';
import { FakeRegistry, inWorld, rejection, type World } from './support.ts';

type Way = 'ok' | 'throw' | 'reject' | 'stop' | 'hang' | 'exit';

class Starter extends GenServer {
  static readonly type = 'starter';
  async init(way: Way) {
    if (way === 'throw') throw new RangeError('no init');
    if (way === 'stop') this.stop({ because: 'no' });
    if (way === 'exit') this.process.exit('left');
    if (way === 'reject') await Promise.reject(new RangeError('no init'));
    if (way === 'hang') await new Promise(() => undefined);
  }
  handleCall = { pid: () => this.self };
  terminate() {
    throw new Error('terminate runs for servers that have started only');
  }
}

async function failedStart({ run, runtime }: World, way: Way): Promise<DGenError> {
  const error = await run(rejection(start(runtime, Starter, way, { name: 'starter' }), 'start_failed'));
  assert.equal(runtime.whereis('starter'), undefined);
  assert.equal(runtime.processCount(), 0);
  assert.equal(error.maybeExecuted, false);
  return error;
}

test(
  'a start resolves with the pid when init is done',
  inWorld(async ({ run, runtime }) => {
    const pid = await run(start(runtime, Starter, 'ok', { name: 'starter' }));
    assert.ok(pid.equals(runtime.whereis('starter')));
    assert.ok(pid.equals(await run(call(runtime, pid, 'pid'))));
  }),
);

test(
  'init that throws or rejects fails the start with the error as cause',
  inWorld(async (world) => {
    for (const way of ['throw', 'reject'] as const) {
      const error = await failedStart(world, way);
      assert.ok(error.cause instanceof RangeError);
      assert.equal(error.details.reason, error.cause);
      assert.equal(error.message, 'start_failed: starter ended with RangeError: no init');
    }
    assert.deepEqual(world.log, [], 'told by the rejection alone');
  }),
);

test(
  'init that stops or exits fails the start with the reason',
  inWorld(async (world) => {
    assert.deepEqual((await failedStart(world, 'stop')).details.reason, { because: 'no' });
    assert.equal((await failedStart(world, 'exit')).details.reason, 'left');
  }),
);

test(
  'a constructor that throws fails the start',
  inWorld(async ({ run, runtime }) => {
    class Broken extends GenServer {
      readonly value = JSON.parse('not json') as unknown;
    }
    assert.ok((await run(rejection(start(runtime, Broken), 'start_failed'))).cause instanceof SyntaxError);
  }),
);

test(
  'a process that is ended during init fails the start',
  inWorld(async ({ run, runtime, settle }) => {
    const starting = rejection(start(runtime, Starter, 'hang', { name: 'starter' }), 'start_failed');
    await settle();
    runtime.exit(runtime.whereis('starter') as Pid, atom('kill'));
    assert.equal((await run(starting)).details.reason, atom('killed'));
  }),
);

test(
  'init that takes too long is ended: 5000 ms, startTimeoutMs of the class, timeoutMs',
  inWorld(async ({ host, run, runtime }) => {
    class Impatient extends Starter {
      static readonly startTimeoutMs = 70;
    }
    await run(rejection(start(runtime, Starter, 'hang'), 'timeout'));
    assert.equal(host.clock.now(), 5000);
    await run(rejection(start(runtime, Impatient, 'hang'), 'timeout'));
    assert.equal(host.clock.now(), 5070);
    await run(rejection(start(runtime, Impatient, 'hang', { timeoutMs: 1, name: 'starter' }), 'timeout'));
    assert.equal(host.clock.now(), 5071);
    assert.equal(runtime.whereis('starter'), undefined);
    assert.equal(runtime.processCount(), 0);
  }),
);

test(
  'an abort ends the start: before, during, and never after it',
  inWorld(async ({ host, run, runtime, settle }) => {
    const before = new AbortController();
    before.abort(new Error('enough'));
    const error = await run(rejection(start(runtime, Starter, 'hang', { signal: before.signal }), 'aborted'));
    assert.equal((error.cause as Error).message, 'enough');
    const at = new AbortController();
    const atOnce = rejection(start(runtime, Starter, 'hang', { signal: at.signal }), 'aborted');
    at.abort();
    await run(atOnce);
    const during = new AbortController();
    const starting = rejection(start(runtime, Starter, 'hang', { signal: during.signal }), 'aborted');
    await settle();
    during.abort();
    await run(starting);
    assert.equal(host.clock.now(), 0);
    assert.equal(runtime.processCount(), 0);
    const after = new AbortController();
    const pid = await run(start(runtime, Starter, 'ok', { signal: after.signal }));
    after.abort();
    await settle();
    assert.ok(runtime.isAlive(pid));
  }),
);

test(
  'a taken local name rejects with its holder',
  inWorld(async ({ run, runtime }) => {
    const pid = await run(start(runtime, Starter, 'ok', { name: 'starter' }));
    const error = await run(
      rejection(start(runtime, Starter, 'throw', { name: atom('starter') }), 'already_started'),
    );
    assert.ok(pid.equals(error.details.pid));
    assert.equal(runtime.processCount(), 1);
  }),
);

test(
  'a via name is registered before init runs',
  inWorld(async ({ run, runtime }) => {
    const registry = new FakeRegistry();
    class Named extends GenServer {
      init() {
        registry.events.push(`init ${registry.names.get('n')?.equals(this.self)}`);
      }
      handleCall = { pid: () => this.self };
    }
    const name = { via: registry, name: 'n' };
    const pid = await run(start(runtime, Named, undefined, { name }));
    assert.deepEqual(registry.events, ['register n', 'init true']);
    assert.ok(pid.equals(await run(runtime.call(name, atom('pid')))));
  }),
);

test(
  'a taken via name rejects with its holder where it is known; init does not run',
  inWorld(async ({ run, runtime }) => {
    const registry = new FakeRegistry();
    const name = { via: registry, name: 'n' };
    const pid = await run(start(runtime, Starter, 'ok', { name }));
    const error = await run(rejection(start(runtime, Starter, 'throw', { name }), 'already_started'));
    assert.ok(pid.equals(error.details.pid));
    registry.hidesHolders = true;
    assert.deepEqual(
      (await run(rejection(start(runtime, Starter, 'throw', { name }), 'already_started'))).details,
      {},
    );
    assert.equal(runtime.processCount(), 1);
    assert.deepEqual(registry.events, ['register n', 'register n', 'register n']);
  }),
);

test(
  'a registration that rejects fails the start with its error',
  inWorld(async ({ run, runtime }) => {
    const registry = new FakeRegistry();
    registry.failure = new DGenError('unavailable', 'no leader');
    const error = await run(
      rejection(start(runtime, Starter, 'ok', { name: { via: registry, name: 'n' } }), 'unavailable'),
    );
    assert.equal(error, registry.failure);
    assert.equal(runtime.processCount(), 0);
  }),
);

test(
  'a failed init gives its via name back before the start rejects',
  inWorld(async ({ log, run, runtime }) => {
    const registry = new FakeRegistry();
    const name = { via: registry, name: 'n' };
    await run(rejection(start(runtime, Starter, 'throw', { name }), 'start_failed'));
    await run(rejection(start(runtime, Starter, 'stop', { name }), 'start_failed'));
    assert.deepEqual(registry.events, ['register n', 'unregister n', 'register n', 'unregister n']);
    registry.unregisterName = () => Promise.reject(new Error('gone'));
    await run(rejection(start(runtime, Starter, 'throw', { name }), 'start_failed'));
    assert.deepEqual(
      log.map(({ message }) => message),
      ['a failed start leaves its name to the registry'],
    );
  }),
);

test(
  'a registration that never answers is ended by the deadline, and init never runs',
  inWorld(async ({ run, runtime, settle }) => {
    const registry = new FakeRegistry();
    let answer = (): void => undefined;
    registry.wait = new Promise((resolve) => {
      answer = resolve;
    });
    const constructed: string[] = [];
    class Never extends GenServer {
      readonly seen = constructed.push('never');
    }
    await run(
      rejection(
        start(runtime, Never, undefined, { name: { via: registry, name: 'n' }, timeoutMs: 30 }),
        'timeout',
      ),
    );
    answer();
    await settle();
    assert.deepEqual(constructed, []);
    assert.equal(runtime.processCount(), 0);
  }),
);

function inProcess(world: World, main: (self: Process) => Promise<void>): Promise<unknown> {
  const pid = world.runtime.spawn(main);
  return world.run(world.runtime.whenDown(pid));
}

test(
  'startLink links to the process; a start that fails leaves it alive',
  inWorld(async (world) => {
    let child: Pid | undefined;
    const end = await inProcess(world, async (self) => {
      await rejection(startLink(self, Starter, 'throw'), 'start_failed');
      await rejection(startLink(self, Starter, 'hang', { timeoutMs: 10 }), 'timeout');
      await rejection(startLink(self, Starter, 'hang', { timeoutMs: 0 }), 'timeout');
      child = await startLink(self, Starter, 'ok');
      self.exitOther(child, 'bad end');
      await self.receive();
    });
    assert.equal(end, 'bad end');
    assert.equal(world.runtime.processCount(), 0);
  }),
);

test(
  'the end of the parent ends a start',
  inWorld(async ({ run, runtime, settle }) => {
    let starting: Promise<unknown> = Promise.resolve();
    const parent = runtime.spawn((self) => {
      starting = rejection(startLink(self, Starter, 'hang'), 'start_failed');
      return self.receive().then(() => self.exit('over'));
    });
    await settle();
    runtime.send(parent, 'end');
    assert.equal(((await run(starting)) as DGenError).details.reason, 'over');
  }),
);

test(
  'no server, a wrong callback, a wrong option: badarg that says what was expected',
  inWorld(async ({ run, runtime }) => {
    class NoTable extends GenServer {
      handleCall = { get: 5 };
    }
    class NoFunction extends GenServer {
      handleInfo = 'text';
    }
    const wrongs: [unknown, object, RegExp][] = [
      [Map, {}, /start: expected a class that extends GenServer, got function/],
      ['Starter', {}, /got string/],
      [NoTable, {}, /callback handleCall\.get: expected a function, got number/],
      [NoFunction, {}, /callback handleInfo: expected a function, got string/],
      [Starter, { timeoutMs: -1 }, /timeoutMs: expected a number, 0 or more, got -1/],
      [Starter, { name: 5 }, /name: expected a string, an atom or { via, name }, got number/],
      [Starter, { name: { via: {} } }, /name: expected/],
      [Starter, { link: 'me' }, /link: expected a pid, got string/],
    ];
    for (const [server, options, message] of wrongs) {
      const starting = start(runtime, server as ServerClass<Starter>, 'ok', options);
      assert.match((await run(rejection(starting, 'badarg'))).message, message);
    }
    assert.equal(runtime.processCount(), 0);
  }),
);

test(
  'limits and the closing of the node pass through',
  inWorld(async ({ run, runtime }) => {
    const pid = await run(start(runtime, Starter, 'ok', { mailboxMessagesMax: 1, label: 'small' }));
    runtime.send(pid, 1);
    assert.throws(() => runtime.send(pid, 2), { code: 'mailbox_full', message: /small/ });
    const starting = rejection(start(runtime, Starter, 'hang'), 'start_failed');
    await run(runtime.close());
    await run(starting);
    await run(rejection(start(runtime, Starter, 'ok'), 'closed'));
  }),
);
