// The list of planted defects follows the code: each edit still has its one place.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { defects } from '../../src/sim/defects.ts';

for (const { name, file, find, replace } of defects) {
  test(`the guard stands in one place: ${name}`, () => {
    const source = readFileSync(new URL(`../../src/registry/protocol/${file}`, import.meta.url), 'utf8');
    assert.equal(source.split(find).length - 1, 1);
    assert.notEqual(find, replace);
  });
}
