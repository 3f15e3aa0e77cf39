import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Queue } from '../../src/process/queue.ts';

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('push' as const), value: fc.integer() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('shift' as const), value: fc.constant(0) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('removeAt' as const), value: fc.nat() }) },
);

test('a queue does what an array does', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const queue = new Queue<number>();
      const model: number[] = [];
      for (const { do: what, value } of steps) {
        if (what === 'push') {
          queue.push(value);
          model.push(value);
        } else if (what === 'shift') assert.equal(queue.shift(), model.shift());
        else if (model.length > 0) {
          const index = value % model.length;
          assert.equal(queue.removeAt(index), model.splice(index, 1)[0]);
        }
        assert.equal(queue.size, model.length);
        assert.deepEqual(
          model.map((_, index) => queue.at(index)),
          model,
        );
      }
    }),
    { numRuns: 300 },
  );
});

test('undefined is an item like any other, and clear empties', () => {
  const queue = new Queue<undefined | number>();
  queue.push(undefined);
  queue.push(1);
  assert.equal(queue.size, 2);
  assert.equal(queue.shift(), undefined);
  assert.equal(queue.size, 1);
  queue.clear();
  assert.equal(queue.size, 0);
  assert.equal(queue.shift(), undefined);
});
