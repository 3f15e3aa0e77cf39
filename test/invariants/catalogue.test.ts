// The catalogue is what documents, checkers and reports refer to: its numbers must stay what they were.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { invariants } from '../../src/invariants/catalogue.ts';

test('each invariant has its number and its name', () => {
  const entries = Object.entries(invariants);
  assert.deepEqual(
    entries.map(([, { id }]) => id),
    entries.map((_, index) => `I${index + 1}`),
  );
  for (const [name, invariant] of entries) {
    assert.equal(invariant.name, name);
    assert.ok(invariant.guarantees.length > 0, `${name} rests under no guarantee`);
  }
});
