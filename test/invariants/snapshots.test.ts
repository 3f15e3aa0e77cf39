// The judge of snapshot reads, on states made by hand: a leader's log, and what members show.
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { Snapshots } from '../../src/invariants/snapshots.ts';
import type { Entry, Op } from '../../src/registry/protocol/messages.ts';
import type { LeaderState, MemberState } from '../../src/registry/protocol/state.ts';
import type { Version } from '../../src/registry/protocol/version.ts';
import { atom } from '../../src/term/atom.ts';
import { Pid } from '../../src/term/pid.ts';

const v = (epoch: number, n: number): Version => ({ epoch, n });

function entry(host: string, token: Version, more: Partial<Entry> = {}): Entry {
  const pid = new Pid(atom(host), token.n, 0, 1);
  return { key: 'x', name: 'x', pid, host, token, metadata: null, ...more };
}

function member(self: string, version: Version, more: object = {}): MemberState {
  const state = { self, replica: { version, entries: new Map() }, leader: null, follow: { adopted: true } };
  const store = { view: { record: { established: ['c'] } } };
  return { ...state, store, ...more } as unknown as MemberState;
}

const p = entry('a', v(1, 1));
const q = entry('b', v(1, 3));
const log: readonly Op[] = [
  { type: 'put', entry: p, seq: 1 },
  { type: 'remove', key: 'x', token: p.token },
  { type: 'put', entry: q, seq: 1 },
  { type: 'dropHost', host: 'b' },
];

let broken: string[];
let snapshots: Snapshots;

/** The leader has decided this much. */
function decided(ops: readonly Op[], base = 0, epoch = 1): void {
  const leader = { epoch, n: base + ops.length, log: { base, ops } } as unknown as LeaderState;
  const state = member('l', v(epoch, leader.n));
  for (const op of ops) if (op.type === 'put') state.replica.entries.set(op.entry.key, op.entry);
  snapshots.led(state, leader);
}

beforeEach(() => {
  broken = [];
  snapshots = new Snapshots((check) => broken.push(check));
});

describe('what a member may show', () => {
  test('each state at its version, one after the other', () => {
    decided(log);
    snapshots.read(member('c', v(1, 0)), 'x', undefined);
    snapshots.read(member('c', v(1, 1)), 'x', p);
    snapshots.read(member('c', v(1, 2)), 'x', undefined);
    snapshots.read(member('c', v(1, 3)), 'x', q);
    snapshots.read(member('c', v(1, 4)), 'x', undefined);
    assert.deepEqual(broken, []);
  });

  test('once more what was gone, where it did not count when it showed that', () => {
    decided(log);
    snapshots.read(member('d', v(1, 2)), 'x', undefined);
    snapshots.read(member('d', v(1, 1)), 'x', p);
    snapshots.read(member('d', v(1, 2)), 'x', undefined);
    snapshots.read(member('d', v(1, 1)), 'x', p);
    assert.deepEqual(broken, []);
  });

  test('a host its own name before its replica has the version, and after another was removed in an epoch before', () => {
    decided(log);
    snapshots.read(member('b', v(1, 2)), 'x', q);
    snapshots.read(member('c', v(2, 0)), 'x', q);
    assert.deepEqual(broken, []);
  });

  test('anything of a leader that has not taken over', () => {
    decided(log);
    snapshots.read(member('c', v(0, 0), { leader: { complete: false } }), 'x', p);
    assert.deepEqual(broken, []);
  });

  test('what was granted in a step that cut the log', () => {
    decided([], 0);
    decided([{ type: 'put', entry: q, seq: 1 }], 2);
    snapshots.read(member('c', v(1, 3)), 'x', q);
    assert.deepEqual(broken, []);
  });
});

describe('what it may not', () => {
  const cases: Readonly<Record<string, readonly [check: string, at: Version, shown: Entry]>> = {
    'what nobody granted': ['granted', v(1, 9), entry('a', v(1, 7))],
    'a grant of another name': ['granted', v(1, 1), { ...p, key: 'y' }],
    'a grant of another process': ['granted', v(1, 1), { ...p, pid: q.pid }],
    'a grant of another host': ['granted', v(1, 1), { ...p, host: 'b' }],
    'what was granted later': ['of-its-version', v(1, 2), q],
    'what was removed': ['of-its-version', v(1, 2), p],
    'what was dropped with its host': ['of-its-version', v(1, 4), q],
  };
  for (const [what, [check, at, shown]] of Object.entries(cases))
    test(what, () => {
      decided(log);
      snapshots.read(member('c', at), 'x', shown);
      assert.deepEqual(broken, [check]);
    });

  test('what it has shown as gone', () => {
    decided(log.slice(0, 1));
    snapshots.read(member('c', v(1, 1)), 'x', p);
    snapshots.read(member('c', v(1, 1)), 'x', undefined);
    snapshots.read(member('c', v(1, 1)), 'x', p);
    assert.deepEqual(broken, ['no-return']);
  });

  test('what it has shown as replaced', () => {
    decided(log);
    snapshots.read(member('c', v(1, 3)), 'x', q);
    snapshots.read(member('c', v(1, 1)), 'x', p);
    assert.deepEqual(broken, ['no-return']);
  });

  test('a token that was given twice, whoever was told', () => {
    const state = member('l', v(1, 2));
    state.replica.entries.set('x', p).set('y', { ...q, key: 'y', token: p.token });
    const leader = { epoch: 1, n: 2, log: { base: 2, ops: [] } } as unknown as LeaderState;
    snapshots.led(state, leader);
    assert.deepEqual(broken, ['tokens']);
  });
});
