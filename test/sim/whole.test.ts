// The whole stack on simulated time: the same seed is the same run to the last byte, drawn seeds hold what is promised, and
// what is broken on purpose is seen.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Registry } from '../../src/registry/index.ts';
import { drawOptions, faultKinds, type WholeOptions } from '../../src/sim/whole/options.ts';
import { runWhole } from '../../src/sim/whole/run.ts';

/** Every kind of fault that these nodes may meet, in short intervals. */
const stormy: Partial<WholeOptions> = {
  nodes: 3,
  oneMachine: false,
  faults: faultKinds,
  faultEveryMs: 500,
  faultsUntilMs: 6_000,
  restartPerMille: 1000,
};

const calm: Partial<WholeOptions> = {
  nodes: 3,
  faults: [],
  faultsUntilMs: 3_000,
  clientsPerNode: 3,
  clientPauseMs: 20,
  names: 3,
};

describe('the whole stack on simulated time', () => {
  test('runs a seed the same way twice', { timeout: 60_000 }, async () => {
    const first = await runWhole(3, { override: stormy });
    const second = await runWhole(3, { override: stormy });
    assert.equal(first.failure?.what, undefined);
    assert.equal(first.hash, second.hash);
    assert.equal(first.events, second.events);
    assert.deepEqual(first.counts, second.counts);
    assert.ok(first.events > 5_000, `${first.events} events`);
    assert.ok(Object.keys(first.faults).length >= 4, JSON.stringify(first.faults));
    const other = await runWhole(4, { override: stormy });
    assert.notEqual(first.hash, other.hash);
  });

  for (const seed of [1, 20, 81, 119, 287]) {
    test(`holds what is promised in seed ${seed}`, { timeout: 60_000 }, async () => {
      const { failure } = await runWhole(seed);
      assert.equal(failure, null, `${failure?.what}\n${failure?.story}`);
    });
  }

  test('does something in a calm run: calls by name are answered, names change hands', {
    timeout: 60_000,
  }, async () => {
    const { failure, counts } = await runWhole(5, { override: calm });
    assert.equal(failure, null, failure?.what);
    assert.ok((counts['call answered'] ?? 0) > 20, JSON.stringify(counts));
    assert.ok((counts['register registered'] ?? 0) > 10, JSON.stringify(counts));
    assert.ok((counts['read found'] ?? 0) > 3, JSON.stringify(counts));
  });

  test('draws every kind of fault', () => {
    const drawn = new Set(Array.from({ length: 40 }, (_, seed) => drawOptions(seed).faults).flat());
    assert.deepEqual([...drawn].sort(), [...faultKinds].sort());
  });
});

/** Runs a few calm seeds with something broken; the invariants that this broke. */
async function brokenBy(plant: (undo: (() => void)[]) => void): Promise<Set<string>> {
  const undo: (() => void)[] = [];
  plant(undo);
  const found = new Set<string>();
  try {
    for (const seed of [1, 2, 3]) {
      const { failure } = await runWhole(seed, { override: calm });
      if (failure !== null) found.add(failure.invariant);
    }
  } finally {
    for (const restore of undo) restore();
  }
  return found;
}

describe('what is broken on purpose is seen', () => {
  test('a registry that forgets to ask, and says that it is registered', { timeout: 60_000 }, async () => {
    const real = Registry.prototype.register;
    const found = await brokenBy((undo) => {
      undo.push(() => {
        Registry.prototype.register = real;
      });
      Registry.prototype.register = async () => ({
        status: 'registered',
        token: { epoch: 1, n: 1, value: 1n },
      });
    });
    assert.ok(found.size > 0);
  });

  test('a consistent read from the snapshot', { timeout: 60_000 }, async () => {
    const real = Registry.prototype.whereisConsistent;
    const found = await brokenBy((undo) => {
      undo.push(() => {
        Registry.prototype.whereisConsistent = real;
      });
      Registry.prototype.whereisConsistent = async function stale(name) {
        return this.whereis(name);
      };
    });
    assert.deepEqual([...found], ['consistent']);
  });

  test('an unregistration that does nothing', { timeout: 60_000 }, async () => {
    const real = Registry.prototype.unregister;
    const found = await brokenBy((undo) => {
      undo.push(() => {
        Registry.prototype.unregister = real;
      });
      Registry.prototype.unregister = async () => undefined;
    });
    assert.ok(found.has('consistent'), [...found].join());
  });
});
