// The judge of real runs, on records that somebody made up: each broken promise is found and called by its invariant, and
// what only looks like one is not.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { judgeRun, type RunVerdict } from '../../src/invariants/judge-run.ts';
import type { OperationRecord, RecordOf, RunRecord } from '../../src/invariants/run-record.ts';

const never = Number.POSITIVE_INFINITY;

type Said = readonly [start: number, end: number, answer: string];

/** `register p`, `unregister`, `read`; answers `registered`, `taken p 1.5`, `found p 1.5` and the others alone. */
function call(life: string, what: string, [start, end, said]: Said): OperationRecord {
  const [type, process] = what.split(' ');
  const [result, ...more] = said.split(' ');
  const named = result === 'taken' || result === 'found';
  const [holder, token] = named ? more : [undefined, more[0]];
  return {
    kind: 'operation',
    life,
    client: life,
    name: 'x',
    type,
    start,
    end,
    result,
    ...(process === undefined ? {} : { process }),
    ...(holder === undefined ? {} : { holder }),
    ...(token === undefined ? {} : { token }),
  } as OperationRecord;
}

function checks({ violations }: RunVerdict): string[] {
  return [...new Set(violations.map(({ check }) => check))].sort();
}

const p = call('a', 'register p', [0, 10, 'registered 1.1']);
const q = call('b', 'register q', [100, 110, 'registered 1.2']);
const write = (life: string, token: string, at: number): RunRecord => ({
  kind: 'write',
  life,
  at,
  name: 'x',
  token,
});
const accepted = (life: string, token: string, at: number): RunRecord => ({
  ...(write(life, token, at) as RecordOf<'write'>),
  accepted: true,
});
const look = (life: string, at: number, shown: object = {}): RunRecord => ({
  kind: 'snapshot',
  life,
  at,
  name: 'x',
  ...shown,
});

describe('nothing is broken', () => {
  const good: Readonly<Record<string, readonly RunRecord[]>> = {
    'a successor after the end': [p, { kind: 'ended', life: 'a', process: 'p', at: 50 }, q],
    'a successor after an end that was seen late': [
      p,
      { kind: 'ending', life: 'a', process: 'p', at: 50 },
      { kind: 'ended', life: 'a', process: 'p', at: 200 },
      q,
    ],
    'a successor after a kill': [p, { kind: 'killing', life: 'a', at: 50 }, q],
    'a successor while the owner stood still, which ended when it went on': [
      p,
      { kind: 'still', life: 'a', from: 50, to: 300 },
      { kind: 'ended', life: 'a', process: 'p', at: 310, fenced: true },
      q,
      accepted('b', '1.2', 120),
      write('a', '1.1', 305),
    ],
    'a successor after the session had lapsed, before that was seen': [
      p,
      { kind: 'session', life: 'a', at: 20, until: 90 },
      { kind: 'ended', life: 'a', process: 'p', at: 130, fenced: true },
      q,
    ],
    'a successor after an unregistration': [p, call('b', 'unregister', [40, 60, 'done']), q],
    'an owner that was unregistered and goes on writing': [
      p,
      call('b', 'unregister', [40, 60, 'done']),
      q,
      accepted('b', '1.2', 120),
      write('a', '1.1', 130),
    ],
    'a read that hears of a registration before its caller does': [
      call('a', 'register p', [0, 100, 'registered 1.1']),
      call('b', 'read', [20, 30, 'found p 1.1']),
    ],
    'an answer that came late, when its owner had ended and the next was known': [
      call('a', 'register p', [0, 150, 'registered 1.1']),
      { kind: 'ended', life: 'a', process: 'p', at: 50 },
      q,
    ],
    'a snapshot that does not show it yet, or still does': [
      p,
      look('b', 12),
      { kind: 'ended', life: 'a', process: 'p', at: 50 },
      look('b', 60, { holder: 'p' }),
    ],
    'no answer for who was killed': [
      { ...call('a', 'read', [0, never, 'unknown']), pending: true },
      { kind: 'killing', life: 'a', at: 50 },
    ],
  };
  for (const [what, records] of Object.entries(good))
    test(what, () => assert.deepEqual(judgeRun(records).violations, []));

  test('late writes are counted', () => {
    const records = good['an owner that was unregistered and goes on writing'] ?? [];
    assert.equal(judgeRun(records).lateWrites, 1);
  });
});

describe('broken', () => {
  const bad: Readonly<Record<string, readonly [found: readonly string[], records: readonly RunRecord[]]>> = {
    'two owners': [
      ['linearizable', 'one-owner'],
      [p, q],
    ],
    'a successor before the end': [
      ['linearizable', 'one-owner'],
      [p, q, { kind: 'ended', life: 'a', process: 'p', at: 150 }],
    ],
    'a successor before the kill': [
      ['linearizable', 'one-owner'],
      [p, q, { kind: 'killing', life: 'a', at: 150 }],
    ],
    'a successor while the session ran': [
      ['linearizable', 'one-owner'],
      [
        p,
        { kind: 'session', life: 'a', at: 20, until: 160 },
        { kind: 'ended', life: 'a', process: 'p', at: 170, fenced: true },
        q,
      ],
    ],
    'a token that is lower than the one before': [
      ['tokens'],
      [
        p,
        { kind: 'ended', life: 'a', process: 'p', at: 50 },
        call('b', 'register q', [100, 110, 'registered 1.0']),
      ],
    ],
    'a token that two processes got': [
      ['tokens'],
      [
        p,
        { kind: 'ended', life: 'a', process: 'p', at: 50 },
        call('b', 'register q', [100, 110, 'registered 1.1']),
      ],
    ],
    'taken by somebody who never asked': [
      ['linearizable', 'real'],
      [call('b', 'register q', [100, 110, 'taken z 1.1'])],
    ],
    'taken by one that had been replaced': [
      ['linearizable', 'not-stale'],
      [
        p,
        { kind: 'ended', life: 'a', process: 'p', at: 50 },
        q,
        call('c', 'register r', [200, 210, 'taken p 1.1']),
      ],
    ],
    'absent while held': [
      ['linearizable', 'not-blind'],
      [p, call('b', 'read', [100, 110, 'absent'])],
    ],
    'a second owner after an unregistration that was refused': [
      ['linearizable', 'one-owner'],
      [p, call('b', 'unregister', [40, 60, 'failed']), q],
    ],
    'a host that does not show what it hosts': [['kept'], [p, look('a', 50)]],
    'a snapshot that shows who never asked': [['granted'], [look('a', 50, { holder: 'z' })]],
    'a snapshot that shows who had not asked yet': [['granted'], [p, look('a', -5, { holder: 'p' })]],
    'a version that goes back': [
      ['forward'],
      [look('a', 5, { member: 'a#1', version: '2.0' }), look('a', 6, { member: 'a#1', version: '1.9' })],
    ],
    'an owner that comes back into a snapshot': [
      ['no-return'],
      [
        p,
        { kind: 'ended', life: 'a', process: 'p', at: 50 },
        q,
        look('c', 120, { member: 'c#1', holder: 'q', token: '1.2' }),
        look('c', 130, { member: 'c#1', holder: 'p', token: '1.1' }),
      ],
    ],
    'a stale write that was accepted': [
      ['tokens'],
      [
        p,
        { kind: 'ended', life: 'a', process: 'p', at: 50 },
        q,
        accepted('b', '1.2', 120),
        accepted('a', '1.1', 130),
      ],
    ],
    'a stale write of one that still has the name': [
      ['linearizable', 'one-owner'],
      [p, q, write('b', '1.2', 120), write('a', '1.1', 130)],
    ],
    'a call without an answer': [
      ['answers'],
      [{ ...call('a', 'read', [0, never, 'unknown']), pending: true }],
    ],
    'an order that no pair of answers shows': [
      ['linearizable'],
      [
        call('a', 'register p', [0, 100, 'registered']),
        call('b', 'read', [10, 20, 'found p']),
        call('b', 'read', [30, 40, 'absent']),
      ],
    ],
  };
  for (const [what, [found, records]] of Object.entries(bad))
    test(what, () => assert.deepEqual(checks(judgeRun(records)), found));

  test('it is told with its number', () => {
    const [first] = judgeRun([p, q]).violations;
    assert.match(
      first?.what ?? '',
      /^I1 one-owner: x → q \(token 1.2, since 110.0\) was acknowledged while x → p/,
    );
    assert.equal(first?.invariant, 'one-owner');
  });
});
