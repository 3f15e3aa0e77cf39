// What docs/GUARANTEES.md says about waiting, case by case: how long until names can be registered again, and what is
// lost meanwhile. Times are simulated ones; clocks go at the edges of the bound, so each limit carries a factor for it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { holdMs, leaseMs, Script, sessionMs } from '../../src/sim/script.ts';

/** Who waits counts on a clock that may be slow, and heartbeats, readings and ranks take their part of a lease. */
const slack = (ms: number): number => ms * 1.05 * 1.05 + leaseMs / 3;

/** Milliseconds from now until a fresh registration at that node succeeds; asks anew whenever one is refused. */
function untilServed(s: Script, at: string, withinMs: number): number {
  const start = s.now;
  for (let round = 0; ; round++) {
    const call = s.register(at, `probe ${start} ${round}`);
    s.until(`${at} serves within ${withinMs} ms`, () => call.result !== null, withinMs - (s.now - start));
    if (call.result?.type === 'registered') return s.now - start;
    s.run(10);
  }
}

function untilFree(s: Script, what: { at: string; key: string }, withinMs: number): number {
  const start = s.now;
  while (s.answer(s.register(what.at, what.key), withinMs - (s.now - start)) !== 'registered') s.run(10);
  return s.now - start;
}

test('a silent follower: of three nobody waits but for its names; of two the leader’s own wait for a lease', () => {
  for (const names of [
    ['A', 'B'],
    ['A', 'B', 'C'],
  ]) {
    const s = new Script(names);
    s.start(...names);
    s.hold('B', 'x');
    s.cluster.pause('B');
    if (names.length === 2) untilServed(s, 'A', slack(leaseMs));
    for (let round = 0; round < 8; round++) {
      assert.ok(untilServed(s, 'A', leaseMs / 2) < 100);
      s.run(leaseMs / 4);
    }
    assert.ok(untilFree(s, { at: 'A', key: 'x' }, slack(sessionMs)) > 0);
  }
});

test('a silent leader of two or three: a lease, and a session for its names', () => {
  for (const names of [
    ['A', 'B'],
    ['A', 'B', 'C'],
  ]) {
    const s = new Script(names);
    s.start(...names);
    const kept = s.hold('B', 'y');
    s.hold('A', 'x');
    s.run(leaseMs);
    s.cluster.pause('A');
    const paused = s.now;
    const ms = untilServed(s, 'B', slack(leaseMs + leaseMs / 3));
    assert.ok(ms > 0.8 * leaseMs, `after ${ms} ms`);
    untilFree(s, { at: 'B', key: 'x' }, slack(leaseMs + sessionMs) + leaseMs);
    assert.ok(s.now - paused > sessionMs * 0.9);
    assert.equal(kept.alive, true);
  }
});

test('a leader cut off from its peers, but not from the store, makes way for the larger side, which loses nothing', () => {
  for (const names of [
    ['A', 'B', 'C'],
    ['A', 'B', 'C', 'D', 'E'],
  ]) {
    const s = new Script(names);
    s.start(...names);
    const [leader = '', ...others] = names;
    const kept = others.map((name) => s.hold(name, `of ${name}`));
    const lost = s.hold(leader, 'x');
    s.run(1.3 * leaseMs);
    s.cut(leader, ...others);
    untilServed(s, 'B', slack(2 * leaseMs + leaseMs / 3));
    untilFree(s, { at: 'C', key: 'x' }, slack(2 * leaseMs + sessionMs) + leaseMs);
    assert.equal(lost.alive, false);
    for (const one of kept) assert.equal(one.alive, true);
    s.heal(leader, ...others);
    s.until('at rest', () => s.judged.rest.unrest() === null);
  }
});

test('a leader whose peers all fell silent lets its lease run out once, and stays', () => {
  const s = new Script(['A', 'B', 'C']);
  s.start('A', 'B', 'C');
  const kept = s.hold('A', 'x');
  const self = s.self('A');
  s.run(1.3 * leaseMs);
  for (const name of ['B', 'C']) s.cluster.pause(name);
  s.until('it yields', () => (s.state('A').leader?.yieldUntil ?? 0) > 0, slack(leaseMs));
  s.until('its lease has run out', () => !s.state('A').follow.serving, leaseMs);
  // Its own names have no second holder until the others are off the list.
  const ms = untilServed(s, 'A', slack(2 * leaseMs));
  assert.ok(ms > leaseMs / 2, `after ${ms} ms`);
  for (let round = 0; round < 20; round++) {
    s.run(leaseMs / 4);
    assert.ok(untilServed(s, 'A', leaseMs / 2) < 100);
  }
  assert.equal(kept.alive, true);
  assert.equal(s.self('A'), self);
  assert.equal(s.cluster.store.record?.epoch, 1);
});

test('a store outage with one silent follower: of three and more the others go on, of two the leader keeps a session', () => {
  for (const names of [
    ['A', 'B', 'C'],
    ['A', 'B', 'C', 'D'],
  ]) {
    const s = new Script(names);
    s.start(...names);
    const kept = s.hold('B', 'y');
    s.cutStore('*');
    s.run(2 * leaseMs);
    s.cluster.pause('C');
    for (let round = 0; round < 10; round++) {
      assert.ok(untilServed(s, 'B', leaseMs / 2) < 100);
      s.run(leaseMs / 4);
    }
    assert.equal(kept.alive, true);
  }
  const s = new Script(['A', 'B']);
  s.start('A', 'B');
  const lost = s.hold('A', 'x');
  s.cutStore('*');
  s.run(2 * leaseMs);
  s.cluster.pause('B');
  s.run(leaseMs + sessionMs / 2);
  assert.equal(lost.alive, true);
  s.run(sessionMs);
  assert.equal(lost.alive, false);
  s.healStore('*');
  untilServed(s, 'A', slack(leaseMs + sessionMs) + leaseMs);
});

test('a store outage with a silent leader: nobody decides, sessions lapse; with the store comes a leader', () => {
  const s = new Script(['A', 'B', 'C']);
  s.start('A', 'B', 'C');
  const lost = s.hold('B', 'y');
  s.cutStore('*');
  s.run(2 * leaseMs);
  s.cluster.pause('A');
  s.run(1.1 * sessionMs);
  assert.equal(lost.alive, false);
  s.healStore('*');
  // B and C have ended, and know it of themselves, not of A; nobody of those who counted is left.
  untilServed(s, 'B', slack(holdMs + sessionMs) + leaseMs);
});

test('one of three left, without proof: the hold, and a session', () => {
  const s = new Script(['A', 'B', 'C']);
  s.start('A', 'B', 'C');
  const lost = s.hold('C', 'x');
  s.run(leaseMs);
  s.cluster.pause('A');
  s.cluster.pause('B');
  s.run(2 * sessionMs);
  assert.equal(lost.alive, false);
  const ms = untilServed(s, 'C', slack(holdMs + sessionMs) + leaseMs);
  assert.ok(ms > holdMs / 2, `after ${ms} ms`);
});

test('a total restart at new addresses: the hold, and a session; with proof at once', () => {
  for (const proven of [false, true]) {
    const s = new Script(['A', 'B', 'C', 'D', 'E', 'F']);
    s.start('A', 'B', 'C');
    s.hold('A', 'x');
    s.run(leaseMs);
    const dead = ['A', 'B', 'C'].map((name) => s.cluster.crash(name) ?? '');
    for (const name of ['D', 'E', 'F']) s.cluster.start(name);
    if (proven)
      for (const name of ['D', 'E', 'F'])
        for (const member of dead) s.cluster.proveDead(member, s.node(name));
    const ms = untilServed(s, 'D', proven ? leaseMs : slack(holdMs + sessionMs) + leaseMs);
    assert.ok(proven || ms > holdMs, `after ${ms} ms`);
    untilFree(s, { at: 'E', key: 'x' }, leaseMs);
  }
});

test('two members cut off with the leader, all with the store: a session after the claim the larger side serves', () => {
  const s = new Script(['A', 'B', 'C', 'D', 'E']);
  s.start('A', 'B', 'C', 'D', 'E');
  const kept = ['C', 'D', 'E'].map((name) => s.hold(name, `of ${name}`));
  s.run(1.3 * leaseMs);
  for (const name of ['A', 'B']) s.cut(name, 'C', 'D', 'E');
  // Who was cut off ends after its session, begins anew, and is recorded again; nobody waits for it twice.
  untilServed(s, 'D', slack(2 * leaseMs + leaseMs / 3 + sessionMs));
  for (const one of kept) assert.equal(one.alive, true);
  s.run(2 * sessionMs);
  assert.ok(untilServed(s, 'C', leaseMs / 2) < 100);
});

test('partitions of which none is better: each member yields once, then one leads for good', () => {
  const s = new Script(['A', 'B', 'C', 'D', 'E']);
  s.start('A', 'B', 'C', 'D', 'E');
  for (const [one, ...others] of ['ACDE', 'BCDE', 'CE', 'DE']) s.cut(one as string, ...others);
  s.run(12 * leaseMs);
  const epoch = s.cluster.store.record?.epoch ?? 0;
  assert.ok(epoch > 1 && epoch <= 6, `epoch ${epoch}`);
  s.run(4 * sessionMs);
  assert.equal(s.cluster.store.record?.epoch, epoch);
  const leader = ['A', 'B', 'C', 'D', 'E'].find((name) => s.leads(name)) ?? '';
  untilServed(s, leader, leaseMs);
});

test('three cut off from each other, but not from the store: nobody decides alone; when they meet they begin anew', () => {
  const s = new Script(['A', 'B', 'C']);
  s.start('A', 'B', 'C');
  const was = ['A', 'B', 'C'].map((name) => s.self(name));
  s.cut('A', 'B', 'C');
  s.cut('B', 'C');
  s.run(3 * sessionMs);
  for (const member of was) assert.ok(s.cluster.ended.has(member));
  s.heal('A', 'B', 'C');
  s.heal('B', 'C');
  for (const name of ['A', 'B', 'C']) for (const member of was) s.cluster.proveDead(member, s.node(name));
  untilServed(s, 'C', leaseMs);
});

test('a shorter session is enough where a leader is cut off: 2.7 L', () => {
  const names = ['A', 'B', 'C'];
  for (let phase = 0; phase < leaseMs / 3; phase += 30) {
    const s = new Script(
      names,
      Object.fromEntries(names.map((name) => [name, { sessionMs: 2.7 * leaseMs }])),
    );
    s.start(...names);
    // The leader and the first to claim take long, the other one lives fast.
    for (const name of names) s.cluster.setRate(s.node(name), name === 'C' ? 1.05 : 0.95);
    const kept = [s.hold('B', 'x'), s.hold('C', 'y')];
    s.run(leaseMs + phase);
    s.cut('A', 'B', 'C');
    s.run(2 * sessionMs);
    for (const one of kept) assert.equal(one.alive, true, `cut at ${phase}`);
  }
});

test('a claimant whose store fails at once does not ask without pause', () => {
  const s = new Script(['A', 'B']);
  s.start('A', 'B');
  const dead = s.cluster.crash('A') ?? '';
  let asked = 0;
  s.cluster.store.intercept = (_node, op) => {
    asked++;
    return op.kind === 'write' ? 'unavailable' : null;
  };
  s.cluster.proveDead(dead, s.node('B'));
  s.run(leaseMs);
  assert.ok(asked >= 10 && asked <= 45, `asked ${asked} times in a lease`);
  s.cluster.store.intercept = null;
  untilServed(s, 'B', slack(leaseMs / 10));
});
