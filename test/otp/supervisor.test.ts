// Supervisors on the simulated clock: order, strategies, intensity, requests, nesting, names.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DGenError } from '../../src/errors/error.ts';
import {
  addressOf,
  type ChildSpec,
  call,
  child,
  GenServer,
  Supervisor,
  start,
  stop,
} from '../../src/otp/index.ts';
import { isNormalExit } from '../../src/otp/reasons.ts';
import { RestartIntensity } from '../../src/otp/restart-intensity.ts';
import { atom } from '../../src/term/atom.ts';
import type { Pid } from '../../src/term/pid.ts';
import { tuple } from '../../src/term/tuple.ts';
import { inWorld, rejection } from './support.ts';
import { tree, Worker, type WorkerPlan, worker } from './tree.ts';

test(
  'children start in order and stop in reverse order, with reason shutdown',
  inWorld(async (world) => {
    const { events, ids, pid } = await tree(world, {}, ['a', 'b', 'c']);
    assert.deepEqual(events(), ['start a', 'start b', 'start c']);
    assert.deepEqual(await ids(), ['a runs', 'b runs', 'c runs']);
    assert.equal(await world.run(stop(world.runtime, pid)), atom('normal'));
    assert.deepEqual(events(), ['end c :shutdown', 'end b :shutdown', 'end a :shutdown']);
    assert.equal(world.runtime.processCount(), 0);
  }),
);

test(
  'a child that does not start stops those before it and fails the supervisor',
  inWorld(async ({ run, runtime }) => {
    const log: string[] = [];
    const children = ['a', 'b', 'c'].map((id) =>
      child(id, Worker, { id, log, startsMax: id === 'c' ? 0 : 9 }),
    );
    const error = await run(
      rejection(start(runtime, Supervisor, { children }, { name: 'sup' }), 'start_failed'),
    );
    const cause = error.cause as DGenError;
    assert.equal(cause.code, 'start_failed');
    assert.equal((cause.cause as Error).message, 'c does not start');
    assert.deepEqual(log, ['start a', 'start b', 'fail c', 'end b :shutdown', 'end a :shutdown']);
    assert.equal(runtime.processCount(), 0);
  }),
);

test(
  'one_for_one restarts the child alone',
  inWorld(async (world) => {
    const { end, events, ids, pidOf } = await tree(world, {}, ['a', 'b', 'c']);
    const [a, b] = [await pidOf('a'), await pidOf('b')];
    events();
    await end('b', 'bug');
    assert.deepEqual(events(), ['end b bug', 'start b']);
    assert.deepEqual(await ids(), ['a runs', 'b runs', 'c runs']);
    assert.ok(a.equals(await pidOf('a')));
    assert.ok(!b.equals(await pidOf('b')));
  }),
);

test(
  'one_for_all restarts all: the others stop in reverse order, then all start in order',
  inWorld(async (world) => {
    const { end, events } = await tree(world, { strategy: 'one_for_all' }, ['a', 'b', 'c']);
    events();
    await end('b', 'bug');
    assert.deepEqual(events(), [
      'end b bug',
      'end c :shutdown',
      'end a :shutdown',
      'start a',
      'start b',
      'start c',
    ]);
  }),
);

test(
  'rest_for_one restarts the child and those after it',
  inWorld(async (world) => {
    const { end, events } = await tree(world, { strategy: 'rest_for_one' }, ['a', 'b', 'c', 'd']);
    events();
    await end('b', 'bug');
    assert.deepEqual(events(), [
      'end b bug',
      'end d :shutdown',
      'end c :shutdown',
      'start b',
      'start c',
      'start d',
    ]);
    await end('d', 'bug');
    assert.deepEqual(events(), ['end d bug', 'start d']);
  }),
);

test(
  'transient children restart after failures only, temporary ones never',
  inWorld(async (world) => {
    const log: string[] = [];
    const kind = (id: string, restart: 'transient' | 'temporary') =>
      child(id, Worker, { id, log }, { restart });
    const { end, ids } = await tree(world, { maxRestarts: 100 }, [
      kind('t', 'transient'),
      kind('x', 'temporary'),
      'p',
    ]);
    log.splice(0);
    await end('t', 'bug');
    assert.deepEqual(log.splice(0), ['end t bug', 'start t']);
    await end('t', tuple(atom('shutdown'), 'for a reason'));
    await end('x', 'bug');
    await end('p', 'normal');
    assert.deepEqual(await ids(), ['t undefined', 'p runs']);
  }),
);

test(
  'a temporary child that is stopped with the others is gone',
  inWorld(async (world) => {
    const log: string[] = [];
    const temporary = child('x', Worker, { id: 'x', log }, { restart: 'temporary' });
    const { end, ids } = await tree(world, { strategy: 'one_for_all' }, ['a', temporary]);
    await end('a', 'bug');
    assert.deepEqual(await ids(), ['a runs']);
    assert.deepEqual(log, ['start x', 'end x :shutdown']);
  }),
);

test('normal ends are normal, shutdown and {shutdown, term}', () => {
  const normals = [atom('normal'), atom('shutdown'), tuple(atom('shutdown'), 1)];
  const others = [
    atom('killed'),
    'normal',
    'shutdown',
    tuple(atom('shutdown')),
    tuple(atom('shutdown'), 1, 2),
    undefined,
  ];
  assert.deepEqual(normals.map(isNormalExit), [true, true, true]);
  assert.deepEqual(
    others.map(isNormalExit),
    others.map(() => false),
  );
});

test('the intensity allows maxRestarts within maxSeconds, both edges counted', () => {
  const intensity = new RestartIntensity({});
  assert.deepEqual(
    [0, 1, 2, 3].map((now) => intensity.allow(now)),
    [true, true, true, false],
  );
  assert.equal(intensity.allow(5000), false, 'the first is exactly 5 s old');
  assert.equal(intensity.allow(5000.5), true);
  assert.equal(intensity.allow(5001), false);
  assert.equal(new RestartIntensity({ maxRestarts: 0 }).allow(0), false);
  assert.throws(() => new RestartIntensity({ maxRestarts: -1 }), { code: 'badarg' });
  assert.throws(() => new RestartIntensity({ maxSeconds: 0 }), { code: 'badarg' });
});

test(
  'one restart too many stops all children and ends the supervisor with shutdown',
  inWorld(async (world) => {
    const { end, events, pid } = await tree(world, {}, ['a', 'b']);
    const down = world.runtime.whenDown(pid);
    for (let restart = 0; restart < 3; restart++) await end('a', 'bug');
    events();
    await end('a', 'bug');
    assert.equal(await world.run(down), atom('shutdown'));
    assert.deepEqual(events(), ['end a bug', 'end b :shutdown']);
    assert.equal(world.runtime.processCount(), 0);
  }),
);

test(
  'restarts that are far enough apart go on for ever',
  inWorld(async (world) => {
    const { end, ids } = await tree(world, { maxRestarts: 1, maxSeconds: 1 }, ['a']);
    for (let restart = 0; restart < 10; restart++) {
      await end('a', 'bug');
      await world.pass(1001);
    }
    assert.deepEqual(await ids(), ['a runs']);
  }),
);

test(
  'a restart that fails is tried again and counts each time',
  inWorld(async (world) => {
    const log: string[] = [];
    const { end, pid } = await tree(world, {}, [child('a', Worker, { id: 'a', log, startsMax: 1 })]);
    const down = world.runtime.whenDown(pid);
    await end('a', 'bug');
    assert.equal(await world.run(down), atom('shutdown'));
    assert.deepEqual(log, ['start a', 'end a bug', 'fail a', 'fail a', 'fail a']);
  }),
);

test(
  'a failed restart of one_for_all starts over with all of them',
  inWorld(async (world) => {
    const log: string[] = [];
    let failures = 1;
    class Flaky extends Worker {
      override init(plan: WorkerPlan) {
        if (log.includes('end a bug') && failures-- > 0) {
          log.push('flaky');
          throw new Error('not yet');
        }
        super.init(plan);
      }
    }
    const specs = [
      child('a', Worker, { id: 'a', log }),
      child('b', Flaky, { id: 'b', log }),
      child('c', Worker, { id: 'c', log }),
    ];
    const { end, ids } = await tree(world, { strategy: 'one_for_all' }, specs);
    log.splice(0);
    await end('a', 'bug');
    assert.deepEqual(await ids(), ['a runs', 'b runs', 'c runs']);
    assert.deepEqual(log, [
      'end a bug',
      'end c :shutdown',
      'end b :shutdown',
      'start a',
      'flaky',
      'end a :shutdown',
      'start a',
      'start b',
      'start c',
    ]);
  }),
);

test(
  'a child that does not end within shutdownMs is killed; brutal_kill does not ask',
  inWorld(async (world) => {
    const log: string[] = [];
    const plan = (id: string) => ({ id, log, stubborn: true });
    const specs = [
      child('a', Worker, plan('a')),
      child('b', Worker, plan('b'), { shutdownMs: 100 }),
      child('c', Worker, { id: 'c', log }, { shutdownMs: 'brutal_kill' }),
    ];
    const { pid } = await tree(world, {}, specs);
    await world.run(stop(world.runtime, pid, { timeoutMs: Number.POSITIVE_INFINITY }));
    assert.equal(world.host.clock.now(), 5100);
    assert.equal(world.runtime.processCount(), 0);
    assert.deepEqual(log, ['start a', 'start b', 'start c']);
  }),
);

test(
  'children are added, stopped, restarted and deleted by request',
  inWorld(async (world) => {
    const { run, runtime } = world;
    const { events, ids, log, pid, pidOf } = await tree(world, { childrenMax: 2 }, ['a']);
    const b = await run(call(runtime, pid, 'startChild', worker(log, 'b')));
    assert.ok(b.equals(await pidOf('b')));
    const error = await run(rejection(call(runtime, pid, 'startChild', worker(log, 'b')), 'already_started'));
    assert.ok(b.equals(error.details.pid));
    await run(rejection(call(runtime, pid, 'startChild', worker(log, 'c')), 'system_limit'));
    assert.equal(await run(call(runtime, pid, 'deleteChild', 'b')), 'running');
    await run(rejection(call(runtime, pid, 'restartChild', 'b'), 'already_started'));
    assert.equal(await run(call(runtime, pid, 'terminateChild', 'b')), 'ok');
    assert.equal(await run(call(runtime, pid, 'terminateChild', 'b')), 'ok');
    assert.deepEqual(await ids(), ['a runs', 'b undefined']);
    assert.deepEqual(await run(call(runtime, pid, 'countChildren')), {
      specs: 2,
      active: 1,
      supervisors: 0,
      workers: 2,
    });
    assert.deepEqual(
      (await run(rejection(call(runtime, pid, 'startChild', worker(log, 'b')), 'already_started'))).details,
      { id: 'b' },
    );
    assert.ok((await run(call(runtime, pid, 'restartChild', 'b'))).equals(await pidOf('b')));
    await run(call(runtime, pid, 'terminateChild', 'b'));
    assert.equal(await run(call(runtime, pid, 'deleteChild', 'b')), 'ok');
    assert.equal(await run(call(runtime, pid, 'deleteChild', 'b')), 'not_found');
    assert.equal(await run(call(runtime, pid, 'terminateChild', 'b')), 'not_found');
    await run(rejection(call(runtime, pid, 'restartChild', 'b'), 'noproc'));
    assert.deepEqual(events(), ['start a', 'start b', 'end b :shutdown', 'start b', 'end b :shutdown']);
  }),
);

test(
  'a child that is added and does not start is not kept, one that is restarted by request is',
  inWorld(async (world) => {
    const { run, runtime } = world;
    const log: string[] = [];
    const { ids, pid } = await tree(world, {}, []);
    const spec = child('a', Worker, { id: 'a', log, startsMax: 1 });
    await run(call(runtime, pid, 'startChild', spec));
    await run(call(runtime, pid, 'terminateChild', 'a'));
    await run(rejection(call(runtime, pid, 'restartChild', 'a'), 'start_failed'));
    assert.deepEqual(await ids(), ['a undefined']);
    await run(call(runtime, pid, 'deleteChild', 'a'));
    await run(rejection(call(runtime, pid, 'startChild', spec), 'start_failed'));
    assert.deepEqual(await ids(), []);
  }),
);

test(
  'a temporary child that is stopped by request is forgotten',
  inWorld(async (world) => {
    const { run, runtime } = world;
    const log: string[] = [];
    const { ids, pid } = await tree(world, {}, [
      child('x', Worker, { id: 'x', log }, { restart: 'temporary' }),
    ]);
    assert.equal(await run(call(runtime, pid, 'terminateChild', 'x')), 'ok');
    assert.deepEqual(await ids(), []);
  }),
);

test(
  'supervisors nest, are named, and stop from the leaves',
  inWorld(async (world) => {
    const { run, runtime } = world;
    const log: string[] = [];
    const inner = { children: [worker(log, 'leaf')] };
    const { end, pid, pidOf } = await tree(world, {}, [
      worker(log, 'a'),
      child('inner', Supervisor, inner, { type: 'supervisor', name: 'inner' }),
    ]);
    const address = addressOf(Supervisor, 'inner');
    assert.deepEqual(
      (await run(call(runtime, address, 'whichChildren'))).map(({ id }) => id),
      ['leaf'],
    );
    assert.deepEqual(await run(call(runtime, pid, 'countChildren')), {
      specs: 2,
      active: 2,
      supervisors: 1,
      workers: 1,
    });
    runtime.exit(await pidOf('inner'), atom('kill'));
    await world.settle();
    assert.deepEqual(log.splice(0), ['start a', 'start leaf', 'end leaf :killed', 'start leaf']);
    assert.ok((await pidOf('inner')).equals(runtime.whereis('inner')));
    await end('a', 'normal');
    await run(stop(runtime, pid));
    assert.deepEqual(log, ['end a :normal', 'start a', 'end leaf :shutdown', 'end a :shutdown']);
  }),
);

test(
  'the closing of the node runs terminate everywhere, and restarts nothing',
  inWorld(async (world) => {
    const { log } = await tree(world, {}, ['a', 'b']);
    await world.run(world.runtime.close());
    assert.deepEqual(log.toSorted(), ['end a :shutdown', 'end b :shutdown', 'start a', 'start b']);
    assert.equal(world.host.clock.now(), 0);
  }),
);

test(
  'a start function may start anything; it is linked',
  inWorld(async (world) => {
    const { run, runtime } = world;
    const started: Pid[] = [];
    const spec: ChildSpec = {
      id: 'plain',
      start: async (node) => {
        started.push(node.spawn((self) => self.receive().then(() => self.exit('done'))));
        return started[started.length - 1]!;
      },
    };
    const { pid, pidOf } = await tree(world, {}, [spec]);
    runtime.send(await pidOf('plain'), 'end');
    await world.settle();
    assert.equal(started.length, 2);
    assert.ok((await pidOf('plain')).equals(started[1]));
    await run(stop(runtime, pid));
    assert.equal(runtime.processCount(), 0);
  }),
);

test(
  'a spec with a mistake is told what it is',
  inWorld(async ({ run, runtime }) => {
    const pid = await run(start(runtime, Supervisor));
    const good = { id: 'a', start: { server: Worker } };
    const wrongs: [unknown, RegExp][] = [
      [undefined, /child spec: expected an object, got undefined/],
      [{ ...good, id: '' }, /child id: expected a string/],
      [{ ...good, start: {} }, /child a: start: expected \{ server, argument \} or a function/],
      [
        { ...good, restart: 'always' },
        /child a: restart: expected permanent, transient, temporary, got the string "always"/,
      ],
      [{ ...good, shutdownMs: 'soon' }, /child a: shutdownMs: expected brutal_kill, infinity/],
      [{ ...good, shutdownMs: -1 }, /child a: shutdownMs: expected 0 or more/],
      [{ ...good, type: 'boss' }, /child a: type: expected worker, supervisor/],
    ];
    for (const [spec, message] of wrongs) {
      const error = await run(rejection(call(runtime, pid, 'startChild', spec as ChildSpec), 'badarg'));
      assert.match(error.message, message);
    }
    const strategy = rejection(
      start(runtime, Supervisor, { strategy: 'simple' as 'one_for_one' }),
      'start_failed',
    );
    assert.match((await run(strategy)).message, /strategy: expected one_for_one/);
  }),
);

test(
  'a restart that failed is not tried again after the child was stopped by request',
  inWorld(async (world) => {
    const log: string[] = [];
    class SlowToFail extends GenServer {
      async init() {
        log.push('init');
        if (log.length === 1) return;
        await new Promise<void>((resolve) => void this.node.host.timers.after(100, resolve));
        throw new Error('not again');
      }
    }
    const { ids, pid, pidOf } = await tree(world, {}, [child('slow', SlowToFail)]);
    world.runtime.exit(await pidOf('slow'), atom('kill'));
    await world.settle();
    const stopping = call(world.runtime, pid, 'terminateChild', 'slow');
    await world.pass(1000);
    assert.equal(await stopping, 'ok');
    assert.deepEqual(log, ['init', 'init']);
    assert.deepEqual(await ids(), ['slow undefined']);
  }),
);
