// The judge finds what it is there for: records made by hand, each with one thing that must not be, and sound ones in which something
// only looks like it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WitnessEvent, WitnessRecord } from '../../demo/witness.ts';
import type { Fact, Fate, Journal } from './journal.ts';
import { judge } from './judge.ts';

function journal(pid: number, ...facts: Fact[]): Journal {
  return { node: `n${pid}`, pid, facts };
}

let nextId = 1;

/** A call from `at` to `end` and its answer. */
function asked(
  [at, end]: readonly [number, number],
  call: { type: 'register' | 'unregister' | 'read' | 'call'; process?: string },
  answer?: Omit<Extract<Fact, { fact: 'answer' }>, 'fact' | 'at' | 'id'>,
): Fact[] {
  const id = nextId++;
  const question: Fact = { fact: 'call', at, id, client: 'c', name: 'x', ...call };
  return answer === undefined ? [question] : [question, { fact: 'answer', at: end, id, ...answer }];
}

const registered = (times: readonly [number, number], process: string, token: string): Fact[] =>
  asked(times, { type: 'register', process }, { result: 'registered', token });
const ended = (at: number, process: string, reason = 'done'): Fact => ({
  fact: 'end',
  at,
  name: 'x',
  process,
  reason,
});

function violations(
  journals: Journal[],
  fates: Fate[] = [],
  witness: WitnessRecord[] = [],
): readonly string[] {
  return judge({ journals, fates, witness }).violations;
}

/** `ms pid event [token]`, about the name x. */
function witnessed(...lines: string[]): WitnessRecord[] {
  return lines.map((line, index) => {
    const [ms = '', pid = '', event = '', token = '0.0'] = line.split(' ');
    const [epoch = 0, n = 0] = token.split('.').map(Number);
    const whole = { atUs: Number(ms) * 1_000, pid: Number(pid), node: `n${pid}`, seq: index + 1, name: 'x' };
    return { ...whole, token: { epoch, n }, event: event as WitnessEvent };
  });
}

function finds(found: readonly string[], pattern: RegExp): void {
  assert.ok(
    found.some((one) => pattern.test(one)),
    `${pattern} is not among ${JSON.stringify(found)}`,
  );
}

test('sound: one owner after the other', () => {
  const first = journal(1, ...registered([1, 2], 'p', '1.1'), ended(5, 'p'));
  const read = asked([3, 4], { type: 'read' }, { result: 'found', holder: 'p', token: '1.1' });
  assert.deepEqual(violations([first, journal(2, ...read, ...registered([6, 7], 'q', '1.2'))]), []);
});

test('planted: a name is granted while its owner lives', () => {
  const first = journal(1, ...registered([1, 2], 'p', '1.1'));
  finds(violations([first, journal(2, ...registered([3, 4], 'q', '1.2'))]), /I1 one-owner/);
});

test('planted: a consistent read does not see an owner, or sees one that has been replaced', () => {
  const first = journal(1, ...registered([1, 2], 'p', '1.1'), ended(5, 'p'));
  const second = registered([6, 7], 'q', '1.2');
  const absent = asked([3, 4], { type: 'read' }, { result: 'absent' });
  finds(violations([first, journal(2, ...absent, ...second)]), /linearizable/);
  const stale = asked([8, 9], { type: 'read' }, { result: 'found', holder: 'p', token: '1.1' });
  finds(violations([first, journal(2, ...second, ...stale)]), /linearizable/);
});

test('a name of a process that stood still may go within the standstill, and not before it', () => {
  const fates: Fate[] = [
    { pid: 1, what: 'freeze', at: 10 },
    { pid: 1, what: 'thaw', at: 3_000 },
  ];
  const facts = [...registered([1, 2], 'p', '1.1'), { fact: 'stall', at: 10, to: 3_001 } as const];
  const frozen = journal(1, ...facts, ended(3_002, 'p', 'fenced'));
  const heir = (at: number): Journal => journal(2, ...registered([at, at + 1], 'q', '2.1'));
  assert.deepEqual(violations([frozen, heir(2_000)], fates), []);
  finds(violations([frozen, heir(5)], fates), /linearizable/);
  const never = journal(1, ...facts);
  finds(violations([never, heir(2_000)], fates), /linearizable/);
});

test('a name of a killed process may go with the kill, and not before it', () => {
  const fates: Fate[] = [{ pid: 1, what: 'kill', at: 10 }];
  const killed = journal(1, ...registered([1, 2], 'p', '1.1'), ...asked([9, 0], { type: 'read' }));
  const heir = (at: number): Journal => journal(2, ...registered([at, at + 1], 'q', '2.1'));
  assert.deepEqual(violations([killed, heir(11)], fates), []);
  finds(violations([killed, heir(5)], fates), /linearizable/);
});

test('planted: tokens that fall, and one that is given twice', () => {
  const first = [...registered([1, 2], 'p', '1.2'), ended(3, 'p')];
  finds(violations([journal(1, ...first, ...registered([4, 5], 'q', '1.1'))]), /I2 tokens/);
  finds(violations([journal(1, ...first, ...registered([4, 5], 'q', '1.2'))]), /1\.2/);
});

test('planted: a call that is never answered, at a process that was not killed', () => {
  finds(violations([journal(1, ...asked([1, 0], { type: 'read' }))]), /no answer/);
});

test('planted: snapshots and calls that meet somebody who should not be there', () => {
  const snapshot = { fact: 'snapshot', at: 1, name: 'x', holder: 'p' } as const;
  finds(violations([journal(1, snapshot, ...registered([2, 3], 'p', '1.1'))]), /I7 snapshots/);
  const call = (at: number): Fact[] =>
    asked([at, at + 1], { type: 'call' }, { result: 'answered', holder: 'p' });
  finds(violations([journal(1, ...call(1))]), /not registered/);
  const facts = [...registered([1, 2], 'p', '1.1'), ended(3, 'p')];
  finds(violations([journal(1, ...facts, ...call(5))]), /had ended/);
  assert.deepEqual(violations([journal(1, ...facts, ...call(2.5))]), []);
});

test('planted: the witness has a write of an owner, which it still is, after one of a later owner', () => {
  const first = journal(1, ...registered([1, 2], 'p', '1.1'));
  const lines = witnessed('2 1 acquired 1.1', '3 2 acquired 1.2', '4 1 served 1.1');
  finds(violations([first], [], lines), /one-owner.*n1\.1 wrote to x with token 1\.1/);
});

test('sound: the last instant of a process that stood still, and one that ended when its session did', () => {
  const lines = witnessed('2 1 acquired 1.1', '500 2 acquired 1.2', '701 1 served 1.1');
  const owner = registered([1, 2], 'p', '1.1');
  const heir = journal(2, ...registered([400, 401], 'q', '1.2'));
  const stood = journal(1, ...owner, { fact: 'stall', at: 200, to: 700 }, ended(702, 'p', 'fenced'));
  const verdict = judge({ journals: [stood, heir], fates: [], witness: lines });
  assert.deepEqual([verdict.violations, verdict.lateWrites], [[], 1]);
  const lapsed = journal(1, ...owner, { fact: 'session', at: 100, to: 390 }, ended(410, 'p', 'fenced'));
  assert.deepEqual(violations([lapsed, heir]), []);
  const ran = journal(1, ...owner, { fact: 'session', at: 100, to: 405 }, ended(410, 'p', 'fenced'));
  assert.notDeepEqual(violations([ran, heir]), []);
});
