// Which changes a client of PostgreSQL knows of, whatever order notifications come in and whichever are lost: it never takes a
// version for known that nobody has told it, and looks in time where one is missing.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ringOf } from '../../src/storage/postgres/ring.ts';
import { Versions } from '../../src/storage/postgres/versions.ts';

const pollMs = 5_000;
const graceMs = 100;

/** Looked at version 0, at the time 0. */
function versions(): Versions {
  const made = new Versions();
  made.looked(0, 0);
  return made;
}

describe('versions', () => {
  test('nothing is known in the beginning: a look is due', () => {
    const made = new Versions();
    assert.equal(made.doubted, true);
    assert.ok(made.dueAt(pollMs) < 0);
    made.looked(7, 10);
    assert.deepEqual([made.seen, made.newest, made.doubted, made.dueAt(pollMs)], [7, 7, false, 10 + pollMs]);
  });

  test('each ring in its turn puts the next look off', () => {
    const made = versions();
    for (let version = 1; version <= 10; version++) made.told(version, version * 1_700);
    assert.deepEqual([made.seen, made.behind, made.dueAt(pollMs)], [10, false, 17_000 + pollMs]);
  });

  test('a gap is closed by the one that was late, or looked at soon', () => {
    const made = versions();
    made.told(2, 1_000);
    made.told(3, 1_010);
    assert.deepEqual([made.seen, made.newest, made.rung, made.dueAt(pollMs)], [0, 3, true, 1_000 + graceMs]);
    made.told(1, 1_020);
    assert.deepEqual([made.seen, made.rung, made.dueAt(pollMs)], [3, false, 1_020 + pollMs]);
    made.told(5, 2_000);
    made.looked(4, 2_100);
    assert.deepEqual([made.seen, made.dueAt(pollMs)], [5, 2_100 + pollMs]);
  });

  test('what was read, and not told, is looked at soon', () => {
    const made = versions();
    made.learn(1, 3_000);
    made.learn(2, 3_050);
    assert.equal(made.dueAt(pollMs), 3_000 + graceMs);
    made.told(1, 3_060);
    assert.equal(made.dueAt(pollMs), 3_060 + graceMs);
  });

  test('a look that was overtaken by rings takes nothing back', () => {
    const made = versions();
    for (const version of [1, 2, 3]) made.told(version, 100);
    made.looked(1, 200);
    assert.deepEqual([made.seen, made.newest], [3, 3]);
  });

  test('too many early ones are a reason to look', () => {
    const made = versions();
    for (let version = 2; version <= 1_003; version++) made.told(version, 100);
    assert.equal(made.doubted, true);
    made.looked(1_002, 200);
    made.told(1_003, 300);
    assert.equal(made.seen, 1_003);
  });

  test('of any rings in any order, with some lost: never beyond what was told, and never late', () => {
    const step = fc.record({
      kind: fc.constantFrom('commit', 'ring', 'ring', 'lose', 'read', 'look'),
      pick: fc.nat(20),
      ms: fc.nat(400),
    });
    const property = fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const made = versions();
      const state = { now: 0, committed: 0 };
      const waiting: number[] = [];
      const known = new Set<number>();
      const look = (): void => {
        made.looked(state.committed, state.now);
        for (let version = 1; version <= state.committed; version++) known.add(version);
      };
      for (const { kind, pick, ms } of steps) {
        for (const end = state.now + ms; ; look()) {
          const dueAt = made.dueAt(pollMs);
          if (dueAt > end) {
            state.now = end;
            break;
          }
          state.now = Math.max(state.now, dueAt);
        }
        const at = pick % Math.max(1, waiting.length);
        if (kind === 'commit') waiting.push(++state.committed);
        else if (kind === 'read') made.learn(state.committed, state.now);
        else if (kind === 'look') look();
        else if (kind === 'lose') waiting.splice(at, 1);
        else
          for (const version of waiting.splice(at, 1)) {
            known.add(version);
            made.told(version, state.now);
          }
        for (let version = 1; version <= made.seen; version++) assert.ok(known.has(version), `${version}`);
        assert.ok(made.newest <= state.committed);
        if (made.behind) assert.ok(made.dueAt(pollMs) <= state.now + graceMs);
        else assert.ok(made.dueAt(pollMs) <= state.now + pollMs);
      }
    });
    fc.assert(property, { numRuns: 500 });
  });
});

test('a ring is read, and what is none is nothing', () => {
  assert.deepEqual(ringOf('12'), { version: 12, keys: undefined });
  assert.deepEqual(ringOf('12:'), { version: 12, keys: [] });
  assert.deepEqual(ringOf('3:AP8=,YQ=='), {
    version: 3,
    keys: [Uint8Array.of(0, 255), Uint8Array.of(97)],
  });
  const long = new Uint8Array(100).fill(5);
  const wrapped = Buffer.from(long)
    .toString('base64')
    .replace(/(.{76})/, '$1\n');
  assert.deepEqual(ringOf(`3:${wrapped}`), { version: 3, keys: [long] });
  for (const other of ['', 'x', '-1', '1:!', '12345678901234567', '1;a'])
    assert.equal(ringOf(other), undefined);
});
