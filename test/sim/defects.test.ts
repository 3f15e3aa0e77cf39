// The list of planted defects follows the code: each edit has its one place, what is edited can be read, and the tests
// that are to find it exist.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { test } from 'node:test';
import { mutantsDoc } from '../../scripts/mutants-doc.ts';
import { type Defect, defects, type Edit, edited } from '../../src/sim/defects.ts';

const at = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

function editedFiles({ edits }: Defect): Map<string, string> {
  const files = new Map<string, string>();
  for (const edit of edits)
    files.set(edit.file, edited(files.get(edit.file) ?? at(`src/${edit.file}`), edit));
  return files;
}

for (const defect of defects) {
  test(`can be planted: ${defect.name}`, () => {
    for (const [file, source] of editedFiles(defect)) {
      assert.notEqual(source, at(`src/${file}`));
      stripTypeScriptTypes(source);
    }
  });

  test(`has a finder: ${defect.name}`, () => {
    assert.ok(defect.finders.length > 0);
    for (const finder of defect.finders)
      if ('test' in finder) assert.ok(at(`test/${finder.test}.test.ts`).includes(finder.name), finder.name);
  });
}

test('the document lists them as they are', () => {
  const text = at('docs/MUTANTS.md');
  assert.equal(text, mutantsDoc(text), 'run npm run mutants-doc');
});

test('no two have one name', () => {
  assert.equal(new Set(defects.map(({ name }) => name)).size, defects.length);
});

test('an edit has one place, whatever the white space', () => {
  const edit: Edit = { file: 'x.ts', find: 'if (a) return;', replace: 'b' };
  assert.equal(edited('x; if (a)\n    return; y', edit), 'x; b y');
  assert.throws(() => edited('if (b) return;', edit), /0 places/);
  assert.throws(() => edited('if (a) return; if (a) return;', edit), /2 places/);
});
