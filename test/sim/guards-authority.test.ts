// Guards of leases and of claims: each case does what nothing else does, so that the guard alone stands in the way.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasAuthority } from '../../src/registry/protocol/authority.ts';
import type { LeaderRecord } from '../../src/registry/protocol/types.ts';
import { leaseMs, Script, sessionMs } from '../../src/sim/script.ts';
import {
  answerTo,
  cluster,
  crashProven,
  cutStores,
  forward,
  holdAnswers,
  isWrite,
  keep,
  untilRenewed,
  withClocks,
} from './guard-support.ts';

function mayDecide(s: Script, name: string): boolean {
  return hasAuthority(s.state(name), s.cluster.localTime(s.node(name)));
}

/** The checkers see to it that nobody else holds it then. */
function untilFree(s: Script, at: string): void {
  s.until('x is free', () => s.answer(s.register(at, 'x')) === 'registered', 2 * sessionMs);
}

for (const offset of [0, 7, 14, 21, 28, 35])
  test(`margins: a slow leader ends before a fast follower begins, ${offset} ms after a renewal`, () => {
    const s = withClocks({ A: 0.95, B: 1.05 });
    s.hold('A', 'x');
    untilRenewed(s);
    s.run(offset);
    s.cut('A', 'B');
    s.cutStore('A');
    const call = s.register('B', 'x');
    s.until('B leads', () => s.leads('B') && mayDecide(s, 'B'), 2 * leaseMs);
    assert.equal(s.answer(call, 2 * sessionMs), 'registered');
  });

test('margins: a slow member has fenced itself before a fast leader evicts it', () => {
  const s = withClocks({ A: 1.05, B: 0.95 });
  s.hold('B', 'x');
  s.cut('A', 'B');
  s.cutStore('B');
  untilFree(s, 'A');
});

test('margins: a session counts from the sending of the answer, however late its grant arrives', () => {
  const s = cluster('A', 'B');
  s.hold('B', 'x');
  const grants = keep(s, ({ toNode, message }) => toNode === 'B' && message.type === 'grant');
  s.run(leaseMs);
  s.cut('A', 'B');
  s.cutStore('B');
  s.run(1.5 * leaseMs);
  s.heal('A', 'B');
  s.lose(({ message }) => message.type !== 'grant');
  forward(s, grants.slice(-1));
  untilFree(s, 'A');
});

test('the store lease counts from the sending of a renewal, however late the answer', () => {
  const s = cluster('A', 'B');
  untilRenewed(s);
  const held = holdAnswers(s, 'A', isWrite);
  s.until('A renews', () => held.length > 0);
  const [renewal] = held;
  assert.ok(renewal !== undefined);
  const outcome = s.cluster.store.apply(renewal.op);
  assert.equal(outcome.status, 'committed');
  s.cut('A', 'B');
  s.run(0.9 * leaseMs);
  answerTo(s, renewal, outcome);
  s.run(leaseMs);
  assert.ok(s.leads('B'));
});

test('the store lease of a claim counts from its sending, however late the answer', () => {
  const s = cluster('A', 'C', 'D', 'B');
  const held = holdAnswers(s, 'B', isWrite);
  cutStores(s, 'C', 'D');
  crashProven(s, 'A', 'B');
  s.until('B claims', () => held.length > 0);
  const [claim] = held;
  assert.ok(claim !== undefined);
  const outcome = s.cluster.store.apply(claim.op);
  assert.equal(outcome.status, 'committed');
  s.cut('B', 'C', 'D');
  s.healStore('C');
  s.run(0.9 * leaseMs);
  answerTo(s, claim, outcome);
  s.until('C may decide', () => mayDecide(s, 'C'), 3 * leaseMs);
});

test('support counts from the sending of the ping, however late the answer', () => {
  const s = cluster('A', 'B');
  cutStores(s, 'A', 'B');
  s.run(1.2 * leaseMs);
  const pongs = keep(s, ({ fromNode, message }) => fromNode === 'B' && message.type === 'pong');
  s.until('B has answered', () => pongs.length > 0);
  s.lose(() => true);
  s.run(0.9 * leaseMs);
  s.healStore('B');
  s.lose(({ message }) => message.type !== 'pong');
  forward(s, pongs.slice(-1));
  s.lose(() => true);
  s.until('B has the office', () => s.state('B').leader !== null, 2 * leaseMs);
});

test('who stopped decides nothing, though its resignation has no answer yet', () => {
  const s = cluster('A', 'B');
  let writes = 0;
  s.cluster.store.intercept = (node, op) =>
    node === 'A' && isWrite(op) ? (writes++ === 0 ? 'lost' : 'silent') : null;
  untilIdle(s, 'A');
  writes = 0;
  s.cluster.deliver(s.node('A'), { type: 'drain' });
  s.until('B leads', () => s.leads('B'), 0.8 * leaseMs);
});

function untilIdle(s: Script, name: string): void {
  s.until(
    'no operation on the store is open',
    () => s.state(name).store.inflight === null && s.state(name).store.undecided === null,
  );
}

test('who may already count must support, before the leader knows that it counts', () => {
  const s = new Script(['A', 'B']);
  s.start('A');
  s.cluster.start('B');
  s.cluster.store.intercept = (node, op) =>
    node === 'A' && isWrite(op) && op.record.established.length > 1 ? 'lost' : null;
  s.until('B counts', () => s.isEstablished('B'));
  s.cluster.store.intercept = (node) => (node === 'A' ? 'silent' : null);
  s.cut('A', 'B');
  s.until('B has the office', () => s.state('B').leader !== null, 4 * leaseMs);
  assert.equal(mayDecide(s, 'A'), false);
});

test('who died after the claim was sent may have claimed against it', () => {
  const s = new Script(['A', 'B', 'X', 'Y']);
  s.start('B', 'Y', 'X', 'A');
  s.cluster.crash('Y');
  s.cutStore('X');
  const held = holdAnswers(s, 'A', isWrite);
  crashProven(s, 'B', 'A', 'X');
  s.until('A claims', () => held.length > 0);
  const [claim] = held;
  assert.ok(claim !== undefined);
  const outcome = s.cluster.store.apply(claim.op);
  assert.equal(outcome.status, 'committed');
  const intercept = s.cluster.store.intercept;
  s.cluster.store.intercept = (node, op) =>
    node === 'X' && isWrite(op) && op.expect?.epoch === 2 ? 'lost' : (intercept?.(node, op) ?? null);
  s.healStore('X');
  s.until('X claims', () => s.cluster.store.record?.epoch === 3, 2 * leaseMs);
  crashProven(s, 'X', 'A');
  answerTo(s, claim, outcome);
  assert.notEqual(s.state('A').leader, null);
  assert.equal(mayDecide(s, 'A'), false);
});

test('who said goodbye supports for good', () => {
  const s = cluster('A', 'B');
  s.cutStore('*');
  s.run(2 * leaseMs);
  s.cluster.deliver(s.node('B'), { type: 'drain' });
  s.run(leaseMs / 4);
  s.cluster.crash('B');
  s.run(2 * leaseMs);
  assert.equal(s.answer(s.read('A', 'x'), leaseMs), 'absent');
});

test('who died while it supported supports for good', () => {
  const s = cluster('A', 'B');
  s.cutStore('*');
  s.run(2 * leaseMs);
  crashProven(s, 'B', 'A');
  s.run(2 * leaseMs);
  assert.equal(s.answer(s.read('A', 'x'), leaseMs), 'absent');
});

test('without authority not even an absence is told', () => {
  const s = cluster('A', 'B', 'C');
  s.cut('A', 'B', 'C');
  s.cutStore('A');
  s.run(1.2 * leaseMs);
  const read = s.read('A', 'x');
  s.run(leaseMs);
  assert.equal(read.result, null);
});

test('a record that stands still is no reason to claim while the own support runs', () => {
  const s = cluster('A', 'B', 'C');
  cutStores(s, 'A', 'B', 'C');
  s.run(3 * leaseMs);
  s.cut('A', 'C');
  s.cut('B', 'C');
  s.healStore('C');
  s.run(0.9 * leaseMs);
  assert.equal(s.state('C').leader, null);
  s.until('C has the office', () => s.state('C').leader !== null, leaseMs);
});

const longLease = {
  leaseMs: 2 * leaseMs,
  sessionMs: 6 * leaseMs,
  toleranceMs: 20 * leaseMs,
  holdMs: 30 * leaseMs,
};

test('a claimant with a shorter lease waits for that of the leader', () => {
  const s = new Script(['A', 'B'], { A: longLease, B: { leaseMs: 300, sessionMs: 3000 } });
  s.start('A', 'B');
  s.cut('A', 'B');
  s.run(5 * leaseMs);
  assert.equal(s.state('B').leader, null);
});

test('support of a member with a shorter lease lasts as long as that of the leader', () => {
  const s = new Script(['A', 'B'], { A: longLease, B: { leaseMs: 300, sessionMs: 3000 } });
  s.start('A', 'B');
  cutStores(s, 'A', 'B');
  s.run(5 * leaseMs);
  s.cut('A', 'B');
  s.healStore('B');
  s.run(1.8 * leaseMs);
  assert.equal(s.state('B').leader, null);
});

test('that a leader of a former epoch stopped is no reason to claim against the next one', () => {
  const s = cluster('A', 'B', 'C');
  s.cluster.deliver(s.node('A'), { type: 'drain' });
  s.until('A has left', () => s.node('A').state === null);
  const [leader, other] = s.state('B').leader === null ? ['C', 'B'] : ['B', 'C'];
  s.run(leaseMs);
  s.cut(leader, other);
  s.run(0.9 * leaseMs);
  assert.equal(s.state(other).leader, null);
});

test('a leader that stopped for good is followed at once', () => {
  const s = cluster('A', 'B', 'C');
  s.cutStore('A');
  s.until('A hands over', () => s.sentBy('A', 'resigned').length > 0, 2 * leaseMs);
  s.until('another leads', () => s.leads('B') || s.leads('C'), leaseMs / 4);
});

test('who lost the store hands over as soon as its lease has run out', () => {
  const s = cluster('A', 'B', 'C');
  s.cutStore('A');
  s.until('another leads', () => s.leads('B') || s.leads('C'), 1.6 * leaseMs);
});

test('a claim that others have overtaken gives no office', () => {
  const s = cluster('A', 'C', 'B');
  const held = holdAnswers(s, 'B', isWrite);
  s.cutStore('C');
  crashProven(s, 'A', 'B', 'C');
  s.until('B claims', () => held.length > 0);
  const [claim] = held;
  assert.ok(claim !== undefined);
  const outcome = s.cluster.store.apply(claim.op);
  assert.equal(outcome.status, 'committed');
  s.healStore('C');
  s.until('B has promised', () => s.state('B').follow.promised === 3, 3 * leaseMs);
  answerTo(s, claim, outcome);
  assert.deepEqual([s.state('B').leader, s.state('B').follow.promised], [null, 3]);
});

test('a claim that was refused gives no office', () => {
  const s = cluster('A', 'B', 'C');
  s.cluster.store.intercept = (node, op) => (node === 'B' && isWrite(op) ? 'unavailable' : null);
  s.cutStore('C');
  crashProven(s, 'A', 'B', 'C');
  s.run(leaseMs / 2);
  assert.equal(s.state('B').leader, null);
});

test('a repetition that was not tried says nothing of the first attempt', () => {
  const s = cluster('B', 'A', 'C');
  s.cut('A', 'B', 'C');
  let claims = 0;
  s.cluster.store.intercept = (node, op) => {
    if (!isWrite(op)) return null;
    if (node !== 'A' || claims++ !== 1) return node === 'A' ? 'silent' : 'unavailable';
    // From now on A does not want the office any more.
    s.cluster.timeline.after(0.1, () => s.cluster.deliver(s.node('A'), { type: 'drain' }));
    return 'unavailable';
  };
  s.until('A has claimed twice', () => claims > 1);
  s.heal('A', 'B', 'C');
  const since = s.now;
  s.run(leaseMs / 2);
  assert.equal(s.sentBy('A', 'pong', since).length + s.sentBy('A', 'goodbye', since).length, 0);
});

for (const offset of [0, 17, 34, 51, 68, 85])
  test(`margins: a fast reader waits out the lease of a slow leader that nobody hears, ${offset} ms on`, () => {
    const s = withClocks({ A: 0.95, B: 1.05 });
    untilRenewed(s);
    s.run(offset);
    s.cut('A', 'B');
    untilRenewed(s);
    untilRenewed(s);
    s.cutStore('A');
    s.until('B has the office', () => s.state('B').leader !== null, 2 * leaseMs);
  });

test('an answer to the operation of a former incarnation says nothing to the next one', () => {
  const s = cluster('A', 'B');
  const held = holdAnswers(s, 'B', () => true);
  s.cluster.pause('B');
  s.run(1.3 * sessionMs);
  s.cluster.resume('B');
  s.until('B is another', () => s.state('B').phase === 'joining' && held.length > 0);
  assert.equal(held.at(-1)?.op.kind, 'join');
  s.cluster.deliver(s.node('B'), {
    type: 'store',
    id: 1,
    outcome: { status: 'committed', view: s.cluster.store.view() },
  });
  assert.equal(s.state('B').store.joined, false);
});

test('no promise below a claim that is still open', () => {
  const s = cluster('B', 'A', 'C');
  s.cutStore('A');
  s.lose(({ toNode, message }) => toNode === 'A' && message.type === 'follow');
  crashProven(s, 'B', 'C');
  s.until('C has the office', () => s.state('C').leader !== null);
  s.cutStore('C');
  s.cut('A', 'C');
  const claims = s.holdStore('A', isWrite);
  s.healStore('A');
  s.until('A claims', () => claims.length > 0, 3 * leaseMs);
  const since = s.now;
  s.lose(null);
  s.heal('A', 'C');
  s.run(leaseMs / 4);
  assert.ok(s.sentBy('C', 'follow', since).length > 0);
  assert.equal(s.sentBy('A', 'promise', since).length, 0);
});

test('no promise of a lower epoch', () => {
  const s = new Script(['A', 'B', 'C']);
  s.start('A', 'B');
  const follows = keep(s, ({ toNode, message }) => toNode === 'C' && message.type === 'follow');
  s.cluster.start('C');
  s.until('A asks C', () => follows.length > 0);
  s.lose(null);
  s.cluster.deliver(s.node('A'), { type: 'drain' });
  s.until('B leads', () => s.leads('B'));
  s.until('C follows B', () => s.state('C').follow.promised === 2);
  forward(s, follows.slice(0, 1));
  s.run(20);
  assert.equal(s.state('C').follow.promised, 2);
});

test('who promises a higher epoch leads no more', () => {
  const s = cluster('A', 'B', 'C');
  s.cut('A', 'B', 'C');
  s.cutStore('A');
  s.until('another leads', () => s.leads('B') || s.leads('C'), 3 * leaseMs);
  s.heal('A', 'B', 'C');
  s.until('A has promised', () => s.state('A').follow.promised === 2, leaseMs);
  assert.equal(s.state('A').leader, null);
});

test('a leader that may not decide is left by those who reach the store', () => {
  const s = cluster('A', 'B', 'C', 'D');
  cutStores(s, 'A', 'B', 'C', 'D');
  s.run(1.5 * leaseMs);
  s.cut('C', 'A', 'B');
  s.cut('D', 'A', 'B');
  s.run(1.5 * leaseMs);
  s.healStore('B');
  s.until('B leads', () => s.state('B').leader !== null && mayDecide(s, 'B'), 3 * leaseMs);
});

test('what a former leader said on leaving says nothing of the next one', () => {
  const s = cluster('A', 'B', 'C');
  const said = keep(s, ({ toNode, message }) => toNode === 'C' && message.type === 'resigned');
  s.cutStore('C');
  s.cluster.deliver(s.node('A'), { type: 'drain' });
  s.until('B leads', () => s.leads('B'));
  s.lose(null);
  s.run(leaseMs / 2);
  const until = s.state('C').follow.supportUntil;
  assert.ok(said.length > 0 && s.state('C').follow.promised === 2);
  forward(s, said);
  s.run(5);
  assert.ok(s.state('C').follow.supportUntil >= until);
});

test('an open write that changes who counts is not overtaken by another one', () => {
  const s = cluster('A', 'B', 'C');
  s.lose(({ fromNode, message }) => fromNode === 'B' && message.type === 'pong');
  const b = s.self('B');
  const removals: LeaderRecord[] = [];
  s.cluster.store.intercept = (node, op) => {
    if (node !== 'A' || !isWrite(op)) return null;
    if (!op.record.established.includes(b)) removals.push(op.record);
    return removals.length > 0 ? 'silent' : null;
  };
  s.until('A takes B from those who count', () => removals.length > 0);
  s.run(120);
  s.loseTo('C', 'stream', 'adopt', 'pulled');
  const call = s.register('A', 'x');
  s.run(leaseMs / 4);
  assert.equal(call.result, null);
});
