// The conformance suite as tests of node:test. What a store declines, since it has no such thing, is no skipped test: one
// test for each reason lists the cases, and sees that they are few beside those that ran.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConformanceOptions, conformance } from '../../src/storage/conformance/index.ts';

export function conformanceTests(
  options: ConformanceOptions & { readonly prefix?: string; readonly timeoutMs: number },
): void {
  const { prefix = '', timeoutMs, ...rest } = options;
  const declined = new Map<string, string[]>();
  const cases = conformance(rest);
  for (const { name, skip, run } of cases) {
    if (skip === undefined) test(`${prefix}${name}`, { timeout: timeoutMs }, run);
    else declined.set(skip, [...(declined.get(skip) ?? []), name]);
  }
  for (const [reason, names] of declined) {
    test(`${prefix}declines ${names.length} cases: ${reason}`, (t) => {
      for (const name of names) t.diagnostic(name);
      assert.ok(names.length < cases.length / 2);
    });
  }
}
