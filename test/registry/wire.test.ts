// Messages between members as terms: each comes back as it was, and what is none is refused before it is believed.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DGenError } from '../../src/errors/error.ts';
import type { Entry, Message } from '../../src/registry/protocol/messages.ts';
import { decodeMessage, encodeMessage } from '../../src/registry/wire.ts';
import { atom, decodeTerm, encodeTerm, Pid, termKey, tuple } from '../../src/term/index.ts';

const pid = new Pid(atom('a@127.0.0.1'), 7, 0, 3);
const version = { epoch: 4, n: 9 };
const durations = {
  leaseMs: 600,
  sessionMs: 1_800,
  toleranceMs: 120_000,
  holdMs: 600_000,
  clockRateBound: 0.05,
};
const record = {
  epoch: 4,
  leader: 'a#1',
  renewals: 2,
  durations,
  contested: true,
  established: ['a#1', 'b#2'],
};

function entry(name: unknown, metadata?: unknown): Entry {
  return { key: termKey(name), name, pid, host: 'a#1', token: version, metadata };
}

const odd = tuple(atom('room'), new Map([[1, 'x']]), Uint8Array.of(255, 0));

const messages: readonly Message[] = [
  { type: 'follow', epoch: 4, durations },
  {
    type: 'ping',
    epoch: 4,
    ping: 1,
    serving: true,
    head: version,
    expect: 3,
    record,
    storeless: false,
    decidesMsLeft: 0,
  },
  { type: 'grant', epoch: 4, nonce: 8 },
  { type: 'adopt', epoch: 4, version, totals: [['a#1', 2, -5, 7]] },
  {
    type: 'stream',
    epoch: 4,
    previous: { epoch: 4, n: 5 },
    version: { epoch: 4, n: 9 },
    ops: [
      { type: 'put', entry: entry('x'), seq: 0 },
      { type: 'put', entry: { ...entry(odd, { index: { a: 1 } }), host: 'b#2' }, seq: 12 },
      { type: 'remove', key: termKey(odd), token: version },
      { type: 'dropHost', host: 'b#2' },
    ],
  },
  {
    type: 'answers',
    epoch: 4,
    answers: [
      { seq: 1, result: { type: 'taken', pid, token: version } },
      { seq: 2, result: { type: 'error', code: 'overloaded', why: 'full', maybeExecuted: false } },
      { seq: 3, result: { type: 'done' } },
    ],
  },
  { type: 'drop', epoch: 4, key: 0, token: version },
  { type: 'result', epoch: 4, id: 3, result: { type: 'found', pid, token: version, metadata: { a: 1 } } },
  { type: 'result', epoch: 4, id: 3, result: { type: 'absent' } },
  { type: 'hello', former: null },
  { type: 'promise', epoch: 4, free: false, version, count: 1, low: -1, high: 2 },
  { type: 'pong', epoch: 4, ping: 1, nonce: 2, answered: 3, reachesStore: true },
  {
    type: 'requests',
    epoch: 4,
    first: 1,
    answered: 1,
    requests: [
      { type: 'register', key: 'x', name: 'x', pid, metadata: undefined },
      // A name that is the number with which an unregistration begins.
      { type: 'register', key: 0, name: 0, pid, metadata: undefined },
      { type: 'register', key: termKey(odd), name: odd, pid, metadata: { data: [1] } },
      { type: 'remove', items: [{ key: 0, token: version }] },
      { type: 'unregister', key: 'x', upTo: null },
      { type: 'unregister', key: 'x', upTo: { epoch: 3, n: 9 } },
      { type: 'nothing' },
    ],
  },
  { type: 'pull', epoch: 4, id: 1, part: 0, scope: 'a#1', digests: [['a#1', [1, -2, 3]]] },
  {
    type: 'pulled',
    epoch: 4,
    id: 1,
    part: 0,
    last: true,
    version,
    differing: [['a#1', [0, 255]]],
    entries: [entry('x'), entry(odd, 1)],
  },
];

const sent = (term: unknown): unknown => decodeTerm(encodeTerm(term, { dialect: 'typescript' }));

describe('messages between members', () => {
  for (const message of messages) {
    test(`${message.type} comes back as it was`, () => {
      assert.deepEqual(decodeMessage(sent(encodeMessage(message))), message);
    });

    test(`${message.type} with any part of it replaced is refused, or still a message`, () => {
      for (const wrong of [null, -1, 1.5, 'x', [], [[]], {}, { type: 'done' }, atom('x')])
        for (const spoilt of spoil(encodeMessage(message), wrong)) checkHarmless(spoilt);
    });
  }

  test('what is no message at all is refused', () => {
    const none = [undefined, null, 1, 'ping', [], ['ping'], ['stream'], {}, { type: 'toString' }];
    for (const term of [...none, { type: '__proto__' }, { type: 'constructor' }, { type: 3 }])
      assert.throws(() => decodeMessage(term), isBadArgument);
  });
});

function isBadArgument(error: unknown): boolean {
  return error instanceof DGenError && error.code === 'badarg';
}

/** Every error has a code, and what is let through can be encoded again. */
function checkHarmless(term: unknown): void {
  let message: Message;
  try {
    message = decodeMessage(term);
  } catch (error) {
    assert.ok(error instanceof DGenError, String(error));
    return;
  }
  encodeMessage(message);
}

/** Copies of a term, each with one of its parts replaced. */
function* spoil(term: unknown, wrong: unknown): Generator<unknown> {
  yield wrong;
  if (Array.isArray(term)) {
    for (const [index, part] of term.entries())
      for (const spoilt of spoil(part, wrong)) yield term.with(index, spoilt);
  } else if (typeof term === 'object' && term !== null && Object.getPrototypeOf(term) === Object.prototype) {
    for (const [key, part] of Object.entries(term))
      for (const spoilt of spoil(part, wrong)) yield { ...term, [key]: spoilt };
  }
}
