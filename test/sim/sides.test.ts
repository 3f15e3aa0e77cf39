// Members that change sides: all on one side hear each other, and reach the store or not. The leader begins on the side
// without it, often with a change of the list that is not decided; then members wander, die, leave and join. What a
// contest rests on is needed here within a few hundred runs. The checkers judge every step.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Durations } from '../../src/registry/protocol/types.ts';
import { createDraw, type Draw } from '../../src/sim/draw.ts';
import { Script } from '../../src/sim/script.ts';

const all = ['A', 'B', 'C', 'D', 'E', 'F'] as const;
const rates = [-0.05, 0, 0.05] as const;

interface Run {
  readonly s: Script;
  readonly draw: Draw;
  readonly side: Map<string, number>;
  /** Whether those on a side reach the store. */
  readonly reaches: boolean[];
  readonly dead: string[];
}

function drawDurations(draw: Draw): Durations {
  const leaseMs = draw.pick([400, 1000, 2000]);
  const toleranceMs = Math.max(leaseMs, draw.pick([500, 2000, 5000]));
  const holdMs = toleranceMs + draw.pick([0, 300, 3000, 10_000]);
  return { leaseMs, sessionMs: draw.pick([4000, 8000, 20_000]), toleranceMs, holdMs, clockRateBound: 0.05 };
}

function begin(seed: number): Run {
  const draw = createDraw(seed, 47);
  const old = all.slice(0, draw.pick([3, 3, 4, 5]));
  const own = draw.chance(400) ? all.map((name) => [name, drawDurations(draw)] as const) : [];
  const s = new Script(all, Object.fromEntries(own));
  for (const name of all) s.cluster.setRate(s.node(name), 1 + draw.pick(rates));
  s.start(...old);
  for (const name of old) if (draw.chance(400)) s.hold(name, `of ${name}`);
  s.run(draw.below(1500));
  s.cluster.store.weather.lateMaxMs = draw.pick([50, 500, 4000]);
  const sides = draw.pick([2, 2, 3]);
  const reaches = Array.from({ length: sides }, (_, number) => number > 0);
  const run: Run = { s, draw, side: new Map(all.map((name) => [name, 0])), reaches, dead: [] };
  if (draw.chance(400)) leaveChangeOpen(run, old);
  run.side.set(draw.pick(old), 1);
  settleSides(run);
  return run;
}

/** The first change of the list gets no answer; after it the leader, which is the first, has no store. */
function leaveChangeOpen(run: Run, old: readonly string[]): void {
  const { s, draw } = run;
  const mood = draw.pick(['lost', 'silent', 'late'] as const);
  let open = false;
  s.cluster.store.intercept = (node, op) => {
    if (node !== 'A') return null;
    if (open) return 'unavailable';
    const changes = op.kind === 'write' && op.record.established.length !== op.expect?.established.length;
    open = changes;
    return changes ? mood : null;
  };
  const change = draw.below(3);
  if (change === 0) s.cluster.start(all[old.length] ?? 'F');
  else if (change === 1) s.cluster.deliver(s.node(draw.pick(old)), { type: 'drain' });
  else crash(run, draw.pick(old.slice(1)));
  for (const end = s.now + 3000; !open && s.now < end; ) s.run(5);
  s.run(draw.below(200));
  s.cluster.store.intercept = null;
}

function settleSides({ s, draw, side, reaches }: Run): void {
  const { network } = s.cluster;
  for (const one of all) {
    for (const other of all) {
      const apart = side.get(one) !== side.get(other);
      if (apart && !network.isCut(one, other)) network.cut(one, other);
      while (!apart && network.isCut(one, other)) network.heal(one, other);
    }
    if (reaches[side.get(one) ?? 0]) s.healStore(one);
    else s.cutStore(one, draw.chance(700) ? 'unavailable' : draw.pick(['silent', 'lost', 'late']));
  }
}

function crash({ s, draw, dead }: Run, name: string): void {
  const member = s.cluster.crash(name);
  if (member === null) return;
  dead.push(member);
  const seen = draw.chance(500);
  for (const other of all) if (seen && draw.chance(600)) s.cluster.proveDead(member, s.node(other));
}

/** For a moment that node reaches the store although its side does not, or the other way round. */
function glimpse(run: Run, name: string): void {
  const { s, draw, side, reaches } = run;
  if (reaches[side.get(name) ?? 0]) s.cutStore(name);
  else s.healStore(name);
  s.run(draw.below(150));
  settleSides(run);
}

function wander(run: Run): void {
  const { s, draw, side, reaches, dead } = run;
  const name = draw.pick(all);
  const kind = draw.below(100);
  if (kind < 35) side.set(name, draw.below(reaches.length));
  else if (kind < 45) reaches[draw.below(reaches.length)] = draw.chance(500);
  else if (kind < 52) glimpse(run, name);
  else if (kind < 57) crash(run, name);
  else if (kind < 65 && dead.length > 0) s.cluster.proveDead(draw.pick(dead), s.node(name));
  else if (kind < 72) s.cluster.start(name);
  else if (kind < 78) s.cluster.deliver(s.node(name), { type: 'drain' });
  else if (kind < 81) s.cluster.pause(name);
  else if (kind < 92) s.cluster.resume(name);
  else if (s.node(name).state !== null) s.register(name, `x${draw.below(3)}`);
  if (kind < 45) settleSides(run);
}

/** How often an office was seen contested. */
function play(seed: number): number {
  const run = begin(seed);
  const { s, draw } = run;
  let seen = 0;
  for (const end = s.now + draw.pick([6000, 12_000]); s.now < end; ) {
    s.run(draw.between(5, draw.pick([50, 300, 1200])));
    wander(run);
    for (const { state } of s.cluster.nodes.values()) if (state?.leader?.contested === true) seen++;
  }
  return seen;
}

test('members that change sides', () => {
  let seen = 0;
  for (let seed = 1; seed <= 250; seed++) seen += play(seed);
  assert.ok(seen > 300, `an office was seen contested ${seen} times`);
});
