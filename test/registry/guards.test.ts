// Guards around the protocol, each by itself: what the driver does with a fence, what the store's answers are taken for,
// and what is refused before it is believed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simulatedHost } from '../../src/host/index.ts';
import type { Process } from '../../src/process/types.ts';
import { Coordination } from '../../src/registry/coordination.ts';
import { Driver } from '../../src/registry/driver.ts';
import type { Config } from '../../src/registry/protocol/types.ts';
import { decodeMessage } from '../../src/registry/wire.ts';
import { MemoryDatabase, openStore } from '../../src/storage/index.ts';
import { atom, Pid } from '../../src/term/index.ts';

const durations = { leaseMs: 1000, sessionMs: 3000, toleranceMs: 8000, holdMs: 16_000, clockRateBound: 0.05 };
const config: Config = {
  durations,
  buckets: 4,
  logOpsMax: 64,
  windowOpsMax: 64,
  partEntriesMax: 8,
  removalsMax: 2,
  requestsMax: 1000,
  claimStaggerMs: 50,
};

test('a driver that finds the session lapsed ends the processes before anything else is let in', async () => {
  const host = simulatedHost({ seed: 1 });
  const name = atom('a@h');
  const pid = new Pid(name, 1, 0, 1);
  const ended: unknown[] = [];
  const runtime = {
    host,
    name,
    terminate: (one: unknown, reason: unknown) => void ended.push([one, reason]),
    watchDown: () => () => undefined,
  };
  const self = { self: pid, runtime, send: () => undefined } as unknown as Process;
  const info = () => ({
    member: '',
    node: '',
    creation: 1,
    generation: 1,
    address: null,
    machineId: '',
    unprovenFormers: [],
  });
  const options = { config, self, elector: pid, memberName: atom('m'), info, former: undefined };
  const driver = new Driver(options);
  driver.start();
  const { self: before } = driver.state;
  driver.state.host.hosted.set(pid.key, { pid, names: new Set(['x']) });
  driver.state.follow.sessionUntil = host.clock.now();
  driver.guard();
  assert.deepEqual(ended, [[pid, atom('fenced')]]);
  assert.notEqual(driver.state.self, before);
  driver.close({ type: 'error', code: 'closed', why: '', maybeExecuted: false });
});

test('a commit without an answer may have happened', async () => {
  const host = simulatedHost({ seed: 1 });
  let lost = false;
  const backend = new MemoryDatabase(host).connect({
    fault: (operation) => (lost && operation === 'commit' ? { kind: 'reply_lost' } : undefined),
  });
  const store = await host.runUntil(openStore(backend, { host }));
  const coordination = new Coordination(store.tenant('default'), { root: 'r', timeoutMs: 1000 });
  const own = {
    member: 'a@h#1',
    node: 'a@h',
    creation: 1,
    generation: 1,
    address: null,
    machineId: 'm',
    unprovenFormers: [],
  };
  lost = true;
  const { signal } = new AbortController();
  const { status } = await host.runUntil(coordination.run({ kind: 'join', member: own.member }, own, signal));
  assert.equal(status, 'unknown');
});

test('a message with numbers that are none is refused', () => {
  for (const nonce of [-1, 1.5, '1', null, undefined, Number.NaN, 2 ** 53])
    assert.throws(() => decodeMessage({ type: 'grant', epoch: 1, nonce }), String(nonce));
});
