// Names: equal keys for equal terms, and only for those, whatever form the terms have in JavaScript.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DGenError } from '../../src/errors/error.ts';
import {
  atom,
  bitString,
  decodeTerm,
  encodeTerm,
  equals,
  Fun,
  float,
  ImproperList,
  improper,
  Pid,
  Port,
  Ref,
  Tuple,
  termKey,
  tuple,
} from '../../src/term/index.ts';
import { erlang } from './arbitraries.ts';

/** The key, or undefined for a term that is no name. */
function keyOf(term: unknown): string | number | undefined {
  try {
    return termKey(term);
  } catch (error) {
    assert.ok(error instanceof DGenError && error.code === 'bad_name', String(error));
    return undefined;
  }
}

/** Another value that is the same term for Erlang. */
function disguised(value: unknown): unknown {
  if (typeof value === 'string') return Buffer.from(value);
  if (typeof value === 'number')
    return Number.isSafeInteger(value) && !Object.is(value, -0) ? BigInt(value) : float(value);
  if (typeof value === 'boolean') return atom(String(value));
  if (value === null) return atom('nil');
  if (value === undefined) return atom('undefined');
  if (Array.isArray(value)) return value.length === 0 ? new Set() : value.map(disguised);
  if (value instanceof Tuple) return new Tuple(value.elements.map(disguised));
  if (value instanceof Map)
    return new Map([...value].reverse().map(([key, item]) => [disguised(key), disguised(item)]));
  if (value instanceof ImproperList) return improper(value.items.map(disguised), disguised(value.tail));
  if (value instanceof Pid) return new Pid(value.node, value.id, value.serial, value.creation);
  if (value instanceof Ref) return new Ref(value.node, value.creation, [...value.words]);
  if (Object.getPrototypeOf(value) === Object.prototype) {
    const entries = Object.entries(value as object).reverse();
    return new Map(entries.map(([key, item]) => [disguised(key), disguised(item)]));
  }
  return value;
}

test('a term and its disguise are equal and have one key', () => {
  fc.assert(
    fc.property(erlang, (term) => {
      const other = disguised(term);
      assert.ok(equals(term, other));
      assert.ok(equals(other, term));
      assert.equal(keyOf(other), keyOf(term));
    }),
    { numRuns: 1000 },
  );
});

test('a name keeps its key on its way to another node', () => {
  fc.assert(
    fc.property(erlang, (term) => {
      assert.equal(keyOf(decodeTerm(encodeTerm(term))), keyOf(term));
    }),
    { numRuns: 500 },
  );
  assert.equal(termKey(decodeTerm(encodeTerm(float(5)))), termKey(float(5)));
});

// Small enough that equal pairs are common and near misses too.
const small: fc.Arbitrary<unknown> = fc.letrec<{ term: unknown }>((tie) => {
  const items = fc.array(tie('term'), { maxLength: 2 });
  const key = fc.constantFrom<unknown>('a', 'b', Buffer.from('a'), 1, 1n, 1.5, atom('a'), tuple(1), [1]);
  return {
    term: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom<unknown>(
        ...[0, -0, 1, 1n, 0n, 1.5, float(1), float(1.5), 2 ** 53, 2n ** 53n, '', 'a', '\0', '\0a'],
        ...[new Uint8Array(0), Buffer.from('a'), Buffer.from([0]), Buffer.from([255]), new Uint8Array([255])],
        ...[true, atom('true'), 'true', null, atom('nil'), 'nil', undefined, atom('undefined'), atom('a')],
        ...[
          bitString(Buffer.from([128]), 1),
          bitString(Buffer.from([128]), 2),
          bitString(Buffer.from([255]), 1),
        ],
        ...[
          new Pid(atom('n'), 1, 0, 1),
          new Pid(atom('n'), 1, 0, 2),
          new Ref(atom('n'), 1, [1]),
          new Ref(atom('n'), 1, [1, 0]),
        ],
        ...[
          new Port(atom('n'), 1n, 1),
          new Port(atom('n'), 2n ** 33n, 1),
          new Date(0),
          '1970-01-01T00:00:00.000Z',
        ],
        ...[
          new Fun(Uint8Array.of(113, 119, 1, 97, 119, 1, 97, 97, 1)),
          new Error('a'),
          new Error('b'),
          new Map(),
          {},
          new Set(),
          [],
        ],
      ),
      items,
      items.map((elements) => new Tuple(elements)),
      items.map((elements) => new Set(elements)),
      fc.array(fc.tuple(key, tie('term')), { maxLength: 2 }).map((entries) => new Map(entries)),
      fc.dictionary(fc.constantFrom('a', 'b'), tie('term'), { noNullPrototype: true }),
      fc
        .tuple(items, fc.constantFrom<unknown>(1, 1n, atom('a')))
        .filter(([list]) => list.length > 0)
        .map(([list, tail]) => improper(list, tail)),
    ),
  };
}).term;

test('two terms have the same key if, and only if, they are equal', () => {
  let equal = 0;
  fc.assert(
    fc.property(small, small, (left, right) => {
      const keys = [keyOf(left), keyOf(right)];
      // A map with keys that are equal for Erlang is no term.
      if (keys.includes(undefined)) return;
      const same = keys[0] === keys[1];
      if (same) equal++;
      assert.equal(equals(left, right), same);
    }),
    { numRuns: 20_000 },
  );
  assert.ok(equal > 200, `only ${equal} equal pairs were tried`);
});

test('text and safe integers are their own keys', () => {
  for (const name of ['', 'a', 'é', 'x'.repeat(1019), 0, -5, Number.MAX_SAFE_INTEGER])
    assert.equal(termKey(name), name);
  assert.equal(termKey(Buffer.from('é')), 'é');
  assert.equal(termKey(-7n), -7);
  assert.equal(termKey(new Uint8Array(0)), '');
});

test('every other key is NUL and the canonical bytes', () => {
  assert.equal(termKey('\0a'), '\0\x6d\0\0\0\x02\0a');
  assert.equal(termKey(atom('ok')), '\0\x77\x02ok');
  assert.equal(termKey(true), '\0\x77\x04true');
  assert.equal(termKey(-0), `\0\x46\x80${'\0'.repeat(7)}`);
  assert.equal(termKey([1, 2n]), '\0\x6c\0\0\0\x02\x61\x01\x61\x02\x6a');
  assert.equal(termKey(2n ** 64n), `\0\x6e\x09\0${'\0'.repeat(8)}\x01`);
  assert.equal(termKey({ b: 1, a: 2 }), '\0\x74\0\0\0\x02\x6d\0\0\0\x01a\x61\x02\x6d\0\0\0\x01b\x61\x01');
  assert.equal(termKey(new Uint8Array([255])), '\0\x6d\0\0\0\x01\xff');
});

test('what cannot be a name is refused with the way to it', () => {
  const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);
  const cases: [unknown, string][] = [
    [Number.NaN, ''],
    ['\ud800', ''],
    [() => 1, ''],
    [{ a: [Number.POSITIVE_INFINITY] }, 'a[0]'],
    [tuple('user', new WeakSet()), '[1]'],
    [
      new Map<unknown, unknown>([
        [1, 2],
        [1n, 3],
      ]),
      '[1]',
    ],
  ];
  for (const [name, path] of cases)
    assert.throws(() => termKey(name), { code: 'bad_name', details: { path } });
  assert.ok(termKey(nested(32)));
  assert.throws(() => termKey(nested(33)), { code: 'bad_name' });
});

test('a name has at most 1024 canonical bytes, in whatever form', () => {
  assert.equal(termKey('é'.repeat(509)), 'é'.repeat(509));
  assert.equal((termKey(`\0${'x'.repeat(1018)}`) as string).length, 1025);
  const long = ['x'.repeat(1020), 'é'.repeat(510), '€'.repeat(340), 'x'.repeat(1e6), `\0${'x'.repeat(1019)}`];
  for (const name of [...long, Buffer.from('x'.repeat(1020)), new Array(600).fill(1), 2n ** 9000n]) {
    assert.throws(() => termKey(name), { code: 'bad_name' });
  }
});

test('asking for a key inside of a getter of a name works', () => {
  const name = {
    get inner(): unknown {
      return termKey(tuple(1));
    },
  };
  assert.equal(termKey(name), termKey({ inner: termKey(tuple(1)) }));
});

test('what Erlang cannot hold equals itself', () => {
  const f = (): void => {};
  assert.ok(equals([Number.NaN, f], [Number.NaN, f]));
  assert.ok(!equals(f, (): void => {}));
  assert.ok(!equals(new WeakSet(), new WeakSet()));
  assert.ok(!equals(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY));
});

test('a cycle is not compared for ever', () => {
  const left: unknown[] = [];
  left.push(left);
  const right: unknown[] = [];
  right.push(right);
  assert.ok(equals(left, left));
  assert.throws(() => equals(left, right), { code: 'term_too_large' });
});
