// Three members that lose the store one way or another, and newcomers that reach it, but not them: who may take over is
// a matter of time alone. Every member has durations of its own, and a clock at an edge of the bound. What must hold is
// judged by the checkers at every step.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Durations } from '../../src/registry/protocol/types.ts';
import { createDraw, type Draw } from '../../src/sim/draw.ts';
import { Script } from '../../src/sim/script.ts';
import type { Mood } from '../../src/sim/sim-store.ts';

const old = ['A', 'B', 'C'] as const;
const fresh = ['D', 'E'] as const;
const all = [...old, ...fresh] as const;

function drawDurations(draw: Draw): Durations {
  const leaseMs = draw.pick([400, 1000, 2000]);
  const toleranceMs = Math.max(leaseMs, draw.pick([500, 2000, 5000]));
  return {
    leaseMs,
    sessionMs: leaseMs * draw.pick([2, 3, 8]),
    toleranceMs,
    holdMs: toleranceMs + draw.pick([0, 300, 3000, 10_000]),
    clockRateBound: 0.05 * draw.pick([1, 1, 2]),
  };
}

/** The members stand, with a name on each, and no store; what they asked of it last may still happen. */
function begin(draw: Draw): Script {
  const s = new Script(all, Object.fromEntries(all.map((name) => [name, drawDurations(draw)])));
  s.start(...old);
  for (const name of old) s.hold(name, `of ${name}`);
  s.run(draw.below(1500));
  s.cluster.store.weather.lateMaxMs = draw.pick([500, 4000, 20_000]);
  for (const name of old) s.cutStore(name, drawMood(draw));
  s.run(draw.below(900));
  for (const name of old) if (draw.chance(600)) s.cutStore(name, 'unavailable');
  for (const name of fresh) s.cut(name, ...old);
  s.cluster.start('D');
  return s;
}

function drawMood(draw: Draw): Mood {
  return draw.pick(['unavailable', 'silent', 'lost', 'late']);
}

function disturb(s: Script, draw: Draw): void {
  const newcomer = draw.pick(fresh);
  const any = draw.pick(all);
  const kind = draw.below(100);
  if (kind < 10) s.cutStore(newcomer, drawMood(draw));
  else if (kind < 25) s.healStore(newcomer);
  else if (kind < 29) s.cluster.pause(any);
  else if (kind < 40) s.cluster.resume(any);
  else if (kind < 43) s.cluster.crash(newcomer);
  else if (kind < 51) s.cluster.start(any);
  else if (kind < 53) s.heal('D', draw.pick(old));
  else if (kind < 54) s.healStore(draw.pick(old));
}

/** How often a newcomer was seen in office. */
function play(seed: number): number {
  const draw = createDraw(seed, 41);
  const s = begin(draw);
  const end = s.now + 40_000;
  let seen = 0;
  while (s.now < end) {
    s.run(draw.between(50, 1500));
    disturb(s, draw);
    const asked = s.node(draw.pick(all));
    if (asked.state !== null && !asked.paused)
      for (const name of old) s.register(asked.name, `of ${name}`, s.spawn(asked.name));
    seen += fresh.filter((name) => s.leads(name)).length;
  }
  return seen;
}

test('newcomers take over in time, and not before', () => {
  let seen = 0;
  for (let seed = 1; seed <= 60; seed++) seen += play(seed);
  assert.ok(seen > 300, `newcomers were in office ${seen} times`);
});
