// Private frames: what is written is what is read, in the layout of compact.ts; whatever else comes is a coded error, and
// nothing of it is handed over.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { NodeIdentity } from '../../src/distribution/protocol/compact.ts';
import {
  CompactDecoder,
  type CompactReceiver,
  isCompact,
} from '../../src/distribution/protocol/compact-decode.ts';
import { CompactEncoder } from '../../src/distribution/protocol/compact-encode.ts';
import { EncodedPayload } from '../../src/distribution/protocol/control-encode.ts';
import { hasCode } from '../../src/errors/error.ts';
import { type Atom, atom, encodeTerm, Pid, TermWriter, tuple } from '../../src/term/index.ts';

const here: NodeIdentity<Atom> = { name: atom('here@h'), creation: 3 };
const there: NodeIdentity<Atom> = { name: atom('there@h'), creation: 4 };
const from = new Pid(here.name, 300, 1, here.creation);
const to = new Pid(there.name, 5, 0, there.creation);
const request = { op: 'get', id: 42 };

type Write = (encoder: CompactEncoder) => number;
type Heard = readonly unknown[];

function encode(write: Write): Uint8Array {
  const writer = new TermWriter();
  const size = write(new CompactEncoder(writer, here, there));
  const bytes = Uint8Array.from(Buffer.concat(writer.take()));
  assert.equal(bytes.length, size, 'the size is what was written');
  return bytes.subarray(4);
}

/** Decodes at the other end. */
function decode(frame: Uint8Array): Heard[] {
  const heard: Heard[] = [];
  const note =
    (kind: string) =>
    (...values: unknown[]): void =>
      void heard.push([kind, ...values]);
  const receiver: CompactReceiver = {
    onCall: note('call'),
    onAnswer: note('answer'),
    onCalleeGone: note('gone'),
    onGivenUp: note('given up'),
    onSend: note('send'),
    onSendNamed: note('named'),
  };
  new CompactDecoder({ self: there, peer: here, receiver }).read(frame, 0, frame.length);
  return heard;
}

const frames: readonly (readonly [Write, Heard, string])[] = [
  [
    (encoder) => encoder.call(from, to, { number: 7, request: 1 }),
    ['call', 7, from, to, 1],
    'c1 07 ac02 01 00 05 00 6101',
  ],
  [
    (encoder) => encoder.call(from, { name: atom('srv'), node: there.name }, { number: 128, request: 1 }),
    ['call', 128, from, atom('srv'), 1],
    'c1 8001 ac02 01 01 7703737276 6101',
  ],
  [
    (encoder) => encoder.call(from, new Pid(there.name, 5, 0, 2), { number: 1, request: 1 }),
    ['call', 1, from, new Pid(there.name, 5, 0, 2), 1],
    'c1 01 ac02 01 02 05 00 02 6101',
  ],
  [
    (encoder) => encoder.answer(2 ** 53 - 1, 'ok'),
    ['answer', 2 ** 53 - 1, 'ok'],
    'c2 ffffffffffffff0f 6d000000026f6b',
  ],
  [(encoder) => encoder.calleeGone(7, atom('noproc')), ['gone', 7, atom('noproc')], 'c3 07 77066e6f70726f63'],
  [(encoder) => encoder.givenUp(7), ['given up', 7], 'c4 07'],
  [
    (encoder) => encoder.send({ kind: 'send', from, to, message: 1 }),
    ['send', from, to, 1],
    'c5 ac02 01 05 00 6101',
  ],
  [
    (encoder) => encoder.send({ kind: 'send_named', from, name: atom('srv'), message: 1 }),
    ['named', from, atom('srv'), 1],
    'c6 ac02 01 7703737276 6101',
  ],
];

test('each frame has its layout and comes back as what it was', () => {
  for (const [write, heard, hex] of frames) {
    const frame = encode(write);
    assert.equal(Buffer.from(frame).toString('hex'), hex.replaceAll(' ', ''));
    assert.deepEqual(decode(frame), [heard]);
    assert.ok(isCompact(frame[0]));
  }
  for (const byte of [undefined, 0, 112, 131, 192, 199]) assert.ok(!isCompact(byte));
});

test('numbers, pids, names and payloads of any size survive', () => {
  const uint32 = fc.nat({ max: 2 ** 32 - 1 });
  const pidOf = ({ name, creation }: NodeIdentity<Atom>): fc.Arbitrary<Pid> =>
    fc.tuple(fc.nat({ max: 2 ** 28 - 1 }), uint32).map(([id, serial]) => new Pid(name, id, serial, creation));
  const otherCreation = fc
    .tuple(uint32, uint32, uint32)
    .map(([id, serial, creation]) => new Pid(there.name, id, serial, creation));
  const name = fc.string({ maxLength: 60 }).map((text) => atom(text));
  const payload = fc.oneof(
    fc.integer(),
    fc.string(),
    fc.uint8Array(),
    fc.array(fc.string()),
    fc.constant(request),
  );
  const number = fc.nat({ max: 2 ** 53 - 1 });
  const callee = fc.oneof(pidOf(there), otherCreation, name);
  fc.assert(
    fc.property(fc.tuple(number, pidOf(here), callee, payload), ([number, caller, callee, payload]) => {
      const target = callee instanceof Pid ? callee : { name: callee, node: there.name };
      const call = encode((encoder) => encoder.call(caller, target, { number, request: payload }));
      assert.deepEqual(decode(call), [['call', number, caller, callee, payload]]);
      assert.deepEqual(decode(encode((encoder) => encoder.answer(number, payload))), [
        ['answer', number, payload],
      ]);
      if (callee instanceof Pid) return;
      const send = { kind: 'send_named', from: caller, name: callee, message: payload } as const;
      assert.deepEqual(decode(encode((encoder) => encoder.send(send))), [['named', caller, callee, payload]]);
    }),
  );
});

test('a frame that ends early, or goes on, is refused and hands nothing over', () => {
  for (const [write] of frames) {
    const frame = encode(write);
    for (let end = 1; end < frame.length; end++) assertRefused(frame.subarray(0, end));
    assertRefused(Uint8Array.of(...frame, 0));
  }
});

test('whatever bytes come, there is a signal or a coded error', () => {
  const original = fc.constantFrom(...frames).map(([write]) => encode(write));
  const change = fc.tuple(fc.nat(), fc.nat({ max: 255 }));
  let refused = 0;
  let heard = 0;
  const take = (frame: Uint8Array): void => {
    try {
      heard += decode(frame).length;
    } catch (error) {
      assert.ok(hasCode(error, 'bad_peer') || hasCode(error, 'bad_term'), String(error));
      refused += 1;
    }
  };
  fc.assert(
    fc.property(original, fc.array(change, { minLength: 1, maxLength: 4 }), (frame, changes) => {
      const bytes = Uint8Array.from(frame);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      take(bytes);
    }),
    { numRuns: 2000 },
  );
  fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (bytes) => take(bytes)));
  assert.ok(refused > 100 && heard > 100, `${refused} refused, ${heard} heard`);
});

test('numbers beyond 2^53, pids beyond 32 bits and unknown kinds of callee are refused', () => {
  for (const hex of [
    'c4ffffffffffffff1f',
    'c4ffffffffffffffff01',
    'c101808080801000000500 6101',
    'c1018080808010 00 00 05 00 6101',
    'c10101010305006101',
  ]) {
    assertRefused(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
  }
});

test('what cannot be encoded throws before a byte is there, and the writer goes on', () => {
  const writer = new TermWriter({ bytesMax: 1000 });
  const encoder = new CompactEncoder(writer, here, there);
  const nonsense = () => 1;
  for (const payload of [nonsense, { deep: [nonsense] }, 'x'.repeat(2000)]) {
    const code = typeof payload === 'string' ? 'term_too_large' : 'not_encodable';
    assert.throws(() => encoder.call(from, to, { number: 1, request: payload }), { code });
    assert.throws(() => encoder.answer(1, payload), { code });
    assert.throws(() => encoder.calleeGone(1, payload), { code });
    assert.throws(() => encoder.send({ kind: 'send', from, to, message: payload }), { code });
  }
  assert.equal(writer.bytesPending, 0);
  assert.equal(encoder.givenUp(1), 6);
});

test('a getter of a request that sends something itself does not harm the frame that is being written', () => {
  const writer = new TermWriter();
  const encoder = new CompactEncoder(writer, here, there);
  const sly = {
    get field(): number {
      assert.throws(() => encoder.answer(1, 'inner'), { code: 'badarg' });
      assert.throws(() => encoder.givenUp(1), { code: 'badarg' });
      return 5;
    },
  };
  encoder.answer(9, sly);
  const [bytes] = writer.take();
  assert.ok(bytes !== undefined);
  assert.deepEqual(decode(bytes.subarray(4)), [['answer', 9, { field: 5 }]]);
});

test('sends that have no private form are left to the other one', () => {
  const writer = new TermWriter();
  const encoder = new CompactEncoder(writer, here, there);
  const earlier = new Pid(there.name, 5, 0, 3);
  const stranger = new Pid(atom('third@h'), 1, 0, here.creation);
  for (const control of [
    { kind: 'send', from: undefined, to, message: 1 },
    { kind: 'send', from, to: earlier, message: 1 },
    { kind: 'send', from: stranger, to, message: 1 },
    { kind: 'send_named', from: stranger, name: atom('srv'), message: 1 },
  ] as const) {
    assert.equal(encoder.send(control), 0);
  }
  assert.equal(writer.bytesPending, 0);
});

test('a payload that was encoded while the node was dialled is copied', () => {
  const message = new EncodedPayload(encodeTerm(tuple(1, 'two')).subarray(1));
  const frame = encode((encoder) => encoder.send({ kind: 'send', from, to, message }));
  assert.deepEqual(decode(frame), [['send', from, to, tuple(1, 'two')]]);
});

function assertRefused(frame: Uint8Array): void {
  assert.throws(
    () => decode(frame),
    (error) => hasCode(error, 'bad_peer') || hasCode(error, 'bad_term'),
    Buffer.from(frame).toString('hex'),
  );
}
