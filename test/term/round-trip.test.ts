// What goes through the bytes comes back: everything between TypeScript nodes, and in the documented form otherwise.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DGenError } from '../../src/errors/error.ts';
import {
  atom,
  decodeTerm,
  encodeTerm,
  equals,
  Float,
  Fun,
  float,
  ImproperList,
  improper,
  Pid,
  Ref,
  TermCodecs,
  TermReader,
  TermWriter,
  tuple,
  Unregistered,
} from '../../src/term/index.ts';
import { erlang, typescript } from './arbitraries.ts';

const through = (value: unknown): unknown => decodeTerm(encodeTerm(value));
const throughErlang = (value: unknown): unknown =>
  decodeTerm(encodeTerm(value, { dialect: 'erlang' }), { dialect: 'erlang' });

test('between TypeScript nodes nothing is lost', () => {
  fc.assert(
    fc.property(typescript, (value) => {
      assert.deepStrictEqual(through(value), value);
    }),
    { numRuns: 1500 },
  );
});

test('what Erlang can hold comes back from its dialect', () => {
  fc.assert(
    fc.property(erlang, (value) => {
      const back = throughErlang(value);
      assert.deepStrictEqual(back, value);
      assert.ok(equals(back, value));
    }),
    { numRuns: 1000 },
  );
});

test('a date that is none stays one', () => {
  // Compared by hand: not every Node.js takes two such dates for equal.
  const back = decodeTerm(encodeTerm(new Date(Number.NaN)));
  assert.ok(back instanceof Date && Number.isNaN(back.getTime()));
});

test('what is hard to keep is kept between TypeScript nodes', () => {
  const hard = [
    Number.NaN,
    Number.POSITIVE_INFINITY,
    -0,
    0n,
    1n,
    -1n,
    float(5),
    '\ud800',
    '\udc00\ud800 text that is longer than the loop for short text takes',
    '\ufeffmark',
    `\ufeff${'mark'.repeat(30)}`,
    `\ud800${'long'.repeat(5000)}`,
    new Uint8Array(0),
    new Uint8Array([65]),
    new Map<unknown, unknown>([['a', 1]]),
    new Map<unknown, unknown>([
      [1, 'number'],
      [1n, 'bigint'],
    ]),
    new Map(),
    {},
    [],
    new Set(),
    new Date(-1),
    [undefined, null],
    { a: undefined },
    2 ** 53,
    2n ** 53n,
    Number.MAX_SAFE_INTEGER,
    Number.MIN_SAFE_INTEGER,
    'x'.repeat(100_000),
    '€'.repeat(50_000),
    '\u{1f600}'.repeat(30_000),
  ];
  for (const value of hard) assert.deepStrictEqual(through(value), value);
  assert.deepStrictEqual(through(hard), hard);
});

test('equal atoms are identical, and lately seen pids too', () => {
  const pid = new Pid(atom('a@b'), 1, 2, 3);
  assert.equal(through(atom('some name')), atom('some name'));
  assert.equal(through(pid), through(new Pid(atom('a@b'), 1, 2, 3)));
  assert.ok(pid.equals(through(pid)));
  const other = new Pid(atom('a@b'), 1, 2, 4);
  assert.deepStrictEqual(through([pid, other, pid]), [pid, other, pid]);
});

test('pids that differ in one part are never taken for each other', () => {
  const parts = Array.from({ length: 3000 }, (_, index) => index);
  const pids = [
    ...parts.map((part) => new Pid(atom('a@b'), part, 1, 1)),
    ...parts.map((part) => new Pid(atom('a@b'), 1, part, 1)),
    ...parts.map((part) => new Pid(atom('a@b'), 1, 1, part)),
    ...parts.map((part) => new Pid(atom(`a@b${part}`), 1, 1, 1)),
  ];
  for (const pid of pids) assert.ok(pid.equals(through(pid)));
});

test('the special atoms are the JavaScript constants', () => {
  const atoms = ['true', 'false', 'nil', 'undefined'].map(atom);
  assert.deepStrictEqual(through(atoms), [true, false, null, undefined]);
  assert.deepStrictEqual(throughErlang(atoms), [true, false, null, undefined]);
});

test('a key named __proto__ is a property like any other', () => {
  const value = JSON.parse('{"__proto__": {"polluted": true}, "b": 1}');
  const back = through(value) as object;
  assert.deepStrictEqual(Object.keys(back), ['__proto__', 'b']);
  assert.equal(Object.getPrototypeOf(back), Object.prototype);
  assert.equal('polluted' in back, false);
});

test('only own enumerable string keys of an object travel, toJSON is not asked, holes are undefined', () => {
  const value = { [Symbol('s')]: 1, a: 2, toJSON: undefined };
  Object.defineProperty(value, 'hidden', { value: 3 });
  assert.deepStrictEqual(through(value), { a: 2, toJSON: undefined });
  // biome-ignore lint/suspicious/noSparseArray: the hole is what is tested
  assert.deepStrictEqual(through([1, , 2]), [1, undefined, 2]);
  assert.deepStrictEqual(through(Object.assign(Object.create(null), { a: 1 })), { a: 1 });
});

test('towards Erlang every value has its documented form', () => {
  const cases: [unknown, unknown][] = [
    [new Map<unknown, unknown>([['a', 1]]), { a: 1 }],
    [new Map<unknown, unknown>([[1, 2]]), new Map([[1, 2]])],
    [new Set([1, 'a']), [1, 'a']],
    [new Date(5), '1970-01-01T00:00:00.005Z'],
    [new Uint8Array(0), ''],
    [new Uint8Array([255]), new Uint8Array([255])],
    [5n, 5],
    [-(2n ** 64n), -(2n ** 64n)],
    [float(5), 5],
    [new TypeError('no', { cause: 1 }), { name: 'TypeError', message: 'no', cause: 1 }],
  ];
  for (const [value, form] of cases) assert.deepStrictEqual(throughErlang(value), form);
});

test('towards Erlang an error of the library is a map with its code', () => {
  const error = new DGenError('noproc', 'nobody', { details: { name: 'x' } });
  assert.deepStrictEqual(throughErlang(error), {
    name: 'DGenError',
    message: 'noproc: nobody',
    code: 'noproc',
    retryable: false,
    maybeExecuted: false,
    details: { name: 'x' },
  });
});

test('a float of Erlang is a number, but as the key of a map it stays apart from the integer', () => {
  const bytes = Uint8Array.of(
    ...[131, 116, 0, 0, 0, 2, 97, 1, 97, 10],
    ...[70, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 70, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0],
  );
  const map = decodeTerm(bytes, { dialect: 'erlang' }) as Map<unknown, unknown>;
  assert.deepStrictEqual(
    [...map],
    [
      [1, 10],
      [new Float(1), 1],
    ],
  );
});

test('binaries can be asked for as bytes; keys of maps stay text', () => {
  const bytes = encodeTerm({ key: 'text' }, { dialect: 'erlang' });
  const options = { dialect: 'erlang', binaries: 'bytes' } as const;
  assert.deepStrictEqual(decodeTerm(bytes, options), { key: new Uint8Array([116, 101, 120, 116]) });
});

test('an error of the library comes back as one', () => {
  const cause = new Error('inner');
  cause.name = 'Inner';
  const error = new DGenError('unavailable', 'no leader', {
    expected: 'a',
    got: 'b',
    details: { n: 1 },
    cause,
    retryable: false,
  });
  const back = through(error) as DGenError;
  assert.ok(back instanceof DGenError);
  assert.deepStrictEqual({ ...back }, { ...error });
  assert.equal(back.message, error.message);
  assert.deepStrictEqual([back.retryable, back.maybeExecuted], [false, false]);
  assert.equal((back.cause as Error).name, 'Inner');
  assert.equal(back.stack, 'DGenError: unavailable: no leader: expected a, got b');
});

test('an error of a newer peer keeps its unknown code', () => {
  const future = Object.assign(new Error('future'), {
    code: 'not_yet_known',
    retryable: true,
    maybeExecuted: true,
    details: { a: 1 },
  });
  future.name = 'DGenError';
  const { code, retryable, maybeExecuted, details, message } = through(future) as DGenError;
  assert.deepStrictEqual(
    { code, retryable, maybeExecuted, details, message },
    { code: 'not_yet_known', retryable: true, maybeExecuted: true, details: { a: 1 }, message: 'future' },
  );
});

test('other errors keep name, message, text code and cause; never the stack', () => {
  const error = Object.assign(new TypeError('refused', { cause: 'why' }), { code: 'ECONNREFUSED', extra: 1 });
  const back = through(error) as Error & { code?: unknown; extra?: unknown };
  assert.deepStrictEqual(
    [back.name, back.message, back.code, back.cause, back.extra],
    ['TypeError', 'refused', 'ECONNREFUSED', 'why', undefined],
  );
  assert.equal(back.stack, 'TypeError: refused');
});

test('a cause that cannot be encoded is sent as text, so that the error arrives', () => {
  class Socket {}
  const cyclic = new Error('cyclic');
  cyclic.cause = cyclic;
  for (const dialect of ['typescript', 'erlang'] as const) {
    const bytes = encodeTerm(new Error('outer', { cause: { socket: new Socket() } }), { dialect });
    const back = decodeTerm(bytes, { dialect }) as Error;
    assert.equal(back.message, 'outer');
    assert.equal(typeof back.cause, 'string');
    assert.match(back.cause as string, /Socket/);
    assert.equal((decodeTerm(encodeTerm(cyclic, { dialect }), { dialect }) as Error).message, 'cyclic');
  }
});

test('the ninth error within an error is sent as text', () => {
  let error = new Error('innermost');
  for (let index = 0; index < 12; index++) error = new Error(`level ${index}`, { cause: error });
  const chain: unknown[] = [];
  for (let cause = through(error); cause !== undefined; cause = (cause as Error).cause) chain.push(cause);
  assert.equal(chain.filter((cause) => cause instanceof Error).length, 9);
  assert.equal(chain[9], '#Error<"Error: level 2">');
});

class Money {
  readonly cents: number;
  constructor(cents: number) {
    this.cents = cents;
  }
}

const codecs = new TermCodecs().register<Money>({
  type: 'test/money@1',
  class: Money,
  encode: (money) => ({ cents: money.cents }),
  decode: (data) => {
    const { cents } = data as { cents?: unknown };
    if (typeof cents !== 'number') throw new TypeError('no cents');
    return new Money(cents);
  },
});

test('a registered class comes back, is plain data for Erlang, and passes through a node that lacks it', () => {
  const bytes = encodeTerm([new Money(5)], { codecs });
  assert.deepStrictEqual(decodeTerm(bytes, { codecs }), [new Money(5)]);
  const [unknown] = decodeTerm(bytes) as [Unregistered];
  assert.deepStrictEqual(unknown, new Unregistered('test/money@1', { cents: 5 }));
  assert.deepStrictEqual(encodeTerm([unknown]), bytes);
  assert.deepStrictEqual(decodeTerm(encodeTerm(new Money(5), { codecs, dialect: 'erlang' })), { cents: 5 });
});

test('a registration is for one type and one class; bad data of a peer is a bad term', () => {
  const encode = (value: object) => value;
  assert.throws(
    () => codecs.register({ type: 'test/money@1', class: class Other {}, encode, decode: Object }),
    { code: 'badarg' },
  );
  assert.throws(
    () => codecs.register({ type: 'test/other', class: Money, encode, decode: () => new Money(1) }),
    { code: 'badarg' },
  );
  assert.throws(() => decodeTerm(encodeTerm(new Unregistered('test/money@1', {})), { codecs }), {
    code: 'bad_term',
  });
});

test('writer and reader agree on the deepest term that passes', () => {
  const wraps: ((inner: unknown) => unknown)[] = [
    (inner) => [inner],
    (inner) => tuple(inner),
    (inner) => ({ inner }),
    (inner) => improper([1], tuple(inner)),
    (inner) => improper([inner], 1),
    (inner) => new Map([[inner, 1]]),
    (inner) => new Set([inner]),
    (inner) => new Unregistered('t', inner),
  ];
  const passes = (wrap: (inner: unknown) => unknown, levels: number): boolean => {
    let term: unknown = 1;
    for (let level = 0; level < levels; level++) term = wrap(term);
    try {
      assert.deepStrictEqual(decodeTerm(encodeTerm(term, { depthMax: 20 }), { depthMax: 20 }), term);
      return true;
    } catch (error) {
      assert.equal((error as DGenError).code, 'term_too_large');
      return false;
    }
  };
  for (const wrap of wraps) {
    const levels = Array.from({ length: 30 }, (_, index) => index).filter((count) => passes(wrap, count));
    assert.ok(levels.length === 21 || levels.length === 11, `${levels.length} levels`);
  }
});

test('functions of Erlang go back as they came', () => {
  const exported = Uint8Array.of(131, 113, 119, 1, 109, 119, 1, 102, 97, 2);
  const pid = [88, 119, 1, 110, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1];
  const content = [
    1,
    ...new Array(16).fill(7),
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    1,
    119,
    1,
    109,
    97,
    0,
    97,
    9,
    ...pid,
    97,
    42,
  ];
  const local = Uint8Array.of(131, 112, 0, 0, 0, content.length + 4, ...content);
  for (const bytes of [exported, local]) {
    const value = decodeTerm(bytes);
    assert.ok(value instanceof Fun);
    assert.deepStrictEqual(encodeTerm(value), bytes);
    assert.ok(equals(value, decodeTerm(bytes)));
  }
  const hostile = local.slice();
  hostile[5] = content.length + 3;
  assert.throws(() => decodeTerm(hostile), { code: 'bad_term' });
});

test('a function with a private form inside is refused, and the reader goes on after it', () => {
  const pid = [88, 119, 1, 110, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1];
  const content = [
    1,
    ...new Array(16).fill(7),
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    1,
    119,
    1,
    109,
    97,
    0,
    97,
    9,
    ...pid,
    240,
    0,
  ];
  const reader = new TermReader();
  reader.reset(Uint8Array.of(112, 0, 0, 0, content.length + 4, ...content));
  assert.throws(() => reader.term(), { code: 'bad_term' });
  reader.reset(Uint8Array.of(240, 0));
  assert.deepStrictEqual(reader.term(), Number.NaN);
});

test('received bytes are copied: a value does not change with the buffer it came in', () => {
  const bytes = Buffer.from(encodeTerm([new Uint8Array([1, 2, 3]), 'text', new Ref(atom('n'), 1, [1])]));
  const value = decodeTerm(bytes);
  const before = structuredClone((value as unknown[]).slice(0, 2));
  bytes.fill(0);
  assert.deepStrictEqual((value as unknown[]).slice(0, 2), before);
});

test('a Buffer is bytes', () => {
  assert.deepStrictEqual(through(Buffer.from('abc')), new Uint8Array([97, 98, 99]));
});

test('a list as the tail of a list is joined, other tails are kept', () => {
  const nested = Uint8Array.of(131, 108, 0, 0, 0, 1, 97, 1, 108, 0, 0, 0, 1, 97, 2, 107, 0, 2, 3, 4);
  assert.deepStrictEqual(decodeTerm(nested), [1, 2, 3, 4]);
  assert.deepStrictEqual(improper([1], improper([2], 3)), new ImproperList([1, 2], 3));
  assert.throws(() => improper([], 1), { code: 'badarg' });
  assert.throws(() => improper([1], []), { code: 'badarg' });
  const writer = new TermWriter({ dialect: 'erlang' });
  writer.beginFrame();
  assert.throws(() => writer.term(improper([1], new Set([2]))), { code: 'not_encodable' });
});

test('a getter that changes its object while it is written cannot make the count wrong', () => {
  const fickle: Record<string, unknown> = {
    get first(): number {
      delete fickle.second;
      fickle.fourth = 4;
      return 1;
    },
    second: 2,
    third: 3,
  };
  const back = decodeTerm(encodeTerm([fickle, 'after'])) as [Record<string, unknown>, string];
  assert.equal(back[1], 'after');
  assert.equal(back[0].first, 1);
  assert.equal(back[0].third, 3);
});

test('what somebody added to the prototype of all objects does not travel', () => {
  const prototype = Object.prototype as unknown as Record<string, unknown>;
  prototype.polluted = 'yes';
  try {
    const bytes = encodeTerm({ own: 1 });
    delete prototype.polluted;
    assert.deepEqual(decodeTerm(bytes), { own: 1 });
  } finally {
    delete prototype.polluted;
  }
});

test('keys and atoms that begin alike are told apart in whatever order they come', () => {
  const word = fc.constantFrom('a', 'ab', 'abc', 'abd', 'b', 'ba', '');
  const one = fc.oneof(
    fc.uniqueArray(word).map((keys) => Object.fromEntries(keys.map((key, index) => [key, index]))),
    word.map((name) => atom(name)),
  );
  fc.assert(
    fc.property(fc.array(one), (terms) => {
      assert.deepEqual(decodeTerm(encodeTerm(terms)), terms);
    }),
  );
});
