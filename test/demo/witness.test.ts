// The checker of the demo finds what it is there for: witnesses made by hand, each with one fault, and sound ones in
// which something looks like a fault. And the file itself: order, guard, damage.
import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { check, lastInstantMaxUs } from '../../demo/checker.ts';
import {
  Chronicle,
  decodeRecord,
  encodeRecord,
  Witness,
  type WitnessEvent,
  WitnessReader,
  type WitnessRecord,
} from '../../demo/witness.ts';

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dgen-witness-'));
  path = join(directory, 'witness');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** `time process event [token]`, for the one name `x`; a process is the number of its node. */
function story(...lines: string[]): WitnessRecord[] {
  return lines.map((line, index) => {
    const [ms = '', pid = '', event = '', token = '0.0'] = line.split(' ');
    const [epoch = 0, n = 0] = token.split('.').map(Number);
    const whole = { atUs: Number(ms) * 1_000, pid: Number(pid), node: `n${pid}`, seq: index + 1 };
    return { ...whole, token: { epoch, n }, event: event as WitnessEvent, name: 'x' };
  });
}

function verdict(...lines: string[]) {
  const { doubleOwners, tokenRegressions, unownedActs, refusedAfterThaw, faults } = check(story(...lines));
  return { doubleOwners, tokenRegressions, unownedActs, refusedAfterThaw, faults: faults.length };
}

const sound = { doubleOwners: 0, tokenRegressions: 0, unownedActs: 0, refusedAfterThaw: 0, faults: 0 };

test('sound: one owner after the other', () => {
  assert.deepEqual(
    verdict('1 1 acquired 1.1', '2 1 served 1.1', '3 1 ended 1.1', '4 2 acquired 1.2', '5 2 served 1.2'),
    sound,
  );
});

test('sound: the owner was killed, and said nothing after its heir', () => {
  assert.deepEqual(
    verdict('1 1 acquired 1.1', '2 1 killing', '3 1 served 1.1', '4 2 acquired 2.1', '5 2 served 2.1'),
    sound,
  );
});

test('sound: the owner was frozen, replaced, thawed, and ended at once', () => {
  assert.deepEqual(
    verdict(
      '1 1 acquired 1.1',
      '2 1 frozen',
      '6 2 acquired 2.1',
      '8 1 thawing',
      '9 1 ended 1.1',
      '9 2 served 2.1',
    ),
    sound,
  );
});

test('sound: frozen and thawed in time, and nobody noticed', () => {
  assert.deepEqual(
    verdict('1 1 acquired 1.1', '2 1 frozen', '3 1 thawing', '9000 1 served 1.1', '9001 1 ended 1.1'),
    sound,
  );
});

test('planted: two owners at a time', () => {
  assert.deepEqual(verdict('1 1 acquired 1.1', '2 2 acquired 1.2', '3 2 served 1.2'), {
    ...sound,
    doubleOwners: 1,
    faults: 1,
  });
});

test('planted: the former owner still serves', () => {
  assert.deepEqual(verdict('1 1 acquired 1.1', '2 2 acquired 1.2', '3 1 served 1.1'), {
    ...sound,
    doubleOwners: 1,
    tokenRegressions: 1,
    faults: 2,
  });
});

test('planted: an owner taken for dead was not killed by anybody', () => {
  assert.equal(verdict('1 1 acquired 1.1', '2 2 acquired 2.1').doubleOwners, 1);
});

test('planted: a killed process goes on', () => {
  assert.deepEqual(verdict('1 1 acquired 1.1', '2 1 killing', '3 2 acquired 2.1', '4 1 served 1.1'), {
    ...sound,
    tokenRegressions: 1,
    faults: 1,
  });
});

test('planted: the later owner has the smaller, or the same, token', () => {
  for (const token of ['1.1', '1.2']) {
    const found = verdict('1 1 acquired 1.2', '2 1 ended 1.2', `3 2 acquired ${token}`);
    assert.deepEqual(found, { ...sound, tokenRegressions: 1, faults: 1 });
  }
});

test('planted: a server serves after its end, or before it has the name', () => {
  const unowned = { ...sound, unownedActs: 1, faults: 1 };
  assert.deepEqual(verdict('1 1 acquired 1.1', '2 1 ended 1.1', '3 1 served 1.1'), unowned);
  assert.deepEqual(verdict('1 1 served 1.1'), unowned);
});

test('a thawed owner that had been replaced: refused in its last instant, a fault after it', () => {
  const before = ['1 1 acquired 1.1', '2 1 frozen', '6 2 acquired 2.1', '10 1 thawing'];
  assert.deepEqual(verdict(...before, '11 1 served 1.1', '12 1 ended 1.1'), {
    ...sound,
    refusedAfterThaw: 1,
  });
  const late = 10 + lastInstantMaxUs / 1_000 + 1;
  assert.deepEqual(verdict(...before, `${late} 1 served 1.1`, `${late} 1 ended 1.1`), {
    ...sound,
    tokenRegressions: 1,
    doubleOwners: 1,
    faults: 2,
  });
  assert.deepEqual(verdict(...before), { ...sound, doubleOwners: 1, faults: 1 });
  assert.equal(
    verdict('1 1 acquired 1.1', '2 1 frozen', '6 2 acquired 2.1', '7 1 served 1.1').tokenRegressions,
    1,
  );
});

test('a name that is given away in the last instant of its thawed owner', () => {
  const lines = ['1 1 acquired 1.1', '2 1 frozen', '6 1 thawing', '7 2 acquired 2.1', '8 1 ended 1.1'];
  assert.deepEqual(verdict(...lines), sound);
});

test('lines are of one length and come back as they went', () => {
  const [record] = story('123456789 77 served 12.345678');
  assert.ok(record);
  const line = encodeRecord(record);
  assert.equal(line.length, 128);
  assert.deepEqual(decodeRecord(line.slice(0, -1)), record);
  assert.equal(decodeRecord(line.replace('served', 'stolen').slice(0, -1)), undefined);
  assert.throws(() => encodeRecord({ ...record, name: 'x'.repeat(60) }), /does not fit/);
});

test('the guard: a line counts unless a larger token of its name came before it', () => {
  const older = new Witness(path, 'n1');
  const newer = new Witness(path, 'n2');
  const chronicle = new Chronicle(path);
  try {
    assert.equal(older.append('acquired', 'x', { epoch: 1, n: 1 }), true);
    assert.equal(older.append('served', 'x', { epoch: 1, n: 1 }), true);
    chronicle.note('frozen', { node: 'n1', pid: 1 });
    assert.equal(newer.append('acquired', 'x', { epoch: 2, n: 1 }), true);
    assert.equal(older.append('served', 'x', { epoch: 1, n: 1 }), false);
    assert.equal(older.append('served', 'y', { epoch: 1, n: 2 }), true);
    assert.equal(newer.append('served', 'x', { epoch: 2, n: 1 }), true);
    const events: string[] = [];
    const reader = new WitnessReader(path);
    reader.read(({ event, name }) => events.push(`${event} ${name}`));
    reader.read(() => events.push('nothing new'));
    reader.close();
    assert.deepEqual(events, [
      'acquired x',
      'served x',
      'frozen -',
      'acquired x',
      'served x',
      'served y',
      'served x',
    ]);
  } finally {
    for (const one of [older, newer, chronicle]) one.close();
  }
});

test('a damaged witness proves nothing', () => {
  writeFileSync(path, encodeRecord(story('1 1 acquired 1.1')[0]!));
  appendFileSync(path, `${'?'.repeat(127)}\n`);
  const reader = new WitnessReader(path);
  assert.throws(() => reader.read(() => undefined), /damaged/);
  reader.close();
});
