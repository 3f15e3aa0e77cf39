// The real host, on real time: kept to some hundredths of a second.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeHost } from '../../../src/host/index.ts';

test('timers are never early, can be cancelled, and defer comes after promises', {
  timeout: 5000,
}, async () => {
  const host = nodeHost();
  const waits = Array.from({ length: 20 }, (_, index) => {
    const start = host.clock.now();
    const delay = index / 3;
    return new Promise<number>((resolve) => {
      host.timers.after(delay, () => resolve(host.clock.now() - start - delay));
    });
  });
  const cancelled = host.timers.after(1, () => assert.fail('a cancelled timer fired'));
  cancelled.cancel();
  cancelled.cancel();
  for (const late of await Promise.all(waits)) assert.ok(late >= 0, `early by ${-late} ms`);
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    host.timers.defer(() => {
      order.push('deferred');
      resolve();
    });
    void Promise.resolve().then(() => order.push('promise'));
  });
  assert.deepEqual(order, ['promise', 'deferred']);
});

test('random words are words, and differ', () => {
  const { random } = nodeHost();
  const words = new Set(Array.from({ length: 1000 }, () => random.uint32()));
  assert.ok(words.size > 990);
  assert.ok([...words].every((word) => Number.isInteger(word) && word >= 0 && word < 2 ** 32));
  assert.equal(random.bytes(16).length, 16);
  assert.notDeepEqual(random.bytes(16), random.bytes(16));
});
