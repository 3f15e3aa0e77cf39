// The guide for authors of backends names what the port and the suite have: every limit, every error, every need.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { codes } from '../../src/errors/codes.ts';
import { limits } from '../../src/storage/index.ts';

const guide = readFileSync('docs/BACKENDS.md', 'utf8');
const port = readFileSync('src/storage/port.ts', 'utf8');
const target = readFileSync('src/storage/conformance/target.ts', 'utf8');

/** Codes in backquotes, as the comments of the port name them. */
const codesIn = (text: string): string[] =>
  [...text.matchAll(/`([a-z_]+)`/g)]
    .map(([, code]) => code ?? '')
    .filter((code) => Object.hasOwn(codes, code));

test('every error that the port names has a row, and no other', () => {
  const rows =
    guide
      .split('## Errors')[1]
      ?.split('\n')
      .filter((line) => line.startsWith('| `')) ?? [];
  const table = rows.flatMap((row) => codesIn(row.split('|')[1] ?? ''));
  const named = codesIn(port).filter((code) => code !== 'bad_option');
  assert.deepEqual([...new Set(table)].sort(), [...new Set(named)].sort());
});

test('every limit is told with its value', () => {
  const text = guide.split('## Limits')[1]?.split('\n## ')[0] ?? '';
  const seconds = limits.transactionMsMax / 1_000;
  assert.ok(text.includes(`${seconds} seconds`));
  assert.match(text, new RegExp(`${limits.readRangesMax + 1}\\s+read\\s+ranges`));
  for (const [name, value] of Object.entries(limits)) {
    if (['transactionMsMax', 'readRangesMax', 'idBytesMax'].includes(name)) continue;
    assert.ok(text.includes(value.toLocaleString('en-US')), `${name}: ${value}`);
  }
});

test('every need of a case has a row', () => {
  const [, union = ''] = /type ConformanceNeed = ([^;]+);/.exec(target) ?? [];
  const needs = [...union.matchAll(/'(\w+)'/g)].map(([, need]) => need ?? '');
  assert.ok(needs.length >= 6);
  for (const need of needs) assert.match(guide, new RegExp(`^\\| \`${need}\``, 'm'));
});
