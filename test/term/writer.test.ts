// Frames in chunks, and what happens to them when a term is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  atom,
  decodeTerm,
  Pid,
  Ref,
  TermCodecs,
  TermReader,
  TermWriter,
  tuple,
} from '../../src/term/index.ts';
import { typescript } from './arbitraries.ts';

/** The terms of all frames that were taken, each frame being one term. */
function termsOf(chunks: readonly Uint8Array[]): unknown[] {
  const bytes = Buffer.concat(chunks);
  const reader = new TermReader();
  const terms: unknown[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    reader.reset(bytes, at + 4, at + 4 + length);
    terms.push(reader.term());
    reader.expectEnd();
    at += 4 + length;
  }
  return terms;
}

function writeFrame(writer: TermWriter, term: unknown): boolean {
  writer.beginFrame();
  try {
    writer.term(term);
  } catch {
    return false;
  }
  writer.endFrame();
  return true;
}

test('frames come out in order, whole, whatever the size of the chunk', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(typescript, fc.boolean()), { maxLength: 12 }),
      fc.integer({ min: 1, max: 300 }),
      (items, chunkBytes) => {
        const writer = new TermWriter({ chunkBytes });
        const taken: Uint8Array[] = [];
        for (const [term, take] of items) {
          assert.ok(writeFrame(writer, term));
          if (take) taken.push(...writer.take());
        }
        taken.push(...writer.take());
        assert.deepStrictEqual(
          termsOf(taken),
          items.map(([term]) => term),
        );
        assert.equal(writer.bytesPending, 0);
        assert.deepStrictEqual(writer.take(), []);
      },
    ),
    { numRuns: 300 },
  );
});

test('a refused term leaves no trace, wherever in the term the refusal is', () => {
  const refused = (): void => {};
  fc.assert(
    fc.property(
      fc.array(fc.tuple(typescript, fc.integer({ min: 0, max: 3 })), { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 1, max: 300 }),
      (items, chunkBytes) => {
        const writer = new TermWriter({ chunkBytes });
        const expected: unknown[] = [];
        for (const [term, kind] of items) {
          const shapes = [
            term,
            tuple(term, refused),
            { big: 'x'.repeat(400), term, refused },
            [term, [refused]],
          ];
          const pending = writer.bytesPending;
          const written = writeFrame(writer, shapes[kind]);
          assert.equal(written, kind === 0);
          if (written) expected.push(term);
          else assert.equal(writer.bytesPending, pending);
        }
        assert.deepStrictEqual(termsOf(writer.take()), expected);
      },
    ),
    { numRuns: 300 },
  );
});

test('what was taken stays as it is while more is written', () => {
  const writer = new TermWriter({ chunkBytes: 64 });
  writeFrame(writer, 'first');
  const taken = writer.take();
  const before = Buffer.concat(taken);
  for (let index = 0; index < 100; index++) writeFrame(writer, index);
  assert.deepStrictEqual(Buffer.concat(taken), before);
});

test('a frame is built of raw bytes, a tuple header and terms', () => {
  const writer = new TermWriter();
  const pid = new Pid(atom('n'), 1, 0, 1);
  const ref = new Ref(atom('n'), 1, [1, 2, 3]);
  writer.beginFrame();
  writer.byte(131);
  writer.tupleHeader(5);
  writer.number(6);
  writer.pid(pid);
  writer.atom(atom('ok'));
  writer.ref(ref);
  writer.raw(Uint8Array.of(97, 7));
  assert.equal(writer.endFrame(), 4 + writer.take().reduce((sum, chunk) => sum + chunk.length, -4));
  writer.beginFrame();
  writer.byte(131);
  writer.term(tuple(6, pid, atom('ok'), ref, 7));
  const content = writer.cutFrame();
  assert.deepStrictEqual(decodeTerm(content), tuple(6, pid, atom('ok'), ref, 7));
});

test('a cut frame is not among the frames taken, and is not overwritten', () => {
  const writer = new TermWriter();
  writeFrame(writer, 1);
  writer.beginFrame();
  writer.term('cut');
  const content = writer.cutFrame();
  writeFrame(writer, 2);
  assert.deepStrictEqual(termsOf(writer.take()), [1, 2]);
  assert.equal(Buffer.from(content).toString('latin1').slice(5), 'cut');
});

test('frames are begun and ended in turn', () => {
  const writer = new TermWriter();
  assert.throws(() => writer.endFrame(), { code: 'badarg' });
  assert.throws(() => writer.cutFrame(), { code: 'badarg' });
  writer.abortFrame();
  writer.beginFrame();
  assert.throws(() => writer.beginFrame(), { code: 'badarg' });
  writer.term(1);
  assert.equal(writer.frameBytes, 2);
  assert.equal(writer.bytesPending, 0);
  assert.deepStrictEqual(writer.take(), []);
  assert.equal(writer.endFrame(), 6);
  assert.equal(writer.bytesPending, 6);
});

test('a getter or codec cannot write into the frame it is part of', () => {
  const writer = new TermWriter();
  const meddler = {
    get value(): number {
      writeFrame(writer, 'inside');
      return 1;
    },
  };
  writer.beginFrame();
  assert.throws(() => writer.term(meddler), { code: 'not_encodable', message: /at value.*badarg/ });
  const direct = {
    get value(): number {
      writer.term('inside');
      return 1;
    },
  };
  writer.beginFrame();
  assert.throws(() => writer.term(direct), { code: 'not_encodable' });
  assert.ok(writeFrame(writer, 'after'));
  assert.deepStrictEqual(termsOf(writer.take()), ['after']);
});

test('a frame larger than the limit is refused, one of the limit is not', () => {
  const bytesMax = 1000;
  for (const chunkBytes of [64, 65_536]) {
    const writer = new TermWriter({ bytesMax, chunkBytes });
    assert.ok(writeFrame(writer, 'x'.repeat(bytesMax - 5)));
    const tooLarge = [
      'x'.repeat(bytesMax - 4),
      'é'.repeat(498),
      new Uint8Array(bytesMax),
      new Array(bytesMax).fill([]),
    ];
    for (const term of tooLarge) {
      writer.beginFrame();
      assert.throws(() => writer.term(term), { code: 'term_too_large' });
    }
    writer.beginFrame();
    assert.throws(() => writer.raw(new Uint8Array(100_000)), { code: 'term_too_large' });
    writer.abortFrame();
    assert.equal(termsOf(writer.take()).length, 1);
  }
});

test('a term that grows without end is stopped at the limit', () => {
  const endless = new Proxy([], { get: (_, key) => (key === 'length' ? 0xffff_ffff : 'x'.repeat(1000)) });
  const writer = new TermWriter({ bytesMax: 1_000_000 });
  writer.beginFrame();
  assert.throws(() => writer.term(endless), { code: 'term_too_large' });
});

test('a large frame does not keep its memory', () => {
  const writer = new TermWriter({ chunkBytes: 1024 });
  writeFrame(writer, new Uint8Array(100_000));
  const [chunk] = writer.take();
  writeFrame(writer, 1);
  assert.notEqual(writer.take()[0]?.buffer, chunk?.buffer);
});

test('limits that make no sense are refused', () => {
  for (const bytesMax of [0, -1, 1.5, 2 ** 31, Number.NaN]) {
    assert.throws(() => new TermWriter({ bytesMax }), { code: 'bad_option' });
  }
  for (const depthMax of [0, 513, 1.5]) {
    assert.throws(() => new TermWriter({ depthMax }), { code: 'bad_option' });
    assert.throws(() => new TermReader({ depthMax }), { code: 'bad_option' });
  }
});

test('the deepest allowed nesting does not exhaust the stack', () => {
  let term: unknown = 1;
  for (let level = 0; level < 512; level++) term = level % 2 === 0 ? { term } : new Map([[term, 1]]);
  const writer = new TermWriter({ depthMax: 512, codecs: new TermCodecs() });
  writer.beginFrame();
  writer.term(term);
  const reader = new TermReader({ depthMax: 512 });
  reader.reset(writer.cutFrame());
  reader.term();
  reader.expectEnd();
});
