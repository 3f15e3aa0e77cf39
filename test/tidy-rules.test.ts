// The rules of scripts/tidy.ts on planted faults: a rule that never failed proves nothing.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  functionLengths,
  lineFaults,
  linkTargets,
  sourceFaults,
  sourceOf,
  testsNamed,
} from '../scripts/tidy.ts';

describe('the rules find', () => {
  const long = (lines: number): string => `const f = () => {\n${'  g();\n'.repeat(lines - 2)}};\n`;

  test('a long function, by name', () => {
    assert.deepEqual(functionLengths(long(61)), [{ name: 'f', lines: 61 }]);
    const method = functionLengths('class A {\n  m(): number {\n    return 1;\n  }\n}\n');
    assert.deepEqual(method, [{ name: 'm', lines: 3 }]);
  });

  test('forbidden lines, and leave others alone', () => {
    for (const line of [
      '// TODO later',
      '// FIXME',
      "open('/home/me/x')",
      ['at ', 'work', 'x', 'y'].join('/'),
      '"https://registry.example/a"',
    ]) {
      assert.equal(lineFaults(line).length, 1, line);
    }
    for (const line of [
      "open('/tmp/x')",
      'https://www.erlang.org/doc',
      'a todo list',
      "'../root/x'",
      ['see src', 'work', 'x.ts'].join('/'),
    ]) {
      assert.deepEqual(lineFaults(line), [], line);
    }
  });

  test('bad tests and catches in a source', () => {
    const faulty = [
      'test.only("x", f)',
      'describe("x", { only: true }, f)',
      'test.skip("x", f)',
      'test("x", { skip: true }, f)',
      'test("x", { skip: "" }, f)',
      'test("x", (t) => t.skip())',
      'try { f() } catch {}',
      'p.catch(() => {})',
      'try { f() } catch { /* a comment is no handling */ }',
    ];
    for (const source of faulty) assert.equal(sourceFaults(source).length, 1, source);
    for (const source of [
      'test("x", { skip: "no SQLite" }, f)',
      'try { f() } catch { return 1 }',
      'stream.skip(3)',
      'p.catch(() => { /* told elsewhere */ })',
    ]) {
      assert.deepEqual(sourceFaults(source), [], source);
    }
  });

  test('relative links, sources of doors, and tests in notes', () => {
    const markdown = '[a](b.md#c) [d](https://e) [f](#g) `[h](i.md)` ![j](../k.png)\n```\n[l](m.md)\n```\n';
    assert.deepEqual(linkTargets(markdown, 'docs/x.md'), ['docs/b.md', 'k.png']);
    assert.equal(sourceOf('./dist/storage/sqlite/index.d.ts'), 'src/storage/sqlite/index.ts');
    assert.deepEqual(testsNamed('see `test/sim/pinned.test.ts`.'), ['test/sim/pinned.test.ts']);
  });
});
