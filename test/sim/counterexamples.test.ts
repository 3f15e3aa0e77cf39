// The schedules that broke earlier drafts of the protocol. B leads at the start, x is a name. The checkers watch every
// step (one owner, one authority, nothing acknowledged lost); each case also asserts the refusal or the wait that is
// meant to save it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StoreOp } from '../../src/registry/protocol/types.ts';
import type { Parcel } from '../../src/sim/network.ts';
import { leaseMs, Script, sessionMs, toleranceMs } from '../../src/sim/script.ts';

function cluster(...names: string[]): Script {
  const script = new Script(['A', 'B', 'C', 'D']);
  script.start('B', ...names);
  return script;
}

/** B holds x, its copy is at A; C and D get no stream and know nothing of x. */
function copyAtA(): { s: Script; started: number } {
  const s = cluster('A', 'C', 'D');
  s.lose(
    ({ toNode, message }) =>
      ['C', 'D'].includes(toNode) && ['stream', 'adopt', 'pulled'].includes(message.type),
  );
  s.hold('B', 'x');
  s.run(20);
  assert.ok(s.sees('A', 'x') !== undefined);
  assert.equal(s.sees('C', 'x'), undefined);
  return { s, started: s.now };
}

/** Runs until one of them has the office. */
function inOffice(s: Script, ...names: string[]): string {
  const found = (): string | undefined => names.find((name) => s.state(name).leader !== null);
  s.until(`one of ${names.join()} has the office`, () => found() !== undefined);
  return found() ?? '';
}

/** Somebody else gets x, but not before B's session has lapsed. */
function expectWait(s: Script, at: string, started: number): void {
  s.until(`${at} leads or follows`, () => s.state(at).follow.promised > 1);
  const call = s.register(at, 'x');
  s.run(started + 0.8 * sessionMs - s.now);
  assert.equal(call.result, null, 'x was given away while the session of its host ran');
  assert.equal(s.answer(call), 'registered');
}

test('1. both holders gone: the names of B are unknown to C, and wait', () => {
  const { s, started } = copyAtA();
  s.cluster.crash('A');
  s.cut('B', 'A', 'C', 'D');
  s.cutStore('B');
  s.lose(null);
  const at = inOffice(s, 'C', 'D');
  assert.equal(s.state(at).leader?.complete, false);
  assert.equal(s.sentBy(at, 'adopt').length, 0);
  expectWait(s, at, started);
});

test('2. a restart hides a lost copy: an empty A under a new incarnation is no witness', () => {
  const { s, started } = copyAtA();
  s.cluster.crash('A');
  s.cut('B', 'A', 'C', 'D');
  s.cutStore('B');
  s.lose(null);
  s.cluster.start('A');
  const at = inOffice(s, 'C', 'D');
  s.until('A has promised', () => s.state(at).leader?.peers.get(s.self('A'))?.promised !== null);
  assert.equal(s.state(at).leader?.complete, false);
  expectWait(s, at, started);
});

test('3a. holders across changes of membership: the holder of the copy counts until another has it', () => {
  const { s } = copyAtA();
  const a = s.self('A');
  s.cut('A', 'B', 'C', 'D');
  s.cutStore('A');
  s.run(1.6 * leaseMs);
  assert.ok(s.cluster.store.record?.established.includes(a), 'A stopped counting while nobody else had x');
  s.cut('B', 'C', 'D');
  s.cutStore('B');
  s.lose(null);
  const started = s.now;
  const at = inOffice(s, 'C', 'D');
  assert.equal(s.state(at).leader?.complete, false);
  expectWait(s, at, started);
});

test('3b. a joiner without a snapshot does not count, and does not claim on lapse', () => {
  const s = cluster();
  s.hold('B', 'x');
  s.loseTo('C', 'adopt', 'pulled', 'stream');
  s.cluster.start('C');
  s.run(leaseMs);
  assert.equal(s.isEstablished('C'), false);
  s.cut('B', 'C');
  s.cutStore('B');
  s.run(0.9 * toleranceMs);
  assert.equal(s.state('C').leader, null);
  s.heal('B', 'C');
  s.healStore('B');
  s.lose(null);
  s.until('at rest', () => s.judged.rest.unrest() === null);
  assert.equal(s.answer(s.read('C', 'x')), 'found');
});

test('4. an evicted claimant: who stopped counting does not claim, and a claim on an old record is refused', () => {
  const s = cluster('A', 'C');
  const c = s.self('C');
  s.cut('C', 'A', 'B');
  s.cutStore('C');
  s.until('C counts no more', () => !s.cluster.store.record?.established.includes(c));
  // The store is lost to A and B, who decide together; C sees a record that stands still.
  s.cutStore('A');
  s.cutStore('B');
  s.healStore('C');
  s.run(1.5 * leaseMs);
  assert.equal(s.state('C').leader, null);
  assert.equal(s.cluster.store.record?.epoch, 1);
  s.hold('A', 'x');
  s.run(2 * leaseMs);
  assert.equal(s.answer(s.read('A', 'x')), 'found');
});

test('5. a late claim: nobody is supported until its fate is certain', () => {
  const s = cluster('A', 'C');
  const a = s.self('A');
  s.cut('A', 'B', 'C');
  const claims: StoreOp[] = [];
  // B's renewals are lost, so the record stands still; A's claim gets no answer.
  s.cluster.store.intercept = (node, op) => {
    if (op.kind !== 'write') return null;
    if (node === 'A') claims.push(op);
    return node === 'A' ? 'silent' : 'unavailable';
  };
  s.until('A has sent a claim', () => claims.length > 0);
  s.heal('A', 'B', 'C');
  const since = s.now;
  s.run(leaseMs / 2);
  assert.equal(s.sentBy('A', 'pong', since).length, 0, 'A supports B while its claim is open');

  const [claim] = claims;
  assert.ok(claim !== undefined);
  s.cluster.store.intercept = null;
  s.cluster.store.apply(claim);
  s.until('A leads', () => s.leads('A'));
  assert.equal(s.self('A'), a);
  s.until('at rest', () => s.judged.rest.unrest() === null);
});

test('6. a session without authority: deposed B grants none, and the names of C wait for its session', () => {
  const s = cluster('A', 'C', 'D');
  const process = s.hold('C', 'x');
  s.cut('A', 'B', 'C');
  s.cut('D', 'B', 'C');
  s.cutStore('B');
  s.cutStore('C');
  s.until('A has the office', () => s.state('A').leader !== null);
  // B and C still hear each other.
  const since = s.now;
  s.run(leaseMs);
  assert.ok(s.sentBy('B', 'ping', since).length > 0);
  assert.equal(s.sentBy('B', 'grant', since).length, 0);
  const call = s.register('A', 'x');
  s.until('x is given to A', () => call.result !== null);
  assert.equal(call.result?.type, 'registered');
  assert.equal(process.alive, false, 'C was not fenced before its name was given away');
});

test('7. a late eviction: the incarnation that it names never gets a session again', () => {
  const s = cluster('A', 'C');
  s.hold('C', 'x');
  const c = s.self('C');
  s.cluster.pause('C');
  const held = s.holdStore('B', (op) => op.kind === 'write' && op.removeMembers.includes(c));
  s.until('B has sent the eviction', () => held.length > 0);
  s.cluster.resume('C');
  const since = s.now;
  s.run(300);
  assert.equal(
    s.sent.filter((one) => one.at >= since && one.to === c && one.message.type === 'grant').length,
    0,
  );
  s.until('C is another', () => s.node('C').state !== null && s.self('C') !== c);
  assert.equal(s.isEstablished('C'), false);
  const [eviction] = held;
  assert.ok(eviction !== undefined);
  s.cluster.store.intercept = null;
  s.cluster.store.apply(eviction);
  s.until('at rest', () => s.judged.rest.unrest() === null);
  assert.equal(s.answer(s.read('A', 'x')), 'absent');
});

test('8. a grant on an undecided removal: the name stays with its host until the host has let go', () => {
  const s = cluster('A', 'C');
  const process = s.hold('A', 'x');
  s.loseTo('A', 'drop');
  const removal = s.unregister('C', 'x');
  s.run(200);
  assert.equal(s.answer(s.register('C', 'x')), 'taken');
  assert.equal(removal.result, null);
  assert.equal(process.alive && s.sees('A', 'x') !== undefined, true);
  s.lose(null);
  assert.equal(s.answer(removal), 'done');
  s.hold('C', 'x');
});

test('9. half a take-over is not passed on: nothing is streamed before it is complete', () => {
  const s = cluster('A', 'C', 'D');
  const process = s.hold('A', 'x');
  s.run(20);
  s.cut('A', 'B', 'C', 'D');
  s.cutStore('A');
  s.cluster.crash('B');
  s.until('somebody has the office', () => s.state('C').leader !== null || s.state('D').leader !== null);
  const [first, second] = s.state('C').leader === null ? ['D', 'C'] : ['C', 'D'];
  s.run(200);
  assert.equal(s.state(first).leader?.complete, false);
  assert.equal(s.sentBy(first, 'adopt').length + s.sentBy(first, 'stream').length, 0);
  s.cluster.deliver(s.node(first), { type: 'drain' });
  s.until('the other has the office', () => s.state(second).leader !== null);
  assert.equal(s.state(second).leader?.complete, false);
  s.heal('A', 'B', 'C', 'D');
  s.healStore('A');
  assert.equal(s.answer(s.read(second, 'x')), 'found');
  assert.equal(process.alive, true);
});

test('an open claim is not forgotten because the record reads back unchanged, nor covered by a goodbye', () => {
  const s = cluster('A', 'C');
  s.cut('A', 'B', 'C');
  const claims: StoreOp[] = [];
  s.cluster.store.intercept = (node, op) => {
    if (op.kind !== 'write') return null;
    if (node === 'A') claims.push(op);
    return node === 'A' ? 'silent' : 'unavailable';
  };
  s.until('A has sent a claim', () => claims.length > 0);
  s.heal('A', 'B', 'C');
  const since = s.now;
  // A that leaves does not want the office any more: it only looks whether the claim came true.
  s.cluster.deliver(s.node('A'), { type: 'drain' });
  s.run(leaseMs / 2);
  assert.equal(s.sentBy('A', 'goodbye', since).length + s.sentBy('A', 'pong', since).length, 0);
  const [claim] = claims;
  assert.ok(claim !== undefined);
  s.cluster.store.intercept = null;
  s.cluster.store.apply(claim);
  s.until('A has left', () => s.node('A').state === null);
  s.until('at rest', () => s.judged.rest.unrest() === null);
});

test('what a witness says of a host does not count once the host has spoken', () => {
  const s = cluster('A', 'C');
  // D is a member that does not count: its names are waited for, its word is not needed for those of B.
  s.lose((parcel) => parcel.message.type === 'ack' && parcel.fromNode === 'D');
  s.cluster.start('D');
  s.until('D is a member', () => s.state('D').phase === 'active');
  s.loseTo('C', 'stream', 'adopt', 'pulled');
  s.hold('B', 'x');
  s.run(20);
  s.cut('B', 'A', 'C', 'D');
  s.cut('D', 'A', 'C');
  for (const name of ['A', 'B', 'D']) s.cutStore(name);
  const held: Parcel[] = [];
  s.lose((parcel) => {
    if (parcel.message.type !== 'pulled') return false;
    if (parcel.fromNode === 'A') held.push(parcel);
    return true;
  });
  s.until('A has told C what it knows', () => held.length > 0);
  assert.equal(s.state('C').leader?.complete, false);
  s.unregister('B', 'x');
  s.heal('B', 'C');
  s.until('B has promised', () => s.state('C').leader?.peers.get(s.self('B'))?.synced === true);
  assert.equal(s.state('C').leader?.complete, false);
  s.lose(null);
  for (const parcel of held) s.cluster.network.forward(parcel);
  s.run(20);
  assert.equal(s.sees('C', 'x'), undefined);
  assert.equal(s.answer(s.read('C', 'x')), 'absent');
});

test('a newcomer in office decides nothing before it counts', () => {
  const s = new Script(['A', 'B', 'C', 'D']);
  s.start('B', 'A');
  s.lose((parcel) => parcel.message.type === 'ack' && parcel.fromNode !== 'A');
  s.cluster.start('C');
  s.until('C is a member', () => s.state('C').phase === 'active');
  s.cluster.start('D');
  s.until('D is a member', () => s.state('D').phase === 'active');
  s.cutStore('A');
  s.cluster.deliver(s.node('B'), { type: 'drain' });
  s.until('C has completed its take-over', () => s.leads('C'));
  s.cutStore('C', 'silent');
  assert.equal(s.isEstablished('C'), false);
  s.lose((parcel) => parcel.message.type === 'stream' && ['A', 'B'].includes(parcel.toNode));
  const call = s.register('D', 'x');
  s.run(100);
  assert.equal(call.result, null);
  assert.equal(s.state('C').leader?.n, 0);
});
