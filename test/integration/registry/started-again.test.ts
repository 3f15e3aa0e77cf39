// A registry that ended on a node without having left in good order, and is started there again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryDatabase, Node, nodeHost, openStore } from '../../../src/index.ts';

test('knows that the member before it has ended, and waits for nothing', { timeout: 30_000 }, async (t) => {
  const host = nodeHost();
  const store = await openStore(new MemoryDatabase(host).connect(), { host });
  t.after(() => store.close());
  await using node = await Node.start({ name: 'a', store });
  // It does not take leave: the store still has it for the leader, and for the only one that counts.
  const first = await node.registry('rooms', { drainTimeoutMs: 0 });
  const { member } = first.status();
  await first.close();
  const again = await node.registry('rooms', { readyTimeoutMs: 3_000 });
  assert.equal(again.status().phase, 'active');
  assert.notEqual(again.status().member, member);
});
