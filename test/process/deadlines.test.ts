import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { simulatedHost } from '../../src/host/index.ts';
import { Deadline, Deadlines } from '../../src/process/deadlines.ts';

class Mark extends Deadline {
  readonly #expired: (mark: Mark) => void;

  constructor(expired: (mark: Mark) => void) {
    super();
    this.#expired = expired;
  }

  expire(): void {
    this.#expired(this);
  }
}

test('deadlines expire at their time, in order of time and of adding, unless taken out', () => {
  const step = fc.record({
    delay: fc.integer({ min: 0, max: 50 }),
    remove: fc.boolean(),
    pass: fc.integer({ min: 0, max: 10 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const host = simulatedHost();
      const deadlines = new Deadlines(host);
      const expired: { due: number; order: number; at: number }[] = [];
      let model: { due: number; order: number; mark: Mark }[] = [];
      const expected: { due: number; order: number; at: number }[] = [];
      const pass = (ms: number): void => {
        const end = host.clock.now() + ms;
        const due = model
          .filter((entry) => entry.due <= end)
          .sort((a, b) => a.due - b.due || a.order - b.order);
        for (const entry of due) expected.push({ due: entry.due, order: entry.order, at: entry.due });
        model = model.filter((entry) => entry.due > end);
        host.advance(ms);
      };
      steps.forEach(({ delay, remove, pass: ms }, order) => {
        const due = host.clock.now() + delay;
        const mark = new Mark(() => void expired.push({ due, order, at: host.clock.now() }));
        deadlines.add(mark, delay);
        model.push({ due, order, mark });
        const victim = remove ? model[order % model.length] : undefined;
        if (victim !== undefined) {
          deadlines.remove(victim.mark);
          model = model.filter((entry) => entry !== victim);
        }
        pass(ms);
        assert.equal(deadlines.size, model.length);
      });
      pass(100);
      assert.deepEqual(expired, expected);
      assert.equal(host.timersPending, 0);
    }),
    { numRuns: 200 },
  );
});

test('many waits need one timer, and none need no timer', () => {
  const host = simulatedHost();
  const deadlines = new Deadlines(host);
  const marks = Array.from({ length: 100 }, () => new Mark(() => undefined));
  for (const [index, mark] of marks.entries()) deadlines.add(mark, 1000 + index);
  assert.equal(host.timersPending, 1);
  for (const mark of marks) deadlines.remove(mark);
  host.advance(0);
  assert.equal(host.timersPending, 0);
});

test('an infinite delay is no deadline, and may be removed', () => {
  const host = simulatedHost();
  const deadlines = new Deadlines(host);
  const mark = new Mark(() => assert.fail('expired'));
  deadlines.add(mark, Number.POSITIVE_INFINITY);
  assert.equal(deadlines.size, 0);
  deadlines.remove(mark);
  host.advance(1e9);
});
