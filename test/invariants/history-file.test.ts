// Histories as JSON lines: what goes in comes out, and what is not a history is refused with the line that is wrong.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { hasCode } from '../../src/errors/error.ts';
import {
  decodeHistory,
  decodeOperation,
  encodeHistory,
  historyLimits,
} from '../../src/invariants/history-file.ts';
import type { Operation } from '../../src/invariants/linearize.ts';

const good = {
  client: 'a/0',
  operation: 'register',
  name: 'x',
  argument: 'p',
  result: 'registered',
  start: 1,
  end: 2,
};

const operation: fc.Arbitrary<Operation> = fc
  .record({
    client: fc.string(),
    name: fc.string(),
    process: fc.string(),
    start: fc.double({ noNaN: true, min: -1e9, max: 1e9 }),
    lasts: fc.nat(1000),
    kind: fc.constantFrom(
      ['register', 'registered'],
      ['register', 'taken'],
      ['register', 'failed'],
      ['unregister', 'done'],
      ['unregister', 'unknown'],
      ['read', 'found'],
      ['read', 'absent'],
      ['exit', 'unknown'],
    ),
  })
  .map(({ client, name, process, start, lasts, kind: [type, result] }) => {
    const end = result === 'unknown' ? Number.POSITIVE_INFINITY : start + lasts;
    const named = type === 'register' || type === 'exit' ? { process } : {};
    const holder = result === 'taken' || result === 'found' ? { holder: process } : {};
    return { client, name, start, end, type, result, ...named, ...holder } as Operation;
  });

test('what is written is read', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 10 }), (history) => {
      // JSON has one zero.
      const plain = history.map((one) => ({ ...one, start: one.start + 0, end: one.end + 0 }));
      assert.deepEqual(decodeHistory(encodeHistory(plain)), plain);
    }),
  );
});

test('a line has these fields in this order', () => {
  const line = `{"client":"a/0","operation":"read","name":"x","argument":null,"result":{"found":"p"},"start":1,"end":2}\n`;
  assert.equal(encodeHistory(decodeHistory(line)), line);
});

describe('a line that is none is refused', () => {
  const bad: Readonly<Record<string, readonly [change: object | string, expected: RegExp]>> = {
    'no JSON': ['{', /expected one JSON object/],
    'no object': ['7', /expected an object with the fields/],
    'a field too many': [{ token: 1 }, /with the fields argument, client, end/],
    'a field too few': [{ end: undefined }, /with the fields/],
    'an operation that is none': [
      { operation: 'write' },
      /one of register, unregister, read, exit, got write/,
    ],
    'a result of another operation': [{ result: 'absent' }, /result of register to be one of registered/],
    'a holder that is missing': [{ result: 'taken' }, /expected \{"taken": process\}, got taken/],
    'a holder where none can be': [{ result: { registered: 'p' } }, /expected "registered"/],
    'two holders': [{ result: { taken: 'p', found: 'q' } }, /expected \{"taken": process\}/],
    'a client that is no string': [{ client: 3 }, /a string as client, got 3/],
    'no argument': [{ argument: null }, /a string as argument, got null/],
    'an argument too many': [{ operation: 'unregister', result: 'done' }, /null as argument of unregister/],
    'a start that is no number': [{ start: '1' }, /a number as start, got 1/],
    'an end before the start': [{ end: 0 }, /not before the start, 1, got 0/],
    'an answer without an end': [{ end: null }, /an end of an operation with result registered/],
  };
  for (const [what, [change, expected]] of Object.entries(bad))
    test(what, () => {
      const line = typeof change === 'string' ? change : JSON.stringify({ ...good, ...change });
      assert.throws(
        () => decodeHistory(`${JSON.stringify(good)}\n${line}\n`),
        (error: Error & { details?: object }) => {
          assert.ok(hasCode(error, 'badarg'));
          assert.match(error.message, /^badarg: history, line 2: /);
          assert.match(error.message, expected);
          assert.deepEqual(error.details, { line: 2 });
          return true;
        },
      );
    });

  test('one that is too long', () => {
    const long = JSON.stringify({ ...good, name: 'x'.repeat(historyLimits.lineLength) });
    assert.throws(() => decodeOperation(long), /line 1: expected at most 65536 characters/);
  });

  test('one too many', () => {
    const many = '\n'.repeat(historyLimits.operations + 1);
    assert.throws(() => decodeHistory(many), /expected at most 1000000 lines, got 1000001/);
  });
});

describe('the command', () => {
  function check(text: string): { status: number | null; stdout: string; stderr: string } {
    const folder = mkdtempSync(join(tmpdir(), 'history-'));
    try {
      const file = join(folder, 'history.jsonl');
      writeFileSync(file, text);
      const args = ['scripts/check-history.ts', file, '--json'];
      return spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 30_000 });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  test('says that a good history is one', () => {
    const { status, stdout } = check(`${JSON.stringify(good)}\n`);
    assert.equal(status, 0);
    assert.deepEqual(JSON.parse(stdout.trim().split('\n').at(-1)!), {
      operations: 1,
      names: 1,
      linearizable: true,
    });
  });

  test('says what nothing explains', () => {
    const other = { ...good, argument: 'q', start: 3, end: 4 };
    const { status, stdout } = check(`${JSON.stringify(good)}\n${JSON.stringify(other)}\n`);
    assert.equal(status, 1);
    assert.match(stdout, /x: held by p, none of these can come next:\n {2}a\/0 register x of q \[3.0, 4.0\]/);
    assert.equal(JSON.parse(stdout.trim().split('\n').at(-1)!).linearizable, false);
  });

  test('refuses what is no history', () => {
    const { status, stderr } = check('nothing\n');
    assert.equal(status, 2);
    assert.match(stderr, /^badarg: history, line 1: expected one JSON object, got nothing/);
  });
});
