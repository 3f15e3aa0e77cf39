// Text of terms for people: readable, bounded, and never a throw.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  atom,
  bitString,
  Fun,
  float,
  improper,
  inspect,
  Pid,
  Port,
  Ref,
  tuple,
  Unregistered,
} from '../../src/term/index.ts';
import { typescript } from './arbitraries.ts';

test('terms look as in Elixir', () => {
  const node = atom('n@h');
  const cases: [unknown, string][] = [
    [tuple(atom('ok'), 1), '{:ok, 1}'],
    [atom('two words'), ':"two words"'],
    [[1, 'a"b', null, undefined, true], '[1, "a\\"b", nil, undefined, true]'],
    [{ a: { b: [] } }, '%{"a" => %{"b" => []}}'],
    [new Map([[tuple(1), 2n]]), '%{{1} => 2}'],
    [new Set([1]), '#Set<[1]>'],
    [improper([1, 2], atom('t')), '[1, 2 | :t]'],
    [new Pid(node, 5, 0, 1), '#PID<n@h.5.0>'],
    [new Ref(node, 1, [1, 2]), '#Ref<n@h.1.2>'],
    [new Port(node, 3n, 1), '#Port<n@h.3>'],
    [new Fun(new Uint8Array(1)), '#Function<>'],
    [() => 1, '#Function<>'],
    [Symbol('s'), '#Symbol<>'],
    [float(5), '5.0'],
    [-0, '-0.0'],
    [1e21, '1e+21'],
    [new Uint8Array([1, 2]), '<<1, 2>>'],
    [bitString(new Uint8Array([128]), 1), '<<128::1>>'],
    [new Date(0), '#Date<1970-01-01T00:00:00.000Z>'],
    [new Date(Number.NaN), '#Date<invalid>'],
    [new TypeError('no'), '#Error<"TypeError: no">'],
    [new Unregistered('a/b', 1), '#Unregistered<"a/b">'],
    [2n ** 200n, '#Integer<more than 40 digits>'],
  ];
  for (const [term, text] of cases) assert.equal(inspect(term), text);
});

test('the text is bounded whatever the term is', () => {
  const cyclic: unknown[] = [];
  for (let index = 0; index < 10; index++) cyclic.push(cyclic);
  const huge = [
    cyclic,
    'x'.repeat(1e6),
    new Array(1e6).fill('x'),
    new Uint8Array(1e6),
    { ['k'.repeat(1e6)]: 1 },
  ];
  for (const term of huge) {
    assert.ok(inspect(term).length <= 500);
    assert.ok(inspect(term, { charactersMax: 40 }).length <= 40);
  }
  fc.assert(
    fc.property(typescript, fc.integer({ min: 3, max: 200 }), (term, charactersMax) => {
      assert.ok(inspect(term, { charactersMax }).length <= charactersMax);
    }),
    { numRuns: 300 },
  );
});

test('nothing that a value does makes it throw', () => {
  const hostile = new Proxy(
    {},
    {
      getPrototypeOf: () => {
        throw new Error('no');
      },
    },
  );
  const getter = {
    get a(): never {
      throw new Error('no');
    },
  };
  assert.equal(inspect([hostile]), '[#Unprintable<>]');
  assert.match(inspect(getter), /Unprintable/);
});
