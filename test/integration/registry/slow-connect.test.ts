// A process of another node is registered by way of a link; where that does not come up, the caller's own limits count.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atom, MemoryDatabase, Node, nodeHost, openStore, Pid, Registry } from '../../../src/index.ts';

test('a registration waits for a link no longer than it was told', { timeout: 30_000 }, async (t) => {
  const host = nodeHost();
  const store = await openStore(new MemoryDatabase(host).connect(), { host });
  t.after(() => store.close());
  await using node = await Node.start({ name: 'a', store });
  const registry = await Registry.startLink(
    {
      runtime: node.runtime,
      address: node.address,
      machineId: node.machineId,
      unprovenFormers: [],
      isConnected: () => false,
      connect: () => new Promise(() => undefined),
      learnAddress: () => undefined,
      onLink: () => () => undefined,
      guardInput: () => () => undefined,
      expectSignsOfLife: () => () => undefined,
      probe: async () => ({ verdict: 'unknown' }),
    },
    'rooms',
    node.tenant,
  );
  t.after(() => registry.close());
  const far = new Pid(atom('far@127.0.0.1'), 1, 0, 1);
  const begun = host.clock.now();
  await assert.rejects(registry.register('lobby', far, { timeoutMs: 50 }), {
    code: 'timeout',
    maybeExecuted: false,
  });
  const controller = new AbortController();
  const aborted = registry.register('lobby', far, { timeoutMs: 5_000, signal: controller.signal });
  controller.abort();
  await assert.rejects(aborted, { code: 'aborted', maybeExecuted: false });
  assert.ok(host.clock.now() - begun < 2_000);
});
