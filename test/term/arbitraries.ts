// Random terms. `typescript` has everything that travels between TypeScript nodes without loss, `erlang` what Erlang
// can hold, in the forms that come back unchanged from bytes alone.
import fc from 'fast-check';
import { type Atom, atom, bitString, Float, improper, Pid, Port, Ref, Tuple } from '../../src/term/index.ts';

const SPECIAL_ATOMS = new Set(['true', 'false', 'nil', 'undefined']);

const wellFormed: fc.Arbitrary<string> = fc.oneof(
  fc.string(),
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'grapheme', minLength: 20, maxLength: 200 }),
);
const anyText: fc.Arbitrary<string> = fc.oneof(
  wellFormed,
  fc.array(fc.integer({ min: 0xd7f0, max: 0xe00f })).map((units) => String.fromCharCode(...units)),
);
const atoms: fc.Arbitrary<Atom> = fc
  .string({ unit: 'grapheme-composite', maxLength: 60 })
  .filter((name) => !SPECIAL_ATOMS.has(name) && name.length < 256)
  .map(atom);
const word = fc.integer({ min: 0, max: 0xffff_ffff });
const pids = fc
  .tuple(atoms, word, word, word)
  .map(([node, id, serial, creation]) => new Pid(node, id, serial, creation));
const refs = fc
  .tuple(atoms, word, fc.array(word, { minLength: 1, maxLength: 5 }))
  .map(([node, creation, words]) => new Ref(node, creation, words));
const ports = fc
  .tuple(atoms, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), word)
  .map((parts) => new Port(...parts));
const bytes = fc.uint8Array({ maxLength: 80 }).map((array) => new Uint8Array(array));
const bits = fc
  .tuple(fc.uint8Array({ minLength: 1, maxLength: 9 }), fc.integer({ min: 1, max: 7 }))
  .map(([array, count]) => bitString(array, count));
const safeInteger = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.constantFrom(0, 255, 256, -1, 2 ** 31, -(2 ** 31)),
);
const fraction = fc
  .double({ noNaN: true, noDefaultInfinity: true })
  .filter((value) => !Number.isSafeInteger(value));
const finite = fc.oneof(safeInteger, fraction, fc.constantFrom(-0, 2 ** 53, 1e300));
const unsafeBigint = fc
  .bigInt({ min: -(2n ** 2100n), max: 2n ** 2100n })
  .filter((value) => !Number.isSafeInteger(Number(value)));
const constants = fc.constantFrom<unknown>(true, false, null, undefined);
const erlangLeaf = fc.oneof(constants, finite, wellFormed, atoms, pids, refs, ports, bits, unsafeBigint);

export const typescript: fc.Arbitrary<unknown> = fc.letrec<{ term: unknown }>((tie) => {
  const term = tie('term');
  const items = fc.array(term, { maxLength: 5 });
  return {
    term: fc.oneof(
      { maxDepth: 4, depthSize: 'small' },
      fc.oneof(
        erlangLeaf,
        anyText,
        bytes,
        fc.bigInt(),
        fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
        safeInteger.filter((value) => !Object.is(value, -0)).map((value) => new Float(value)),
        fc.date({ noInvalidDate: false }),
      ),
      items,
      items.map((elements) => new Tuple(elements)),
      fc.dictionary(anyText, term, { maxKeys: 5, noNullPrototype: true }),
      fc.array(fc.tuple(term, term), { maxLength: 4 }).map((entries) => new Map(entries)),
      items.map((elements) => new Set(elements)),
      fc.tuple(anyText, term).map(([message, cause]) => new Error(message, { cause: cause ?? 0 })),
      fc
        .tuple(items, erlangLeaf)
        .filter(([elements]) => elements.length > 0)
        .map(([elements, tail]) => improper(elements, tail)),
    ),
  };
}).term;

export const erlang: fc.Arbitrary<unknown> = fc.letrec<{ term: unknown }>((tie) => {
  const term = tie('term');
  const items = fc.array(term, { maxLength: 5 });
  return {
    term: fc.oneof(
      { maxDepth: 4, depthSize: 'small' },
      erlangLeaf,
      items,
      items.map((elements) => new Tuple(elements)),
      fc.dictionary(wellFormed, term, { maxKeys: 5, noNullPrototype: true }),
      fc
        .array(
          fc.tuple(
            safeInteger.filter((key) => !Object.is(key, -0)),
            term,
          ),
          { minLength: 1, maxLength: 4 },
        )
        .map((entries) => new Map(entries)),
      fc
        .tuple(items, erlangLeaf)
        .filter(([elements]) => elements.length > 0)
        .map(([elements, tail]) => improper(elements, tail)),
    ),
  };
}).term;
