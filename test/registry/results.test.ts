// What the protocol answers, as errors: the flag `maybeExecuted` arrives as it was given, whatever the code.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codes, type ErrorCode } from '../../src/errors/codes.ts';
import { asError } from '../../src/registry/results.ts';

const answers: readonly ErrorCode[] = ['timeout', 'unavailable', 'aborted', 'overloaded', 'fenced', 'closed'];

test('an error never denies what may have been done, and never doubts what was not', () => {
  for (const code of answers) {
    for (const maybeExecuted of [true, false]) {
      const error = asError({ type: 'error', code, why: 'a reason', maybeExecuted }, 'lobby');
      assert.equal(error.maybeExecuted, maybeExecuted, code);
      const fits = codes[code].maybeExecuted || !maybeExecuted;
      assert.equal(error.code, fits ? code : 'unknown_outcome');
      assert.match(error.message, /a reason/);
    }
  }
});
