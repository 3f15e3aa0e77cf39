// A fixed set of seeds in every run of the tests; `npm run sim` draws fresh ones. And: a seed is one run, step by step.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { run } from '../../src/sim/run.ts';

const first = 7_000_000;
const batches = 10;
const batchSeeds = 15;

describe('seeds', () => {
  for (let batch = 0; batch < batches; batch++) {
    const from = first + batch * batchSeeds;
    test(`${from} to ${from + batchSeeds - 1}`, () => {
      for (let seed = from; seed < from + batchSeeds; seed++) {
        const { failure } = run(seed);
        assert.equal(
          failure,
          null,
          `node src/sim/main.ts --seed ${seed}\n${failure?.what}\n${failure?.story}`,
        );
      }
    });
  }

  test('the same seed is the same run', () => {
    for (const seed of [1, 2, 3]) {
      const [one, other] = [run(seed), run(seed)];
      assert.equal(one.hash, other.hash);
      assert.equal(one.steps, other.steps);
      assert.notEqual(one.hash, run(seed + 100).hash);
    }
  });

  test('the runs do what they are for', () => {
    const calls: Record<string, number> = {};
    const done = new Set<string>();
    const sizes = new Set<number>();
    let beyond = 0;
    for (let seed = 1; seed <= 80; seed++) {
      const { options, ...result } = run(seed);
      for (const [kind, count] of Object.entries(result.calls)) calls[kind] = (calls[kind] ?? 0) + count;
      for (const kind of [...Object.keys(result.faults), ...Object.keys(result.deeds)]) done.add(kind);
      sizes.add(options.nodes);
      if (options.beyondBound) beyond++;
      assert.ok(options.nodes + options.joiners <= 7);
      assert.ok(result.restAfterMs <= result.restWithinMs);
    }
    for (const kind of [
      'register registered',
      'register taken',
      'read found',
      'read absent',
      'unregister done',
    ])
      assert.ok((calls[kind] ?? 0) > 200, `${kind}: ${calls[kind]}`);
    for (const kind of ['register fenced', 'register unavailable', 'read timeout', 'register draining'])
      assert.ok((calls[kind] ?? 0) > 0, kind);
    assert.deepEqual([...sizes].sort(), [1, 2, 3, 4, 5, 6, 7]);
    assert.ok(beyond > 0);
    const faults = [
      'start',
      'crash',
      'pause',
      'cut',
      'flap',
      'store',
      'drain',
      'slow',
      'twin',
      'rewind',
      'clock',
    ];
    const deeds = ['register', 'unregister', 'read', 'look', 'exit', 'unlink', 'forceClaim'];
    assert.deepEqual([...done].sort(), [...faults, ...deeds].sort());
  });
});
