// Children that are named through a registry, which hears of a death some time after it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ChildSpec, call, child, Supervisor, start } from '../../src/otp/index.ts';
import { atom } from '../../src/term/atom.ts';
import { FakeRegistry, inWorld, rejection } from './support.ts';
import { tree, Worker } from './tree.ts';

function named(registry: FakeRegistry, log: string[]): ChildSpec {
  return child('n', Worker, { id: 'n', log }, { name: { via: registry, name: 'n' } });
}

test(
  'a name that a dead predecessor still has delays a restart and is not counted',
  inWorld(async (world) => {
    const registry = new FakeRegistry();
    const log: string[] = [];
    const { end, ids, pidOf } = await tree(world, { maxRestarts: 1 }, [named(registry, log)]);
    await end('n', 'bug');
    assert.deepEqual(await ids(), ['n restarting']);
    await world.pass(1000);
    assert.deepEqual(await ids(), ['n restarting']);
    registry.sweep(world.runtime);
    await world.pass(320);
    assert.deepEqual(await ids(), ['n runs']);
    assert.ok((await pidOf('n')).equals(registry.names.get('n')));
    assert.deepEqual(log, ['start n', 'end n bug', 'start n']);
  }),
);

test(
  'a name that is never freed counts as a failed restart every 5 s',
  inWorld(async (world) => {
    const registry = new FakeRegistry();
    const { end, pid } = await tree(world, { maxRestarts: 2, maxSeconds: 60 }, [named(registry, [])]);
    const down = world.runtime.whenDown(pid, { timeoutMs: Number.POSITIVE_INFINITY });
    await end('n', 'bug');
    await world.pass(9000);
    assert.ok(world.runtime.isAlive(pid));
    await world.pass(3000);
    assert.equal(await world.run(down), atom('shutdown'));
  }),
);

test(
  'a name that somebody alive has counts at once',
  inWorld(async (world) => {
    const { run, runtime } = world;
    const registry = new FakeRegistry();
    const { end, pid } = await tree(world, {}, [named(registry, [])]);
    registry.names.set('n', await run(start(runtime, Worker, { id: 'rival', log: [] })));
    await end('n', 'bug');
    assert.ok(!runtime.isAlive(pid));
    assert.equal(world.host.clock.now(), 0);
  }),
);

test(
  'a due restart is called off by terminateChild',
  inWorld(async (world) => {
    const { run, runtime } = world;
    const registry = new FakeRegistry();
    const { end, ids, pid } = await tree(world, {}, [named(registry, [])]);
    await end('n', 'bug');
    assert.equal(await run(call(runtime, pid, 'deleteChild', 'n')), 'restarting');
    await run(rejection(call(runtime, pid, 'restartChild', 'n'), 'already_started'));
    await run(call(runtime, pid, 'terminateChild', 'n'));
    registry.sweep(runtime);
    await world.pass(10_000);
    assert.deepEqual(await ids(), ['n undefined']);
  }),
);

test(
  'a supervisor that is itself restarted waits for the names of its former children',
  inWorld(async (world) => {
    const registry = new FakeRegistry();
    const log: string[] = [];
    const inner = child('inner', Supervisor, { children: [named(registry, log)] }, { type: 'supervisor' });
    const { ids, pidOf } = await tree(world, {}, [inner]);
    world.runtime.exit(await pidOf('inner'), atom('kill'));
    await world.pass(500);
    registry.sweep(world.runtime);
    await world.pass(400);
    assert.deepEqual(await ids(), ['inner runs']);
    assert.deepEqual(log, ['start n', 'end n :killed', 'start n']);
  }),
);

test(
  'the wait for a name begins anew with each restart',
  inWorld(async (world) => {
    const registry = new FakeRegistry();
    const { end, ids } = await tree(world, { maxRestarts: 1 }, [named(registry, [])]);
    for (let restart = 0; restart < 3; restart++) {
      await end('n', 'bug');
      await world.pass(3000);
      registry.sweep(world.runtime);
      await world.pass(3000);
      assert.deepEqual(await ids(), ['n runs']);
    }
  }),
);
