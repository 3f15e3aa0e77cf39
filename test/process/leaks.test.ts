// A long-lived process meets many that come and go: nothing of the dead may stay with it, nor in any table. Looks
// behind the door, at the parts of a runtime.
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { simulatedHost } from '../../src/host/index.ts';
import { assemble } from '../../src/process/assemble.ts';
import { genCall } from '../../src/process/gen-protocol.ts';
import { LIMITS_DEFAULT } from '../../src/process/limits.ts';
import type { RuntimeParts } from '../../src/process/parts.ts';
import type { ProcessRecord } from '../../src/process/record.ts';
import { isRequest } from '../../src/process/requests.ts';
import type { Process, Runtime } from '../../src/process/types.ts';
import { atom, Pid, Ref } from '../../src/term/index.ts';
import { TestNetwork } from '../support/joined-runtimes.ts';

const host = simulatedHost();

/** The parts alone, with a peer that swallows everything. */
function parts(): RuntimeParts {
  const name = atom('parts@test');
  const made = assemble({ name, creation: 1, host } as unknown as Runtime, LIMITS_DEFAULT);
  const network = new TestNetwork(host);
  const far = network.join('far@test', 1);
  const near = network.join('parts@test', 1);
  network.connect(near, far);
  const stolen = { outbound: undefined as RuntimeParts['peers']['outbound'] };
  network.add({
    ...near,
    name,
    inbound: made.inbound,
    attach: (outbound) => {
      stolen.outbound = outbound;
    },
  });
  made.peers.outbound = stolen.outbound;
  return made;
}

function spawn(made: RuntimeParts, code: (self: Process) => void): ProcessRecord {
  const main = async (self: Process): Promise<void> => {
    code(self);
    await self.receive(() => false);
  };
  return made.table.get(made.spawner.spawn({ kind: 'main', main })) as ProcessRecord;
}

function held(record: ProcessRecord): number[] {
  const sets = [record.links, record.remoteLinks, record.monitors, record.watchers, record.names];
  const more = [record.aliases, record.timers, record.openRequests];
  return [...sets, ...more].map((set) => set?.size ?? 0);
}

test('the dead leave nothing with the living', async () => {
  const made = parts();
  const lasting = spawn(made, (self) => void self.trapExit(true));
  await host.settle();
  const far = new Pid(atom('far@test'), 99, 0, 1);
  for (let count = 0; count < 20; count++) {
    const passing = spawn(made, (self) => {
      self.link(lasting.pid);
      self.monitor(lasting.pid);
      self.monitor(far);
      self.link(far);
      self.sendAfter(1000, lasting.pid, 'never');
      self.alias();
      void self.call(lasting.pid, 'unanswered', { timeoutMs: 60_000 });
      void self.call(far, 'unanswered', { timeoutMs: 60_000 });
    });
    made.names.register(`passing ${count}`, passing);
    made.monitors.monitor(lasting, passing.pid);
    await host.settle();
    made.lifecycle.die(passing, 'gone');
    await host.settle();
  }
  for (let index = 0; index < lasting.mailbox.size; index++) {
    const message = lasting.mailbox.at(index);
    if (isRequest(message)) assert.ok(message.answered);
  }
  assert.deepEqual(held(lasting), [0, 0, 0, 0, 0, 0, 0, 0]);
  assert.equal(made.table.size, 1);
  assert.deepEqual(made.names.list(), []);
  assert.equal(made.calls.pending, 0);
  assert.equal(made.monitors.remoteCount, 0);
  assert.equal(made.aliases.count, 0);
  assert.equal(made.deadlines.size, 0);
  for (const peer of made.peers.list()) assert.ok(peer.isIdle, `something is left for ${peer.node.name}`);
});

test('calls that are over leave nothing with caller, callee and deadlines', async () => {
  const made = parts();
  const behaviour = {
    handle: (message: unknown) =>
      new Promise<void>((resolve) => {
        host.timers.after(1, () => {
          if (isRequest(message) && message.request !== 'never') message.answer('late enough to be open');
          resolve();
        });
      }),
  };
  const callee = made.table.get(made.spawner.spawn({ kind: 'behaviour', behaviour })) as ProcessRecord;
  const controller = new AbortController();
  const calls = ['answer', 'never', 'never', 'answer'].map((request, index) =>
    made.calls.start(
      made.client,
      callee.pid,
      request,
      index === 1 ? { signal: controller.signal } : { timeoutMs: 50 },
    ),
  );
  const outcomes = Promise.allSettled(calls);
  await host.runFor(10);
  assert.equal(callee.openRequests?.size, 2);
  controller.abort();
  const answered = new AbortController();
  const heard = made.calls.start(made.client, callee.pid, 'answer', { signal: answered.signal });
  await host.runUntil(heard);
  assert.equal(getEventListeners(answered.signal, 'abort').length, 0);
  const statuses = (await host.runUntil(outcomes)).map((outcome) => outcome.status);
  assert.deepEqual(statuses, ['fulfilled', 'rejected', 'rejected', 'fulfilled']);
  assert.deepEqual(held(callee), [0, 0, 0, 0, 0, 0, 0, 0]);
  assert.equal(made.client.lastCall, undefined);
  assert.equal(made.calls.pending, 0);
  assert.equal(made.deadlines.size, 0);
});

test('a request from a node that is gone is not kept, nor one whose caller gave up', async () => {
  const made = parts();
  const callee = made.table.get(
    made.spawner.spawn({ kind: 'behaviour', behaviour: { handle: () => undefined } }),
  ) as ProcessRecord;
  const caller = new Pid(atom('far@test'), 5, 0, 1);
  made.inbound.nodeUp(caller.node, { kind: 'typescript', creation: 1 });
  const refs = [1, 2, 3].map((word) => new Ref(caller.node, 1, [word, 0, 0]));
  for (const ref of refs) made.inbound.onSend(caller, callee.pid, genCall(caller, ref, 'unanswered'));
  await host.settle();
  assert.equal(callee.openRequests?.size, 3);
  made.inbound.onDemonitor(caller, callee.pid, refs[1] as Ref);
  assert.equal(callee.openRequests.size, 2);
  made.inbound.nodeDown(caller.node, 'gone');
  assert.equal(callee.openRequests.size, 0);
});
