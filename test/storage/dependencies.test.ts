// The checker of dependencies must itself be able to say no, and to say why: hand-made histories, and every small random
// one compared with a search through all orders.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { shortestCycle } from '../../src/storage/conformance/cycles.ts';
import {
  checkDependencies,
  findAnomaly,
  type RecordedTransaction,
} from '../../src/storage/conformance/dependencies.ts';

type States = Readonly<Record<string, string>>;

interface Told {
  readonly at: readonly [begin: number, end: number];
  readonly reads?: States;
  /** Each also read, from nothing unless `reads` says otherwise. */
  readonly writes?: States;
  readonly applied?: RecordedTransaction['applied'];
  readonly inner?: readonly string[];
}

function history(told: Readonly<Record<string, Told>>): RecordedTransaction[] {
  return Object.entries(told).map(([name, { at, reads = {}, writes = {}, applied = 'yes', inner = [] }]) => {
    const replaced = Object.fromEntries(Object.keys(writes).map((key) => [key, '']));
    const [begin, end] = at;
    const all = new Map(Object.entries({ ...replaced, ...reads }));
    return { name, begin, end, applied, reads: all, writes: new Map(Object.entries(writes)), inner };
  });
}

const kindOf = (told: Readonly<Record<string, Told>>): string | undefined => findAnomaly(history(told))?.kind;

describe('good histories', () => {
  test('one after the other', () => {
    const told = {
      t1: { at: [0, 1], writes: { a: '1' } },
      t2: { at: [2, 3], reads: { a: '1' }, writes: { a: '2' } },
      t3: { at: [4, 5], reads: { a: '2', b: '' } },
    } as const;
    assert.equal(kindOf(told), undefined);
  });

  test('at once, in an order that nobody knew', () => {
    const told = {
      writer: { at: [0, 9], writes: { a: '1', b: '1' } },
      early: { at: [1, 8], reads: { a: '', b: '' } },
      late: { at: [2, 7], reads: { a: '1', b: '1' } },
      blind: { at: [3, 6], writes: { c: '1' } },
    } as const;
    assert.equal(kindOf(told), undefined);
  });

  test('an unknown one that nobody saw does not count; one that was seen does, however late', () => {
    const told = {
      lost: { at: [0, 1], writes: { a: 'lost' }, applied: 'unknown' },
      kept: { at: [0, 1], writes: { b: 'kept' }, applied: 'unknown' },
      before: { at: [2, 3], reads: { a: '', b: '' } },
      after: { at: [4, 5], reads: { a: '', b: 'kept' } },
      other: { at: [6, 7], reads: { a: '' }, writes: { a: '2' } },
    } as const;
    assert.equal(kindOf(told), undefined);
  });

  test('a refused one is of no importance, whatever it saw', () => {
    const told = {
      t1: { at: [0, 1], writes: { a: '1' } },
      refused: { at: [2, 3], reads: { a: '', b: 'x' }, writes: { a: '9' }, applied: 'no' },
      t2: { at: [4, 5], reads: { a: '1' } },
    } as const;
    assert.equal(kindOf(told), undefined);
  });
});

describe('bad histories are told by their names', () => {
  const cases: Readonly<Record<string, Readonly<Record<string, Told>>>> = {
    'lost update': {
      t1: { at: [0, 9], writes: { a: '1' } },
      t2: { at: [1, 8], writes: { a: '2' } },
    },
    'write skew': {
      t1: { at: [0, 9], reads: { a: '' }, writes: { b: '1' } },
      t2: { at: [1, 8], reads: { b: '' }, writes: { a: '2' } },
    },
    'read skew': {
      writer: { at: [0, 9], writes: { a: '1', b: '1' } },
      reader: { at: [1, 8], reads: { a: '1', b: '' } },
    },
    'stale read': {
      writer: { at: [0, 1], writes: { a: '1' } },
      reader: { at: [2, 3], reads: { a: '' } },
    },
    'order against time': {
      reader: { at: [0, 1], reads: { a: '1' } },
      writer: { at: [2, 3], writes: { a: '1' } },
    },
    'circular information': {
      t1: { at: [0, 9], reads: { b: '2' }, writes: { a: '1' } },
      t2: { at: [1, 8], reads: { a: '1' }, writes: { b: '2' } },
    },
    'aborted read': {
      refused: { at: [0, 1], writes: { a: '1' }, applied: 'no' },
      reader: { at: [2, 3], reads: { a: '1' } },
    },
    'intermediate read': {
      writer: { at: [0, 9], writes: { a: '2' }, inner: ['1'] },
      reader: { at: [1, 8], reads: { a: '1' } },
    },
    'read of what nobody wrote': { reader: { at: [0, 1], reads: { a: '7' } } },
  };
  for (const [kind, told] of Object.entries(cases)) test(kind, () => assert.equal(kindOf(told), kind));

  test('a phantom: two count a range that is empty, and each adds to it', () => {
    const empty = { x: '', y: '' };
    const told = {
      t1: { at: [0, 9], reads: empty, writes: { x: '1' } },
      t2: { at: [1, 8], reads: empty, writes: { y: '2' } },
    } as const;
    assert.equal(kindOf(told), 'write skew');
  });

  test('an unknown one that was seen, and overtook time', () => {
    const told = {
      unknown: { at: [0, 1], writes: { a: '1' }, applied: 'unknown' },
      sees: { at: [2, 3], reads: { a: '1' } },
      misses: { at: [4, 5], reads: { a: '' } },
    } as const;
    assert.equal(kindOf(told), 'stale read');
  });

  test('time that passes through others counts too', () => {
    const told = {
      writer: { at: [0, 1], writes: { a: '1' } },
      between: { at: [2, 3], reads: { b: '' } },
      reader: { at: [4, 5], reads: { a: '' } },
    } as const;
    assert.equal(kindOf(told), 'stale read');
  });

  test('the report says who came before whom, and why', () => {
    const told = history({
      alice: { at: [0, 9], reads: { a: '' }, writes: { b: '1' } },
      bob: { at: [1, 8], reads: { b: '' }, writes: { a: '2' } },
    });
    assert.throws(() => checkDependencies(told), {
      message: [
        'not serialisable: write skew',
        '  alice came before bob: it read a = nothing, which the other replaced by <2>',
        '  bob came before alice: it read b = nothing, which the other replaced by <1>',
      ].join('\n'),
    });
  });

  test('a blind write is not understood', () => {
    const [one] = history({ t: { at: [0, 1], writes: { a: '1' } } });
    const blind = { ...(one as RecordedTransaction), reads: new Map() };
    assert.throws(() => findAnomaly([blind]), /without having read/);
  });
});

const keys = ['a', 'b'] as const;

/** Small histories, sensible and senseless ones; every write is made of a state that is read. */
const anyHistory = fc
  .array(
    fc.record({
      begin: fc.integer({ min: 0, max: 6 }),
      length: fc.integer({ min: 1, max: 6 }),
      reads: fc.array(fc.tuple(fc.constantFrom(...keys), fc.nat(5)), { maxLength: 2 }),
      writes: fc.array(fc.constantFrom(...keys), { maxLength: 2 }),
    }),
    { minLength: 1, maxLength: 5 },
  )
  .map((drawn): RecordedTransaction[] => {
    const makersOf = (key: string) =>
      drawn.flatMap(({ writes }, i) => (writes.includes(key as 'a') ? [`${key}${i}`] : []));
    return drawn.map(({ begin, length, reads, writes }, i) => {
      const stateOf = (key: string, at: number) =>
        ['', ...makersOf(key).filter((s) => s !== `${key}${i}`)][at] ?? '';
      const seen = new Map<string, string>([...writes.map((key) => [key, stateOf(key, i)] as const)]);
      for (const [key, at] of reads) seen.set(key, stateOf(key, at));
      const written = new Map<string, string>(writes.map((key) => [key, `${key}${i}`]));
      return {
        name: `t${i}`,
        begin,
        end: begin + length - 0.5,
        applied: 'yes',
        reads: seen,
        writes: written,
      };
    });
  });

/** Tries every order. */
function hasOrder(
  rest: readonly RecordedTransaction[],
  content: ReadonlyMap<string, string> = new Map(),
): boolean {
  if (rest.length === 0) return true;
  return rest.some((next) => {
    const others = rest.filter((other) => other !== next);
    if (others.some(({ end }) => end < next.begin)) return false;
    if ([...next.reads].some(([key, state]) => (content.get(key) ?? '') !== state)) return false;
    return hasOrder(others, new Map([...content, ...next.writes]));
  });
}

describe('random histories', () => {
  test('are judged like by a search through all orders', () => {
    let good = 0;
    fc.assert(
      fc.property(anyHistory, (told) => {
        const expected = hasOrder(told);
        if (expected) good += 1;
        assert.equal(findAnomaly(told) === undefined, expected);
      }),
      { numRuns: 3_000 },
    );
    assert.ok(good > 200, `only ${good} of them were good`);
  });
});

describe('cycles', () => {
  const graph = (edges: Readonly<Record<number, readonly number[]>>, size = 6) =>
    Array.from({ length: size }, (_, node) => new Set(edges[node] ?? []));

  test('are found, the shortest first', () => {
    assert.equal(shortestCycle(graph({ 0: [1, 2], 1: [3], 2: [3], 3: [4] })), undefined);
    assert.deepEqual(shortestCycle(graph({ 0: [1], 1: [0] })), [0, 1]);
    const two = shortestCycle(graph({ 0: [1], 1: [2], 2: [3], 3: [0, 4], 4: [5], 5: [4] }));
    assert.deepEqual([...(two ?? [])].sort(), [4, 5]);
    assert.equal(shortestCycle(graph({ 0: [1], 1: [2], 2: [0], 3: [0] }))?.length, 3);
  });

  test('none is found in a long chain, and a long one is found', () => {
    const size = 1_000;
    const chain = Object.fromEntries(Array.from({ length: size - 1 }, (_, i) => [i, [i + 1]]));
    assert.equal(shortestCycle(graph(chain, size)), undefined);
    assert.equal(shortestCycle(graph({ ...chain, [size - 1]: [0] }, size))?.length, size);
  });
});
