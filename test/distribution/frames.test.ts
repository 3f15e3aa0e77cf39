// Frames out of a byte stream that is cut anywhere.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FrameReader } from '../../src/distribution/protocol/frames.ts';
import { hasCode } from '../../src/errors/error.ts';

function framed(bodies: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(
    Buffer.concat(
      bodies.map((body) => {
        const head = Buffer.alloc(4);
        head.writeUInt32BE(body.length);
        return Buffer.concat([head, body]);
      }),
    ),
  );
}

function collector(limit = 1000): { reader: FrameReader; frames: string[] } {
  const frames: string[] = [];
  const reader = new FrameReader(limit, (bytes, start, end) => {
    frames.push(Buffer.from(bytes.subarray(start, end)).toString('hex'));
  });
  return { reader, frames };
}

test('frames come out whole and in order however the stream is cut; ticks do not come out', () => {
  const bodies = fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 20 });
  const cuts = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(bodies, cuts, (sent, cut) => {
      const { reader, frames } = collector();
      const stream = framed(sent);
      for (let offset = 0, turn = 0; offset < stream.length; turn++) {
        const size = cut[turn % cut.length]!;
        reader.push(stream.subarray(offset, offset + size));
        offset += size;
      }
      const expected = sent
        .filter((body) => body.length > 0)
        .map((body) => Buffer.from(body).toString('hex'));
      assert.deepEqual(frames, expected);
    }),
  );
});

test('a frame at the limit passes, one beyond it is frame_too_large, also when its length comes byte by byte', () => {
  const { reader, frames } = collector(5);
  reader.push(framed([new Uint8Array(5)]));
  assert.equal(frames.length, 1);
  assert.throws(() => collector(5).reader.push(framed([new Uint8Array(6)])), isTooLarge);
  const slow = collector(5).reader;
  const head = framed([new Uint8Array(6)]).subarray(0, 4);
  assert.throws(() => {
    for (const byte of head) slow.push(Uint8Array.of(byte));
  }, isTooLarge);
  assert.throws(() => collector(5).reader.push(Uint8Array.of(255, 255, 255, 255)), isTooLarge);
});

test('after stop nothing is handed out, also not the rest of the chunk', () => {
  const seen: number[] = [];
  const reader: FrameReader = new FrameReader(100, (bytes, start) => {
    seen.push(bytes[start] ?? -1);
    reader.stop();
  });
  reader.push(framed([Uint8Array.of(1), Uint8Array.of(2)]));
  reader.push(framed([Uint8Array.of(3)]));
  assert.deepEqual(seen, [1]);
});

function isTooLarge(error: unknown): boolean {
  return hasCode(error, 'frame_too_large');
}
