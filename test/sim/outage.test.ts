// The store is away for longer than the tolerance: nothing is decided, nothing is lost, and it goes on when it is back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call } from '../../src/sim/cluster.ts';
import { holdMs, leaseMs, Script, sessionMs, toleranceMs } from '../../src/sim/script.ts';

const names = ['A', 'B', 'C'] as const;

function cluster(): Script {
  const s = new Script([...names, 'D']);
  s.start(...names);
  return s;
}

/** Gives the call half a second. */
function refusal(s: Script, call: Call): string {
  s.run(500);
  s.cluster.cancel(call);
  return s.answer(call);
}

test('within the tolerance everything goes on; past it requests are refused as unavailable', () => {
  const s = cluster();
  s.cutStore('*');
  s.run(0.9 * toleranceMs);
  for (const name of names) assert.equal(s.answer(s.register(name, `of ${name}`)), 'registered');
  s.run(0.2 * toleranceMs);
  for (const name of names) {
    assert.equal(refusal(s, s.register(name, `late ${name}`)), 'unavailable');
    assert.equal(refusal(s, s.read(name, 'of A')), 'unavailable');
    assert.ok(s.sees(name, 'of A') !== undefined);
  }
});

test('past the tolerance names and processes stay, and the store’s return is enough', () => {
  const s = cluster();
  const held = names.map((name) => [name, s.hold(name, `of ${name}`), s.self(name)] as const);
  s.cutStore('*');
  s.run(0.9 * holdMs);
  s.healStore('*');
  const returned = s.now;
  const calls = names.map((name) => s.register(name, `new ${name}`));
  for (const call of calls) assert.equal(s.answer(call), 'registered');
  assert.ok(s.now - returned <= leaseMs, `took ${s.now - returned} ms`);
  for (const [name, process, self] of held) {
    assert.equal(s.self(name), self, 'no member was fenced');
    assert.equal(process.alive, true);
    assert.equal(s.answer(s.register('B', `of ${name}`)), 'taken');
  }
  assert.equal(s.cluster.store.record?.epoch, 1);
});

test('a process that exits while nothing is decided frees its name when the store is back', () => {
  const s = cluster();
  const process = s.hold('C', 'x');
  s.cutStore('*');
  s.run(1.2 * toleranceMs);
  s.cluster.exit(process);
  s.run(20);
  assert.equal(s.sees('C', 'x'), undefined);
  assert.equal(refusal(s, s.register('B', 'x')), 'unavailable');
  s.healStore('*');
  // The leader may hear of the request before it hears of the exit.
  s.until('x is free', () => s.answer(s.register('B', 'x')) === 'registered', leaseMs);
});

test('past the hold sessions lapse, and when the store is back all begin anew', () => {
  const s = cluster();
  const before = names.map((name) => s.self(name));
  const process = s.hold('A', 'x');
  s.cutStore('*');
  s.run(1.1 * holdMs + 1.1 * sessionMs);
  assert.equal(process.alive, false);
  s.healStore('*');
  assert.equal(s.answer(s.register('B', 'x')), 'registered');
  names.forEach((name, at) => {
    assert.notEqual(s.self(name), before[at]);
  });
});

test('a newcomer that reaches the store waits until the sessions of the others must have lapsed', () => {
  const s = cluster();
  const process = s.hold('C', 'x');
  for (const name of names) s.cutStore(name);
  s.run(10);
  s.cut('D', ...names);
  s.cluster.start('D');
  s.run(0.9 * holdMs);
  assert.equal(s.state('D').leader, null);
  assert.equal(process.alive, true);
  s.until('D has the office', () => s.state('D').leader !== null, holdMs);
  const call = s.register('D', 'x');
  s.until('x is registered at D', () => call.result?.type === 'registered', 3 * sessionMs);
  assert.equal(process.alive, false);
});

test('with one of three silent the others go on; with two of them nothing is kept for longer than a session', () => {
  const s = cluster();
  const process = s.hold('B', 'x');
  const cutOff = s.hold('C', 'y');
  s.cutStore('*');
  s.cut('C', 'A', 'B');
  s.run(1.2 * sessionMs);
  assert.equal(cutOff.alive, false);
  assert.equal(s.answer(s.register('B', 'z')), 'registered');
  assert.equal(s.answer(s.read('A', 'x')), 'found');
  s.run(1.2 * toleranceMs);
  assert.equal(process.alive, true);
  s.cut('A', 'B');
  s.run(2 * leaseMs + 1.2 * sessionMs);
  assert.equal(process.alive, false);
});
