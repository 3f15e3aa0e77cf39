// Many children that come and go.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  call,
  cast,
  child,
  DynamicSupervisor,
  GenServer,
  type ServerAddress,
  start,
  stop,
} from '../../src/otp/index.ts';
import { atom } from '../../src/term/atom.ts';
import { inWorld, rejection } from './support.ts';

class Session extends GenServer {
  init(user: string) {
    if (user === 'nobody') throw new Error('who?');
    this.process.trapExit(true);
  }
  handleCast = { end: (reason: unknown) => this.stop(reason) };
  async terminate() {
    await new Promise<void>((resolve) => void this.node.host.timers.after(100, resolve));
  }
}

const session = (user: string) => child('session', Session, user, { restart: 'transient' });

test(
  'children start by request, restart after a failure, and are forgotten when done',
  inWorld(async ({ pass, run, runtime }) => {
    const pid = await run(start(runtime, DynamicSupervisor, { childrenMax: 2 }));
    const a = await run(call(runtime, pid, 'startChild', session('a')));
    const b = await run(call(runtime, pid, 'startChild', session('b')));
    await run(rejection(call(runtime, pid, 'startChild', session('c')), 'system_limit'));
    cast(runtime, a as unknown as ServerAddress<Session>, 'end', 'bug');
    cast(runtime, b as unknown as ServerAddress<Session>, 'end', 'normal');
    await pass(100);
    assert.deepEqual(await run(call(runtime, pid, 'countChildren')), {
      specs: 1,
      active: 1,
      supervisors: 0,
      workers: 1,
    });
    const [info] = await run(call(runtime, pid, 'whichChildren'));
    assert.ok(info !== undefined && typeof info.pid === 'object' && !a.equals(info.pid));
    assert.equal(await run(call(runtime, pid, 'terminateChild', info.pid)), 'ok');
    assert.equal(await run(call(runtime, pid, 'terminateChild', info.pid)), 'not_found');
    assert.deepEqual(await run(call(runtime, pid, 'whichChildren')), []);
  }),
);

test(
  'a child that does not start is not kept',
  inWorld(async ({ run, runtime }) => {
    const pid = await run(start(runtime, DynamicSupervisor));
    await run(rejection(call(runtime, pid, 'startChild', session('nobody')), 'start_failed'));
    assert.deepEqual(await run(call(runtime, pid, 'whichChildren')), []);
  }),
);

test(
  'all children stop at the same time',
  inWorld(async ({ host, run, runtime }) => {
    const pid = await run(start(runtime, DynamicSupervisor));
    for (let index = 0; index < 50; index++)
      await run(call(runtime, pid, 'startChild', session(`user ${index}`)));
    await run(stop(runtime, pid));
    assert.equal(host.clock.now(), 100);
    assert.equal(runtime.processCount(), 0);
  }),
);

test(
  'too many restarts end it with shutdown',
  inWorld(async ({ run, runtime, settle }) => {
    const pid = await run(start(runtime, DynamicSupervisor, { maxRestarts: 1 }));
    const down = runtime.whenDown(pid);
    for (let restart = 0; restart < 2; restart++) {
      if (restart === 0) await run(call(runtime, pid, 'startChild', session('a')));
      const [info] = await run(call(runtime, pid, 'whichChildren'));
      assert.ok(info !== undefined && typeof info.pid === 'object');
      runtime.exit(info.pid, atom('kill'));
      await settle();
    }
    assert.equal(await run(down), atom('shutdown'));
  }),
);
