// Moving a store: whatever happens to the mover, and whatever the nodes do meanwhile, everything arrives once, nothing is
// lost, and nothing happens in the old store after the seal.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { abortMove } from '../../src/node/move-store.ts';
import {
  type FaultSource,
  keyOf,
  MemoryDatabase,
  type MemoryFault,
  movingStore,
  openStore,
  rangeOfKey,
  type Store,
  transact,
} from '../../src/storage/index.ts';
import {
  code,
  contentOf,
  counterIn,
  counterKey,
  crashedMove,
  increment,
  numberIn,
  Pair,
  recordOf,
} from './move-support.ts';

describe('a move', () => {
  test('copies all keys of all tenants, and the nodes go on in the new store', async () => {
    const pair = await Pair.filled(150);
    const { host } = pair;
    const node = await pair.moving();
    const before = await contentOf(pair.old);
    const done = await host.runUntil(pair.move());
    assert.deepEqual([done.moved, done.keys], ['now', 450]);
    assert.ok(done.bytes > 4_000_000, 'beyond what a transaction or a page may hold');
    assert.deepEqual(await contentOf(pair.next), before);
    assert.equal(await host.runUntil(increment(node.tenant('a'))), 1);
    assert.deepEqual(await contentOf(pair.old), before, 'nothing happens in the old one any more');
    assert.match(await recordOf(pair.old), /^dgen 1 moved \{"move":"[0-9a-f]{32}","to":"memory"\}$/);
    assert.match(await recordOf(pair.next), /^dgen 1 open \{"arrived":"[0-9a-f]{32}"\}$/);
    const again = await host.runUntil(pair.move());
    assert.deepEqual([again.moved, again.move, again.keys], ['earlier', done.move, 0]);
    // The last step: the new one alone. And it can be moved on.
    const alone = await pair.plain(pair.next);
    assert.equal(await host.runUntil(increment(alone.tenant('a'))), 2);
    const third = new MemoryDatabase(host);
    const onward = await host.runUntil(pair.move({ old: pair.next.connect(), next: third.connect() }));
    assert.equal(onward.keys, 451);
    await assert.rejects(host.runUntil(increment(alone.tenant('a'))), code('store_moved'));
    assert.equal(await counterIn(await pair.plain(third), 'a'), 2);
  });

  test('stops everything in the old store at one instant: reads, commits, blind commits, and whatever had begun', async () => {
    const pair = await Pair.filled(3);
    const { host } = pair;
    const store = await pair.plain(pair.old);
    const tenant = store.tenant('a');
    const begin = () => tenant.begin({ timeoutMs: 5_000 });
    const writes = [{ type: 'set' as const, key: counterKey, value: Uint8Array.of(1) }];
    const [reader, blind, withId] = [await begin(), await begin(), await begin()];
    await reader.get(keyOf('key', '1'));
    const idle = await begin();
    await host.runUntil(pair.move());
    const before = await contentOf(pair.old);
    assert.equal(
      (await reader.get(keyOf('key', '2')))?.[0],
      2,
      'a snapshot of before the seal shows what it shows',
    );
    await assert.rejects(reader.commit({ reads: [], writes }), code('store_conflict'));
    await assert.rejects(blind.commit({ reads: [], writes }), (error: unknown) => {
      code('store_moved')(error);
      const { maybeExecuted, retryable, details } = error as Record<string, unknown>;
      assert.deepEqual([maybeExecuted, retryable, (details as { to: string }).to], [false, false, 'memory']);
      return true;
    });
    await assert.rejects(withId.commit({ reads: [], writes, id: Uint8Array.of(1) }), code('store_moved'));
    await assert.rejects(
      idle.getRange({ begin: Uint8Array.of(0), end: Uint8Array.of(255) }, { limit: 5 }),
      code('store_moved'),
    );
    await assert.rejects(host.runUntil(increment(tenant)), code('store_moved'));
    await assert.rejects(pair.plain(pair.old), code('store_moved'));
    assert.deepEqual(await contentOf(pair.old), before);
  });

  test('is seen by nodes as a store that is away, and ends by itself for them', async () => {
    const pair = await Pair.filled(10);
    const { host } = pair;
    const node = await pair.moving();
    const tenant = node.tenant('a');
    const slow: FaultSource = () => ({ delayMs: 300 });
    const move = pair.move({ next: pair.next.connect({ fault: slow }) });
    await host.runFor(3_000);
    assert.match(await recordOf(pair.old), /moved/);
    assert.match(await recordOf(pair.next), /^dgen 1 filling /);
    const tx = await host.runUntil(tenant.begin({ timeoutMs: 1_000 }).catch((error: unknown) => error));
    code('store_unavailable')(tx);
    // A node that is started now waits, too; one that knows only the new store is refused.
    const late = await pair.moving();
    await assert.rejects(pair.plain(pair.next), code('store_unfinished'));
    const waiting = Promise.all([increment(tenant), increment(late.tenant('a')), increment(tenant)]);
    await host.runUntil(move);
    assert.deepEqual((await host.runUntil(waiting)).sort(), [1, 2, 3]);
    const alone = await pair.plain(pair.next);
    assert.equal(await counterIn(alone, 'a'), 3);
    assert.equal(await counterIn(await pair.moving(), 'a'), 3, 'a node that is started after the move');
    await Promise.all([node.close(), late.close()]);
    await assert.rejects(tenant.begin({ timeoutMs: 10 }), code('closed'));
  });

  test('may begin and end while a node looks at the stores', async () => {
    const pair = await Pair.filled(1);
    let slow = true;
    const opening = pair.moving({
      old: (operation) => {
        if (operation !== 'begin' || !slow) return undefined;
        slow = false;
        return { delayMs: 1_000 };
      },
    });
    const moved = pair.move();
    const node = await opening;
    assert.equal((await moved).moved, 'now');
    assert.equal(await pair.host.runUntil(increment(node.tenant('a'))), 1);
    await node.close();
  });

  test('wakes watches, which nobody would in the old store any more', async () => {
    const pair = await Pair.filled(1);
    const { host } = pair;
    const node = await pair.moving();
    const tenant = node.tenant('a');
    const watch = tenant.watch(rangeOfKey(counterKey));
    let woken = 0;
    void watch.changed.then(() => woken++);
    await host.runFor(5_000);
    assert.equal(woken, 0);
    await host.runUntil(pair.move());
    await host.runUntil(watch.changed);
    const next = tenant.watch(rangeOfKey(counterKey));
    void next.changed.then(() => woken++);
    await host.runFor(5_000);
    assert.equal(woken, 1, 'the next one is quiet');
    await host.runUntil(increment((await pair.plain(pair.next)).tenant('a')));
    await host.runUntil(next.changed);
    await node.close();
    assert.equal(host.timersPending, 0);
  });
});

describe('a commit in doubt', () => {
  /** The first commit goes wrong as planned; the move happens before anybody hears of it. */
  async function straddle(fault: MemoryFault) {
    const pair = await Pair.filled(1);
    const { host } = pair;
    let first = true;
    const old: FaultSource = (operation) => {
      if (operation !== 'commit' || !first) return undefined;
      first = false;
      return fault;
    };
    let armed = false;
    const node = await pair.moving({ old: (operation) => (armed ? old(operation) : undefined) });
    armed = true;
    let runs = 0;
    const body = async (tx: Parameters<Parameters<typeof transact>[1]>[0]) => {
      const sum = numberIn(await tx.get(counterKey)) + 1;
      tx.set(counterKey, new TextEncoder().encode(String(sum)));
      runs += 1;
      if (runs === 1) void host.timers.after(0, () => void pair.move());
      return `run ${runs}: ${sum}`;
    };
    const value = await host.runUntil(transact(node.tenant('a'), body, { timeoutMs: 60_000 }));
    await host.runFor(10_000);
    const alone = await pair.plain(pair.next);
    return { pair, value, runs, count: await counterIn(alone, 'a') };
  }

  test('that was applied before the seal is not applied again after it', async () => {
    const { value, runs, count } = await straddle({ kind: 'reply_lost' });
    assert.equal(value, 'run 1: 1');
    assert.ok(runs > 1);
    assert.equal(count, 1);
  });

  test('that was lost is applied in the new store, once', async () => {
    const { value, runs, count } = await straddle({ kind: 'request_lost' });
    assert.match(value, /: 1$/);
    assert.ok(runs > 1);
    assert.equal(count, 1);
  });

  test('that comes after the seal is shut out by it, and by its retry', async () => {
    const { pair, count } = await straddle({ kind: 'late', delayMs: 5_000 });
    assert.equal(count, 1);
    assert.ok(
      !(await contentOf(pair.old)).some((item) => item.startsWith(Buffer.from(counterKey).toString('hex'))),
    );
    assert.equal((await contentOf(pair.old)).length, 3, 'it was not applied in the old store');
  });

  test('an id of the caller that was used before the move is known after it', async () => {
    const pair = await Pair.filled(1);
    const { host } = pair;
    const id = Uint8Array.of(7);
    const add = (store: Store) =>
      host.runUntil(transact(store.tenant('a'), (tx) => tx.add(keyOf('sum'), 1n), { timeoutMs: 5_000, id }));
    await add(await pair.plain(pair.old));
    const node = await pair.moving();
    await host.runUntil(pair.move());
    for (let i = 0; i < 3; i++) await add(node);
    const tx = await (await pair.plain(pair.next)).tenant('a').begin({ timeoutMs: 1_000 });
    assert.equal((await tx.get(keyOf('sum')))?.[0], 1);
  });

  test('needs the old store, and waits for it', async () => {
    const pair = await Pair.filled(1);
    const { host } = pair;
    let away = false;
    const node = await pair.moving({ old: () => (away ? { kind: 'unavailable' } : undefined) });
    await host.runUntil(pair.move());
    assert.equal(await host.runUntil(increment(node.tenant('a'))), 1);
    away = true;
    await assert.rejects(host.runUntil(increment(node.tenant('a'), 500)), code('timeout'));
    const tx = await node.tenant('a').begin({ timeoutMs: 1_000 });
    assert.equal(numberIn(await tx.get(counterKey)), 1, 'reading does not need it');
    const set = { type: 'set' as const, key: keyOf('k'), value: Uint8Array.of(1) };
    assert.deepEqual(
      await tx.commit({ reads: [], writes: [set] }),
      { applied: 'now' },
      'nor does a commit without an id',
    );
  });
});

describe('a move is refused', () => {
  test('into a store with keys, into itself, from an empty one', async () => {
    const pair = await Pair.filled(1);
    const { host } = pair;
    const other = await Pair.filled(1);
    const into = (database: MemoryDatabase) => host.runUntil(pair.move({ next: database.connect() }));
    await assert.rejects(into(other.old), code('store_not_empty'));
    await assert.rejects(into(pair.old), code('store_not_empty'));
    const same = pair.old.connect();
    await assert.rejects(host.runUntil(pair.move({ old: same, next: same })), code('bad_option'));
    const empty = new MemoryDatabase(host);
    await assert.rejects(host.runUntil(pair.move({ old: empty.connect() })), code('store_not_ours'));
    await pair.plain(empty);
    await assert.rejects(host.runUntil(pair.move({ old: empty.connect() })), code('store_not_ours'));
    assert.equal(await recordOf(pair.old), 'dgen 1');
    assert.equal(await recordOf(pair.next), '');
    assert.equal((await into(empty)).keys, 3, 'a store that was opened and not used is empty');
    await assert.rejects(host.runUntil(pair.move({ timeoutMs: 0 })), code('bad_option'));
  });

  test('out of a store that is being moved somewhere else, and so is giving that up with the wrong target', async () => {
    const pair = await Pair.filled(5);
    const { host } = pair;
    await crashedMove(pair, { at: 21, kind: 'before' });
    assert.match(await recordOf(pair.old), /moved/);
    assert.equal((await contentOf(pair.next)).length, 15);
    const third = new MemoryDatabase(host);
    const elsewhere = { old: pair.old.connect(), next: third.connect() };
    await assert.rejects(host.runUntil(pair.move(elsewhere)), code('store_moved'));
    await assert.rejects(
      host.runUntil(abortMove(pair.old.connect(), third.connect(), { host })),
      code('store_not_ours'),
    );
    await assert.rejects(
      host.runUntil(movingStore(pair.old.connect(), third.connect(), { host })),
      code('store_moved'),
    );
    assert.equal(await recordOf(third), '');
    // Another store cannot take the target away either.
    const stranger = await Pair.filled(1);
    await assert.rejects(host.runUntil(pair.move({ old: stranger.old.connect() })), code('store_not_empty'));
    // The operator's word that the target is lost.
    assert.equal(await host.runUntil(pair.abort(true)), true);
    assert.equal(await recordOf(pair.old), 'dgen 1');
    assert.equal((await host.runUntil(pair.move(elsewhere))).keys, 15);
  });

  test('a pair of stores that do not belong together is refused to nodes', async () => {
    const pair = await Pair.filled(1);
    const { host } = pair;
    const other = await Pair.filled(1);
    const open = (old: MemoryDatabase, next: MemoryDatabase) =>
      host.runUntil(movingStore(old.connect(), next.connect(), { host }));
    await assert.rejects(open(pair.old, other.old), code('store_not_empty'));
    // The two in the wrong order, while the right ones are in use.
    await assert.rejects(open(pair.next, pair.old), code('store_not_empty'));
    await host.runUntil(pair.move());
    // The old one was removed, or replaced, while its address was still given.
    await assert.rejects(open(new MemoryDatabase(host), pair.next), code('store_not_empty'));
    await assert.rejects(open(other.old, pair.next), code('store_not_empty'));
    await assert.rejects(open(pair.old, new MemoryDatabase(host)), code('store_moved'));
    await (await open(pair.old, pair.next)).close();
  });

  test('a store whose record went away while it was in use is used no more', async () => {
    const pair = await Pair.filled(1);
    const { host } = pair;
    const store = await pair.plain(pair.old);
    const tx = await pair.old.connect().begin({ timeoutMs: 1_000 });
    const all = { begin: new Uint8Array(0), end: Uint8Array.of(255) };
    await tx.commit({ reads: [], writes: [{ type: 'clearRange', ...all }] });
    await assert.rejects(host.runUntil(increment(store.tenant('a'))), code('store_not_ours'));
    await openStore(pair.old.connect(), { host });
    assert.equal(await host.runUntil(increment(store.tenant('a'))), 1);
  });
});
