// Schedules that need several movers, or several clients with one id, at the wrong moments.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { abortMove } from '../../src/node/move-store.ts';
import { type FaultSource, keyOf, MemoryDatabase, transact } from '../../src/storage/index.ts';
import { code, contentOf, counterKey, increment, Pair, recordOf, writeRecord } from './move-support.ts';

/** Holds one operation back for a while: the n-th of its kind, from 1. */
function holdBack(kind: 'begin' | 'read' | 'commit', at: number, delayMs: number): FaultSource {
  let seen = 0;
  return (operation) => {
    if (operation !== kind) return undefined;
    seen += 1;
    return seen === at ? { delayMs } : undefined;
  };
}

describe('taking back a move', () => {
  for (const [kind, at] of [
    ['read', 1],
    ['begin', 2],
    ['commit', 1],
  ] as const) {
    test(`and a mover that takes the target back from another one, late at ${kind} ${at}`, async () => {
      const pair = await Pair.filled(2);
      const { host } = pair;
      await writeRecord(pair.old, 'dgen 1 moved {"move":"m1","to":"x"}');
      await writeRecord(pair.next, 'dgen 1 filling {"move":"m2","from":"x","former":["m1"]}');
      // The second mover finds that, and stands still before it takes the target for m1 again.
      const fault = holdBack(kind, at, 1_000);
      const late = pair.move({ next: pair.next.connect({ fault }) }).catch((error: unknown) => error);
      // Meanwhile the target is marked, and the one who takes the move back stands still before he takes off the seal.
      const slow = holdBack('begin', 2, 3_000);
      const taken = abortMove(pair.old.connect({ fault: slow }), pair.next.connect(), { host });
      const ended = await host.runUntil(late);
      await host.runUntil(taken);
      const [old, next] = [await recordOf(pair.old), await recordOf(pair.next)];
      assert.ok(!(old === 'dgen 1' && /open/.test(next)), `two stores in use: ${old}, ${next}`);
      code(kind === 'read' ? 'store_moved' : 'store_not_ours')(ended);
      assert.equal(old, 'dgen 1');
      const node = await pair.moving();
      assert.equal(await host.runUntil(increment(node.tenant('a'))), 1);
      await node.close();
    });
  }
});

test('an id that was shut out of the old store is not taken for applied by who began before the seal', async () => {
  const pair = await Pair.filled(1);
  const { host } = pair;
  const id = Uint8Array.of(7);
  const add = { type: 'add' as const, key: keyOf('sum'), value: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0) };
  const deaf = await pair.plain(pair.old);
  const slow = await pair.moving();
  const stuck = async (store: typeof slow) => {
    const tx = await store.tenant('a').begin({ timeoutMs: 5_000 });
    await tx.get(counterKey);
    return tx;
  };
  const [first, second] = [await stuck(deaf), await stuck(slow)];
  await host.runUntil(pair.move());
  // Another node has the id, shuts the old store out, and dies before it commits to the new one.
  let commits = 0;
  const dies: FaultSource = (operation) =>
    operation === 'commit' && commits++ >= 0 ? { kind: 'request_lost' } : undefined;
  const other = await pair.moving({ next: dies });
  const dead = transact(other.tenant('a'), (tx) => tx.add(keyOf('sum'), 1n), { timeoutMs: 100, id });
  code('store_commit_unknown')(await host.runUntil(dead.catch((error: unknown) => error)));
  for (const tx of [first, second]) {
    const ended = await tx.commit({ reads: [], writes: [add], id }).catch((error: unknown) => error);
    code('store_conflict')(ended);
  }
  for (const store of [slow, slow])
    await host.runUntil(
      transact(store.tenant('a'), (tx) => tx.add(keyOf('sum'), 1n), { timeoutMs: 5_000, id }),
    );
  const tx = await (await pair.plain(pair.next)).tenant('a').begin({ timeoutMs: 1_000 });
  assert.equal((await tx.get(keyOf('sum')))?.[0], 1);
  for (const store of [slow, other]) await store.close();
});

test('two that begin at once: the one whose seal counts takes the target again, and completes', async () => {
  const pair = await Pair.filled(3);
  const { host } = pair;
  const node = await pair.moving();
  // Both stand still between the mark on the target and the seal: the second one longer.
  const before = (delayMs: number) => pair.old.connect({ fault: holdBack('begin', 2, delayMs) });
  const first = pair.move({ old: before(100) });
  await host.runFor(10);
  const second = pair.move({ old: before(300) }).catch((error: unknown) => error);
  await host.runFor(10);
  assert.match(await recordOf(pair.next), /former/);
  const { moved, move } = await host.runUntil(first);
  assert.equal(moved, 'now');
  code('store_moved')(await host.runUntil(second));
  assert.equal(await recordOf(pair.next), `dgen 1 open {"arrived":"${move}"}`);
  assert.equal(await host.runUntil(increment(node.tenant('a'))), 1);
  await node.close();
});

describe('two movers that finish the same move', () => {
  for (let delayed = 1; delayed <= 14; delayed++) {
    test(`and nodes that write as soon as it is complete: the later one, late at its operation ${delayed}, raises no alarm`, async () => {
      const pair = await Pair.filled(3);
      const { host } = pair;
      const node = await pair.moving();
      await writeRecord(pair.old, 'dgen 1 moved {"move":"m1","to":"x"}');
      await writeRecord(pair.next, 'dgen 1 filling {"move":"m1","from":"x"}');
      let operations = 0;
      const fault: FaultSource = (operation) =>
        operation !== 'watch' && ++operations === delayed ? { delayMs: 2_000 } : undefined;
      const late = pair.move({ next: pair.next.connect({ fault }) });
      assert.equal((await host.runUntil(pair.move())).move, 'm1');
      assert.equal(await host.runUntil(increment(node.tenant('a'))), 1);
      const before = await contentOf(pair.next);
      const { move } = await host.runUntil(late);
      assert.equal(move, 'm1');
      assert.deepEqual(await contentOf(pair.next), before);
      await node.close();
    });
  }
});

test('a move whose target has moved on is complete', async () => {
  const pair = await Pair.filled(1);
  const { host } = pair;
  const third = new MemoryDatabase(host);
  const { move } = await host.runUntil(pair.move());
  await host.runUntil(pair.move({ old: pair.next.connect(), next: third.connect() }));
  const again = await host.runUntil(pair.move());
  assert.deepEqual([again.moved, again.move], ['earlier', move]);
  await assert.rejects(host.runUntil(pair.abort()), code('store_moved'));
  assert.match(await recordOf(pair.old), /moved/);
});

test('beginning waits no longer than it was told, wherever a store is slow', async () => {
  const pair = await Pair.filled(1);
  const { host } = pair;
  let slow = false;
  const fault: FaultSource = (operation) => (slow && operation === 'read' ? { delayMs: 450 } : undefined);
  const node = await pair.moving({ old: fault, next: fault });
  await writeRecord(pair.old, 'dgen 1 moved {"move":"m1","to":"x"}');
  await writeRecord(pair.next, 'dgen 1 filling {"move":"m1","from":"x"}');
  await host.runFor(3_000);
  slow = true;
  const startedAt = host.clock.now();
  const ended = await host.runUntil(
    node
      .tenant('a')
      .begin({ timeoutMs: 1_000 })
      .catch((error: unknown) => error),
  );
  assert.ok(ended instanceof Error);
  assert.ok(host.clock.now() - startedAt <= 1_000, `${host.clock.now() - startedAt} ms`);
  await node.close();
});
