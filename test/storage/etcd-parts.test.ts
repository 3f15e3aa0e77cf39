// The parts of the etcd backend that need no server: addresses and options, what writes come to, what a commit rests on.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { compareBytes, rangesMeet } from '../../src/storage/bytes.ts';
import { conditionsOf } from '../../src/storage/etcd/conditions.ts';
import { commitError, RpcError, refusalIn } from '../../src/storage/etcd/errors.ts';
import { guardsToRestOn, guardsToTouch } from '../../src/storage/etcd/guards.ts';
import { etcdOptionsOf, openEtcd } from '../../src/storage/etcd/index.ts';
import { Layout } from '../../src/storage/etcd/layout.ts';
import { keysToRead, netWrites } from '../../src/storage/etcd/net-writes.ts';
import { nameOf, ReadLog } from '../../src/storage/etcd/read-log.ts';
import { type Bytes, type KeyRange, keyOf, type Mutation, prefixRange } from '../../src/storage/index.ts';
import { MemoryState, readRange } from '../../src/storage/memory-database.ts';

describe('an address', () => {
  test('stands for options', () => {
    assert.deepEqual(etcdOptionsOf('etcd://a'), { endpoints: ['a'] });
    assert.deepEqual(etcdOptionsOf('etcd://a:1,[::1]:2/team/prod/'), {
      endpoints: ['a:1', '[::1]:2'],
      prefix: 'team/prod',
    });
    assert.deepEqual(etcdOptionsOf('etcds://us%40er:p%2F%3A%23@h:1/x%20y?ca=/c.pem&serverName=n'), {
      endpoints: ['h:1'],
      username: 'us@er',
      password: 'p/:#',
      prefix: 'x y',
      tls: { ca: '/c.pem', serverName: 'n' },
    });
  });

  test('that is none is refused without being repeated', () => {
    for (const address of [
      'etcd://',
      'etcd:secret',
      'etcd://secret@host',
      'etcd://u:secret%@host',
      'etcd://u:secret@host?ca=x',
      'etcds://u:secret@host?cat=x',
      'http://u:secret@host',
    ]) {
      const refused = (error: Error & { code?: string }): boolean =>
        error.code === 'bad_option' && !/secret/.test(String(error.stack));
      assert.throws(() => etcdOptionsOf(address), refused, address);
    }
  });
});

describe('options', () => {
  test('are refused when they cannot be meant', async () => {
    const endpoints = ['localhost:2379'];
    const wrong: readonly object[] = [
      {},
      { endpoints: [] },
      { endpoints: 'localhost:2379' },
      { endpoints: ['http://localhost:2379'] },
      { endpoints: ['localhost:0'] },
      { endpoints: ['localhost:65536'] },
      { endpoints, prefix: '' },
      { endpoints, prefix: 'a/' },
      { endpoints, prefix: 'a\n' },
      { endpoints, prefix: 'x'.repeat(65) },
      { endpoints, username: 'a' },
      { endpoints, password: 'a' },
      { endpoints, username: '', password: 'a' },
      { endpoints, tls: { cert: 'x' } },
      { endpoints, tls: { ca: '/does/not/exist' } },
      { endpoints, endpointTimeoutMs: 99 },
      { endpoints, endpointTimeoutMs: Number.NaN },
    ];
    for (const options of wrong) {
      await assert.rejects(openEtcd(options as never), { code: 'bad_option' }, JSON.stringify(options));
    }
  });
});

const small = fc.uint8Array({ minLength: 1, maxLength: 3, max: 3 });
const bound = fc.uint8Array({ maxLength: 3, max: 4 });
const eight = fc.uint8Array({ minLength: 8, maxLength: 8 });
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ type: fc.constant('set'), key: small, value: eight }),
  fc.record({ type: fc.constant('clear'), key: small }),
  fc.record({ type: fc.constant('clearRange'), begin: bound, end: bound }),
  fc.record({ type: fc.constant('add'), key: small, value: eight }),
  fc.record({ type: fc.constant('max'), key: small, value: eight }),
);
type Item = readonly [Bytes, Bytes];
const everything: KeyRange = { begin: new Uint8Array(0), end: Uint8Array.of(255) };

/** What the reference makes of writes. */
function applied(content: readonly Item[], writes: readonly Mutation[]): readonly Item[] {
  const state = new MemoryState({ now: () => 0 });
  state.apply({ reads: [], writes: content.map(([key, value]) => ({ type: 'set', key, value })) }, undefined);
  state.apply({ reads: [], writes }, undefined);
  return readRange(state.snapshot, everything, { limit: 10_000 }).items;
}

describe('the net writes of a commit', () => {
  const content = fc.uniqueArray(fc.tuple(small, eight), { selector: ([key]) => nameOf(key), maxLength: 12 });

  test('come to what the reference does, with no key in two of them', () => {
    const property = fc.property(content, fc.array(mutation, { maxLength: 12 }), (items, writes) => {
      const values = new Map(items.map(([key, value]) => [nameOf(key), value]));
      const asked = new Set(keysToRead(writes).map(nameOf));
      const net = netWrites(writes, (key) => {
        assert.ok(asked.has(nameOf(key)), 'a key that was not announced');
        return values.get(nameOf(key));
      });
      const touched = [...net.puts.map(([key]) => key), ...net.deletes];
      assert.equal(new Set(touched.map(nameOf)).size, touched.length);
      for (const range of net.clears) {
        assert.ok(touched.every((key) => !isWithin(key, range)));
        assert.ok(net.clears.every((other) => other === range || !rangesMeet(other, range)));
      }
      const rest = items.filter(
        ([key]) =>
          !net.clears.some((range) => isWithin(key, range)) && !touched.some((other) => same(other, key)),
      );
      const result = [...rest, ...net.puts].sort(([a], [b]) => compareBytes(a, b));
      assert.deepEqual(result, applied(items, writes));
    });
    fc.assert(property, { numRuns: 2_000 });
  });
});

describe('guards', () => {
  const part = fc.constantFrom('', 'a', 'b', 'tenant', 'tenant2');
  const key = fc.oneof(
    fc.tuple(part, part).map((parts) => keyOf(...parts)),
    fc.uint8Array({ minLength: 1, maxLength: 4, max: 2 }),
  );
  const range = fc.oneof(
    fc.record({ begin: key, end: key }),
    part.map((one) => prefixRange(one)),
    fc.tuple(part, part).map((parts) => prefixRange(...parts)),
  );

  test('that a deletion touches are among those that a read of the place rests on', () => {
    const property = fc.property(
      fc.array(range, { minLength: 1, maxLength: 8 }),
      fc.array(key, { maxLength: 8 }),
      fc.array(range, { maxLength: 3 }),
      (reads, keys, cleared) => {
        const ranges = cleared.filter(({ begin, end }) => compareBytes(begin, end) < 0);
        const hit =
          reads.some((read) => keys.some((one) => isWithin(one, read))) ||
          reads.some((read) => ranges.some((one) => rangesMeet(one, read)));
        if (!hit) return;
        const rested = guardsToRestOn(reads);
        const touched = guardsToTouch({ keys, ranges });
        assert.ok(rested === undefined || touched.some((name) => rested.includes(name)));
      },
    );
    fc.assert(property, { numRuns: 3_000 });
  });

  test('of one tenant are not those of another', () => {
    const touched = guardsToTouch({ keys: [keyOf('a', 'x')], ranges: [prefixRange('a', 'y')] });
    assert.equal(touched.length, 1);
    assert.ok(!guardsToRestOn([prefixRange('b', 'x')])?.includes(touched[0] as string));
  });
});

describe('the conditions of a commit', () => {
  test('fit into the room that there is, whatever was read', () => {
    const layout = new Layout('p');
    const pieces = fc.array(fc.record({ begin: bound, end: bound }), { maxLength: 100 });
    const property = fc.property(pieces, pieces, fc.integer({ min: 16, max: 128 }), (reads, seen, room) => {
      const log = new ReadLog();
      for (const range of seen) {
        if (compareBytes(range.begin, range.end) >= 0) continue;
        log.noteRange(range, range.begin.length === 0 ? [] : [{ key: range.begin, revision: '3' }]);
      }
      assert.ok(conditionsOf(reads, { layout, log, revision: 5n, room }).length <= room);
    });
    fc.assert(property, { numRuns: 500 });
  });
});

describe('what a server says', () => {
  test('is believed only in the words that prove a refusal', () => {
    const code = (text: string): string => (commitError(new RpcError(text)) as { code: string }).code;
    assert.equal(code('etcdserver: permission denied'), 'store_fatal');
    assert.equal(code('etcdserver: request is too large'), 'store_too_large');
    assert.equal(code('etcdserver: no leader'), 'store_unavailable');
    for (const doubtful of [
      'etcdserver: request timed out',
      'etcdserver: server stopped',
      'etcdserver: leader changed',
      'etcdserver: mvcc: database space exceeded',
      'Connection dropped',
      'Received message larger than max (5 vs 4)',
      'permission denied',
      '',
    ]) {
      assert.equal(code(doubtful), 'store_commit_unknown', doubtful);
    }
    const unsent = commitError(new RpcError('not connected', { sent: false })) as { code: string };
    assert.equal(unsent.code, 'store_unavailable');
    assert.equal(
      refusalIn('rpc error: code = Unauthenticated desc = etcdserver: invalid auth token')?.remedy,
      'token',
    );
  });
});

function isWithin(key: Bytes, { begin, end }: KeyRange): boolean {
  return compareBytes(begin, key) <= 0 && compareBytes(key, end) < 0;
}

function same(a: Bytes, b: Bytes): boolean {
  return compareBytes(a, b) === 0;
}
