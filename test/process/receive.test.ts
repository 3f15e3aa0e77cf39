// Selective receive of function processes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCallMessage, type Process } from '../../src/process/index.ts';
import { inWorld, rejection, startSilent } from './support.ts';

test(
  'the first message that matches is taken, the others keep their order',
  inWorld(async ({ host, runtime }) => {
    const taken: unknown[] = [];
    const pid = runtime.spawn(async (self) => {
      taken.push(await self.receive((message) => message === 'c'));
      taken.push(await self.receive((message) => message === 'e'));
      for (let count = 0; count < 3; count++) taken.push(await self.receive());
    });
    for (const message of ['a', 'b', 'c', 'd']) runtime.send(pid, message);
    await host.settle();
    assert.deepEqual(taken, ['c']);
    runtime.send(pid, 'e');
    await host.settle();
    assert.deepEqual(taken, ['c', 'e', 'a', 'b', 'd']);
  }),
);

test(
  'each waiting receive looks at each message once',
  inWorld(async ({ host, runtime }) => {
    const looks: unknown[] = [];
    const pid = runtime.spawn(async (self) => {
      await self.receive((message) => {
        looks.push(message);
        return message === 3;
      });
    });
    for (const message of [1, 2, 3]) {
      runtime.send(pid, message);
      await host.settle();
    }
    assert.deepEqual(looks, [1, 2, 3]);
  }),
);

test(
  'timeouts: after the time, at once with 0, never by default; the messages stay',
  inWorld(async ({ host, runtime }) => {
    const log: unknown[] = [];
    const pid = runtime.spawn(async (self) => {
      const never = (): boolean => false;
      const start = host.clock.now();
      await rejection(self.receive(never, { timeoutMs: 0 }), 'timeout');
      log.push(host.clock.now() - start);
      await rejection(self.receive(never, { timeoutMs: 25 }), 'timeout');
      log.push(host.clock.now() - start);
      log.push(await self.receive(undefined, { timeoutMs: 0 }));
      log.push(await self.receive());
    });
    runtime.send(pid, 'kept');
    await host.runFor(1_000_000);
    assert.deepEqual(log, [0, 25, 'kept']);
    runtime.send(pid, 'last');
    await host.settle();
    assert.deepEqual(log, [0, 25, 'kept', 'last']);
  }),
);

test(
  'misuse rejects: two receives at once, a behaviour, a bad timeout; a predicate that throws; an aborted signal',
  inWorld(async ({ host, runtime }) => {
    const done: string[] = [];
    const never = (): boolean => false;
    const pid = runtime.spawn(async (self) => {
      const first = self.receive();
      await rejection(self.receive(), 'badarg');
      await rejection(self.receive(never, { timeoutMs: Number.NaN }), 'badarg');
      assert.equal(await first, 'go');
      await rejection(self.receive(never, { timeoutMs: Number.NaN }), 'bad_option');
      const broken = new Error('in the predicate');
      self.send(self.self, 'look');
      const failed = self.receive(() => {
        throw broken;
      });
      assert.equal(await failed.catch((error: unknown) => error), broken);
      const controller = new AbortController();
      const aborted = rejection(self.receive(never, { signal: controller.signal }), 'aborted');
      controller.abort();
      await aborted;
      assert.equal(await self.receive(), 'look');
      done.push('main');
    });
    runtime.spawnBehaviour({
      init: async (self) => {
        await rejection(self.receive(), 'badarg');
        done.push('behaviour');
      },
      handle: () => undefined,
    });
    await host.settle();
    runtime.send(pid, 'go');
    await host.settle();
    assert.deepEqual(done.sort(), ['behaviour', 'main']);
  }),
);

test(
  'a call taken by receive is answered later, or fails with the process',
  inWorld(async ({ host, runtime }) => {
    const main = async (self: Process): Promise<void> => {
      const message = await self.receive();
      assert.ok(isCallMessage(message));
      if (message.request === 'die') self.exit('without an answer');
      runtime.reply(message.from, message.request);
    };
    assert.equal(await host.runUntil(runtime.call(runtime.spawn(main), 'answer')), 'answer');
    const error = await host.runUntil(rejection(runtime.call(runtime.spawn(main), 'die'), 'process_exit'));
    assert.equal(error.details.reason, 'without an answer');
  }),
);

test(
  'demonitor takes back a message that a waiting receive has passed over',
  inWorld(async ({ host, runtime }) => {
    const seen: unknown[] = [];
    let self!: Process;
    const target = startSilent(runtime);
    const pid = runtime.spawn(async (process) => {
      self = process;
      const ref = process.monitor(target);
      const wanted = process.receive((message) => message === 'wanted');
      while (runtime.isAlive(target)) await new Promise<void>((resolve) => host.timers.defer(resolve));
      process.demonitor(ref);
      seen.push(await wanted);
      seen.push(await process.receive());
    });
    await host.timers.defer(() => undefined);
    runtime.send(pid, 'other');
    await Promise.resolve();
    await Promise.resolve();
    runtime.exit(target, 'over');
    await host.settle();
    assert.equal(self.alive, true);
    runtime.send(pid, 'wanted');
    await host.settle();
    assert.deepEqual(seen, ['wanted', 'other']);
  }),
);
