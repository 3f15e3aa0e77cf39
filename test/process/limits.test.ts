// What happens at each limit.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simulatedHost } from '../../src/host/index.ts';
import { createRuntime } from '../../src/process/index.ts';
import { atom } from '../../src/term/index.ts';
import { joinedRuntimes } from '../support/joined-runtimes.ts';
import { checkClean, inWorld, rejection, startEcho, startRecorder, startSilent, thrown } from './support.ts';

test(
  'the process table: spawn throws system_limit, and has room again after a death',
  inWorld(
    async ({ host, runtime }) => {
      const pids = [startSilent(runtime), startSilent(runtime)];
      assert.throws(() => startSilent(runtime), thrown('system_limit'));
      runtime.exit(pids[0]!, 'gone');
      startSilent(runtime);
      await host.settle();
    },
    { processesMax: 2 },
  ),
);

test(
  'a full mailbox: send, call, cast and a trapped exit throw or reject; down and exit messages get in',
  inWorld(async ({ host, runtime }) => {
    const busy = runtime.spawnBehaviour(
      { init: (self) => void self.trapExit(true), handle: () => new Promise(() => undefined) },
      { mailboxMessagesMax: 2 },
    );
    runtime.send(busy, 'in its handler');
    await host.settle();
    runtime.send(busy, 1);
    runtime.send(busy, 2);
    assert.throws(() => runtime.send(busy, 3), thrown('mailbox_full'));
    assert.throws(() => runtime.cast(busy, 3), thrown('mailbox_full'));
    assert.throws(() => runtime.exit(busy, 'trapped'), thrown('mailbox_full'));
    await rejection(runtime.call(busy, 3), 'mailbox_full');
    runtime.spawn(() => undefined, { link: busy, monitor: busy });
    await host.settle();
    assert.equal(runtime.isAlive(busy), true);
    runtime.exit(busy, atom('kill'));
  }),
);

test(
  'the default limit of mailboxes is that of the runtime',
  inWorld(
    async ({ runtime }) => {
      const pid = startSilent(runtime);
      for (let count = 0; count < 3; count++) runtime.send(pid, count);
      assert.throws(() => runtime.send(pid, 3), thrown('mailbox_full'));
    },
    { mailboxMessagesMax: 3 },
  ),
);

test('a full mailbox and a peer: the process is killed with mailbox_full, calls in it fail', async () => {
  const { host, a, b } = joinedRuntimes();
  const start = () =>
    b.spawnBehaviour({ handle: () => new Promise(() => undefined) }, { mailboxMessagesMax: 1 });
  const [pid, trapping] = [start(), start()];
  const down = b.whenDown(pid);
  const call = rejection(a.call(pid, 'in the handler'), 'process_exit');
  await host.settle();
  a.send(pid, 'in the mailbox');
  a.send(pid, 'too much');
  await host.settle();
  assert.equal(await down, atom('mailbox_full'));
  assert.equal((await call).details.reason, atom('mailbox_full'));
  a.send(trapping, 'in the handler');
  await host.settle();
  const calls = [1, 2].map((request) => rejection(a.call(trapping, request), 'process_exit'));
  await host.settle();
  for (const error of await Promise.all(calls)) assert.equal(error.details.reason, atom('mailbox_full'));
  await checkClean(host, [a, b]);
});

test(
  'pending calls: one too many rejects with system_limit, and there is room after an answer',
  inWorld(
    async ({ host, runtime }) => {
      const [silent, echo] = [startSilent(runtime), startEcho(runtime)];
      const waiting = rejection(runtime.call(silent, 1, { timeoutMs: 10 }), 'timeout');
      const answered = runtime.call(echo, 2);
      await rejection(runtime.call(echo, 3), 'system_limit');
      assert.equal(await answered, 2);
      assert.equal(await runtime.call(echo, 4), 4);
      await host.runUntil(waiting);
    },
    { pendingCallsMax: 2 },
  ),
);

test(
  'timers: one too many throws system_limit',
  inWorld(
    async ({ runtime }) => {
      const owner = startRecorder(runtime);
      await owner.run((self) => {
        const timer = self.sendAfter(10, self.self, 1);
        assert.throws(() => self.sendAfter(10, self.self, 2), thrown('system_limit'));
        self.cancelTimer(timer);
        self.sendAfter(10, self.self, 3);
      });
    },
    { timersMax: 1 },
  ),
);

test('options out of range are refused', () => {
  const host = simulatedHost();
  const name = atom('n@h');
  for (const creation of [0, -1, 1.5, 2 ** 32]) {
    assert.throws(() => createRuntime({ name, creation, host }), thrown('bad_option'));
  }
  for (const limits of [{ processesMax: 0 }, { nonsense: 1 } as object, { timersMax: Number.NaN }]) {
    assert.throws(() => createRuntime({ name, creation: 1, host, limits }), thrown('bad_option'));
  }
});

test(
  'processes that never rest leave their turn to timers, promises and each other',
  inWorld(async ({ host, runtime }) => {
    let stop = false;
    let turns = 0;
    const restless = runtime.spawnBehaviour({
      handle(_, self) {
        turns += 1;
        if (!stop) self.send(self.self, 'again');
      },
    });
    runtime.send(restless, 'go');
    const echo = startEcho(runtime);
    for (let count = 0; count < 10; count++) assert.equal(await runtime.call(echo, count), count);
    const inCalls = turns;
    let deferred = false;
    host.timers.defer(() => {
      deferred = true;
      stop = true;
    });
    await host.settle();
    assert.ok(deferred);
    assert.ok(inCalls < 10_000 && turns < 20_000, `${inCalls} and ${turns} turns`);
  }),
);
