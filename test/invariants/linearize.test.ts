// The checker of histories, on histories whose verdict is known.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../../src/host/seeded-random.ts';
import { judgeHistory, type Operation, unexplained } from '../../src/invariants/linearize.ts';

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
    'refused while it was free': [
      ['register p', 0, 1, 'registered'],
      ['unregister', 2, 3, 'done'],
      ['register q', 4, 5, 'taken p'],
      ['read', 6, 7, 'absent'],
    ],
    'a registration that is lost without a reason': [
      ['register p', 0, 1, 'registered'],
      ['read', 2, 3, 'found p'],
      ['register q', 4, 5, 'registered'],
    ],
    'risen again after an unregistration': [
      ['register p', 0, 1, 'registered'],
      ['unregister', 2, 3, 'done'],
      ['read', 4, 5, 'absent'],
      ['read', 6, 7, 'found p'],
    ],
    'an unregistration without an effect': [
      ['register p', 0, 1, 'registered'],
      ['unregister', 2, 3, 'done'],
      ['read', 4, 5, 'found p'],
    ],
    'an unregistration that takes effect twice': [
      ['register p', 0, 1, 'registered'],
      ['unregister', 2, 20, 'done'],
      ['register q', 4, 5, 'registered'],
      ['register r', 6, 7, 'registered'],
    ],
    'an unregistration without an answer that takes effect twice': [
      ['register p', 0, 1, 'registered'],
      ['unregister', 2, never, 'unknown'],
      ['read', 3, 4, 'absent'],
      ['register p', 5, 6, 'registered'],
      ['read', 7, 8, 'absent'],
    ],
    'an unregistration before its call': [
      ['register p', 0, 1, 'registered'],
      ['read', 2, 3, 'absent'],
      ['unregister', 4, 5, 'done'],
    ],
    'two that read at once and see each other go': [
      ['register p', 0, 10, 'registered'],
      ['register q', 0, 10, 'taken p'],
      ['read', 2, 3, 'found q'],
    ],
    'both refused in favour of the other': [
      ['register p', 0, 10, 'taken q'],
      ['register q', 0, 10, 'taken p'],
    ],
    'a registration without an answer that happens twice': [
      ['register p', 0, never, 'unknown'],
      ['read', 1, 2, 'found p'],
      ['unregister', 3, 4, 'done'],
      ['read', 5, 6, 'found p'],
    ],
    'seen by one and then not by the next, though nobody removed it': [
      ['register p', 0, never, 'unknown'],
      ['read', 1, 2, 'found p'],
      ['read', 3, 4, 'absent'],
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

interface Step {
  readonly process: number;
  readonly kind: number;
  readonly before: number;
  readonly after: number;
  /** Its answer is not heard. */
  readonly lost: boolean;
}

/** A register of one holder, driven one step after the other; then the intervals are stretched, which explains no less. */
function recorded(steps: readonly Step[]): Operation[] {
  let holder: string | undefined;
  return steps.flatMap(({ process, kind, before, after, lost }, index): Operation[] => {
    const self = `p${process}`;
    const start = 10 * index - before;
    const at = { client: self, name: 'x', start, end: lost ? never : 10 * index + after };
    const heard = (result: Operation['result']): { result: Operation['result'] } => ({
      result: lost ? 'unknown' : result,
    });
    const seen = lost || holder === undefined ? {} : { holder };
    if (kind < 4) {
      const free = holder === undefined || holder === self;
      if (free) holder = self;
      const told = free ? heard('registered') : { ...heard('taken'), ...seen };
      return [{ ...at, type: 'register', process: self, ...told }];
    }
    if (kind < 6) {
      holder = undefined;
      return [{ ...at, type: 'unregister', ...heard('done') }];
    }
    if (kind === 6) {
      const exits = holder;
      holder = undefined;
      if (exits === undefined) return [];
      return [{ ...at, type: 'exit', process: exits, end: never, result: 'unknown' }];
    }
    const told = holder === undefined ? heard('absent') : { ...heard('found'), ...seen };
    return [{ ...at, type: 'read', ...told }];
  });
}

const stepsOf = (overlap: number, maxLength: number): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.record({
      process: fc.nat(5),
      kind: fc.nat(9),
      before: fc.nat(overlap),
      after: fc.nat(overlap),
      lost: fc.integer({ min: 0, max: 19 }).map((chance) => chance === 0),
    }),
    { maxLength, size: 'max' },
  );

/** Names another holder, or none. */
function forged(one: Operation): Operation | undefined {
  const { holder, ...rest } = one;
  if (one.result === 'absent') return { ...rest, result: 'found', holder: 'p0' };
  if (one.result === 'found') return { ...rest, result: 'absent' };
  if (one.result === 'taken') return { ...one, holder: 'a stranger' };
  return undefined;
}

test('whatever a real register did is explained, however the intervals overlap', () => {
  fc.assert(
    fc.property(stepsOf(60, 150), (steps) => unexplained(recorded(steps)) === undefined),
    { numRuns: 200 },
  );
});

test('a forged answer is always found where nothing overlaps', () => {
  let count = 0;
  fc.assert(
    fc.property(stepsOf(1, 40), fc.nat(), (steps, at) => {
      const real = recorded(steps.map((step) => ({ ...step, lost: false }))).filter(
        ({ type }) => type !== 'exit',
      );
      if (unexplained(real) !== undefined) return;
      const index = at % Math.max(1, real.length);
      const other = real[index] === undefined ? undefined : forged(real[index]);
      if (other === undefined) return;
      count++;
      assert.equal(unexplained(real.with(index, other))?.name, 'x');
    }),
    { numRuns: 500 },
  );
  assert.ok(count > 50, `only ${count} could be forged`);
});

test('a forged answer is mostly found where much overlaps', () => {
  const found = { all: 0, bad: 0 };
  fc.assert(
    fc.property(stepsOf(20, 60), fc.nat(), (steps, at) => {
      const real = recorded(steps);
      const index = at % Math.max(1, real.length);
      const other = real[index] === undefined ? undefined : forged(real[index]);
      if (other === undefined) return;
      found.all++;
      if (unexplained(real.with(index, other)) !== undefined) found.bad++;
    }),
    { numRuns: 300 },
  );
  assert.ok(found.all > 100 && found.bad > 0.6 * found.all, JSON.stringify(found));
});

/** What clients of a register do at once: each makes one call after the other, and some calls take long. */
function contended(of: { operations: number; names: number; clients: number }): Operation[] {
  const random = seededRandom(7);
  const chance = (): number => random.uint32() / 2 ** 32;
  const free = new Array<number>(of.clients).fill(0);
  const calls = Array.from({ length: of.operations }, (_, index) => {
    const client = index % of.clients;
    const start = (free[client] ?? 0) + 5 * chance();
    const lasts = (chance() < 0.01 ? 500 : 10) * chance();
    free[client] = start + lasts;
    return { client, start, end: start + lasts, at: start + lasts * chance(), kind: chance(), index };
  });
  const holders = new Map<string, string>();
  return calls
    .sort((a, b) => a.at - b.at)
    .map(({ client, start, end, kind, index }): Operation => {
      const name = `n${random.uint32() % of.names}`;
      const at = { client: `c${client}`, name, start, end };
      const holder = holders.get(name);
      if (kind < 0.2) {
        holders.delete(name);
        return { ...at, type: 'unregister', result: 'done' };
      }
      const reads = kind > 0.7;
      if (holder !== undefined)
        return reads
          ? { ...at, type: 'read', result: 'found', holder }
          : { ...at, type: 'register', process: `p${index}`, result: 'taken', holder };
      if (reads) return { ...at, type: 'read', result: 'absent' };
      holders.set(name, `p${index}`);
      return { ...at, type: 'register', process: `p${index}`, result: 'registered' };
    });
}

test('ten thousand operations of 16 clients on ten names take about as many states', () => {
  const history = contended({ operations: 10_000, names: 10, clients: 16 });
  const { unexplained: found, undecided, steps, names } = judgeHistory(history);
  assert.deepEqual([found, undecided, names], [undefined, [], 10]);
  assert.ok(steps < 20_000, `${steps} states`);
});

test('a search that takes too long says so', () => {
  const history = contended({ operations: 400, names: 1, clients: 16 });
  assert.deepEqual(judgeHistory(history, 50).undecided, ['n0']);
  assert.throws(() => unexplained(history, 50), {
    name: 'RangeError',
    message: /no verdict on n0 within 50 states/,
  });
});
