// Bytes written down from the description of the format, apart from the code: value, bytes, and for forms that are only
// read the value alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  atom,
  bitString,
  type Dialect,
  decodeTerm,
  encodeTerm,
  float,
  improper,
  Pid,
  Port,
  Ref,
  tuple,
} from '../../src/term/index.ts';

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const text = (value: string): string => Buffer.from(value).toString('hex');
const node = atom('n@h');

const both: [unknown, string][] = [
  [0, '61 00'],
  [255, '61 ff'],
  [256, '62 00000100'],
  [-1, '62 ffffffff'],
  [2147483647, '62 7fffffff'],
  [-2147483648, '62 80000000'],
  [2147483648, '6e 04 00 00000080'],
  [-2147483649, '6e 04 01 01000080'],
  [Number.MAX_SAFE_INTEGER, '6e 07 00 ffffffffffff1f'],
  [Number.MIN_SAFE_INTEGER, '6e 07 01 ffffffffffff1f'],
  [1.5, '46 3ff8000000000000'],
  [-0, '46 8000000000000000'],
  [1e300, '46 7e37e43c8800759c'],
  [2n ** 64n, '6f 00000009 00 000000000000000001'],
  [-(2n ** 64n), '6f 00000009 01 000000000000000001'],
  ['', '6d 00000000'],
  ['abc', '6d 00000003 616263'],
  ['é€😀', '6d 00000009 c3a9 e282ac f09f9880'],
  [new Uint8Array([97]), '4d 00000001 08 61'],
  [bitString(new Uint8Array([255, 255]), 3), '4d 00000002 03 ffe0'],
  [true, `77 04 ${text('true')}`],
  [false, `77 05 ${text('false')}`],
  [null, `77 03 ${text('nil')}`],
  [undefined, `77 09 ${text('undefined')}`],
  [atom('ok'), '77 02 6f6b'],
  [atom(''), '77 00'],
  [atom('é'.repeat(200)), `76 0190 ${'c3a9'.repeat(200)}`],
  [[], '6a'],
  [[1, 2], '6c 00000002 6101 6102 6a'],
  [improper([1], 2), '6c 00000001 6101 6102'],
  [tuple(), '68 00'],
  [tuple(atom('ok'), 1), '68 02 77026f6b 6101'],
  [tuple(...new Array(256).fill(7)), `69 00000100 ${'6107'.repeat(256)}`],
  [{}, '74 00000000'],
  [{ a: 1 }, '74 00000001 6d 00000001 61 6101'],
  [new Pid(node, 1, 2, 3), '58 77036e4068 00000001 00000002 00000003'],
  [new Ref(node, 3, [1, 2, 3]), '5a 0003 77036e4068 00000003 00000001 00000002 00000003'],
  [new Port(node, 5n, 3), '59 77036e4068 00000005 00000003'],
  [new Port(node, 2n ** 40n, 3), '78 77036e4068 0000010000000000 00000003'],
];

const typescriptOnly: [unknown, string][] = [
  [new Uint8Array(0), '4d 00000000 08'],
  [float(5), '46 4014000000000000'],
  [1n, '6f 00000001 00 01'],
  [0n, '6f 00000001 00 00'],
  [Number.NaN, 'f0 00'],
  [Number.POSITIVE_INFINITY, 'f0 01'],
  [Number.NEGATIVE_INFINITY, 'f0 02'],
  ['a\ud800', 'f1 00000002 6100 00d8'],
  [new Map([['a', 1]]), 'f2 00000001 6d0000000161 6101'],
  [new Set([1]), 'f3 00000001 6101'],
  [new Date(1), 'f4 3ff0000000000000'],
];

const readOnly: [unknown, string][] = [
  [[1, 2, 255], '6b 0003 0102ff'],
  ['é', '6d 00000002 c3a9'],
  [new Uint8Array([0xc3]), '6d 00000001 c3'],
  [new Uint8Array([0xed, 0xa0, 0x80]), '6d 00000003 eda080'],
  [new Uint8Array([0xc0, 0x80]), '6d 00000002 c080'],
  [new Uint8Array([0xe0, 0x80, 0x80]), '6d 00000003 e08080'],
  [new Uint8Array([0xf0, 0x80, 0x80, 0x80]), '6d 00000004 f0808080'],
  [new Uint8Array([0xe2, 0x82]), '6d 00000002 e282'],
  [new Uint8Array([0xf4, 0x90, 0x80, 0x80]), '6d 00000004 f4908080'],
  [atom('é'), '73 01 e9'],
  [atom('é'), '64 0001 e9'],
  [atom('ok'), '76 0002 6f6b'],
  [true, `64 0004 ${text('true')}`],
  [1.5, `63 ${text('1.50000000000000000000e+00')}0000000000`],
  [-0.001, `63 ${text('-1.00000000000000002082e-03')}00000000`],
  [0, '6e 00 00'],
  [-5, '6e 03 01 050000'],
  [0, '6e 01 01 00'],
  [2n ** 53n, '6e 07 00 00000000000020'],
  [tuple(1), '69 00000001 6101'],
  [[], '6c 00000000 6a'],
  [new Pid(node, 1, 2, 3), '67 64 0003 6e4068 00000001 00000002 03'],
  [new Ref(node, 3, [7]), '65 64 0003 6e4068 00000007 03'],
  [new Ref(node, 3, [7, 8]), '72 0002 64 0003 6e4068 03 00000007 00000008'],
  [new Port(node, 7n, 3), '66 64 0003 6e4068 00000007 03'],
  [
    new Map<unknown, unknown>([
      ['a', 1],
      [atom('b'), 2],
    ]),
    '74 00000002 6d0000000161 6101 770162 6102',
  ],
  [new Map<unknown, unknown>([[new Uint8Array([255]), 1]]), '74 00000001 6d00000001ff 6101'],
];

const withVersion = (bytes: string): Uint8Array => hex(`83${bytes}`);

for (const dialect of ['typescript', 'erlang'] as const satisfies Dialect[]) {
  test(`the ${dialect} dialect writes and reads the bytes of the format`, () => {
    for (const [value, bytes] of both) {
      assert.deepStrictEqual(encodeTerm(value, { dialect }), withVersion(bytes), bytes);
      assert.deepStrictEqual(decodeTerm(withVersion(bytes), { dialect }), value, bytes);
    }
  });

  test(`the ${dialect} dialect reads forms that are never written`, () => {
    for (const [value, bytes] of readOnly) {
      assert.deepStrictEqual(decodeTerm(withVersion(bytes), { dialect }), value, bytes);
    }
  });
}

test('the private forms have the bytes that are written down beside the tags', () => {
  for (const [value, bytes] of typescriptOnly) {
    assert.deepStrictEqual(encodeTerm(value), withVersion(bytes), bytes);
    assert.deepStrictEqual(decodeTerm(withVersion(bytes)), value, bytes);
  }
});

test('private forms are unknown tags in the erlang dialect', () => {
  for (const [, bytes] of typescriptOnly) {
    if (!bytes.startsWith('f')) continue;
    assert.throws(() => decodeTerm(withVersion(bytes), { dialect: 'erlang' }), { code: 'bad_term' }, bytes);
  }
});

test('integers of LARGE_BIG are bigints between TypeScript nodes only', () => {
  assert.equal(decodeTerm(withVersion('6f 00000001 00 01'), { dialect: 'erlang' }), 1);
  assert.equal(decodeTerm(withVersion('6f 00000001 00 01')), 1n);
});

test('towards Erlang the empty bytes and whole floats have their own form', () => {
  assert.deepStrictEqual(encodeTerm(new Uint8Array(0), { dialect: 'erlang' }), withVersion('6d 00000000'));
  assert.deepStrictEqual(encodeTerm(float(5), { dialect: 'erlang' }), withVersion('46 4014000000000000'));
});

test('a call as OTP sends it', () => {
  const ref = new Ref(node, 1, [9, 8, 7]);
  const call = tuple(atom('$gen_call'), tuple(new Pid(node, 5, 0, 1), improper([atom('alias')], ref)), {
    op: 'get',
  });
  const expected = [
    '83 68 03',
    `77 09 ${text('$gen_call')}`,
    '68 02 58 77036e4068 00000005 00000000 00000001',
    `6c 00000001 77 05 ${text('alias')}`,
    '5a 0003 77036e4068 00000001 00000009 00000008 00000007',
    `74 00000001 6d 00000002 ${text('op')} 6d 00000003 ${text('get')}`,
  ].join('');
  assert.deepStrictEqual(encodeTerm(call), hex(expected));
});
