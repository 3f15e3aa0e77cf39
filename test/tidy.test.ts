// The house rules that no tool sells, applied to the whole tree. test/tidy-rules.test.ts tries the rules themselves.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { errorsDoc } from '../scripts/errors-doc.ts';
import { filesUnder } from '../scripts/files.ts';
import {
  functionLengths,
  lineFaults,
  linkTargets,
  sourceFaults,
  sourceOf,
  testsNamed,
} from '../scripts/tidy.ts';

const functionLinesMax = 60;
const fileLinesMax = 500;

/** Functions that are allowed to be longer, with their length: `path name`. Entries are only ever lowered or removed. */
const longFunctions: Readonly<Record<string, number>> = {};

const all = filesUnder('.');
const read = (file: string): string => readFileSync(file, 'utf8');
const sources = all.filter((file) => file.endsWith('.ts'));
const ships = sources.filter((file) => /^(src|demo|bench|examples|scripts)\//.test(file));
const texts = all.filter(
  (file) => /(^\.ci\/|\.(ts|cjs|mjs|js|json|jsonc|md|txt|grit|yml|yaml|sh)$)/.test(file) && !isOwn(file),
);

/** These name what is forbidden. */
function isOwn(file: string): boolean {
  return file === 'scripts/tidy.ts' || file === 'test/tidy-rules.test.ts';
}

const found = (files: readonly string[], faultsOf: (file: string) => readonly string[]): string[] =>
  files.flatMap((file) => faultsOf(file).map((fault) => `${file}: ${fault}`));

describe('the tree', () => {
  test('has no function beyond the limit but for the listed ones, which may only shrink', () => {
    const long = ships.flatMap((file) =>
      functionLengths(read(file))
        .filter(({ lines }) => lines > functionLinesMax)
        .map(({ name, lines }) => ({ key: `${file} ${name}`, lines })),
    );
    const beyond = long.filter(({ key, lines }) => lines > (longFunctions[key] ?? functionLinesMax));
    assert.deepEqual(beyond, []);
    const slack = Object.entries(longFunctions).filter(([key, limit]) =>
      long.every((f) => f.key !== key || f.lines < limit),
    );
    assert.deepEqual(slack, [], 'lower or remove these exceptions');
  });

  test('has no source file beyond the limit', () => {
    const lines = (file: string): number => read(file).split('\n').length - 1;
    assert.deepEqual(
      sources.filter((file) => lines(file) > fileLinesMax),
      [],
    );
  });

  test('has no unfinished marks, paths of a machine, or registries by address', () => {
    const faultsOf = (file: string): string[] =>
      read(file)
        .split('\n')
        .flatMap((line, at) => lineFaults(line).map((fault) => `line ${at + 1}: ${fault}`));
    assert.deepEqual(found(texts, faultsOf), []);
    assert.ok(!read('package-lock.json').includes('"resolved"'), 'package-lock.json names a registry');
  });

  test('has no focused test, no skip without a reason, no empty catch', () => {
    assert.deepEqual(
      found(
        sources.filter((file) => !isOwn(file)),
        (file) => sourceFaults(read(file)),
      ),
      [],
    );
  });

  test('has a source behind every door of the package', () => {
    const { exports } = JSON.parse(read('package.json')) as {
      exports: Record<string, string | Record<string, string>>;
    };
    const targets = Object.values(exports).flatMap((door) =>
      typeof door === 'string' ? [door] : Object.values(door),
    );
    assert.deepEqual(
      targets.filter((target) => !existsSync(sourceOf(target))),
      [],
    );
  });

  test('has a test for every incident note', () => {
    const notes = all.filter((file) => /^docs\/incidents\/(?!README).*\.md$/.test(file));
    const faultsOf = (note: string): string[] => {
      const named = testsNamed(read(note));
      return named.length === 0 ? ['names no test'] : named.filter((file) => !existsSync(file));
    };
    assert.deepEqual(found(notes, faultsOf), []);
  });

  test('has no dead link in its documents', () => {
    const documents = all.filter((file) => file.endsWith('.md'));
    assert.deepEqual(
      found(documents, (file) => linkTargets(read(file), file).filter((target) => !existsSync(target))),
      [],
    );
  });

  test('documents every error code', () => {
    assert.equal(read('docs/ERRORS.md'), errorsDoc(), 'run npm run errors-doc');
  });
});
