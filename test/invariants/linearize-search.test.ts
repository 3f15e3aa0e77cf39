// The checker of histories against one that tries everything: all subsets of what may have happened, in all orders that
// the clock allows. Slow and short, so that its own correctness can be seen.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Operation, unexplained } from '../../src/invariants/linearize.ts';

type Holder = string | null;

/** The holder after the operation, or `undefined` when its answer is wrong there. */
function after(operation: Operation, holder: Holder): Holder | undefined {
  const { type, result, process = null } = operation;
  if (result === 'registered') return holder === null || holder === process ? process : undefined;
  if (result === 'taken' || result === 'found') return holder === operation.holder ? holder : undefined;
  if (result === 'absent') return holder === null ? null : undefined;
  if (type === 'unregister') return null;
  if (type === 'exit') return holder === process ? null : undefined;
  return holder ?? process;
}

/** What nobody heard an answer to may happen at any time after its beginning. */
function lastMoment({ result, end }: Operation): number {
  return result === 'unknown' ? Number.POSITIVE_INFINITY : end;
}

function hasOrder(left: readonly Operation[], holder: Holder): boolean {
  if (left.every(({ type }) => type === 'exit')) return true;
  return left.some((one) => {
    if (left.some((other) => other !== one && lastMoment(other) < one.start)) return false;
    const next = after(one, holder);
    // An exit frees the name of its process each time that it is needed.
    const rest = one.type === 'exit' ? left : left.filter((other) => other !== one);
    return next !== undefined && hasOrder(rest, next);
  });
}

function isExplained(history: readonly Operation[]): boolean {
  const certain = history.filter(({ result }) => result !== 'unknown' && result !== 'failed');
  const possible = history.filter(({ type, result }) => result === 'unknown' && type !== 'read');
  for (let chosen = 0; chosen < 2 ** possible.length; chosen++) {
    const happened = possible.filter((_, index) => (chosen >> index) % 2 === 1);
    if (hasOrder([...certain, ...happened], null)) return true;
  }
  return false;
}

const kinds = [
  ['register', 'registered'],
  ['register', 'taken'],
  ['register', 'unknown'],
  ['register', 'failed'],
  ['unregister', 'done'],
  ['unregister', 'unknown'],
  ['read', 'found'],
  ['read', 'absent'],
  ['read', 'unknown'],
  ['exit', 'unknown'],
] as const;

const operation = fc
  .record({
    kind: fc.constantFrom(...kinds),
    start: fc.nat(12),
    lasts: fc.nat(8),
    heard: fc.boolean(),
    process: fc.constantFrom('p', 'q', 'r'),
    holder: fc.constantFrom('p', 'q', 'r'),
  })
  .map(({ kind: [type, result], start, lasts, heard, process, holder }): Operation => {
    const unheard = type === 'exit' || (result === 'unknown' && !heard);
    const end = unheard ? Number.POSITIVE_INFINITY : start + lasts;
    const at = { client: 'any', name: 'x', type, result, start, end };
    const named = type === 'register' || type === 'exit' ? { ...at, process } : at;
    return result === 'taken' || result === 'found' ? { ...named, holder } : named;
  });

test('the verdict is that of trying everything', () => {
  const verdicts = { good: 0, bad: 0 };
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 7 }), (history) => {
      const good = isExplained(history);
      verdicts[good ? 'good' : 'bad']++;
      assert.equal(unexplained(history) === undefined, good);
    }),
    { numRuns: 5000 },
  );
  assert.ok(verdicts.good > 1000 && verdicts.bad > 1000, JSON.stringify(verdicts));
});
