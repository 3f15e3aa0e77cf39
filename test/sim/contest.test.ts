// Authority without the store where three and more count: all but one are enough, so a claim on the strength of one lapse
// is contested until two of them are free. Each case takes one of the rules to where it is needed; the checkers watch.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasAuthority } from '../../src/registry/protocol/authority.ts';
import { presumedGone } from '../../src/registry/protocol/contest.ts';
import { holdMs, leaseMs, Script, sessionMs } from '../../src/sim/script.ts';

const decides = (s: Script, name: string): boolean =>
  hasAuthority(s.state(name), s.cluster.localTime(s.node(name)));
const contests = (s: Script, name: string): boolean => s.state(name).leader?.contested === true;

/** B leads and has lost the store, as all have but A, which reaches the store, and nobody else, and has claimed. */
function contested(...more: string[]): Script {
  const s = new Script(['A', 'B', 'C', 'D', 'E']);
  s.start('B', 'A', 'C', ...more);
  for (const name of ['B', 'C', ...more]) s.cutStore(name);
  s.cut('A', 'B', 'C', ...more);
  s.until('A has claimed', () => contests(s, 'A'));
  return s;
}

test('who claims alone decides nothing, and the two that hold together go on', () => {
  const s = contested();
  const self = s.self('B');
  const call = s.register('A', 'x');
  for (let round = 0; round < 10; round++) {
    assert.equal(decides(s, 'A'), false);
    assert.equal(decides(s, 'B'), true);
    s.hold('C', `y${round}`);
    s.run(leaseMs / 2);
  }
  assert.equal(call.result?.type === 'registered', false);
  s.heal('A', 'B', 'C');
  s.healStore('B');
  s.healStore('C');
  s.until('at rest', () => s.judged.rest.unrest() === null);
  assert.equal(s.self('B'), self, 'nobody but A was fenced');
});

test('the contest is over when another has let go of the earlier leader, and not before', () => {
  const s = contested();
  s.cut('C', 'B');
  s.heal('A', 'C');
  s.until('C has promised', () => s.state('A').leader?.peers.get(s.self('C'))?.promised !== null);
  assert.equal(decides(s, 'B'), true, 'B counts on C for a while');
  assert.equal(decides(s, 'A'), false);
  s.until('A decides', () => decides(s, 'A'), 1.2 * leaseMs);
  assert.equal(decides(s, 'B'), false);
  assert.equal(s.cluster.store.record?.contested, true);
  s.until('the record says so', () => s.cluster.store.record?.contested === false, leaseMs);
});

test('a member that has said goodbye to the earlier leader is not free', () => {
  const s = contested();
  // B's word that C may go is lost, so C goes on saying goodbye.
  s.lose(({ message }) => message.type === 'farewell');
  s.cluster.deliver(s.node('C'), { type: 'drain' });
  s.until('B has heard it', () => s.state('B').leader?.peers.get(s.self('C'))?.goodbye === true);
  s.cut('C', 'B');
  s.heal('A', 'C');
  s.until('C has promised', () => s.state('A').leader?.peers.get(s.self('C'))?.promised !== null);
  s.run(1.5 * leaseMs);
  assert.equal(decides(s, 'B'), true);
  assert.equal(contests(s, 'A'), true);
});

test('what the earlier leader granted while the office was contested is waited for', () => {
  const long = { sessionMs: 2 * sessionMs };
  const s = new Script(['A', 'B', 'C', 'D', 'E'], { A: long, B: long, C: long });
  s.start('B', 'A', 'C');
  const process = s.hold('C', 'x');
  s.cutStore('B');
  s.cutStore('C');
  s.cut('A', 'B', 'C');
  s.until('A has claimed', () => contests(s, 'A'));
  s.run(2 * leaseMs);
  s.cut('C', 'B');
  // C is heard until it is free, and never again; no answer of it to a heartbeat arrives.
  s.lose(({ fromNode, message }) => fromNode === 'C' && message.type === 'pong');
  s.heal('A', 'C');
  s.until('A decides', () => decides(s, 'A'));
  s.cut('C', 'A');
  s.until('x is free', () => s.answer(s.register('A', 'x')) === 'registered', 4 * sessionMs);
  assert.equal(process.alive, false);
});

test('who claims after the death of a contested claimant has a contest of its own', () => {
  const s = contested();
  const dead = s.cluster.crash('A') as string;
  s.cluster.start('D');
  s.cut('D', 'B', 'C');
  s.cluster.proveDead(dead, s.node('D'));
  s.until('D has the office', () => s.state('D').leader !== null);
  s.run(leaseMs / 2);
  assert.equal(decides(s, 'D'), false);
  assert.equal(decides(s, 'B'), true);
  s.heal('D', 'B', 'C');
  s.healStore('B');
  s.healStore('C');
  s.until('at rest', () => s.judged.rest.unrest() === null);
});

test('what is owed to the leader before last is not forgotten with the last', () => {
  const s = contested('D');
  assert.equal(decides(s, 'B'), true, 'B, C and D');
  // C and D hear of A, and of nobody else; then A is dead, and both know.
  s.cut('B', 'C', 'D');
  s.heal('A', 'C', 'D');
  const promised = (name: string): boolean => s.state('A').leader?.peers.get(s.self(name))?.promised !== null;
  s.until('both have promised', () => promised('C') && promised('D'), leaseMs);
  assert.equal(decides(s, 'B'), true, 'B counts on C and D for a while');
  const dead = s.cluster.crash('A') as string;
  s.healStore('D');
  for (const name of ['C', 'D']) s.cluster.proveDead(dead, s.node(name));
  s.until('D has the office', () => s.state('D').leader !== null, leaseMs / 2);
  s.run(50);
  assert.equal(decides(s, 'B'), true);
  assert.equal(decides(s, 'D'), false);
  s.until('D decides', () => decides(s, 'D'), 2 * leaseMs);
});

test('an operator’s word about all the others ends the contest', () => {
  const s = new Script(['A', 'B', 'C']);
  s.start('A', 'B', 'C');
  const kept = s.hold('C', 'x');
  const gone = [s.cluster.crash('A'), s.cluster.crash('B')];
  s.until('C has claimed', () => contests(s, 'C'));
  assert.deepEqual(presumedGone(s.state('C')), gone);
  for (const member of presumedGone(s.state('C'))) s.cluster.proveDead(member, s.node('C'));
  assert.equal(s.answer(s.register('C', 'y'), leaseMs), 'registered');
  assert.deepEqual(presumedGone(s.state('C')), []);
  assert.equal(kept.alive, true);
});

test('while a change of the list is undecided both lists must agree', () => {
  const s = new Script(['A', 'B', 'C', 'D']);
  s.start('B', 'A', 'C');
  // D is added by a write that is applied, of which B hears nothing; then nobody but A and D reaches the store.
  s.cluster.store.intercept = (node, op) => {
    if (node === 'C') return 'unavailable';
    if (node !== 'B') return null;
    const adds = op.kind === 'write' && op.record.established.length === 4;
    return adds && s.cluster.store.record?.established.length === 3 ? 'lost' : adds ? 'unavailable' : null;
  };
  s.cluster.start('D');
  s.until('D counts', () => s.isEstablished('D'));
  s.cluster.store.intercept = (node) => (['B', 'C'].includes(node) ? 'unavailable' : null);
  s.cut('A', 'B', 'C');
  s.cut('D', 'B', 'C');
  s.until('one of them decides', () => decides(s, 'A') || decides(s, 'D'), 4 * leaseMs);
  assert.equal(decides(s, 'B'), false);
});

test('a contest waits for the hold of the earlier leader, whose it is, and so does a newcomer', () => {
  const short = { toleranceMs: 1500, holdMs: 2000 };
  for (const newcomer of [false, true]) {
    const s = new Script(['A', 'B', 'C', 'D'], { A: short, D: short });
    s.start('B', 'A', 'C');
    for (const name of ['B', 'C']) s.cutStore(name);
    s.cut('A', 'B', 'C');
    s.cut('D', 'A', 'B', 'C');
    s.until('A has claimed', () => contests(s, 'A'));
    if (newcomer) {
      s.cluster.crash('A');
      s.cluster.start('D');
    }
    s.run(0.8 * holdMs);
    assert.equal(decides(s, 'B'), true);
    s.run(0.4 * holdMs);
    assert.equal(decides(s, 'B'), false);
    s.until('who has waited decides', () => decides(s, newcomer ? 'D' : 'A'), holdMs);
  }
});

test('support lasts as long as the lease of the leader that it is for, whatever the store shows', () => {
  const sessionMs = 20_000;
  const short = { leaseMs: 400, sessionMs };
  const s = new Script(['A', 'B', 'C'], { A: short, B: { leaseMs: 2000, sessionMs }, C: short });
  s.start('B', 'A', 'C');
  for (const name of ['B', 'C']) s.cutStore(name);
  s.cut('A', 'B', 'C');
  s.until('A has claimed', () => contests(s, 'A'));
  s.healStore('C');
  s.until('C has read', () => s.state('C').store.view?.record?.leader === s.self('A'));
  s.cutStore('C');
  s.run(2000);
  s.cut('C', 'B');
  s.heal('A', 'C');
  s.run(1000);
  assert.equal(decides(s, 'B'), true, 'B counts on C for its own lease');
  s.until('A decides', () => decides(s, 'A'), 2000);
});

test('a goodbye to the contested leader itself does not prolong the contest', () => {
  const s = new Script(['A', 'B', 'C'], { C: { leaseMs: 1.5 * leaseMs } });
  s.start('B', 'A', 'C');
  s.cluster.crash('B');
  s.until('A has claimed', () => contests(s, 'A'));
  s.until('C has promised', () => s.state('A').leader?.peers.get(s.self('C'))?.promised !== null);
  assert.equal(contests(s, 'A'), true, 'C still owes B');
  s.cluster.deliver(s.node('C'), { type: 'drain' });
  s.until('A decides', () => decides(s, 'A'), leaseMs);
  s.until('C has left', () => s.node('C').state === null, leaseMs);
});
