// A process by itself: start, order, end, and what its code can do after its death.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCallMessage, killed, noproc, normal, type Process, shutdown } from '../../src/process/index.ts';
import { atom, Pid } from '../../src/term/index.ts';
import { inWorld, rejection, rejectionIn, startEcho, startRecorder, startSilent, thrown } from './support.ts';

test(
  'messages are handled in order, one at a time, the next when the promise of the one before has settled',
  inWorld(async ({ host, runtime }) => {
    const seen: string[] = [];
    const pid = runtime.spawnBehaviour({
      async handle(message) {
        seen.push(`begin ${message}`);
        await new Promise<void>((resolve) => void host.timers.after(10, resolve));
        seen.push(`end ${message}`);
      },
    });
    for (const message of [1, 2, 3]) runtime.send(pid, message);
    await host.runFor(15);
    assert.deepEqual(seen, ['begin 1', 'end 1', 'begin 2']);
    await host.runFor(15);
    assert.deepEqual(seen, ['begin 1', 'end 1', 'begin 2', 'end 2', 'begin 3', 'end 3']);
  }),
);

test(
  'a message that the process sends itself before it waits is handled after',
  inWorld(async ({ host, runtime }) => {
    const seen: string[] = [];
    const pid = runtime.spawnBehaviour({
      async handle(message, self) {
        seen.push(`begin ${message}`);
        if (message === 1) self.send(self.self, 2);
        await new Promise<void>((resolve) => void host.timers.after(10, resolve));
        seen.push(`end ${message}`);
      },
    });
    runtime.send(pid, 1);
    await host.runFor(25);
    assert.deepEqual(seen, ['begin 1', 'end 1', 'begin 2', 'end 2']);
  }),
);

test(
  'nothing of a process runs in the stack of who starts it or sends to it',
  inWorld(async ({ host, runtime }) => {
    const seen: string[] = [];
    const pid = runtime.spawnBehaviour({
      init: () => void seen.push('init'),
      handle: (message) => void seen.push(String(message)),
    });
    runtime.send(pid, 'message');
    assert.deepEqual(seen, []);
    await host.settle();
    assert.deepEqual(seen, ['init', 'message']);
  }),
);

test(
  'messages wait until the promise of init has settled',
  inWorld(async ({ host, runtime }) => {
    const seen: unknown[] = [];
    const pid = runtime.spawnBehaviour({
      init: () => new Promise<void>((resolve) => void host.timers.after(5, resolve)),
      handle: (message) => void seen.push(message),
    });
    runtime.send(pid, 'early');
    await host.runFor(4);
    assert.deepEqual(seen, []);
    await host.runFor(1);
    assert.deepEqual(seen, ['early']);
  }),
);

test(
  'a throw ends the process with what was thrown, wherever it comes from',
  inWorld(async ({ host, runtime }) => {
    const boom = new Error('boom');
    const fail = (): never => {
      throw boom;
    };
    const failLater = async (): Promise<void> => {
      await Promise.resolve();
      throw boom;
    };
    const handle = (): void => undefined;
    const pids = [
      runtime.spawn(fail),
      runtime.spawn(failLater),
      runtime.spawnBehaviour({ init: fail, handle }),
      runtime.spawnBehaviour({ init: failLater, handle }),
      runtime.spawnBehaviour({ handle: fail }),
      runtime.spawnBehaviour({ handle: failLater }),
      runtime.spawnBehaviour({ handle: (_, self) => self.exit('over'), terminate: fail }),
      runtime.spawnBehaviour({ handle: (_, self) => self.exit('over'), terminate: failLater }),
    ];
    const downs = pids.map((pid) => runtime.whenDown(pid));
    for (const pid of pids) runtime.send(pid, 'go');
    for (const down of downs) assert.equal(await host.runUntil(down), boom);
  }),
);

test(
  'a function process that returns ends normally; self.exit ends with its reason and nothing after it runs',
  inWorld(async ({ host, runtime }) => {
    const after: string[] = [];
    const returns = runtime.whenDown(runtime.spawn(() => undefined));
    const leaves = runtime.whenDown(
      runtime.spawn((self) => {
        self.exit('gone');
        after.push('ran');
      }),
    );
    assert.equal(await host.runUntil(returns), normal);
    assert.equal(await host.runUntil(leaves), 'gone');
    assert.deepEqual(after, []);
  }),
);

test(
  'self.exit ends the process even where the code catches everything',
  inWorld(async ({ host, runtime }) => {
    const swallow = (self: Process): void => {
      try {
        self.exit('anyway');
      } catch {
        return;
      }
    };
    const later = async (self: Process): Promise<void> => {
      await Promise.resolve();
      swallow(self);
    };
    const pids = [
      runtime.spawn(swallow),
      runtime.spawn(later),
      runtime.spawnBehaviour({ init: swallow, handle: () => undefined }),
      runtime.spawnBehaviour({ init: later, handle: () => undefined }),
      runtime.spawnBehaviour({ handle: (_, self) => swallow(self) }),
      runtime.spawnBehaviour({ handle: (_, self) => later(self) }),
    ];
    const downs = pids.map((pid) => runtime.whenDown(pid));
    for (const pid of pids) runtime.send(pid, 'go');
    for (const down of downs) assert.equal(await host.runUntil(down), 'anyway');
  }),
);

test(
  'terminate runs when the process ends by itself, while it is alive; not after a signal, nor a failed init',
  inWorld(async ({ host, runtime }) => {
    const seen: unknown[] = [];
    const handle = (message: unknown, self: Process): void => self.exit(message);
    const terminate = async (reason: unknown, self: Process): Promise<void> => {
      await Promise.resolve();
      seen.push([reason, self.alive, runtime.isAlive(self.self)]);
    };
    const own = runtime.spawnBehaviour({ handle, terminate });
    const signalled = runtime.spawnBehaviour({ handle, terminate });
    const unborn = runtime.spawnBehaviour({ init: (self) => self.exit('no'), handle, terminate });
    const ends = [own, signalled, unborn].map((pid) => runtime.whenDown(pid));
    await host.settle();
    runtime.send(own, 'done');
    runtime.exit(signalled, 'signal');
    assert.deepEqual(await host.runUntil(Promise.all(ends)), ['done', 'signal', 'no']);
    assert.deepEqual(seen, [['done', true, true]]);
  }),
);

test(
  'a process that is killed while terminate waits ends at once',
  inWorld(async ({ host, runtime }) => {
    const pid = runtime.spawnBehaviour({
      handle: (_, self) => self.exit('slow'),
      terminate: () => new Promise(() => undefined),
    });
    runtime.send(pid, 'go');
    await host.settle();
    assert.equal(runtime.isAlive(pid), true);
    const down = runtime.whenDown(pid);
    runtime.exit(pid, atom('kill'));
    assert.equal(await host.runUntil(down), killed);
  }),
);

test(
  'what the code of a dead process does has no effect',
  inWorld(async ({ host, runtime }) => {
    const witness = startRecorder(runtime);
    const echo = startEcho(runtime);
    let dead!: Process;
    let wake!: () => void;
    const outcome: string[] = [];
    const main = async (self: Process): Promise<void> => {
      dead = self;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      self.send(witness.pid, 'ghost');
      self.cast(witness.pid, 'ghost');
      self.link(witness.pid);
      self.exitOther(witness.pid, 'ghost');
      self.sendAfter(1, witness.pid, 'ghost');
      self.monitor(witness.pid);
      runtime.send(self.alias(), 'ghost');
      assert.equal(runtime.isAlive(self.spawn(() => self.send(witness.pid, 'ghost'))), false);
      await self.call(echo, 1).catch((error: { code: string }) => outcome.push(`call ${error.code}`));
      await self.receive().catch((error: { code: string }) => outcome.push(`receive ${error.code}`));
      throw new Error('nobody hears this');
    };
    const pid = runtime.spawn(main);
    await host.settle();
    const signal = dead.signal;
    assert.equal(signal.aborted, false);
    runtime.exit(pid, shutdown);
    assert.equal(signal.aborted, true);
    assert.equal(signal.reason, shutdown);
    wake();
    await host.runFor(10);
    assert.deepEqual(outcome, ['call noproc', 'receive noproc']);
    assert.deepEqual(witness.messages, []);
    assert.equal(runtime.isAlive(witness.pid), true);
    assert.equal(dead.alive, false);
  }),
);

test(
  'a call or receive that waits when its process dies rejects, and nobody has to listen',
  inWorld(async ({ host, runtime }) => {
    const silent = startSilent(runtime);
    const seen: string[] = [];
    const calling = runtime.spawn(async (self) => {
      void self.call(silent, 'nobody awaits this');
      await self.call(silent, 1).catch((error: { code: string }) => seen.push(error.code));
    });
    const receiving = runtime.spawn(async (self) => {
      await self.receive().catch((error: { code: string }) => seen.push(error.code));
    });
    const careless = runtime.spawn(async (self) => {
      void self.receive();
      await new Promise(() => undefined);
    });
    await host.settle();
    for (const pid of [calling, receiving, careless]) runtime.exit(pid, 'enough');
    await host.settle();
    assert.deepEqual(seen, ['aborted', 'aborted']);
  }),
);

test(
  'the abort signal of a dead process is aborted, also when first asked for after the death',
  inWorld(async ({ host, runtime }) => {
    let self!: Process;
    const pid = runtime.spawn(async (process) => {
      self = process;
      await process.receive();
    });
    await host.settle();
    runtime.exit(pid, 'late');
    assert.equal(self.signal.aborted, true);
    assert.equal(self.signal.reason, 'late');
  }),
);

test(
  'pids are new each time, and those of another creation or node are not alive here',
  inWorld(async ({ runtime }) => {
    const pid = startSilent(runtime);
    assert.equal(runtime.isAlive(pid), true);
    const same = new Pid(pid.node, pid.id, pid.serial, pid.creation);
    assert.equal(runtime.isAlive(same), true);
    assert.equal(runtime.isAlive(new Pid(pid.node, pid.id, pid.serial, pid.creation + 1)), false);
    assert.equal(runtime.isAlive(new Pid(pid.node, pid.id, pid.serial + 1, pid.creation)), false);
    assert.equal(runtime.isAlive(new Pid(atom('other@local'), pid.id, pid.serial, pid.creation)), false);
    assert.notEqual(startSilent(runtime).key, pid.key);
    runtime.send(new Pid(pid.node, pid.id, pid.serial, pid.creation + 1), 'stale: goes nowhere');
  }),
);

test(
  'whenDown: the reason, noproc for the dead, timeout, aborted',
  inWorld(async ({ host, runtime }) => {
    const pid = startSilent(runtime);
    await rejectionIn(host, runtime.whenDown(pid, { timeoutMs: 10 }), 'timeout');
    const controller = new AbortController();
    const aborted = rejection(runtime.whenDown(pid, { signal: controller.signal }), 'aborted');
    controller.abort();
    await aborted;
    await rejection(runtime.whenDown(pid, { signal: controller.signal }), 'aborted');
    await rejection(runtime.whenDown(pid, { timeoutMs: -1 }), 'bad_option');
    const down = runtime.whenDown(pid);
    runtime.exit(pid, { why: 'reason' });
    assert.deepEqual(await down, { why: 'reason' });
    assert.equal(await runtime.whenDown(pid), noproc);
  }),
);

test(
  'spawn with a link, a monitor and a name sets them before the process runs',
  inWorld(async ({ host, runtime }) => {
    const parent = startRecorder(runtime, { trap: true });
    await host.settle();
    const child = runtime.spawn((self) => assert.equal(runtime.whereis('child'), self.self), {
      link: parent.pid,
      monitor: parent.pid,
      name: 'child',
    });
    assert.equal(runtime.whereis('child'), child);
    await host.settle();
    const [down, exit] = parent.messages as [{ target: unknown; reason: unknown }, { from: unknown }];
    assert.equal(down.target, child);
    assert.equal(down.reason, normal);
    assert.equal(exit.from, child);
    assert.equal(runtime.whereis('child'), undefined);
  }),
);

test(
  'a spawn that throws leaves nothing behind',
  inWorld(async ({ runtime }) => {
    startSilent(runtime, 'taken');
    const before = runtime.processCount();
    assert.throws(() => runtime.spawn(() => undefined, { name: 'taken' }), thrown('name_taken'));
    assert.throws(() => runtime.spawn(() => undefined, { name: 'undefined' }), thrown('badarg'));
    assert.throws(() => runtime.spawn(() => undefined, { mailboxMessagesMax: 0 }), thrown('bad_option'));
    const foreign = new Pid(atom('x@y'), 1, 0, 1);
    assert.throws(() => runtime.spawn(() => undefined, { monitor: foreign }), thrown('badarg'));
    assert.equal(runtime.processCount(), before);
  }),
);

test(
  'close ends processes in reverse order of start, lets those that trap clean up, and then nothing starts',
  inWorld(async ({ host, runtime }) => {
    const ends: string[] = [];
    const start = (name: string, clean: boolean): void => {
      runtime.spawnBehaviour({
        init: (self) => void self.trapExit(clean),
        handle: (message, self) => {
          if ((message as { reason?: unknown }).reason === shutdown) self.exit(shutdown);
        },
        terminate: async (reason) => {
          assert.equal(reason, shutdown);
          await new Promise<void>((resolve) => void host.timers.after(10, resolve));
          ends.push(name);
        },
      });
    };
    for (const name of ['first', 'second', 'third']) start(name, true);
    startSilent(runtime);
    const stubborn = startRecorder(runtime, { trap: true });
    await host.settle();
    const stubbornEnd = runtime.whenDown(stubborn.pid, { timeoutMs: Number.POSITIVE_INFINITY });
    const silent = startSilent(runtime);
    const waiting = rejectionIn(host, runtime.call(silent, 1), 'process_exit');
    const closing = runtime.close();
    assert.equal(runtime.close(), closing);
    await host.runUntil(closing);
    await waiting;
    assert.deepEqual(ends, ['third', 'second', 'first']);
    assert.equal(await stubbornEnd, killed);
    assert.throws(() => runtime.spawn(() => undefined), thrown('closed'));
  }),
);

test(
  'an answer may come from anywhere and only once',
  inWorld(async ({ host, runtime }) => {
    const pid = runtime.spawnBehaviour({
      handle(message) {
        if (!isCallMessage(message)) return;
        host.timers.after(10, () => {
          runtime.reply(message.from, 'first');
          runtime.reply(message.from, 'second');
          runtime.replyError(message.from, new Error('third'));
        });
      },
    });
    assert.equal(await host.runUntil(runtime.call(pid, 1)), 'first');
    assert.throws(() => runtime.reply({ pid }, 1), thrown('badarg'));
  }),
);
