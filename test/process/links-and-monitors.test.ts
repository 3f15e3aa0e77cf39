// Exit signals, links and monitors within a node: Erlang's rules.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type DownMessage,
  type ExitMessage,
  isDownMessage,
  isExitMessage,
  kill,
  killed,
  noproc,
  normal,
  type Process,
} from '../../src/process/index.ts';
import { atom, type Pid, type Ref } from '../../src/term/index.ts';
import { inWorld, startRecorder, startSilent, thrown } from './support.ts';

const linkedTo =
  (pid: Pid) =>
  (self: Process): void =>
    self.link(pid);

test(
  'an exit takes linked processes with it, both ways, with the same reason',
  inWorld(async ({ host, runtime }) => {
    const first = startRecorder(runtime);
    const second = startRecorder(runtime, { onStart: linkedTo(first.pid) });
    const third = startRecorder(runtime, { onStart: linkedTo(second.pid) });
    await host.settle();
    const downs = [first, second, third].map(({ pid }) => runtime.whenDown(pid));
    runtime.exit(second.pid, 'reason');
    assert.deepEqual(await Promise.all(downs), ['reason', 'reason', 'reason']);
  }),
);

test(
  'a process that traps exits gets a message and lives; normal exits are messages too',
  inWorld(async ({ host, runtime }) => {
    const trapping = startRecorder(runtime, { trap: true });
    const crashing = startSilent(runtime);
    await trapping.run((self) => self.link(crashing));
    const leaving = runtime.spawn(() => undefined, { link: trapping.pid });
    runtime.exit(crashing, 'crash');
    await host.settle();
    assert.ok(trapping.messages.every(isExitMessage));
    const [first, second] = trapping.messages as ExitMessage[];
    assert.deepEqual([first?.from, first?.reason], [crashing, 'crash']);
    assert.deepEqual([second?.from, second?.reason], [leaving, normal]);
    assert.equal(await trapping.run((self) => self.trapExit(false)), true);
    assert.equal(await trapping.run((self) => self.trapExit(false)), false);
  }),
);

test(
  'a normal exit of a linked process, and exit/2 with normal from another, are ignored; from itself it ends',
  inWorld(async ({ host, runtime }) => {
    const plain = startRecorder(runtime);
    runtime.spawn(() => undefined, { link: plain.pid });
    await host.settle();
    runtime.exit(plain.pid, normal);
    assert.equal(runtime.isAlive(plain.pid), true);
    const down = runtime.whenDown(plain.pid);
    await plain.run((self) => self.exitOther(self.self, normal));
    assert.equal(await down, normal);
  }),
);

test(
  'kill by exit/2 cannot be trapped and reaches links as killed; kill over a link is a reason like any other',
  inWorld(async ({ host, runtime }) => {
    const trapping = startRecorder(runtime, { trap: true });
    const victim = startRecorder(runtime, { trap: true, onStart: linkedTo(trapping.pid) });
    await host.settle();
    runtime.exit(victim.pid, kill);
    await host.settle();
    assert.equal((trapping.messages[0] as ExitMessage).reason, killed);
    const suicide = runtime.spawn((self) => self.exit(kill), { link: trapping.pid });
    await host.settle();
    const exit = trapping.messages[1] as ExitMessage;
    assert.deepEqual([exit.from, exit.reason], [suicide, kill]);
    assert.equal(runtime.isAlive(trapping.pid), true);
  }),
);

test(
  'linking to the dead is an exit signal noproc; linking to oneself is nothing',
  inWorld(async ({ host, runtime }) => {
    const dead = runtime.spawn(() => undefined);
    const trapping = startRecorder(runtime, { trap: true });
    const plain = startRecorder(runtime);
    await host.settle();
    await trapping.run((self) => self.link(dead));
    await trapping.run((self) => self.link(self.self));
    await host.settle();
    assert.equal((trapping.messages[0] as ExitMessage).reason, noproc);
    const down = runtime.whenDown(plain.pid);
    void plain.run((self) => self.link(dead));
    assert.equal(await host.runUntil(down), noproc);
  }),
);

test(
  'an unlinked process is not touched, whoever unlinked',
  inWorld(async ({ host, runtime }) => {
    const one = startRecorder(runtime);
    const other = startRecorder(runtime, { onStart: linkedTo(one.pid) });
    await one.run((self) => self.unlink(other.pid));
    runtime.exit(other.pid, 'crash');
    await host.settle();
    assert.equal(runtime.isAlive(one.pid), true);
  }),
);

test(
  'a chain of linked processes of any length falls without a deep stack',
  inWorld(async ({ host, runtime }) => {
    let last = startSilent(runtime);
    const first = last;
    for (let count = 0; count < 50_000; count++)
      last = runtime.spawnBehaviour({ handle: () => undefined }, { link: last });
    await host.settle();
    runtime.exit(first, 'domino');
    assert.equal(runtime.processCount(), 0);
  }),
);

test(
  'monitors: one message per monitor, with its reference; by pid and by name; noproc at once for the dead',
  inWorld(async ({ host, runtime }) => {
    const watcher = startRecorder(runtime);
    const target = startSilent(runtime, 'target');
    const dead = runtime.spawn(() => undefined);
    await host.settle();
    const refs = await watcher.run((self) => [
      self.monitor(target),
      self.monitor(target),
      self.monitor('target'),
      self.monitor({ name: atom('target'), node: runtime.name }),
      self.monitor(dead),
      self.monitor('nobody'),
    ]);
    runtime.exit(target, 'crash');
    await host.settle();
    const downs = new Map((watcher.messages as DownMessage[]).map((down) => [down.ref.key, down]));
    assert.equal(downs.size, 6);
    const named = { name: atom('target'), node: runtime.name };
    const expected = [
      [target, 'crash'],
      [target, 'crash'],
      [named, 'crash'],
      [named, 'crash'],
      [dead, noproc],
      [{ name: atom('nobody'), node: runtime.name }, noproc],
    ];
    assert.deepEqual(
      refs.map((ref) => [downs.get(ref.key)?.target, downs.get(ref.key)?.reason]),
      expected,
    );
  }),
);

test(
  'a monitor does not end its owner, and ends with it',
  inWorld(async ({ host, runtime }) => {
    const watcher = startRecorder(runtime);
    const target = startRecorder(runtime);
    await watcher.run((self) => self.monitor(target.pid));
    runtime.exit(watcher.pid, 'gone');
    runtime.exit(target.pid, 'crash');
    await host.settle();
    assert.deepEqual(watcher.messages, []);
  }),
);

test(
  'after demonitor no message of that reference comes, not even one that waits in the mailbox',
  inWorld(async ({ host, runtime }) => {
    const watcher = startRecorder(runtime);
    const target = startSilent(runtime);
    const kept = await watcher.run((self): Ref => {
      const [early, waiting, stays] = [self.monitor(target), self.monitor(target), self.monitor(target)];
      self.demonitor(early);
      runtime.exit(target, 'crash');
      self.demonitor(waiting);
      self.demonitor(waiting);
      self.demonitor(runtime.makeRef());
      return stays;
    });
    await host.settle();
    assert.equal(watcher.messages.length, 1);
    assert.ok((watcher.messages[0] as DownMessage).ref.equals(kept));
  }),
);

test(
  'names are free before anybody hears of the death',
  inWorld(async ({ host, runtime }) => {
    const target = startSilent(runtime, 'name');
    let after: unknown = 'not asked';
    runtime.spawnBehaviour({
      init: (self) => void self.monitor(target),
      handle: (message) => {
        if (isDownMessage(message)) after = runtime.whereis('name');
      },
    });
    await host.settle();
    runtime.exit(target, 'crash');
    await host.settle();
    assert.equal(after, undefined);
  }),
);

test(
  'local names: text and atom are the same; taken, free, unknown',
  inWorld(async ({ host, runtime }) => {
    const [one, other] = [startRecorder(runtime), startRecorder(runtime)];
    runtime.register('name', one.pid);
    runtime.register(atom('name'), one.pid);
    assert.throws(() => runtime.register('name', other.pid), thrown('name_taken'));
    assert.equal(runtime.whereis(atom('name')), one.pid);
    assert.deepEqual(runtime.registeredNames(), ['name']);
    runtime.send('name', 'hello');
    runtime.send({ name: atom('name'), node: runtime.name }, 'again');
    runtime.unregister(atom('name'));
    assert.throws(() => runtime.unregister('name'), thrown('not_registered'));
    assert.throws(() => runtime.send('name', 'lost'), thrown('badarg'));
    runtime.send({ name: atom('name'), node: runtime.name }, 'lost');
    runtime.cast('name', 'lost');
    runtime.exit(other.pid, 'gone');
    assert.throws(() => runtime.register('name', other.pid), thrown('noproc'));
    assert.throws(() => runtime.send(42 as never, 'lost'), thrown('badarg'));
    await host.settle();
    assert.deepEqual(one.messages, ['hello', 'again']);
  }),
);

test(
  'aliases: messages arrive until the alias is taken back, or its process is gone',
  inWorld(async ({ host, runtime }) => {
    const owner = startRecorder(runtime);
    const other = startRecorder(runtime);
    const [first, second] = await owner.run((self) => [self.alias(), self.alias()] as const);
    runtime.send(first, 1);
    await other.run((self) => self.unalias(first));
    runtime.send(first, 2);
    await owner.run((self) => self.unalias(first));
    runtime.send(first, 3);
    runtime.send(second, 4);
    runtime.send(runtime.makeRef(), 5);
    await host.settle();
    assert.deepEqual(owner.messages, [1, 2, 4]);
    runtime.exit(owner.pid, 'gone');
    runtime.send(second, 6);
  }),
);

test(
  'sendAfter: at its time, unless cancelled or the process is gone; to any destination',
  inWorld(async ({ host, runtime }) => {
    const owner = startRecorder(runtime);
    const other = startRecorder(runtime);
    runtime.register('other', other.pid);
    const timers = await owner.run((self) => [
      self.sendAfter(10, self.self, 'ten'),
      self.sendAfter(5, 'other', 'five'),
      self.sendAfter(20, self.self, 'cancelled'),
      self.sendAfter(30, other.pid, 'never'),
      self.sendAfter(5, 'nobody', 'dropped'),
    ]);
    await host.runFor(4);
    assert.deepEqual([owner.messages, other.messages], [[], []]);
    await host.runFor(6);
    assert.deepEqual([owner.messages, other.messages], [['ten'], ['five']]);
    const cancelled = await owner.run((self) => timers.map((timer) => self.cancelTimer(timer)));
    assert.deepEqual(cancelled, [false, false, true, true, false]);
    await owner.run((self) => {
      assert.throws(() => self.sendAfter(-1, self.self, 0), thrown('badarg'));
      self.sendAfter(10, other.pid, 'dies with its owner');
    });
    runtime.exit(owner.pid, 'gone');
    await host.runFor(100);
    assert.deepEqual([owner.messages, other.messages], [['ten'], ['five']]);
  }),
);
