// Links, monitors and exit signals between nodes, with signals that cross.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type ExitMessage,
  isDownMessage,
  isExitMessage,
  kill,
  killed,
  noconnection,
  noproc,
} from '../../src/process/index.ts';
import { atom, Pid } from '../../src/term/index.ts';
import { type Joined, type JoinedOptions, joinedRuntimes } from '../support/joined-runtimes.ts';
import { checkClean, type Recorder, startRecorder, startSilent } from './support.ts';

function joined(test: (world: Joined) => Promise<void>, options?: JoinedOptions): () => Promise<void> {
  return async () => {
    const world = joinedRuntimes(options);
    await test(world);
    await checkClean(world.host, [world.a, world.b]);
  };
}

function exitsOf(recorder: Recorder): [string, unknown][] {
  return recorder.messages.filter(isExitMessage).map((exit: ExitMessage) => [exit.from.key, exit.reason]);
}

test(
  'a link breaks in both directions, with the reason',
  joined(async ({ host, a, b }) => {
    const here = startRecorder(a, { trap: true });
    const there = startRecorder(b);
    await host.runUntil(here.run((self) => self.link(there.pid)));
    await host.settle();
    b.exit(there.pid, { crash: [1] });
    await host.settle();
    assert.deepEqual(exitsOf(here), [[there.pid.key, { crash: [1] }]]);
    const other = startRecorder(b);
    await host.runUntil(here.run((self) => self.link(other.pid)));
    const down = b.whenDown(other.pid);
    a.exit(here.pid, kill);
    assert.equal(await host.runUntil(down), killed);
  }),
);

test(
  'linking to a process that is not there, or of another creation, is an exit noproc',
  joined(async ({ host, a, b }) => {
    const here = startRecorder(a, { trap: true });
    const there = startSilent(b);
    const stale = new Pid(there.node, there.id, there.serial, there.creation + 1);
    await host.runUntil(here.run((self) => self.link(stale)));
    await host.settle();
    assert.deepEqual(exitsOf(here), [[stale.key, noproc]]);
  }),
);

test(
  'exit/2 to another node: trapped, untrapped, kill',
  joined(async ({ host, a, b }) => {
    const trapping = startRecorder(b, { trap: true });
    await host.settle();
    a.exit(trapping.pid, 'signal');
    await host.settle();
    assert.deepEqual(exitsOf(trapping), [[a.clientPid.key, 'signal']]);
    const down = a.whenDown(trapping.pid);
    a.exit(trapping.pid, kill);
    assert.equal(await host.runUntil(down), killed);
  }),
);

test(
  'unlink: an exit that crosses it is ignored; the acknowledgement ends it',
  joined(async ({ host, network, a, b }) => {
    const here = startRecorder(a, { trap: true });
    const there = startRecorder(b);
    await host.runUntil(here.run((self) => self.link(there.pid)));
    await host.settle();
    network.hold(b, a);
    b.exit(there.pid, 'crossing');
    await host.runUntil(here.run((self) => self.unlink(there.pid)));
    network.release(b, a);
    await host.settle();
    assert.deepEqual(exitsOf(here), []);
    assert.deepEqual(network.trace, ['a> link', 'b> exit', 'a> unlink', 'b> unlinkAck']);
  }),
);

test(
  'unlink and link again before the acknowledgement: the link holds on both sides',
  joined(async ({ host, network, a, b }) => {
    const here = startRecorder(a, { trap: true });
    const there = startRecorder(b, { trap: true });
    await host.runUntil(here.run((self) => self.link(there.pid)));
    await host.settle();
    network.hold(b, a);
    const code = (self: { unlink(pid: Pid): void; link(pid: Pid): void }): void => {
      self.unlink(there.pid);
      self.link(there.pid);
    };
    await host.runUntil(here.run(code));
    await host.settle();
    network.release(b, a);
    await host.settle();
    a.exit(here.pid, kill);
    await host.settle();
    assert.deepEqual(exitsOf(there), [[here.pid.key, killed]]);
  }),
);

test(
  'both sides unlink at once; then neither harms the other, and they may link anew',
  joined(async ({ host, network, a, b }) => {
    const here = startRecorder(a, { trap: true });
    const there = startRecorder(b, { trap: true });
    await host.runUntil(here.run((self) => self.link(there.pid)));
    await host.settle();
    network.hold(a, b);
    network.hold(b, a);
    await host.runUntil(here.run((self) => self.unlink(there.pid)));
    await host.runUntil(there.run((self) => self.unlink(here.pid)));
    network.release(a, b);
    network.release(b, a);
    await host.settle();
    await host.runUntil(there.run((self) => self.link(here.pid)));
    await host.settle();
    network.disconnect(a, b);
    await host.settle();
    assert.deepEqual(exitsOf(here), [[there.pid.key, noconnection]]);
    assert.deepEqual(exitsOf(there), [[here.pid.key, noconnection]]);
  }),
);

test(
  'an unlink that crosses an unlink and a new link ends the link on both sides; two links that cross are one',
  joined(async ({ host, network, a, b }) => {
    const here = startRecorder(a, { trap: true });
    const there = startRecorder(b, { trap: true });
    await host.settle();
    network.hold(a, b);
    network.hold(b, a);
    await host.runUntil(here.run((self) => self.link(there.pid)));
    await host.runUntil(there.run((self) => self.link(here.pid)));
    network.release(a, b);
    network.release(b, a);
    await host.settle();
    network.hold(a, b);
    network.hold(b, a);
    await host.runUntil(here.run((self) => self.unlink(there.pid)));
    await host.runUntil(there.run((self) => self.unlink(here.pid)));
    await host.runUntil(there.run((self) => self.link(here.pid)));
    network.release(a, b);
    network.release(b, a);
    await host.settle();
    network.disconnect(a, b);
    await host.settle();
    assert.deepEqual([exitsOf(here), exitsOf(there)], [[], []]);
  }),
);

test(
  'an exit without a link, a second unlink, a foreign acknowledgement: nothing happens',
  joined(async ({ host, network, a, b }) => {
    const here = startRecorder(a, { trap: true });
    const there = startSilent(b);
    await host.settle();
    a.inbound.onExit(there, here.pid, 'forged');
    a.inbound.onUnlinkAck(there, here.pid, 1);
    a.inbound.onDown(there, here.pid, b.makeRef(), 'forged');
    a.inbound.onDown(there, here.pid, a.makeRef(), 'forged');
    await host.runUntil(here.run((self) => self.unlink(there)));
    await host.settle();
    assert.deepEqual(here.messages, []);
    assert.deepEqual(network.trace, []);
    a.inbound.onUnlink(there, here.pid, 77);
    assert.deepEqual(network.trace, ['a> unlinkAck'], 'an unlink is always acknowledged');
  }),
);

test(
  'monitors by pid and by name: the reason, noproc, noconnection, each once and with what was monitored',
  joined(async ({ host, network, a, b }) => {
    const watcher = startRecorder(a);
    const target = startSilent(b, 'target');
    const lasting = startSilent(b);
    const named = { name: atom('target'), node: b.name };
    const nobody = { name: atom('nobody'), node: b.name };
    const monitorAll = watcher.run((self) =>
      [target, named, nobody, lasting].map((each) => self.monitor(each)),
    );
    const refs = await host.runUntil(monitorAll);
    await host.settle();
    b.exit(target, 'crash');
    await host.settle();
    network.disconnect(a, b);
    network.connect(a, b);
    b.exit(lasting, 'later');
    await host.settle();
    const downs = watcher.messages.filter(isDownMessage);
    const found = refs.map((ref) => downs.find((down) => down.ref.equals(ref)));
    assert.equal(downs.length, 4);
    assert.deepEqual(
      found.map((down) => down?.reason),
      ['crash', 'crash', noproc, noconnection],
    );
    assert.deepEqual(
      found.map((down) => down?.target),
      [target, named, nobody, lasting],
    );
  }),
);

test(
  'a monitor of a node that is gone is forgotten: its end is told to nobody',
  joined(async ({ host, network, a, b }) => {
    const target = startSilent(a);
    const watcher = startRecorder(b);
    await host.runUntil(watcher.run((self) => self.monitor(target)));
    await host.settle();
    network.disconnect(a, b);
    network.connect(a, b);
    a.exit(target, 'crash');
    await host.settle();
    assert.deepEqual(network.trace, ['b> monitor']);
  }),
);

test(
  'demonitor reaches the other node, and an owner that dies takes its monitors along',
  joined(async ({ host, network, a, b }) => {
    const target = startSilent(b);
    const watcher = startRecorder(a);
    const ref = await host.runUntil(watcher.run((self) => self.monitor(target)));
    await host.runUntil(watcher.run((self) => self.demonitor(ref)));
    const other = a.spawn(async (self) => {
      self.monitor(target);
      await self.receive();
    });
    await host.settle();
    a.exit(other, 'gone');
    await host.settle();
    b.exit(target, 'crash');
    await host.settle();
    assert.deepEqual(network.trace, ['a> monitor', 'a> demonitor', 'a> monitor', 'a> demonitor']);
    assert.deepEqual(watcher.messages, []);
  }),
);

test(
  'the end of the connection fires everything once, and what is set up because of it belongs to the next',
  joined(async ({ host, network, a, b }) => {
    const there = startRecorder(b, { trap: true }).pid;
    const reasons: unknown[] = [];
    const pid = a.spawnBehaviour({
      init(self) {
        self.trapExit(true);
        self.link(there);
        self.monitor(there);
      },
      handle(message, self) {
        reasons.push((message as { reason: unknown }).reason);
        if (isExitMessage(message) && message.reason === noconnection) self.link(there);
      },
    });
    await host.settle();
    network.disconnect(a, b);
    network.connect(a, b);
    await host.settle();
    assert.deepEqual(reasons, [noconnection, noconnection]);
    b.exit(there, kill);
    await host.settle();
    assert.deepEqual(reasons, [noconnection, noconnection, killed]);
    assert.equal(a.isAlive(pid), true);
  }),
);

test(
  'a node that cannot be reached: links and monitors fire with noconnection',
  joined(async ({ host, network, a, b }) => {
    const there = startSilent(b);
    network.disconnect(a, b);
    const here = startRecorder(a, { trap: true });
    await host.runUntil(
      here.run((self) => {
        self.link(there);
        self.monitor(there);
      }),
    );
    await host.settle();
    const reasons = here.messages.map((message) => (message as { reason: unknown }).reason);
    assert.deepEqual(reasons, [noconnection, noconnection]);
    assert.equal(await host.runUntil(a.whenDown(there)), noconnection);
  }),
);

test(
  'whenDown of a process of another node; giving up takes the monitor back',
  joined(async ({ host, network, a, b }) => {
    const there = startSilent(b);
    const down = a.whenDown(there);
    await assert.rejects(host.runUntil(a.whenDown(there, { timeoutMs: 5 })), { code: 'timeout' });
    await host.settle();
    b.exit(there, 'over');
    assert.equal(await host.runUntil(down), 'over');
    assert.deepEqual(network.trace, ['a> monitor', 'a> monitor', 'a> demonitor', 'b> down']);
  }),
);
