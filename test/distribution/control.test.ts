// Signals to bytes and back: the layouts of the protocol, all forms of each signal, and whatever a peer may send instead.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { IncomingControl, OutgoingControl } from '../../src/distribution/protocol/control.ts';
import { ControlDecoder } from '../../src/distribution/protocol/control-decode.ts';
import { ControlEncoder, EncodedPayload } from '../../src/distribution/protocol/control-encode.ts';
import type { Capabilities } from '../../src/distribution/protocol/flags.ts';
import { DGenError, hasCode } from '../../src/errors/error.ts';
import { atom, encodeTerm, Pid, Ref, TermWriter, tuple } from '../../src/term/index.ts';

const modern: Capabilities = {
  sendSender: true,
  exitPayload: true,
  unlinkId: true,
  distributionHeader: false,
};
const old: Capabilities = {
  sendSender: false,
  exitPayload: false,
  unlinkId: false,
  distributionHeader: false,
};
const headed: Capabilities = { ...modern, distributionHeader: true };

const a = new Pid(atom('a@h'), 1, 2, 3);
const b = new Pid(atom('b@h'), 4, 5, 6);
const ref = new Ref(atom('a@h'), 3, [7, 8, 9]);

const aHex = '58770361406800000001 0000000200000003';
const bHex = '58770362406800000004 0000000500000006';
const refHex = '5a0003 7703614068 00000003 00000007 00000008 00000009';
const clean = (hex: string): string => hex.replaceAll(' ', '');

function encode(control: OutgoingControl, can: Capabilities): Uint8Array {
  const writer = new TermWriter();
  new ControlEncoder(writer, can).write(control);
  return Uint8Array.from(Buffer.concat(writer.take()));
}

function decode(frame: Uint8Array, can: Capabilities, bytesMax = 1000): IncomingControl | undefined {
  return new ControlDecoder({ can, bytesMax }).read(frame, 0, frame.length);
}

function hexOf(control: OutgoingControl, can: Capabilities): string {
  return Buffer.from(encode(control, can).subarray(4)).toString('hex');
}

const signals: OutgoingControl[] = [
  { kind: 'send', from: a, to: b, message: 'hi' },
  { kind: 'send_named', from: a, name: atom('srv'), message: tuple(atom('ok'), 1) },
  { kind: 'send_alias', from: a, alias: ref, message: [1, 2] },
  { kind: 'link', from: a, to: b },
  { kind: 'unlink', from: a, to: b, id: 77 },
  { kind: 'unlink_ack', from: a, to: b, id: 2 ** 40 },
  { kind: 'exit', from: a, to: b, reason: atom('normal') },
  { kind: 'exit2', from: a, to: b, reason: { why: 'x' } },
  { kind: 'monitor', from: a, to: b, ref },
  { kind: 'monitor', from: a, to: atom('srv'), ref },
  { kind: 'demonitor', from: a, to: atom('srv'), ref },
  { kind: 'down', from: b, to: a, ref, reason: atom('noproc') },
  { kind: 'down', from: atom('srv'), to: a, ref, reason: undefined },
];

test('the bytes are those of the protocol, towards peers with and without the newer flags', () => {
  const send = signals[0]!;
  assert.equal(hexOf(send, modern), clean(`70 83 6803 6116 ${aHex} ${bHex} 83 6d00000002 6869`));
  assert.equal(hexOf(send, old), clean(`70 83 6803 6102 7700 ${bHex} 83 6d00000002 6869`));
  assert.equal(hexOf(send, headed), clean(`83 44 00 6803 6116 ${aHex} ${bHex} 6d00000002 6869`));
  const named: OutgoingControl = { kind: 'send_named', from: a, name: atom('s'), message: 1 };
  assert.equal(hexOf(named, modern), clean(`70 83 6804 6106 ${aHex} 7700 770173 83 6101`));
  const alias: OutgoingControl = { kind: 'send_alias', from: a, alias: ref, message: 1 };
  assert.equal(hexOf(alias, modern), clean(`70 83 6803 6121 ${aHex} ${refHex} 83 6101`));
  const unlink: OutgoingControl = { kind: 'unlink', from: a, to: b, id: 77 };
  assert.equal(hexOf(unlink, modern), clean(`70 83 6804 6123 614d ${aHex} ${bHex}`));
  assert.equal(hexOf(unlink, old), clean(`70 83 6803 6104 ${aHex} ${bHex}`));
  const exit: OutgoingControl = { kind: 'exit', from: a, to: b, reason: 1 };
  assert.equal(hexOf(exit, modern), clean(`70 83 6803 6118 ${aHex} ${bHex} 83 6101`));
  assert.equal(hexOf(exit, old), clean(`70 83 6804 6103 ${aHex} ${bHex} 6101`));
  const down: OutgoingControl = { kind: 'down', from: b, to: a, ref, reason: 1 };
  assert.equal(hexOf(down, modern), clean(`70 83 6804 611c ${bHex} ${aHex} ${refHex} 83 6101`));
  assert.equal(hexOf(down, old), clean(`70 83 6805 6115 ${bHex} ${aHex} ${refHex} 6101`));
  const monitor: OutgoingControl = { kind: 'monitor', from: a, to: b, ref };
  assert.equal(hexOf(monitor, modern), clean(`70 83 6804 6113 ${aHex} ${bHex} ${refHex}`));
  const reply: OutgoingControl = { kind: 'spawn_reply', request: ref, to: a, result: atom('notsup') };
  assert.equal(hexOf(reply, modern), clean(`70 83 6805 611f ${refHex} ${aHex} 6100 7706${hex('notsup')}`));
});

test('every signal comes back as it was, in the newer forms and behind a distribution header', () => {
  for (const can of [modern, headed]) {
    for (const signal of signals) assert.deepEqual(decode(encode(signal, can).subarray(4), can), signal);
  }
});

test('the older forms mean the same, but for the sender and the number of an unlink', () => {
  for (const signal of signals) {
    if (signal.kind === 'unlink_ack') continue;
    const expected =
      signal.kind === 'send'
        ? { ...signal, from: undefined }
        : signal.kind === 'unlink'
          ? { ...signal, id: 0 }
          : signal;
    assert.deepEqual(decode(encode(signal, old).subarray(4), old), expected);
  }
});

test('a payload that was encoded before gives the same bytes', () => {
  for (const can of [modern, old, headed]) {
    const plain = encode({ kind: 'exit', from: a, to: b, reason: { deep: [1] } }, can);
    const reason = new EncodedPayload(encodeTerm({ deep: [1] }).subarray(1));
    assert.deepEqual(encode({ kind: 'exit', from: a, to: b, reason }, can), plain);
  }
});

function frame(control: unknown, payload?: unknown): Uint8Array {
  const parts = [Uint8Array.of(112), encodeTerm(control)];
  if (payload !== undefined) parts.push(encodeTerm(payload));
  return Uint8Array.from(Buffer.concat(parts));
}

test('traced forms mean what the plain ones mean', () => {
  const token = tuple(1, 2, 3, a, 4);
  const none = atom('');
  const cases: [Uint8Array, IncomingControl][] = [
    [frame(tuple(12, none, b, token), 'm'), { kind: 'send', from: undefined, to: b, message: 'm' }],
    [frame(tuple(23, a, b, token), 'm'), { kind: 'send', from: a, to: b, message: 'm' }],
    [
      frame(tuple(16, a, none, atom('s'), token), 'm'),
      { kind: 'send_named', from: a, name: atom('s'), message: 'm' },
    ],
    [frame(tuple(34, a, ref, token), 'm'), { kind: 'send_alias', from: a, alias: ref, message: 'm' }],
    [frame(tuple(13, a, b, token, 'r')), { kind: 'exit', from: a, to: b, reason: 'r' }],
    [frame(tuple(18, a, b, token, 'r')), { kind: 'exit2', from: a, to: b, reason: 'r' }],
    [frame(tuple(25, a, b, token), 'r'), { kind: 'exit', from: a, to: b, reason: 'r' }],
    [frame(tuple(27, a, b, token), 'r'), { kind: 'exit2', from: a, to: b, reason: 'r' }],
    [frame(tuple(30, ref, a, b, tuple(1), [], token), []), { kind: 'spawn_request', request: ref, from: a }],
  ];
  for (const [bytes, expected] of cases) assert.deepEqual(decode(bytes, modern), expected);
});

test('spawn requests are told apart; group leaders and spawn replies are ignored', () => {
  const mfa = tuple(atom('m'), atom('f'), 0);
  const request = frame(tuple(29, ref, a, b, mfa, []), []);
  assert.deepEqual(decode(request, modern), { kind: 'spawn_request', request: ref, from: a });
  assert.deepEqual(decode(frame(tuple(7, a, b)), modern), { kind: 'ignored' });
  assert.deepEqual(decode(frame(tuple(31, ref, a, 0, b)), modern), { kind: 'ignored' });
});

test('what is no signal is bad_peer or bad_term', () => {
  const broken: Uint8Array[] = [
    Uint8Array.of(113),
    Uint8Array.of(112),
    Uint8Array.of(112, 130),
    Uint8Array.of(131, 68, 0),
    frame(5),
    frame(tuple()),
    frame(tuple(99, a, b)),
    frame(tuple(2, atom(''))),
    frame(tuple(22, a, b)),
    frame(tuple(22, a, 5), 'm'),
    frame(tuple(3, a, b)),
    frame(tuple(35, 0, a, b)),
    frame(tuple(35, 2n ** 60n, a, b)),
    frame(tuple(1, a, b), 'more'),
  ];
  for (const bytes of broken) {
    assert.throws(
      () => decode(bytes, modern),
      (error) => hasCode(error, 'bad_peer') || hasCode(error, 'bad_term'),
      Buffer.from(bytes).toString('hex'),
    );
  }
});

test('every truncation of every signal is refused with a code', () => {
  for (const can of [modern, old, headed]) {
    for (const signal of signals) {
      const bytes = encode(signal, can).subarray(4);
      for (let length = 0; length < bytes.length; length++) {
        assert.throws(() => decode(bytes.subarray(0, length), can), DGenError);
      }
    }
  }
});

test('mutated frames and random bytes give signals or coded errors, nothing else', () => {
  const mutation = fc.record({
    signal: fc.constantFrom(...signals),
    at: fc.nat(200),
    value: fc.nat(255),
    can: fc.constantFrom(modern, old, headed),
  });
  fc.assert(
    fc.property(mutation, fc.uint8Array({ maxLength: 60 }), ({ signal, at, value, can }, noise) => {
      const bytes = encode(signal, can).slice(4);
      bytes[at % bytes.length] = value;
      for (const input of [bytes, Uint8Array.of(112, 131, ...noise), Uint8Array.of(131, 68, 0, ...noise)]) {
        try {
          decode(input, can);
        } catch (error) {
          assert.ok(error instanceof DGenError, String(error));
        }
      }
    }),
    { numRuns: 2000 },
  );
});

test('a value that cannot travel throws and leaves nothing behind', () => {
  const writer = new TermWriter({ bytesMax: 200 });
  const encoder = new ControlEncoder(writer, modern);
  const send = (message: unknown): number => encoder.write({ kind: 'send', from: a, to: b, message });
  assert.throws(
    () => send(() => 0),
    (error) => hasCode(error, 'not_encodable'),
  );
  assert.throws(
    () => send('x'.repeat(300)),
    (error) => hasCode(error, 'term_too_large'),
  );
  const large = new EncodedPayload(new Uint8Array(100_000));
  assert.throws(
    () => send(large),
    (error) => hasCode(error, 'term_too_large'),
  );
  assert.equal(writer.bytesPending, 0);
  const size = send('ok');
  assert.equal(writer.bytesPending, size);
});

test('a getter that sends while its message is being written gets an error and harms nothing', () => {
  const writer = new TermWriter();
  const encoder = new ControlEncoder(writer, modern);
  const seen: unknown[] = [];
  const message = {
    get trap(): string {
      try {
        encoder.write({ kind: 'link', from: a, to: b });
      } catch (error) {
        seen.push(error);
      }
      return 'value';
    },
  };
  encoder.write({ kind: 'send', from: a, to: b, message });
  assert.ok(hasCode(seen[0], 'badarg'));
  const [bytes] = writer.take();
  assert.deepEqual(decode(bytes!.subarray(4), modern), {
    kind: 'send',
    from: a,
    to: b,
    message: { trap: 'value' },
  });
});

function fragment(options: {
  kind: number;
  sequence: number;
  remaining: number;
  data: Uint8Array;
}): Uint8Array {
  const head = new Uint8Array(18);
  head.set([131, options.kind]);
  const view = new DataView(head.buffer);
  view.setBigUint64(2, BigInt(options.sequence));
  view.setBigUint64(10, BigInt(options.remaining));
  return Uint8Array.of(...head, ...options.data);
}

test('fragments of interleaved messages are put together', () => {
  const decoder = new ControlDecoder({ can: headed, bytesMax: 1000 });
  const read = (bytes: Uint8Array): IncomingControl | undefined => decoder.read(bytes, 0, bytes.length);
  const one = encode({ kind: 'send', from: a, to: b, message: 'one' }, headed).subarray(6);
  const two = encode({ kind: 'send', from: a, to: b, message: 'two' }, headed).subarray(6);
  assert.equal(read(fragment({ kind: 69, sequence: 1, remaining: 3, data: one.subarray(0, 20) })), undefined);
  assert.equal(read(fragment({ kind: 69, sequence: 2, remaining: 2, data: two.subarray(0, 5) })), undefined);
  assert.equal(
    read(fragment({ kind: 70, sequence: 1, remaining: 2, data: one.subarray(20, 30) })),
    undefined,
  );
  const last = read(fragment({ kind: 70, sequence: 2, remaining: 1, data: two.subarray(5) }));
  assert.deepEqual(last, { kind: 'send', from: a, to: b, message: 'two' });
  const other = read(fragment({ kind: 70, sequence: 1, remaining: 1, data: one.subarray(30) }));
  assert.deepEqual(other, { kind: 'send', from: a, to: b, message: 'one' });
});

test('fragments out of order, begun twice, or beyond the limits are refused', () => {
  const start = (): ((kind: number, sequence: number, remaining: number, size?: number) => void) => {
    const decoder = new ControlDecoder({ can: headed, bytesMax: 100 });
    // biome-ignore lint/complexity/useMaxParams: a table of cases reads better so
    return (kind, sequence, remaining, size = 1) => {
      const bytes = fragment({ kind, sequence, remaining, data: new Uint8Array(size) });
      decoder.read(bytes, 0, bytes.length);
    };
  };
  const badPeer = (error: unknown): boolean => hasCode(error, 'bad_peer');
  const tooLarge = (error: unknown): boolean => hasCode(error, 'frame_too_large');
  assert.throws(() => start()(70, 1, 1), badPeer);
  assert.throws(() => start()(69, 1, 0), badPeer);
  const skipping = start();
  skipping(69, 1, 3);
  assert.throws(() => skipping(70, 1, 1), badPeer);
  const twice = start();
  twice(69, 1, 3);
  assert.throws(() => twice(69, 1, 3), badPeer);
  const many = start();
  many(69, 1, 3, 60);
  assert.throws(() => many(69, 2, 3, 60), tooLarge);
  const beginnings = start();
  for (let sequence = 0; sequence < 256; sequence++) beginnings(69, sequence, 2, 0);
  assert.throws(() => beginnings(69, 256, 2, 0), tooLarge);
});

function hex(text: string): string {
  return Buffer.from(text).toString('hex');
}
