// Guards of versions, digests, the stream and transfers: what a follower may take for the table.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Parcel } from '../../src/sim/network.ts';
import { leaseMs, type Script } from '../../src/sim/script.ts';
import { cluster, crashProven, forward, keep, missMuch } from './guard-support.ts';

/** Everything that the leader has stands at the follower too, and the digests are right. */
function expectEqual(s: Script, leader: string, follower: string): void {
  s.lose(null);
  s.until('the tables are equal', () => s.judged.rest.unrest() === null, 3 * leaseMs);
  for (const key of s.state(leader).replica.entries.keys())
    assert.equal(s.sees(follower, String(key)), s.sees(leader, String(key)));
  s.judged.rest.check();
}

const toC =
  (...types: string[]): ((parcel: Parcel) => boolean) =>
  ({ toNode, message }) =>
    toNode === 'C' && types.includes(message.type);

test('equal numbers of names are not equal names, nor are equal names equal registrations', () => {
  const s = cluster('B', 'A', 'C');
  s.hold('A', 'x');
  s.run(20);
  s.lose(toC('stream', 'adopt'));
  assert.equal(s.answer(s.unregister('A', 'x')), 'done');
  const process = s.hold('A', 'x');
  s.cutStore('A');
  crashProven(s, 'B', 'A', 'C');
  s.lose(null);
  s.until('C leads', () => s.leads('C'));
  assert.equal(s.answer(s.read('C', 'x')), 'found');
  assert.equal(s.sees('C', 'x'), process.pid.toString());
});

test('digests follow what comes and goes', () => {
  const s = cluster('B', 'A', 'C');
  const process = s.hold('A', 'x');
  s.hold('B', 'y');
  s.cluster.exit(process);
  s.run(50);
  expectEqual(s, 'B', 'C');
});

test('a gap in the stream is filled', () => {
  const s = cluster('B', 'A', 'C');
  let lost = 0;
  s.lose((parcel) => toC('stream')(parcel) && lost++ === 0);
  s.hold('A', 'x');
  s.hold('A', 'y');
  s.run(leaseMs / 2);
  assert.notEqual(s.sees('C', 'x'), undefined);
  expectEqual(s, 'B', 'C');
});

test('a stream that comes twice changes nothing', () => {
  const s = cluster('B', 'A', 'C');
  const copies: Parcel[] = [];
  s.lose((parcel) => {
    if (toC('stream')(parcel)) copies.push(parcel);
    return false;
  });
  s.hold('A', 'x');
  assert.equal(s.answer(s.unregister('A', 'x')), 'done');
  s.hold('B', 'x');
  s.run(50);
  forward(s, copies.slice(0, 2));
  s.run(20);
  expectEqual(s, 'B', 'C');
});

test('the table stays as it was until a transfer has arrived', () => {
  const s = cluster('B', 'A', 'C');
  s.hold('A', 'x');
  s.run(50);
  s.lose(toC('stream', 'adopt'));
  missMuch(s, 'B', 'y');
  s.lose(toC('stream', 'pulled'));
  s.until('C asks for the table', () => s.state('C').pulls.size > 0);
  s.run(leaseMs / 4);
  assert.notEqual(s.sees('C', 'x'), undefined);
  expectEqual(s, 'B', 'C');
});

/** C has missed 140 names and asks for the table; what is on its way between them is kept, in both directions. */
function transfer(s: Script, prefix: string): Parcel[] {
  s.lose(toC('stream', 'adopt'));
  missMuch(s, 'B', prefix);
  const kept = keep(
    s,
    (parcel) =>
      toC('stream', 'pulled')(parcel) || (parcel.fromNode === 'C' && parcel.message.type === 'pull'),
  );
  s.until('C asks for the table', () => kept.some(({ message }) => message.type === 'pull'));
  return kept;
}

/** The kept messages of a kind, by part. */
function part(kept: readonly Parcel[], type: 'pull' | 'pulled', number: number): Parcel[] {
  const of = kept.filter(({ message }) => message.type === type && message.part === number);
  assert.ok(of.length > 0, `${type} ${number}`);
  return of.slice(-1);
}

test('a question that comes twice gets one list', () => {
  const s = cluster('B', 'A', 'C');
  const first = s.hold('B', 'first');
  const kept = transfer(s, 'y');
  const [ask] = part(kept, 'pull', 0);
  assert.ok(ask !== undefined);
  forward(s, [ask]);
  s.run(5);
  forward(s, part(kept, 'pulled', 0));
  s.run(5);
  // The table of B changes, and then the same question arrives once more.
  for (const process of [...s.node('B').processes].slice(0, 20)) s.cluster.exit(process);
  s.run(50);
  assert.equal(first.alive, false);
  forward(s, [ask]);
  s.run(5);
  for (let number = 1; s.state('C').pulls.size > 0; number++) {
    forward(s, part(kept, 'pull', number));
    s.run(5);
    forward(s, part(kept, 'pulled', number));
    s.run(5);
  }
  expectEqual(s, 'B', 'C');
});

test('a stream that comes during a transfer waits', () => {
  const s = cluster('B', 'A', 'C');
  const kept = transfer(s, 'y');
  forward(s, part(kept, 'pull', 0));
  s.run(5);
  s.register('B', 'z');
  s.run(20);
  const { entries, version } = s.state('B').replica;
  const previous = s.state('C').replica.version;
  const missed = [...entries.values()].filter(({ token }) => token.n > previous.n);
  missed.sort((one, other) => one.token.n - other.token.n);
  const ops = missed.map((entry) => ({ type: 'put' as const, entry, seq: 0 }));
  const ends = { fromNode: 'B', toNode: 'C', from: s.self('B'), to: s.self('C') };
  forward(s, [{ ...ends, message: { type: 'stream', epoch: version.epoch, previous, version, ops } }]);
  s.run(5);
  assert.deepEqual(s.state('C').replica.version, previous);
  expectEqual(s, 'B', 'C');
});

test('a part that comes twice is taken once', () => {
  const s = cluster('B', 'A', 'C');
  const kept = transfer(s, 'y');
  forward(s, part(kept, 'pull', 0));
  s.run(5);
  const twice = part(kept, 'pulled', 0);
  forward(s, [...twice, ...twice]);
  s.run(5);
  expectEqual(s, 'B', 'C');
});

test('the answer to a former question is none to the next one', () => {
  const s = cluster('B', 'A', 'C');
  const first = transfer(s, 'y');
  forward(s, part(first, 'pull', 0));
  s.run(5);
  const old = part(first, 'pulled', 0);
  s.lose(null);
  s.until('C has caught up', () => s.sees('C', 'y 139') !== undefined);
  transfer(s, 'z');
  forward(s, old);
  s.run(5);
  assert.equal([...s.state('C').pulls.values()][0]?.part, 0);
  expectEqual(s, 'B', 'C');
});

test('the stream to a follower that acknowledges nothing stops at its window', () => {
  const s = cluster('B', 'A', 'C');
  s.lose(({ fromNode, message }) => fromNode === 'C' && message.type === 'ack');
  for (let count = 0; count < 100; count++) s.hold('B', `y${count}`);
  const sent = s.state('B').leader?.peers.get(s.self('C'))?.sent ?? 0;
  const acked = s.state('B').leader?.peers.get(s.self('C'))?.acked ?? 0;
  assert.ok(sent - acked <= 64, `${sent - acked} operations`);
  expectEqual(s, 'B', 'C');
});

test('an acknowledgement of a former epoch is none of what is granted now', () => {
  const s = cluster('B', 'A', 'C');
  const acks: Parcel[] = [];
  s.lose((parcel) => {
    if (parcel.fromNode === 'A' && parcel.message.type === 'ack') acks.push(parcel);
    return false;
  });
  s.hold('B', 'x');
  s.hold('B', 'y');
  s.run(50);
  s.cutStore('A');
  s.cutStore('B');
  s.until('C leads', () => s.leads('C'), 4 * leaseMs);
  s.healStore('B');
  s.run(leaseMs / 2);
  const [old] = acks.filter(({ message }) => message.type === 'ack' && message.version.epoch === 1).slice(-1);
  assert.ok(old !== undefined);
  crashProven(s, 'C', 'A', 'B');
  s.until('B leads again', () => s.leads('B'), 2 * leaseMs);
  s.run(50);
  s.lose(({ message }) => message.type === 'stream');
  const call = s.register('B', 'z');
  s.run(20);
  forward(s, [old]);
  s.run(20);
  assert.equal(call.result, null);
});
