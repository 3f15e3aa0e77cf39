// The checker of histories, on histories whose verdict is known.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Operation, unexplained } from '../../src/invariants/linearize.ts';

type Short = readonly [what: string, start: number, end: number, result: string];

/** `register p`, `unregister`, `read`, `exit p`; results `taken p`, `found p` and the others alone. */
function history(...operations: readonly Short[]): Operation[] {
  return operations.map(([what, start, end, said], index) => {
    const [type, process] = what.split(' ');
    const [result, holder] = said.split(' ');
    return {
      client: `client ${index}`,
      name: 'x',
      type,
      start,
      end,
      result,
      ...(process === undefined ? {} : { process }),
      ...(holder === undefined ? {} : { holder }),
    } as Operation;
  });
}

const never = Number.POSITIVE_INFINITY;

describe('good histories', () => {
  const good: Readonly<Record<string, readonly Short[]>> = {
    'nothing at all': [],
    'one after the other': [
      ['register p', 0, 1, 'registered'],
      ['register q', 2, 3, 'taken p'],
      ['unregister', 4, 5, 'done'],
      ['read', 6, 7, 'absent'],
      ['register q', 8, 9, 'registered'],
      ['read', 10, 11, 'found q'],
    ],
    'the same process again': [
      ['register p', 0, 1, 'registered'],
      ['register p', 2, 3, 'registered'],
    ],
    'two at once, one wins': [
      ['register p', 0, 10, 'taken q'],
      ['register q', 0, 10, 'registered'],
    ],
    'a read during a registration sees either': [
      ['register p', 0, 10, 'registered'],
      ['read', 1, 2, 'absent'],
      ['read', 3, 4, 'found p'],
    ],
    'a process that exited is still shown for a while': [
      ['register p', 0, 1, 'registered'],
      ['exit p', 2, never, 'unknown'],
      ['read', 5, 6, 'found p'],
      ['register q', 7, 8, 'registered'],
    ],
    'an unanswered registration that happened later': [
      ['register p', 0, never, 'unknown'],
      ['read', 1, 2, 'absent'],
      ['read', 3, 4, 'found p'],
    ],
    'an unanswered unregistration that happened': [
      ['register p', 0, 1, 'registered'],
      ['unregister', 2, never, 'unknown'],
      ['read', 3, 4, 'absent'],
    ],
    'a registration that certainly failed': [
      ['register p', 0, 1, 'failed'],
      ['register q', 2, 3, 'registered'],
    ],
  };
  for (const [name, operations] of Object.entries(good))
    test(name, () => assert.equal(unexplained(history(...operations)), undefined));
});

describe('bad histories', () => {
  const bad: Readonly<Record<string, readonly Short[]>> = {
    'two owners': [
      ['register p', 0, 1, 'registered'],
      ['register q', 2, 3, 'registered'],
    ],
    'two owners at once': [
      ['register p', 0, 10, 'registered'],
      ['register q', 0, 10, 'registered'],
    ],
    'taken by nobody': [['register p', 0, 1, 'taken q']],
    'taken by one that was unregistered before': [
      ['register p', 0, 1, 'registered'],
      ['unregister', 2, 3, 'done'],
      ['register q', 4, 5, 'taken p'],
    ],
    'taken by one that comes later': [
      ['register q', 0, 1, 'taken p'],
      ['register p', 2, 3, 'registered'],
    ],
    'absent while held': [
      ['register p', 0, 1, 'registered'],
      ['read', 2, 3, 'absent'],
    ],
    'a read that goes back': [
      ['register p', 0, 10, 'registered'],
      ['read', 1, 2, 'found p'],
      ['read', 3, 4, 'absent'],
    ],
    'a successor before the exit': [
      ['register p', 0, 1, 'registered'],
      ['register q', 2, 3, 'registered'],
      ['exit p', 4, never, 'unknown'],
    ],
    'shown again after its successor': [
      ['register p', 0, 1, 'registered'],
      ['exit p', 2, never, 'unknown'],
      ['register q', 3, 4, 'registered'],
      ['read', 5, 6, 'found p'],
    ],
    'a registration that certainly failed is seen': [
      ['register p', 0, 1, 'failed'],
      ['read', 2, 3, 'found p'],
    ],
    'an exit of another process frees nothing': [
      ['register p', 0, 1, 'registered'],
      ['exit q', 2, never, 'unknown'],
      ['read', 3, 4, 'absent'],
    ],
  };
  for (const [name, operations] of Object.entries(bad))
    test(name, () => assert.equal(unexplained(history(...operations))?.name, 'x'));

  test('what could not come next is told, with the holder', () => {
    const verdict = unexplained(
      history(['register p', 0, 1, 'registered'], ['register q', 2, 3, 'registered']),
    );
    assert.equal(verdict?.holder, 'p');
    assert.deepEqual(
      verdict.stuck.map(({ process }) => process),
      ['q'],
    );
  });

  test('one bad name among good ones is found', () => {
    const good = history(['register p', 0, 1, 'registered']);
    const bad = history(['read', 0, 1, 'found p']).map((one) => ({ ...one, name: 'y' }));
    assert.equal(unexplained([...good, ...bad])?.name, 'y');
  });
});

/** A real register of one holder, driven one after the other; then the intervals are stretched, which explains no less. */
function recorded(
  steps: readonly { process: number; kind: number; before: number; after: number }[],
): Operation[] {
  let holder: string | undefined;
  return steps.map(({ process, kind, before, after }, index) => {
    const self = `p${process}`;
    const at = { client: self, name: 'x', start: 10 * index - before, end: 10 * index + after };
    if (kind === 0) {
      const free = holder === undefined || holder === self;
      if (free) holder = self;
      return free
        ? { ...at, type: 'register', process: self, result: 'registered' }
        : { ...at, type: 'register', process: self, result: 'taken', holder: holder as string };
    }
    if (kind === 1) {
      holder = undefined;
      return { ...at, type: 'unregister', result: 'done' };
    }
    return holder === undefined
      ? { ...at, type: 'read', result: 'absent' }
      : { ...at, type: 'read', result: 'found', holder };
  });
}

const steps = fc.array(
  fc.record({
    process: fc.nat(3),
    kind: fc.nat(2),
    before: fc.nat(25),
    after: fc.nat(25),
  }),
  { maxLength: 30 },
);

test('whatever a real register did is explained, however the intervals overlap', () => {
  fc.assert(
    fc.property(steps, (drawn) => unexplained(recorded(drawn)) === undefined),
    { numRuns: 300 },
  );
});

test('a forged answer is found where nothing overlaps', () => {
  fc.assert(
    fc.property(steps, fc.nat(), (drawn, at) => {
      const real = recorded(drawn.map((step) => ({ ...step, before: 1, after: 1 })));
      const victim = real[at % Math.max(1, real.length)];
      if (victim?.type !== 'read') return;
      const forged = { ...victim, result: 'found', holder: 'a stranger' } as const;
      assert.equal(unexplained(real.map((one) => (one === victim ? forged : one)))?.name, 'x');
    }),
    { numRuns: 300 },
  );
});
