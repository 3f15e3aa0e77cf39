// Keys of text keep the order of their parts, and the keys under some parts are one interval. Checked against plain
// comparison of the parts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hasCode } from '../../src/errors/error.ts';
import { isEmptyRange, rangesMeet } from '../../src/storage/bytes.ts';
import {
  allKeys,
  type Bytes,
  compareBytes,
  type KeyRange,
  keyAfter,
  keyOf,
  partsOf,
  prefixRange,
  rangeUnder,
} from '../../src/storage/index.ts';
import { mergeRanges } from '../../src/storage/recording.ts';

const part = fc.oneof(
  fc.string({
    unit: fc.constantFrom('\u0000', '\u0001', 'a', '\u00ff', '\u{10ffff}', '\uffff'),
    maxLength: 4,
  }),
  fc.string({ unit: 'binary', maxLength: 5 }),
);
const parts = fc.array(part, { maxLength: 4 });
const someBytes = fc.uint8Array({ maxLength: 3, max: 3 }).map((bytes) => Uint8Array.from(bytes));
const range = fc.record({ begin: someBytes, end: someBytes });

function compareParts(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const order = Buffer.compare(Buffer.from(a[i] as string), Buffer.from(b[i] as string));
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

const isIn = (key: Bytes, { begin, end }: KeyRange) =>
  compareBytes(begin, key) <= 0 && compareBytes(key, end) < 0;

test('keys are ordered like their parts', () => {
  fc.assert(
    fc.property(parts, parts, (a, b) => {
      assert.equal(Math.sign(compareBytes(keyOf(...a), keyOf(...b))), Math.sign(compareParts(a, b)));
    }),
  );
});

test('partsOf is the inverse of keyOf', () => {
  fc.assert(fc.property(parts, (a) => assert.deepEqual(partsOf(keyOf(...a)), a)));
  for (const bytes of [[97], [0], [97, 0, 2], [97, 0, 1, 98], [255, 0, 1]]) {
    assert.throws(
      () => partsOf(Uint8Array.from(bytes)),
      (e) => hasCode(e, 'store_invalid'),
    );
  }
});

test('a prefix range holds exactly the keys that begin with these parts', () => {
  fc.assert(
    fc.property(parts, parts, (prefix, other) => {
      const expected = prefix.length <= other.length && prefix.every((text, i) => text === other[i]);
      assert.equal(isIn(keyOf(...other), prefixRange(...prefix)), expected);
    }),
  );
});

test('a lone surrogate is no text', () => {
  for (const text of ['\ud800', 'a\udc00b']) {
    assert.throws(
      () => keyOf(text),
      (e) => hasCode(e, 'store_invalid'),
    );
  }
});

test('the range under some bytes holds exactly their extensions', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 4 }),
      fc.uint8Array({ minLength: 1, maxLength: 5 }),
      (prefix, key) => {
        const expected = prefix.length <= key.length && prefix.every((byte, i) => byte === key[i]);
        assert.equal(isIn(key, rangeUnder(prefix)), expected);
        assert.ok(isIn(key, allKeys()));
      },
    ),
  );
  assert.ok(isIn(Uint8Array.of(255, 255, 255), rangeUnder(Uint8Array.of(255, 255))));
});

test('ranges meet when a key is in both', () => {
  const keys = [0, 1, 2, 3].flatMap((a) => [[a], [a, 0], [a, 1], [a, 2], [a, 3], [a, 3, 0], [a, 3, 3, 0]]);
  const all = keys.map((values) => Uint8Array.from(values));
  fc.assert(
    fc.property(range, range, (a, b) => {
      if (all.some((key) => isIn(key, a) && isIn(key, b))) assert.ok(rangesMeet(a, b));
      if (isEmptyRange(a) || isEmptyRange(b)) assert.equal(rangesMeet(a, b), false);
      assert.equal(rangesMeet(a, b), rangesMeet(b, a));
    }),
  );
  const [a, b] = [Uint8Array.of(1), Uint8Array.of(2)];
  assert.equal(rangesMeet({ begin: a, end: b }, { begin: b, end: keyAfter(b) }), false);
});

test('merged ranges are few, apart, and hold every key of the originals; no others unless there are too many', () => {
  fc.assert(
    fc.property(
      fc.array(range, { maxLength: 12 }),
      fc.integer({ min: 1, max: 5 }),
      someBytes,
      (ranges, max, key) => {
        const merged = mergeRanges(ranges, max);
        assert.ok(merged.length <= max);
        const before = ranges.some((one) => isIn(key, one));
        const after = merged.some((one) => isIn(key, one));
        assert.ok(!before || after);
        if (mergeRanges(ranges, 100).length <= max) assert.equal(after, before);
        for (const [i, one] of merged.entries()) {
          const next = merged[i + 1];
          if (next !== undefined) assert.ok(compareBytes(one.end, next.begin) < 0);
        }
      },
    ),
  );
});
