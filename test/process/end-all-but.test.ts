// The first half of closing a node: some processes see the others end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DGenError } from '../../src/errors/error.ts';
import { inWorld, startRecorder } from './support.ts';

test(
  'endAllBut ends all others in reverse order, and nothing starts after it',
  inWorld(async ({ host, runtime }) => {
    const kept = startRecorder(runtime);
    const others = [startRecorder(runtime), startRecorder(runtime)];
    const ends: string[] = [];
    for (const { pid } of [kept, ...others]) runtime.watchDown(pid, () => ends.push(pid.key));
    await host.runUntil(runtime.endAllBut([kept.pid]));
    assert.deepEqual(ends, others.map(({ pid }) => pid.key).reverse());
    assert.ok(runtime.isAlive(kept.pid));
    assert.equal(await host.runUntil(runtime.call(kept.pid, 'still there')), 'still there');
    assert.throws(
      () => runtime.spawn(() => undefined),
      (error) => error instanceof DGenError && error.code === 'closed',
    );
    await host.runUntil(runtime.close());
    assert.ok(!runtime.isAlive(kept.pid));
  }),
);
