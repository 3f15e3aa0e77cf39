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

function only(found: readonly string[], pattern: RegExp): void {
  assert.equal(found.length, 1, JSON.stringify(found));
  assert.match(found[0] as string, pattern);
}

test('sound: one owner after the other', () => {
  const first = journal(1, ...registered([1, 2], 'p', '1.1'), ended(5, 'p'));
  const read = asked([3, 4], { type: 'read' }, { result: 'found', holder: 'p', token: '1.1' });
  assert.deepEqual(violations([first, journal(2, ...read, ...registered([6, 7], 'q', '1.2'))]), []);
});

test('planted: a name is granted while its owner lives', () => {
  const first = journal(1, ...registered([1, 2], 'p', '1.1'));
  only(violations([first, journal(2, ...registered([3, 4], 'q', '1.2'))]), /x: .*nothing explains/);
});

test('planted: a consistent read does not see an owner, or sees one that has been replaced', () => {
  const first = journal(1, ...registered([1, 2], 'p', '1.1'), ended(5, 'p'));
  const second = registered([6, 7], 'q', '1.2');
  const absent = asked([3, 4], { type: 'read' }, { result: 'absent' });
  only(violations([first, journal(2, ...absent, ...second)]), /nothing explains/);
  const stale = asked([8, 9], { type: 'read' }, { result: 'found', holder: 'p', token: '1.1' });
  only(violations([first, journal(2, ...second, ...stale)]), /nothing explains/);
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
  only(violations([frozen, heir(5)], fates), /nothing explains/);
  const never = journal(1, ...facts);
  only(violations([never, heir(2_000)], fates), /nothing explains/);
});

test('a name of a killed process may go with the kill, and not before it', () => {
  const fates: Fate[] = [{ pid: 1, what: 'kill', at: 10 }];
  const killed = journal(1, ...registered([1, 2], 'p', '1.1'), ...asked([9, 0], { type: 'read' }));
  const heir = (at: number): Journal => journal(2, ...registered([at, at + 1], 'q', '2.1'));
  assert.deepEqual(violations([killed, heir(11)], fates), []);
  only(violations([killed, heir(5)], fates), /nothing explains/);
});

test('planted: tokens that fall, that are given twice, that differ for who looks', () => {
  const first = [...registered([1, 2], 'p', '1.2'), ended(3, 'p')];
  only(violations([journal(1, ...first, ...registered([4, 5], 'q', '1.1'))]), /1\.1 was given after 1\.2/);
  const twice = violations([journal(1, ...first, ...registered([4, 5], 'q', '1.2'))]);
  assert.ok(
    twice.some((one) => /token 1\.2 is of x p and of x q/.test(one)),
    JSON.stringify(twice),
  );
  const read = asked([2, 3], { type: 'read' }, { result: 'found', holder: 'p', token: '1.3' });
  const other = [...registered([4, 5], 'q', '1.3')];
  const differ = violations([journal(1, ...first, ...read, ...other)]);
  only(differ, /token 1\.3 is of x p and of x q/);
});

test('planted: a call that is never answered, at a process that was not killed', () => {
  only(violations([journal(1, ...asked([1, 0], { type: 'read' }))]), /no answer/);
});

test('planted: snapshots and calls that meet somebody who should not be there', () => {
  const snapshot = { fact: 'snapshot', at: 1, name: 'x', holder: 'p' } as const;
  only(violations([journal(1, snapshot, ...registered([2, 3], 'p', '1.1'))]), /a snapshot shows/);
  const call = (at: number): Fact[] =>
    asked([at, at + 1], { type: 'call' }, { result: 'answered', holder: 'p' });
  only(violations([journal(1, ...call(1))]), /not registered/);
  const facts = [...registered([1, 2], 'p', '1.1'), ended(3, 'p')];
  only(violations([journal(1, ...facts, ...call(5))]), /had ended/);
  assert.deepEqual(violations([journal(1, ...facts, ...call(2.5))]), []);
});

test('planted: the witness sees a second owner, and a write of the first after it', () => {
  const lines = witnessed('1 1 acquired 1.1', '2 2 acquired 1.2', '3 1 served 1.1');
  const found = violations([journal(1), journal(2)], [], lines);
  assert.equal(found.length, 2, JSON.stringify(found));
  assert.ok(found.every((one) => one.startsWith('witness: ')));
});

test('who did not get the core is excused by its stall, for an instant, and counted', () => {
  const lines = witnessed('1 1 acquired 1.1', '500 2 acquired 1.2', '701 1 ended 1.1', '702 2 served 1.2');
  const stalled = journal(1, { fact: 'stall', at: 200, to: 700 });
  const verdict = judge({ journals: [stalled, journal(2)], fates: [], witness: lines });
  assert.deepEqual([verdict.violations, verdict.excused], [[], 1]);
  const before = journal(1, { fact: 'stall', at: 600, to: 700 });
  assert.equal(violations([before, journal(2)], [], lines).length, 1);
});
