// What cannot be encoded is refused with the way to the offending element, in terms that its author recognises.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DGenError } from '../../src/errors/error.ts';
import { atom, type Dialect, encodeTerm, improper, Ref, TermCodecs, tuple } from '../../src/term/index.ts';

function refusal(
  value: unknown,
  dialect: Dialect = 'typescript',
): { code: string; path: unknown; message: string } {
  try {
    encodeTerm(value, { dialect });
  } catch (error) {
    const { code, details, message } = error as DGenError;
    return { code, path: details.path, message };
  }
  return assert.fail('the value was encoded');
}

class Account {
  owner = 'x';
}

const f = (): void => {};

test('the path leads to the offending element', () => {
  const cases: [unknown, string][] = [
    [f, ''],
    [[1, 2, { user: { name: f } }], '[2].user.name'],
    [tuple(1, [f]), '[1][0]'],
    [{ 'two words': f }, '["two words"]'],
    [{ a: { 0: f } }, 'a["0"]'],
    [new Map([[tuple(1), f]]), '[{1}]'],
    [new Set([1, f]), '[1]'],
    [improper([f], 1), '[0]'],
    [improper([1], f), 'tail'],
    [[Symbol('s')], '[0]'],
    [[new Account()], '[0]'],
    [{ a: new WeakMap() }, 'a'],
    [{ a: /x/ }, 'a'],
    [[new Float64Array(1)], '[0]'],
    [[new Number(1)], '[0]'],
    [[new (class extends Map {})()], '[0]'],
    [[Promise.resolve()], '[0]'],
  ];
  for (const [value, path] of cases) {
    const { code, path: actual } = refusal(value);
    assert.equal(code, 'not_encodable');
    assert.equal(actual, path);
  }
});

test('a reference without words is refused', () => {
  assert.equal(refusal([new Ref(atom('n'), 1, [])]).code, 'not_encodable');
});

test('the message names what came', () => {
  assert.equal(
    refusal([1, 2, { user: { name: f } }]).message,
    'not_encodable: at [2].user.name: expected a term, got function',
  );
  assert.match(
    refusal(new Account()).message,
    /the term: expected a term, got %Account\{.*whose class is not registered/,
  );
});

test('Erlang cannot hold NaN, infinities, lone surrogates and invalid dates', () => {
  const values = [
    Number.NaN,
    Number.POSITIVE_INFINITY,
    '\ud800',
    `${'x'.repeat(100)}\udfff`,
    new Date(Number.NaN),
  ];
  for (const value of values) {
    assert.deepStrictEqual(refusal({ value }, 'erlang').path, 'value');
    assert.ok(encodeTerm({ value }));
  }
  assert.equal(refusal({ a: { '\ud800': 1 } }, 'erlang').path, 'a["\\ud800"]');
});

test('keys that are equal for Erlang are refused', () => {
  const maps = [
    new Map<unknown, unknown>([
      [1, 'a'],
      [1n, 'b'],
    ]),
    new Map<unknown, unknown>([
      [[1, 2], 'a'],
      [[1, 2], 'b'],
    ]),
    new Map<unknown, unknown>([
      [{ a: 1, b: 2 }, 'a'],
      [{ b: 2, a: 1n }, 'b'],
    ]),
    new Map<unknown, unknown>([
      ['text', 'a'],
      [Buffer.from('text'), 'b'],
    ]),
    new Map<unknown, unknown>([
      [true, 'a'],
      [atom('true'), 'b'],
    ]),
  ];
  for (const map of maps) {
    assert.match(refusal([map], 'erlang').message, /keys that differ/);
    assert.ok(encodeTerm([map]));
  }
  const distinct = new Map<unknown, unknown>([
    ['1', 1],
    [1, 2],
    [1.5, 3],
    [atom('1'), 4],
    [[1], 5],
    [tuple(1), 6],
  ]);
  assert.ok(encodeTerm(distinct, { dialect: 'erlang' }));
});

test('a cycle ends at the depth limit', () => {
  const object: Record<string, unknown> = {};
  object.self = object;
  const array: unknown[] = [];
  array.push(array);
  const map = new Map<unknown, unknown>();
  map.set(1, map);
  const set = new Set<unknown>();
  set.add(set);
  for (const cycle of [object, array, map, set]) {
    for (const dialect of ['typescript', 'erlang'] as const) {
      const { code, path } = refusal(cycle, dialect);
      assert.equal(code, 'term_too_large');
      assert.ok(String(path).length < 250);
    }
  }
});

test('a getter or codec that throws is a refusal with its cause', () => {
  const cause = new TypeError('broken');
  const value = {
    get a(): never {
      throw cause;
    },
  };
  assert.throws(() => encodeTerm([value]), { code: 'not_encodable', cause, details: { path: '[0].a' } });
  const encode = (): never => {
    throw cause;
  };
  const codecs = new TermCodecs().register({
    type: 'account',
    class: Account,
    encode,
    decode: () => new Account(),
  });
  assert.throws(() => encodeTerm([new Account()], { codecs }), { code: 'not_encodable', cause });
});

test('a codec that never ends in plain data meets the depth limit', () => {
  const codecs = new TermCodecs().register({
    type: 'account',
    class: Account,
    encode: (it) => it,
    decode: () => new Account(),
  });
  assert.throws(() => encodeTerm(new Account(), { codecs }), { code: 'term_too_large' });
});

test('an atom has at most 255 characters and no lone surrogate', () => {
  assert.equal(atom('\u{1f600}'.repeat(255)).name.length, 510);
  for (const name of ['x'.repeat(256), '\u{1f600}'.repeat(256), '\ud800', 'x'.repeat(1000)]) {
    assert.throws(() => atom(name), { code: 'badarg' });
  }
  assert.throws(() => atom(5 as unknown as string), { code: 'badarg' });
});

test('a bigint beyond the limit is refused', () => {
  assert.ok(encodeTerm(2n ** BigInt(8 * 512 * 1024) - 1n));
  assert.equal(refusal([2n ** BigInt(8 * 512 * 1024)]).code, 'term_too_large');
});
