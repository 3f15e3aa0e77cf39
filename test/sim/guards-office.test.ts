// Guards of membership and of taking over: who counts, who is evicted, and what a new leader must have heard.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasAuthority } from '../../src/registry/protocol/authority.ts';
import { leaseMs, Script, sessionMs } from '../../src/sim/script.ts';
import {
  cluster,
  crashProven,
  cutStores,
  forward,
  holdAnswers,
  isWrite,
  keep,
  untilRenewed,
} from './guard-support.ts';

test('a name of the leader waits for the one that is about to count', () => {
  const s = new Script(['A', 'B']);
  s.start('A');
  s.cluster.start('B');
  const adding = s.holdStore('A', (op) => isWrite(op) && op.record.established.length > 1);
  s.until('A lets B count', () => adding.length > 0);
  s.loseTo('B', 'stream', 'adopt', 'pulled');
  const call = s.register('A', 'x');
  s.run(leaseMs / 2);
  assert.equal(call.result, null);
});

test('a name of the leader waits while it is open whether the last one still counts', () => {
  const s = cluster('A', 'B');
  s.cut('A', 'B');
  const removing = s.holdStore('A', (op) => isWrite(op) && op.record.established.length < 2);
  s.until('A lets B count no more', () => removing.length > 0, 2 * leaseMs);
  const call = s.register('A', 'x');
  s.run(leaseMs / 2);
  assert.equal(call.result, null);
});

test('who may count no more holds no second copy', () => {
  const s = cluster('A', 'B', 'C');
  s.lose(({ fromNode, message }) => fromNode === 'B' && message.type === 'pong');
  const b = s.self('B');
  const removing = s.holdStore('A', (op) => isWrite(op) && !op.record.established.includes(b));
  s.until('A lets B count no more', () => removing.length > 0, 2 * leaseMs);
  s.loseTo('C', 'stream', 'adopt', 'pulled');
  const call = s.register('A', 'x');
  s.run(leaseMs / 2);
  assert.equal(call.result, null);
});

test('who is being evicted gets no session, whatever it answers, and whatever becomes of the eviction', () => {
  const s = new Script(['A', 'B', 'C']);
  s.start('A', 'B');
  const pongs = keep(
    s,
    ({ fromNode, toNode, message }) =>
      (toNode === 'C' && message.type === 'grant') ||
      (fromNode === 'C' && message.type === 'pong' && s.now > 3000),
  );
  s.cluster.start('C');
  s.run(20);
  const c = s.self('C');
  const evictions = s.holdStore('A', (op) => isWrite(op) && op.removeMembers.includes(c));
  s.until('A evicts C', () => evictions.length > 0, 2 * sessionMs);
  s.lose(null);
  const since = s.now;
  forward(s, pongs.filter(({ message }) => message.type === 'pong').slice(-1));
  s.run(leaseMs / 2);
  assert.equal(s.sentBy('A', 'grant', since).filter(({ to }) => to === c).length, 0);
});

test('who was evicted without a session comes back as another', () => {
  const s = new Script(['A', 'B', 'C']);
  s.start('A', 'B');
  s.loseTo('C', 'grant');
  s.cluster.start('C');
  s.run(20);
  const c = s.self('C');
  s.cut('C', 'A', 'B');
  s.until('C is evicted', () => !s.cluster.store.members.includes(c), 2 * sessionMs);
  s.lose(null);
  s.heal('C', 'A', 'B');
  s.until('C counts', () => s.node('C').state !== null && s.isEstablished('C'), 2 * leaseMs);
});

test('a leader that stood still takes nobody for silent', () => {
  const s = cluster('A', 'B');
  s.cutStore('B');
  s.run(leaseMs / 2);
  let fewest = 2;
  s.cluster.store.intercept = (_node, op) => {
    if (isWrite(op)) fewest = Math.min(fewest, op.record.established.length);
    return null;
  };
  s.cluster.pause('A');
  s.run(1.5 * leaseMs);
  s.cluster.resume('A');
  s.run(leaseMs / 2);
  assert.equal(fewest, 2);
});

test('who has a contested office sees in the store that others took it', () => {
  const long = { sessionMs: 12 * leaseMs };
  const s = new Script(['A', 'B', 'C'], { A: long, B: long, C: long });
  s.start('A', 'B', 'C');
  cutStores(s, 'A', 'B');
  s.cut('C', 'A', 'B');
  s.until('C has a contested office', () => s.state('C').leader?.contested === true, 2 * leaseMs);
  s.healStore('A');
  s.healStore('B');
  s.until('another has the office', () => (s.cluster.store.record?.epoch ?? 0) > 2, 3 * leaseMs);
  s.run(leaseMs);
  assert.equal(s.state('C').leader, null);
});

test('a leader that has the store again, and hears nobody, strikes nobody off', () => {
  const s = cluster('A', 'B', 'C');
  cutStores(s, 'A', 'B', 'C');
  s.cut('A', 'B', 'C');
  s.run(1.3 * leaseMs);
  s.healStore('A');
  s.run(leaseMs / 2);
  assert.equal(s.cluster.store.record?.established.length, 3);
});

test('who counts is not changed before the take-over is complete', () => {
  const long = { sessionMs: 12 * leaseMs };
  const s = new Script(['A', 'B', 'C', 'D'], { A: long, B: long, C: long, D: long });
  s.start('B', 'A', 'C', 'D');
  s.lose(
    ({ toNode, message }) => 'CD'.includes(toNode) && ['stream', 'adopt', 'pulled'].includes(message.type),
  );
  s.hold('B', 'x');
  s.run(20);
  s.cut('A', 'B', 'C', 'D');
  s.cut('B', 'C', 'D');
  s.cutStore('A');
  s.cutStore('B');
  s.until('C has the office, and D follows', () => s.state('C').leader?.contested === false, 3 * leaseMs);
  const call = s.register('C', 'x');
  crashProven(s, 'D', 'C');
  s.run(2 * leaseMs);
  assert.deepEqual([s.state('C').leader?.complete, s.cluster.store.record?.established.length], [false, 4]);
  assert.equal(call.result, null);
});

test('a claimant that does not count begins to count when its take-over is complete, not before', () => {
  const s = new Script(['A', 'B', 'C']);
  s.start('A', 'B');
  s.lose(({ fromNode, message }) => fromNode === 'C' && message.type === 'ack');
  s.cluster.start('C');
  s.until('C is a member', () => s.state('C').phase === 'active');
  s.hold('B', 'x');
  s.cutStore('B');
  s.cut('B', 'A', 'C');
  crashProven(s, 'A', 'C');
  s.until('C has the office', () => s.state('C').leader !== null, leaseMs);
  s.run(leaseMs);
  assert.deepEqual([s.state('C').leader?.complete, s.isEstablished('C')], [false, false]);
});

test('a member counts when it has what is hosted at the leader, and not before', () => {
  const s = new Script(['A', 'B']);
  s.start('A');
  s.cluster.store.intercept = (node, op) =>
    node === 'A' && isWrite(op) && op.record.established.length > 1 ? 'unavailable' : null;
  s.cluster.start('B');
  s.until('B is a member', () => s.state('B').phase === 'active');
  s.loseTo('B', 'stream', 'adopt', 'pulled');
  s.hold('A', 'x');
  s.cluster.store.intercept = null;
  s.run(leaseMs);
  assert.equal(s.isEstablished('B'), false);
});

test('a member that does not support does not count', () => {
  const s = new Script(['A', 'B']);
  s.start('A');
  s.lose(({ fromNode, message }) => fromNode === 'B' && message.type === 'pong');
  s.cluster.start('B');
  s.run(leaseMs);
  assert.equal(s.isEstablished('B'), false);
});

test('a member that died before it counted never counts', () => {
  const s = new Script(['A', 'B']);
  s.start('A');
  let worst = 0;
  s.cluster.store.intercept = (node, op) => {
    if (node !== 'A' || !isWrite(op)) return null;
    if (s.node('B').state !== null) return 'unavailable';
    worst = Math.max(worst, op.record.established.length);
    return null;
  };
  s.cluster.start('B');
  s.until('B has the table', () => s.state('B').phase === 'active');
  s.run(20);
  crashProven(s, 'B', 'A');
  s.run(leaseMs);
  assert.equal(worst, 1);
});

test('the silent stop counting after a lease', () => {
  const s = cluster('A', 'B', 'C');
  const c = s.self('C');
  s.cut('C', 'A', 'B');
  s.run(1.8 * leaseMs);
  assert.equal(s.cluster.store.record?.established.includes(c), false);
});

test('who said goodbye stays for as long as it has the only copy', () => {
  const s = cluster('A', 'B', 'C');
  s.loseTo('B', 'stream', 'adopt', 'pulled');
  s.hold('A', 'x');
  s.run(20);
  s.cluster.deliver(s.node('C'), { type: 'drain' });
  s.run(leaseMs / 2);
  assert.ok(s.node('C').state !== null && s.isEstablished('C'));
  s.lose(null);
  s.until('C has left', () => s.node('C').state === null, leaseMs);
});

test('what a leader granted itself without a second copy is gone with the office', () => {
  const s = cluster('A', 'B', 'C');
  s.lose(({ message }) => message.type === 'stream');
  const call = s.register('A', 'x');
  s.run(20);
  assert.ok(s.sees('A', 'x') !== undefined);
  s.cut('A', 'B', 'C');
  s.cutStore('A');
  s.until('another leads', () => s.leads('B') || s.leads('C'), 3 * leaseMs);
  s.loseTo('A', 'answers', 'pulled', 'adopt', 'stream');
  s.heal('A', 'B', 'C');
  s.until('A has promised', () => s.state('A').follow.promised === 2, leaseMs);
  assert.equal(s.sees('A', 'x'), undefined);
  s.lose(null);
  assert.equal(s.answer(call), 'registered');
});

test('2. the promise of another incarnation is none of the one that counts', () => {
  const s = cluster('B', 'A', 'C', 'D');
  s.lose(
    ({ toNode, message }) => 'CD'.includes(toNode) && ['stream', 'adopt', 'pulled'].includes(message.type),
  );
  const process = s.hold('B', 'x');
  s.run(20);
  const started = s.now;
  crashProven(s, 'A', 'C', 'D');
  s.cut('B', 'A', 'C', 'D');
  s.cutStore('B');
  s.lose(null);
  s.cluster.start('A');
  s.until('C has the office', () => s.state('C').leader !== null);
  s.until('A has promised', () => s.state('C').leader?.peers.get(s.self('A'))?.promised != null);
  const call = s.register('C', 'x');
  s.run(started + 0.85 * sessionMs - s.now);
  assert.equal(call.result, null);
  assert.equal(s.answer(call), 'registered');
  assert.equal(process.alive, false);
});

test('of several witnesses the freshest is asked', () => {
  const s = cluster('B', 'A', 'C');
  s.loseTo('A', 'stream', 'adopt', 'pulled');
  s.hold('B', 'x');
  s.run(20);
  s.lose(null);
  s.cut('B', 'A', 'C');
  s.cutStore('B');
  s.cutStore('C');
  s.until('A leads', () => s.leads('A'), 3 * leaseMs);
  assert.notEqual(s.sees('A', 'x'), undefined);
  const call = s.register('A', 'x');
  s.run(leaseMs);
  assert.equal(call.result, null);
});

test('no take-over is complete while the word of a host that promised is under way', () => {
  const s = cluster('B', 'A', 'C');
  s.loseTo('C', 'stream', 'adopt');
  s.hold('A', 'y');
  s.lose(({ fromNode, message }) => fromNode === 'A' && message.type === 'pulled');
  s.cutStore('A');
  crashProven(s, 'B', 'A', 'C');
  s.until('A has promised', () => s.state('C').leader?.peers.get(s.self('A'))?.promised != null, leaseMs);
  s.run(leaseMs / 2);
  assert.equal(s.state('C').leader?.complete, false);
  s.lose(null);
  assert.equal(s.answer(s.read('C', 'y')), 'found');
});

test('a host that was missing is served when it was heard, and not before', () => {
  const s = cluster('B', 'A', 'C');
  s.hold('A', 'y');
  s.run(20);
  s.cut('A', 'B', 'C');
  s.cutStore('A');
  s.cut('B', 'C');
  s.cutStore('B');
  s.until('C has the office', () => s.state('C').leader !== null, 2 * leaseMs);
  s.unregister('A', 'y');
  s.heal('B', 'C');
  s.run(leaseMs / 4);
  assert.equal(s.leads('C'), true);
  s.lose(({ fromNode, message }) => fromNode === 'A' && message.type === 'pulled');
  s.heal('A', 'B', 'C');
  s.until('A has promised', () => s.state('A').follow.promised === 2, leaseMs);
  const names = ['z0', 'z1', 'z2', 'z3', 'z4', 'z5', 'z6', 'z7'];
  const calls = names.map((name) => s.register('A', name));
  s.run(leaseMs / 2);
  assert.ok(calls.every(({ result }) => result === null));
  s.lose(null);
  for (const call of calls) assert.equal(s.answer(call), 'registered');
});

test('who waited is not served by a leader that lost its authority meanwhile', () => {
  const s = cluster('B', 'A', 'C', 'D');
  s.loseTo('A', 'stream', 'adopt', 'pulled');
  s.register('A', 'x');
  s.run(20);
  const read = s.read('B', 'x');
  cutStores(s, 'A', 'B', 'C', 'D');
  s.cut('B', 'C', 'D');
  s.run(1.3 * leaseMs);
  s.lose(null);
  s.run(leaseMs / 2);
  assert.notEqual(s.sees('A', 'x'), undefined);
  assert.equal(read.result, null);
});

test('who waited is served when authority is back before anybody has looked', () => {
  const s = cluster('B', 'A', 'C');
  s.loseTo('A', 'stream', 'adopt', 'pulled');
  s.register('A', 'x');
  s.run(20);
  const read = s.read('B', 'x');
  untilRenewed(s);
  const acks = keep(s, ({ toNode, message }) => toNode === 'B' && ['ack', 'pong'].includes(message.type));
  const renewals = holdAnswers(s, 'B', isWrite);
  s.until('B renews', () => renewals.length > 0);
  const [renewal] = renewals;
  assert.ok(renewal !== undefined);
  const outcome = s.cluster.store.apply(renewal.op);
  const node = s.node('B');
  while (hasAuthority(s.state('B'), s.cluster.localTime(node))) s.run(0.5);
  const ack = acks.filter(({ fromNode, message }) => fromNode === 'A' && message.type === 'ack').at(-1);
  assert.ok(outcome.status === 'committed' && ack !== undefined && read.result === null);
  s.cluster.deliver(node, { type: 'message', from: ack.from, to: ack.to, message: ack.message });
  assert.equal(read.result, null);
  s.cluster.deliver(node, { type: 'store', id: renewal.id, outcome });
  assert.equal(s.answer(read, 10), 'found');
});
