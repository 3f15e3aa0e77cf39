// Guards of requests and of hosts: what is answered, recorded, given back and let go.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Parcel } from '../../src/sim/network.ts';
import { leaseMs, Script, sessionMs } from '../../src/sim/script.ts';
import { cluster, crashProven, forward, keep, missMuch } from './guard-support.ts';

const isPut = ({ message }: Parcel): boolean =>
  message.type === 'stream' && message.ops.some(({ type }) => type === 'put');

test('an answer of a former leader is none to the request of now that has its number', () => {
  const s = cluster('A', 'B', 'C');
  s.hold('B', 'x');
  s.run(20);
  const answers = keep(s, ({ toNode, message }) => toNode === 'C' && message.type === 'answers');
  const refused = s.register('C', 'x');
  s.until('A has answered', () => answers.length > 0);
  s.cluster.cancel(refused);
  s.lose(null);
  s.cutStore('C');
  crashProven(s, 'A', 'B');
  s.until('C follows B', () => s.state('C').follow.promised === 2 && s.leads('B'));
  s.run(20);
  s.lose(({ fromNode, message }) => fromNode === 'C' && message.type === 'requests');
  const call = s.register('C', 'z');
  s.run(5);
  forward(s, answers);
  s.run(20);
  assert.equal(call.result, null);
});

test('what was said to a former incarnation is not said to the next one', () => {
  const s = cluster('A', 'B', 'C');
  s.hold('B', 'x');
  s.run(20);
  const answers = keep(s, ({ toNode, message }) => toNode === 'C' && message.type === 'answers');
  s.register('C', 'x');
  s.until('A has answered', () => answers.length > 0);
  s.cluster.pause('C');
  s.run(1.3 * sessionMs);
  s.cluster.resume('C');
  s.lose(({ fromNode, message }) => fromNode === 'C' && message.type === 'requests');
  s.until('C is back', () => s.state('C').phase === 'active');
  const call = s.register('C', 'z');
  s.run(5);
  forward(s, answers.slice(0, 1));
  s.run(20);
  assert.equal(call.result, null);
});

test('the table of a former leader is not adopted', () => {
  const s = new Script(['A', 'B', 'C']);
  s.start('A', 'B');
  const adopts = keep(s, ({ toNode, message }) => toNode === 'C' && message.type === 'adopt');
  s.cluster.start('C');
  s.until('A has sent its totals', () => adopts.length > 0);
  s.cutStore('C');
  crashProven(s, 'A', 'B');
  s.until('C follows B', () => s.state('C').follow.promised === 2);
  forward(s, adopts.slice(0, 1));
  s.run(20);
  assert.equal(s.state('C').follow.adopted, false);
});

test('a member that was paused past its session answers nothing before it has fenced itself', () => {
  const s = cluster('A', 'B', 'C');
  const process = s.hold('C', 'x');
  s.run(20);
  s.cut('C', 'A', 'B');
  s.run(5);
  s.cluster.pause('C');
  const again = s.register('C', 'x', process);
  s.run(1.5 * sessionMs);
  s.cluster.resume('C');
  assert.equal(s.answer(again), 'fenced');
});

test('a member that is fenced takes nothing in, and answers whoever waits', () => {
  const s = cluster('A', 'B', 'C');
  s.lose(({ fromNode, message }) => fromNode === 'C' && message.type === 'requests');
  const before = s.register('C', 'x');
  s.run(20);
  s.cluster.pause('C');
  s.run(1.5 * sessionMs);
  s.cluster.resume('C');
  assert.equal(before.result?.type === 'error' && before.result.code, 'fenced');
  assert.equal(s.state('C').phase, 'fenced');
  const after = s.register('C', 'y');
  assert.equal(after.result?.type === 'error' && after.result.code, 'fenced');
});

test('two calls of one process for one name: both are told that it is registered', () => {
  const s = cluster('A', 'B');
  const process = s.spawn('B');
  const calls = [s.register('B', 'x', process), s.register('B', 'x', process)];
  for (const call of calls) assert.equal(s.answer(call), 'registered');
});

test('requests are taken in the order of their numbers', () => {
  const s = cluster('A', 'B');
  let lost = 0;
  s.lose(({ message }) => message.type === 'requests' && lost++ === 0);
  const first = s.register('B', 'x');
  s.until('the first is lost', () => lost > 0);
  const second = s.register('B', 'y');
  for (const call of [first, second]) assert.equal(s.answer(call, 2 * leaseMs), 'registered');
});

test('the removal of a former registration takes nobody else’s', () => {
  const s = cluster('B', 'A', 'C');
  s.hold('A', 'x');
  s.run(20);
  s.lose(({ fromNode, message }) => fromNode === 'A' && message.type === 'requests');
  s.unregister('A', 'x');
  s.cutStore('A');
  crashProven(s, 'B', 'A', 'C');
  s.until('C leads', () => s.leads('C'));
  const process = s.hold('C', 'x');
  s.lose(null);
  s.run(leaseMs);
  assert.equal(s.sees('C', 'x'), process.pid.toString());
  assert.equal(s.answer(s.read('A', 'x')), 'found');
});

test('a drop that comes twice ends one registration', () => {
  const s = cluster('B', 'A', 'C');
  s.hold('A', 'x');
  s.run(20);
  const drops: Parcel[] = [];
  s.lose((parcel) => {
    if (parcel.message.type === 'drop') drops.push(parcel);
    return false;
  });
  assert.equal(s.answer(s.unregister('C', 'x')), 'done');
  const process = s.hold('A', 'x');
  forward(s, drops);
  s.run(20);
  assert.ok(drops.length > 0);
  assert.equal(s.sees('A', 'x'), process.pid.toString());
});

test('a process that exits while it waits gets no name', () => {
  const s = cluster('B', 'A', 'C');
  s.lose((parcel) => parcel.toNode === 'A' && isPut(parcel));
  const process = s.spawn('A');
  s.register('A', 'x', process);
  s.run(20);
  s.cluster.exit(process);
  s.run(20);
  s.lose(null);
  assert.equal(s.answer(s.read('C', 'x')), 'absent');
  s.hold('C', 'x');
});

test('a name that was unregistered elsewhere is seen again with its next registration', () => {
  const s = cluster('B', 'A', 'C');
  s.hold('A', 'x');
  s.run(50);
  s.loseTo('C', 'stream', 'answers', 'adopt');
  s.unregister('C', 'x');
  s.until('x is gone', () => s.sees('A', 'x') === undefined);
  s.hold('A', 'x');
  missMuch(s, 'B', 'y');
  s.loseTo('C', 'answers');
  s.until('C has caught up', () => s.sees('C', 'y 139') !== undefined);
  assert.equal(s.state('C').host.hidden.has('x'), false);
});

test('an unregistration that was given up may have happened', () => {
  const s = cluster('B', 'A', 'C');
  s.hold('A', 'x');
  s.run(50);
  s.loseTo('C', 'answers');
  const removal = s.unregister('C', 'x');
  s.until('x is gone', () => s.sees('A', 'x') === undefined);
  s.cluster.cancel(removal);
  assert.equal(removal.result?.type === 'error' && removal.result.maybeExecuted, true);
});

test('more than may wait is refused: at a member, and at the leader', () => {
  const s = cluster('B', 'A', 'C');
  s.lose((parcel) => parcel.toNode === 'A' && isPut(parcel));
  s.register('A', 'x');
  s.run(20);
  const reads = ['B', 'C'].flatMap((name) => Array.from({ length: 600 }, () => s.read(name, 'x')));
  s.run(20);
  assert.equal(
    reads.filter(({ result }) => result?.type === 'error' && result.code === 'overloaded').length,
    200,
  );
  s.cut('C', 'A', 'B');
  const own = Array.from({ length: 1001 }, () => s.read('C', 'y'));
  assert.ok(own.some(({ result }) => result?.type === 'error' && result.code === 'overloaded'));
});

test('a grant that comes by a transfer once more stays', () => {
  const s = cluster('B', 'A', 'C');
  const names = Array.from({ length: 16 }, (_, n) => `x${n}`);
  for (const name of names) s.hold('C', name);
  s.run(50);
  s.lose(
    ({ fromNode, toNode, message }) =>
      (toNode === 'C' && (message.type === 'stream' || message.type === 'adopt')) ||
      (fromNode === 'C' && message.type === 'requests'),
  );
  s.unregister('C', 'x0');
  missMuch(s, 'B', 'y');
  s.lose(({ fromNode, message }) => fromNode === 'C' && message.type === 'requests');
  s.until('C has caught up', () => s.sees('C', 'y 139') !== undefined);
  s.lose(null);
  s.run(leaseMs);
  for (const name of names.slice(1)) assert.equal(s.answer(s.read('A', name)), 'found');
});

test('what ended is remembered until the transfer is over that was fixed before', () => {
  const s = cluster('B', 'A', 'C');
  const process = s.hold('C', 'x');
  s.run(50);
  s.loseTo('C', 'stream', 'adopt');
  missMuch(s, 'B', 'y');
  const removal = s.unregister('C', 'x');
  const kept = keep(s, ({ fromNode, toNode, message }) => {
    if (fromNode === 'C' && message.type === 'requests') return kept.length === 0;
    return toNode === 'C' && (message.type === 'pulled' || message.type === 'stream');
  });
  s.until('B has fixed the transfer', () => kept.some(({ message }) => message.type === 'pulled'));
  assert.equal(s.answer(removal, leaseMs), 'done');
  s.lose(({ fromNode, message }) => fromNode === 'C' && message.type === 'requests');
  const again = s.register('C', 'x', process);
  forward(s, kept.filter(({ message }) => message.type === 'pulled').slice(0, 1));
  s.run(leaseMs);
  assert.equal(again.result, null);
  s.lose(null);
  assert.equal(s.answer(again), 'registered');
});

test('a grant to the leader that nobody wants any more is taken back', () => {
  const s = cluster('B', 'A', 'C');
  s.lose(({ message }) => message.type === 'stream');
  const call = s.register('B', 'x');
  s.run(20);
  s.cluster.cancel(call);
  s.lose(null);
  assert.equal(s.answer(s.read('C', 'x')), 'absent');
  s.hold('C', 'x');
});

test('a grant counts when its own host has it, not when that of a former one was acknowledged', () => {
  const s = cluster('B', 'A', 'C');
  s.lose((parcel) => parcel.toNode === 'A' && isPut(parcel));
  const first = s.register('A', 'x');
  const held = (): string | undefined => s.state('B').replica.entries.get('x')?.host;
  s.until('x is granted to A', () => held() !== undefined);
  s.cluster.cancel(first);
  const acks = keep(
    s,
    ({ fromNode, toNode, message }) =>
      (fromNode === 'A' && message.type === 'ack') || (toNode === 'C' && message.type === 'stream'),
  );
  s.until('A has given it back', () => held() === undefined);
  s.register('C', 'x');
  s.until('x is granted to C', () => held() !== undefined);
  const read = s.read('B', 'x');
  s.until('A has everything', () =>
    acks.some(({ message }) => message.type === 'ack' && message.version.n > 2),
  );
  forward(s, acks.filter(({ message }) => message.type === 'ack').slice(-1));
  s.run(20);
  assert.equal(read.result, null);
});
