// Schedules that a review of the protocol found by hand, one for each note in docs/incidents from 006 on: what random
// runs do not draw, or so seldom that it needs a script.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MemberState } from '../../src/registry/protocol/state.ts';
import type { Config } from '../../src/registry/protocol/types.ts';
import { leaseMs, Script, sessionMs } from '../../src/sim/script.ts';

/** Starts the nodes one after the other, those named in `long` with sessions five times as long. */
function startMixed(s: Script, names: readonly string[], long: readonly string[]): void {
  const { config } = s.cluster.options;
  for (const name of names) {
    s.cluster.start(name);
    const own: Config = { ...config, durations: { ...config.durations, sessionMs: 5 * sessionMs } };
    if (long.includes(name)) (s.state(name) as { config: MemberState['config'] }).config = own;
    s.until(`${name} is active`, () => s.state(name).phase === 'active');
  }
  s.until('all are established', () => names.every((name) => s.isEstablished(name)));
}

test('006: a leader with shorter sessions waits for those that its predecessor granted', () => {
  const s = new Script(['A', 'B', 'M', 'D']);
  startMixed(s, ['B', 'M', 'A', 'D'], ['B', 'M']);
  s.hold('M', 'x');
  s.run(leaseMs / 2);
  s.cluster.crash('B');
  s.cut('M', 'A', 'D');
  s.cutStore('M');
  s.until('A has the office', () => s.state('A').leader !== null);
  const call = s.register('A', 'x');
  s.run(2 * sessionMs);
  assert.equal(call.result, null);
  assert.equal(s.answer(call, 9 * sessionMs), 'registered');
});

test('006: a third leader waits for them, too; in the end the shorter sessions count', () => {
  const s = new Script(['A', 'B', 'C', 'M', 'D']);
  startMixed(s, ['B', 'M', 'A', 'C', 'D'], ['B', 'M']);
  s.hold('M', 'x');
  s.run(leaseMs / 2);
  s.cluster.crash('B');
  s.cut('M', 'A', 'C', 'D');
  s.cutStore('M');
  s.until('A has the office', () => s.state('A').leader !== null);
  s.cluster.crash('A');
  s.until('C or D has the office', () => (s.state('C').leader ?? s.state('D').leader) !== null);
  const call = s.register('C', 'x');
  s.run(sessionMs);
  assert.equal(call.result, null);
  assert.equal(s.answer(call, 9 * sessionMs), 'registered');
  s.until(
    'the record tells the sessions of now',
    () => s.cluster.store.record?.durations.sessionMs === sessionMs,
  );
});

test('007: what ends while a transfer is under way stays ended for the next one', () => {
  const s = new Script(['A', 'B', 'C']);
  s.start('B', 'A', 'C');
  const process = s.hold('C', 'x');
  s.run(50);
  let phase: 'first' | 'second' | 'over' = 'first';
  s.lose(({ fromNode, toNode, message }) => {
    if (toNode === 'C' && message.type === 'stream') return phase !== 'over';
    if (toNode === 'C' && message.type === 'pulled') return phase === 'first';
    return fromNode === 'C' && message.type === 'requests' && phase !== 'over';
  });
  const pulls = (): boolean => s.state('C').pulls.size > 0;
  const missMuch = (): void => {
    for (let count = 0; count < 140; count++) s.register('B', `${phase} ${count}`);
    s.run(60);
    s.until('C pulls', pulls);
  };
  missMuch();
  s.run(10);
  const removal = s.unregister('C', 'x');
  phase = 'second';
  s.until('the first transfer is over', () => !pulls());
  assert.notEqual(s.sees('B', 'x'), undefined);
  const again = s.register('C', 'x', process);
  missMuch();
  s.until('the second transfer is over', () => !pulls());
  assert.equal(again.result, null);
  phase = 'over';
  assert.equal(s.answer(removal), 'done');
  assert.equal(s.answer(again), 'registered');
  assert.equal(s.answer(s.register('A', 'x')), 'taken');
  s.until('nothing is remembered', () => s.state('C').host.ended.size === 0);
});

test('008: an open claim is repeated with the members of now', () => {
  const s = new Script(['A', 'B', 'N']);
  s.start('B', 'A');
  const claims = s.holdStore('A', (op) => op.kind === 'write');
  s.cluster.crash('B');
  s.until('A has claimed', () => claims.length > 0);
  s.cluster.store.intercept = null;
  const self = s.self('A');
  s.cluster.start('N');
  s.until('A has the office', () => s.state('A').leader !== null, leaseMs);
  assert.equal(s.self('A'), self);
});

test('008: a leader that leaves repeats a resignation without an answer', () => {
  const s = new Script(['A', 'B', 'C']);
  s.start('B', 'A', 'C');
  let lost = 0;
  s.cluster.store.intercept = (node, op) =>
    node === 'B' && op.kind === 'write' && op.record.leader === null && lost++ === 0 ? 'silent' : null;
  s.cluster.deliver(s.node('B'), { type: 'drain' });
  s.until('another leads', () => s.leads('A') || s.leads('C'), leaseMs / 2);
  assert.equal(lost > 1, true);
});

test('009: an answer that was overtaken takes no name away', () => {
  const s = new Script(['B', 'C', 'D', 'E']);
  s.start('B', 'C', 'D', 'E');
  s.hold('E', 'x');
  s.run(50);
  let phase: 'apart' | 'takeover' | 'over' = 'apart';
  s.lose(({ fromNode, toNode, message }) => {
    if (phase === 'apart') return toNode === 'C' && ['stream', 'adopt', 'pulled'].includes(message.type);
    return phase === 'takeover' && fromNode === 'E' && message.type === 'pulled';
  });
  // C still takes x for a name of E, while it has gone to D.
  assert.equal(s.answer(s.unregister('E', 'x')), 'done');
  s.hold('D', 'x');
  const dead = s.cluster.crash('B');
  assert.ok(dead !== null);
  phase = 'takeover';
  for (const name of ['C', 'D', 'E']) s.cluster.proveDead(dead, s.node(name));
  s.until('C serves', () => s.leads('C') && s.state('C').leader?.complete === true);
  assert.notEqual(s.sentBy('E', 'pulled').length, 0);
  const names = ['y0', 'y1', 'y2', 'y3', 'y4', 'y5', 'y6', 'y7'];
  for (const name of names) s.hold('E', name);
  phase = 'over';
  s.run(2 * leaseMs);
  for (const name of names) assert.notEqual(s.sees('C', name), undefined);
});
