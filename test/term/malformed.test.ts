// Hostile bytes: whatever they are, the reader answers in bounded time with a value or a coded `bad_term`.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DGenError } from '../../src/errors/error.ts';
import {
  atom,
  bitString,
  decodeTerm,
  encodeTerm,
  improper,
  Pid,
  Port,
  Ref,
  TermReader,
  tuple,
} from '../../src/term/index.ts';
import { typescript } from './arbitraries.ts';

const node = atom('n@h');
const everything = [
  ...[
    1,
    1000,
    2 ** 40,
    1.5,
    Number.NaN,
    2n ** 70n,
    'text',
    'é',
    '\ud800',
    new Uint8Array([1, 200]),
    new Uint8Array(0),
  ],
  ...[
    bitString(new Uint8Array([128]), 1),
    true,
    null,
    undefined,
    atom('a'),
    atom('é'.repeat(200)),
    new Date(0),
  ],
  ...[
    [1],
    tuple(1, 2),
    improper([1], 2),
    { a: 1, b: { c: 2 } },
    new Map([[1, 2]]),
    new Set([1]),
    new Error('e'),
  ],
  ...[new Pid(node, 1, 2, 3), new Ref(node, 1, [1, 2]), new Port(node, 1n, 1)],
];
const corpus = [encodeTerm(everything), encodeTerm({ nested: [tuple({ a: everything })] })];

/** Decodes, and fails the test for anything but a value or `bad_term`. */
function decodes(bytes: Uint8Array, dialect: 'typescript' | 'erlang' = 'typescript'): boolean {
  try {
    decodeTerm(bytes, { dialect });
    return true;
  } catch (error) {
    assert.ok(error instanceof DGenError, String(error));
    assert.equal(error.code, 'bad_term');
    const { offset } = error.details;
    assert.ok(typeof offset === 'number' && offset >= 0 && offset <= bytes.length);
    return false;
  }
}

function quickly(milliseconds: number, run: () => void): void {
  const start = performance.now();
  run();
  const took = performance.now() - start;
  assert.ok(took < milliseconds, `took ${took} ms`);
}

const uint32 = (value: number): number[] => [
  value >>> 24,
  (value >>> 16) & 255,
  (value >>> 8) & 255,
  value & 255,
];

test('a term cut short anywhere is refused, and so is one with a byte more', () => {
  for (const bytes of corpus) {
    assert.equal(decodes(bytes), true);
    for (let length = 0; length < bytes.length; length++)
      assert.equal(decodes(bytes.subarray(0, length)), false);
    assert.equal(decodes(Uint8Array.of(...bytes, 106)), false);
  }
});

test('every term of a random message cut short is refused', () => {
  fc.assert(
    fc.property(typescript, fc.nat(), (term, cut) => {
      const bytes = encodeTerm(term);
      assert.equal(decodes(bytes.subarray(0, cut % bytes.length)), false);
    }),
    { numRuns: 300 },
  );
});

test('flipped bytes give a value or bad_term', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...corpus),
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }),
      fc.constantFrom('typescript' as const, 'erlang' as const),
      (bytes, flips, dialect) => {
        const copy = bytes.slice();
        for (const [at, value] of flips) copy[at % copy.length] = value;
        decodes(copy, dialect);
      },
    ),
    { numRuns: 6000 },
  );
});

const tagBytes = [70, 77, 88, 89, 90, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111];
const moreTags = [112, 113, 114, 115, 116, 118, 119, 120, 240, 241, 242, 243, 244, 245, 246];
const likely = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom(...tagBytes, ...moreTags) },
  { weight: 4, arbitrary: fc.constantFrom(0, 0, 1, 2, 3) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }) },
);

test('random bytes give a value or bad_term', () => {
  let values = 0;
  fc.assert(
    fc.property(fc.array(likely, { maxLength: 60 }), (bytes) => {
      if (decodes(Uint8Array.of(131, ...bytes))) values++;
    }),
    { numRuns: 6000 },
  );
  assert.ok(values > 0, 'no random bytes were a term: the generator tests too little');
});

test('a million levels of nesting are refused quickly', () => {
  const pid = [88, 119, 1, 110, ...uint32(1), ...uint32(0), ...uint32(1)];
  const fun = [
    112,
    ...uint32(99),
    0,
    ...new Array(16).fill(0),
    ...uint32(0),
    ...uint32(1),
    119,
    0,
    97,
    0,
    97,
    0,
    ...pid,
  ];
  const levels: number[][] = [
    [108, 0, 0, 0, 1],
    [104, 1],
    [105, 0, 0, 0, 1],
    [116, 0, 0, 0, 1],
    [116, 0, 0, 0, 1, 109, 0, 0, 0, 0],
    [242, 0, 0, 0, 1],
    [243, 0, 0, 0, 1],
    [245, 116, 0, 0, 0, 1, 106],
    [246],
    [246, 109, 0, 0, 0, 0],
    fun,
  ];
  for (const level of levels) {
    const count = Math.floor(5_000_000 / level.length);
    const bytes = new Uint8Array(1 + count * level.length);
    bytes[0] = 131;
    for (let index = 0; index < count; index++) bytes.set(level, 1 + index * level.length);
    quickly(500, () => assert.equal(decodes(bytes), false));
  }
});

test('a long chain of list tails is joined without nesting', () => {
  const cell = [108, 0, 0, 0, 1, 97, 7];
  const count = 200_000;
  const bytes = new Uint8Array(2 + count * cell.length);
  bytes[0] = 131;
  for (let index = 0; index < count; index++) bytes.set(cell, 1 + index * cell.length);
  bytes[bytes.length - 1] = 106;
  quickly(2000, () => assert.equal((decodeTerm(bytes) as unknown[]).length, count));
});

test('counts larger than what remains are refused before anything is made for them', () => {
  const claims = [0xffff_ffff, 0x7fff_ffff, 0x1000_0000, 1000];
  const heads = [[105], [108], [109], [111], [116], [241], [242], [243]];
  for (const claim of claims) {
    for (const head of heads) {
      quickly(500, () => assert.equal(decodes(Uint8Array.of(131, ...head, ...uint32(claim), 0, 0)), false));
    }
    quickly(500, () => assert.equal(decodes(Uint8Array.of(131, 77, ...uint32(claim), 8, 0)), false));
  }
  assert.equal(decodes(Uint8Array.of(131, 107, 255, 255, 0)), false);
  assert.equal(decodes(Uint8Array.of(131, 110, 255, 0, 1)), false);
});

test('a bigint beyond the limit is refused', () => {
  const count = 512 * 1024 + 1;
  const bytes = new Uint8Array(7 + count).fill(1);
  bytes.set([131, 111, ...uint32(count), 0]);
  assert.equal(decodes(bytes), false);
});

const malformed: Record<string, number[]> = {
  'no version': [97, 1],
  'another version': [130, 97, 1],
  'bits of 0 in a last byte': [131, 77, 0, 0, 0, 1, 0, 1],
  'bits of 9 in a last byte': [131, 77, 0, 0, 0, 1, 9, 1],
  'bits of 3 without a byte': [131, 77, 0, 0, 0, 0, 3],
  'NaN as a float': [131, 70, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0],
  'an infinite float': [131, 70, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0],
  'a float of text that is none': [131, 99, ...new Array(31).fill(65)],
  'a sign that is none': [131, 110, 1, 2, 1],
  'an atom that is no UTF-8': [131, 119, 1, 255],
  'an atom of 256 characters': [131, 118, 1, 0, ...new Array(256).fill(97)],
  'a node that is no atom': [131, 88, 97, 1, ...new Array(12).fill(0)],
  'a reference without words': [131, 90, 0, 0, 119, 1, 97, 0, 0, 0, 1],
  'a reference of 6 words': [131, 90, 0, 6, 119, 1, 97, ...new Array(28).fill(0)],
  'a cached atom': [131, 82, 0],
  'a private number of another kind': [131, 240, 3],
  'an error without fields': [131, 245, 97, 1],
  'an instance whose type is no text': [131, 246, 97, 1, 97, 1],
  'an export without arity': [131, 113, 119, 1, 97, 119, 1, 97, 106],
};

for (const [name, bytes] of Object.entries(malformed)) {
  test(`${name} is refused`, () => {
    assert.equal(decodes(Uint8Array.of(...bytes)), false);
  });
}

test('a compressed term is refused by name', () => {
  assert.throws(() => decodeTerm(Uint8Array.of(131, 80, 0, 0, 0, 1, 0)), {
    code: 'bad_term',
    message: /compressed/,
  });
});

test('the message tells what was expected, what came, and where', () => {
  assert.throws(() => decodeTerm(Uint8Array.of(131, 108, 0, 0, 0, 1, 99)), {
    message: 'bad_term: at byte 7: expected 31 bytes more, got 0',
  });
});

test('a reader is usable after a throw, and reads only its range', () => {
  const reader = new TermReader();
  reader.reset(Uint8Array.of(108, 0, 0, 0, 1, 108, 0, 0, 0, 1));
  assert.throws(() => reader.term(), { code: 'bad_term' });
  const bytes = Uint8Array.of(9, 9, 104, 2, 97, 1, 97, 2, 9);
  reader.reset(bytes, 2, 8);
  assert.equal(reader.tupleHeader(), 2);
  assert.equal(reader.term(), 1);
  assert.equal(reader.remaining, 2);
  assert.equal(reader.term(), 2);
  reader.expectEnd();
  assert.throws(() => reader.term(), { code: 'bad_term' });
  reader.reset(bytes, 2, 7);
  reader.tupleHeader();
  reader.term();
  assert.throws(() => reader.term(), { code: 'bad_term' });
  reader.reset(Uint8Array.of(98, 0, 0, 0, 1), 0, 4);
  assert.throws(() => reader.term(), { code: 'bad_term' });
  assert.throws(() => reader.reset(bytes, 5, 10), { code: 'badarg' });
  reader.reset(Uint8Array.of(97, 1));
  assert.throws(() => reader.tupleHeader(), { code: 'bad_term' });
});
