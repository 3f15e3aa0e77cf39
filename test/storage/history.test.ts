// The checker of histories must itself be able to say no.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkHistory, type HistoryTransaction } from '../../src/storage/conformance/history.ts';

type Content = Readonly<Record<string, string | undefined>>;

const transaction = (
  begin: number,
  end: number,
  { seen = {}, written = {} }: { seen?: Content; written?: Content },
) =>
  ({
    begin,
    end,
    seen: new Map(Object.entries(seen)),
    written: new Map(Object.entries(written)),
  }) as HistoryTransaction;

test('accepts concurrent transactions in either order', () => {
  checkHistory([
    transaction(0, 5, { seen: { a: '2' }, written: { a: '1' } }),
    transaction(1, 4, { seen: { a: undefined }, written: { a: '2' } }),
    transaction(6, 7, { seen: { a: '1' } }),
  ]);
});

test('rejects a lost update', () => {
  const both = [
    transaction(0, 2, { seen: { a: undefined }, written: { a: '1' } }),
    transaction(1, 3, { seen: { a: undefined }, written: { a: '2' } }),
  ];
  assert.throws(() => checkHistory(both), /no serial order/);
});

test('rejects write skew', () => {
  const both = [
    transaction(0, 2, { seen: { a: undefined }, written: { b: '1' } }),
    transaction(1, 3, { seen: { b: undefined }, written: { a: '2' } }),
  ];
  assert.throws(() => checkHistory(both), /no serial order/);
});

test('rejects a stale read, although it would fit in another order', () => {
  const history = [transaction(0, 1, { written: { a: '1' } }), transaction(2, 3, { seen: { a: undefined } })];
  assert.throws(() => checkHistory(history), /no serial order/);
  checkHistory([transaction(0, 2, { written: { a: '1' } }), transaction(1, 3, { seen: { a: undefined } })]);
});

test('rejects a torn write', () => {
  const history = [
    transaction(0, 9, { written: { a: '1', b: '1' } }),
    transaction(1, 8, { seen: { a: '1', b: undefined } }),
  ];
  assert.throws(() => checkHistory(history), /no serial order/);
});
