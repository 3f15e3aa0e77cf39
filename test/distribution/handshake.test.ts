// Both roles of the handshake against each other and against recorded bytes, in arbitrary portions.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { capabilitiesOf, ownFlags } from '../../src/distribution/protocol/flags.ts';
import {
  Acceptor,
  Dialler,
  type Handshake,
  type HandshakeOutcome,
  type HandshakeSelf,
  type HandshakeStatus,
  resolveSimultaneous,
} from '../../src/distribution/protocol/handshake.ts';
import { encodeName } from '../../src/distribution/protocol/handshake-messages.ts';
import { decodeMarker, encodeMarker } from '../../src/distribution/protocol/marker.ts';
import { DGenError } from '../../src/errors/error.ts';

const md5 = (bytes: Uint8Array): Uint8Array => createHash('md5').update(bytes).digest();

interface SelfOptions {
  readonly cookie?: string;
  readonly challenge?: number;
  readonly compact?: boolean;
}

function self(name: string, options: SelfOptions = {}): HandshakeSelf {
  const { cookie = 'secret', challenge = 7, compact = true } = options;
  return { name, creation: 11, flags: ownFlags(), compact, cookie, md5, challenge };
}

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));

interface Run {
  readonly left: HandshakeOutcome | undefined;
  readonly right: HandshakeOutcome | undefined;
}

/** Passes bytes between the two until nobody has any, cut as `cut` says (sizes, used in a circle). */
function run(dialler: Dialler, acceptor: Acceptor, cut: readonly number[] = [65536]): Run {
  const toRight: Uint8Array[] = [dialler.hello];
  const toLeft: Uint8Array[] = [];
  let turn = 0;
  const feed = (
    machine: Handshake,
    input: Uint8Array[],
    output: Uint8Array[],
  ): HandshakeOutcome | undefined => {
    const bytes = Uint8Array.from(Buffer.concat(input.splice(0)));
    let outcome: HandshakeOutcome | undefined;
    for (let offset = 0; offset < bytes.length; ) {
      const size = cut[turn++ % cut.length] ?? 1;
      const step = machine.receive(bytes.subarray(offset, offset + size));
      output.push(...step.send);
      outcome = step.outcome ?? outcome;
      offset += size;
    }
    return outcome;
  };
  let left: HandshakeOutcome | undefined;
  let right: HandshakeOutcome | undefined;
  while (toRight.length > 0 || toLeft.length > 0) {
    right = feed(acceptor, toRight, toLeft) ?? right;
    left = feed(dialler, toLeft, toRight) ?? left;
  }
  return { left, right };
}

function pair(status: HandshakeStatus, rightCookie = 'secret'): { dialler: Dialler; acceptor: Acceptor } {
  const dialler = new Dialler({ self: self('a@h', { challenge: 1 }), expected: 'b@h' });
  const acceptor = new Acceptor({
    self: self('b@h', { cookie: rightCookie, challenge: 0xffffffff }),
    decide: () => status,
  });
  return { dialler, acceptor };
}

test('the flags of a hidden node are those that were verified on live nodes', () => {
  assert.equal(ownFlags(), 0xd074f4fbcn);
  assert.equal(ownFlags({ visible: true }), 0xd074f4fbdn);
  assert.equal(ownFlags({ fragments: true }), 0xd074f4fbcn | 0x800000n);
  const old = capabilitiesOf(ownFlags(), 0x1070f94n);
  assert.deepEqual(old, {
    sendSender: false,
    exitPayload: false,
    unlinkId: false,
    distributionHeader: false,
  });
});

test('both sides learn name, creation and kind of the other, however the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 }), (cut) => {
      for (const status of ['ok', 'ok_simultaneous', 'alive'] as const) {
        const { dialler, acceptor } = pair(status);
        const { left, right } = run(dialler, acceptor, cut);
        assert.ok(left?.kind === 'done' && right?.kind === 'done');
        const shown = { creation: 11, flags: ownFlags(), kind: 'typescript', compact: true };
        assert.deepEqual(left.peer, { name: 'b@h', ...shown });
        assert.deepEqual(right.peer, { name: 'a@h', ...shown });
      }
    }),
    { numRuns: 60 },
  );
});

test('a refusal ends both sides with its status', () => {
  for (const status of ['nok', 'not_allowed'] as const) {
    const { dialler, acceptor } = pair(status);
    const { left, right } = run(dialler, acceptor);
    assert.deepEqual(left, { kind: 'refused', status });
    assert.deepEqual(right, { kind: 'refused', status });
  }
});

test('a wrong cookie is seen by the acceptor, who then says nothing more', () => {
  const { dialler, acceptor } = pair('ok', 'other');
  const { left, right } = run(dialler, acceptor);
  assert.ok(right?.kind === 'failed' && right.error.code === 'bad_cookie');
  assert.equal(left, undefined);
  assert.equal(dialler.waitingFor, 'ack');
});

test('an acceptor that does not know the cookie cannot fake the acknowledgement', () => {
  const dialler = new Dialler({ self: self('a@h'), expected: 'b@h' });
  const thief = new Acceptor({ self: self('b@h', { challenge: 3 }), decide: () => 'ok' });
  const { send } = thief.receive(dialler.hello);
  dialler.receive(Buffer.concat(send));
  const step = dialler.receive(Uint8Array.of(0, 17, 0x61, ...new Uint8Array(16)));
  assert.ok(step.outcome?.kind === 'failed' && step.outcome.error.code === 'bad_cookie');
});

test('another name at the address is a name clash', () => {
  const dialler = new Dialler({ self: self('a@h'), expected: 'c@h' });
  const acceptor = new Acceptor({ self: self('b@h'), decide: () => 'ok' });
  const { left } = run(dialler, acceptor);
  assert.ok(left?.kind === 'failed' && left.error.code === 'name_clash');
  assert.deepEqual(left.error.details, { name: 'b@h', creation: 11 });
});

test('a probe is answered without asking whether the caller is welcome', () => {
  const dialler = new Dialler({ self: self('a@h'), expected: 'b@h', probe: true });
  const acceptor = new Acceptor({ self: self('b@h'), decide: () => assert.fail('asked') });
  const { left, right } = run(dialler, acceptor);
  assert.deepEqual(left, { kind: 'identified', name: 'b@h', creation: 11 });
  assert.deepEqual(right, { kind: 'probed' });
});

test('the bytes are those of the protocol', () => {
  const name = encodeName({ name: 'a@h', creation: 0x01020304, flags: 0xd074f4fbcn, marker: undefined });
  assert.deepEqual(name, hex('0012 4e 0000000d074f4fbc 01020304 0003 614068'));
});

test('an Erlang node as acceptor: recorded layout, extra frames behind the acknowledgement', () => {
  const dialler = new Dialler({ self: self('a@h', { challenge: 5 }), expected: 'b@h' });
  assert.deepEqual(dialler.receive(hex('0003 73 6f6b')).send, []);
  const challenge = hex('0016 4e 0000000d07df7fbd 00000009 665f1a2b 0003 624068');
  const reply = dialler.receive(challenge).send[0];
  assert.ok(reply !== undefined);
  assert.deepEqual(
    Buffer.from(reply).toString('hex'),
    `001572${'00000005'}${createHash('md5').update('secret9').digest('hex')}`,
  );
  const ack = `0011 61 ${createHash('md5').update('secret5').digest('hex')}`;
  const { outcome } = dialler.receive(hex(`${ack} 00000000 00000001`));
  assert.ok(outcome?.kind === 'done');
  assert.equal(outcome.peer.kind, 'erlang');
  assert.equal(outcome.peer.creation, 0x665f1a2b);
  assert.deepEqual(Uint8Array.from(outcome.rest), hex('00000000 00000001'));
});

test('a peer without the mandatory flags is refused', () => {
  const acceptor = new Acceptor({ self: self('b@h'), decide: () => 'ok' });
  const hello = encodeName({ name: 'a@h', creation: 1, flags: 0x4n, marker: undefined });
  const { outcome } = acceptor.receive(hello);
  assert.ok(outcome?.kind === 'failed' && outcome.error.code === 'bad_peer');
});

test('garbage on the port is refused with a code: HTTP, TLS, a message that is too long', () => {
  const inputs = ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', '\x16\x03\x01\x02\x00\x01\x00', '\x0f\xff'];
  for (const input of inputs) {
    const acceptor = new Acceptor({ self: self('b@h'), decide: () => 'ok' });
    const { outcome } = acceptor.receive(Buffer.from(input, 'latin1'));
    assert.ok(outcome?.kind === 'failed' && outcome.error.code === 'bad_peer', input);
  }
});

test('a truncated handshake waits; it neither throws nor finishes', () => {
  const { dialler, acceptor } = pair('ok');
  const first = acceptor.receive(dialler.hello);
  const second = dialler.receive(Buffer.concat(first.send));
  const whole = [
    { bytes: dialler.hello, make: () => pair('ok').acceptor },
    { bytes: Uint8Array.from(Buffer.concat(first.send)), make: () => pair('ok').dialler },
  ];
  assert.equal(second.send.length, 1);
  for (const { bytes, make } of whole) {
    for (let length = 0; length < bytes.length; length++) {
      assert.equal(make().receive(bytes.subarray(0, length)).outcome, undefined);
    }
  }
});

test('messages cut short inside their own length are bad_peer', () => {
  const { dialler } = pair('ok');
  const { hello } = dialler;
  const nameBytes = 3;
  for (let length = 0; length < 15 + nameBytes; length++) {
    const short = Uint8Array.of(length >> 8, length & 255, ...hello.subarray(2, 2 + length));
    const { outcome } = pair('ok').acceptor.receive(short);
    assert.ok(outcome?.kind === 'failed' && outcome.error.code === 'bad_peer', `length ${length}`);
  }
});

test('random bytes lead to coded errors only, in every state of both roles', () => {
  const states: (() => Handshake)[] = [
    () => pair('ok').acceptor,
    () => pair('ok').dialler,
    () => {
      const { dialler, acceptor } = pair('ok');
      acceptor.receive(dialler.hello);
      return acceptor;
    },
    () => {
      const { dialler, acceptor } = pair('alive');
      acceptor.receive(dialler.hello);
      return acceptor;
    },
    () => {
      const { dialler, acceptor } = pair('ok');
      dialler.receive(Buffer.concat(acceptor.receive(dialler.hello).send));
      return dialler;
    },
  ];
  const framed = fc
    .tuple(fc.constantFrom(0x4e, 0x73, 0x72, 0x61, 0), fc.uint8Array({ maxLength: 60 }))
    .map(([tag, body]) => Uint8Array.of(0, body.length + 1, tag, ...body));
  fc.assert(
    fc.property(
      fc.nat(states.length - 1),
      fc.oneof(framed, fc.uint8Array({ maxLength: 80 })),
      (index, bytes) => {
        const machine = states[index]!();
        const { outcome } = machine.receive(bytes);
        assert.ok(outcome?.kind !== 'done');
        if (outcome?.kind === 'failed') assert.ok(outcome.error instanceof DGenError);
      },
    ),
    { numRuns: 2000 },
  );
});

test('of two simultaneous attempts exactly one survives', () => {
  const names = fc
    .tuple(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }))
    .filter(([a, b]) => a !== b);
  fc.assert(
    fc.property(names, ([a, b]) => {
      assert.notEqual(resolveSimultaneous(a, b), resolveSimultaneous(b, a));
    }),
  );
  assert.equal(resolveSimultaneous('a@h', 'b@h'), 'ok_simultaneous');
  assert.equal(resolveSimultaneous('b@h', 'a@h'), 'nok');
  assert.equal(resolveSimultaneous('\u{1f600}@h', '\uffee@h'), 'nok');
});

test('the marker is found behind the name only when it is one', () => {
  const marker = { version: 1, capabilities: 5 };
  assert.deepEqual(decodeMarker(encodeMarker(marker)), marker);
  assert.deepEqual(decodeMarker(Uint8Array.of(...encodeMarker(marker), 9, 9)), marker);
  assert.equal(decodeMarker(encodeMarker(marker).subarray(0, 8)), undefined);
  assert.equal(decodeMarker(new Uint8Array(9)), undefined);
});
