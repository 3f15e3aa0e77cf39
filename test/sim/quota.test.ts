// Three to five members, and others that come, where most have lost the store one way or another: quotas, contests, and
// who is free. What happens next is drawn: cuts, pauses, deaths with and without proof, members that leave, writes that
// are applied late; half of the runs with durations of its own for each member, all with clocks at the edges of the bound. What
// must hold is judged by the checkers at every step; in the end all is whole again, and has to come to rest.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Message } from '../../src/registry/protocol/messages.ts';
import type { Durations } from '../../src/registry/protocol/types.ts';
import { createDraw, type Draw } from '../../src/sim/draw.ts';
import { Script } from '../../src/sim/script.ts';
import type { Mood } from '../../src/sim/sim-store.ts';

const all = ['A', 'B', 'C', 'D', 'E', 'F'] as const;
const moods: readonly Mood[] = [
  'unavailable',
  'silent',
  'lost',
  'late',
  'slow',
  'refusesWrites',
  'hangsWrites',
];
const lost: readonly Message['type'][] = [
  'pong',
  'grant',
  'promise',
  'farewell',
  'resigned',
  'ack',
  'follow',
];
const rates = [-0.05, 0, 0.05] as const;

interface Run {
  readonly s: Script;
  readonly draw: Draw;
  readonly old: readonly string[];
  readonly dead: string[];
}

function drawDurations(draw: Draw): Durations {
  const leaseMs = draw.pick([400, 1000, 2000]);
  const toleranceMs = Math.max(leaseMs, draw.pick([500, 2000, 5000]));
  return {
    leaseMs,
    sessionMs: leaseMs * draw.pick([2, 3, 8]),
    toleranceMs,
    holdMs: toleranceMs + draw.pick([0, 300, 3000, 10_000]),
    clockRateBound: 0.05,
  };
}

/** The members stand, with a name on each; most lose the store, and one of them often the others. */
function begin(seed: number): Run {
  const draw = createDraw(seed, 43);
  const old = all.slice(0, draw.pick([3, 3, 3, 4, 5]));
  const own = draw.chance(500) ? all.map((name) => [name, drawDurations(draw)] as const) : [];
  const s = new Script(all, Object.fromEntries(own));
  for (const name of all) s.cluster.setRate(s.node(name), 1 + draw.pick(rates));
  s.start(...old);
  for (const name of old) s.hold(name, `of ${name}`);
  s.cluster.store.weather.lateMaxMs = draw.pick([50, 500, 4000, 20_000]);
  s.cluster.network.weather.delayMaxMs = draw.pick([1, 5, 60]);
  s.run(draw.below(1500));
  for (const name of old) if (draw.chance(750)) s.cutStore(name, draw.pick(moods));
  const alone = draw.pick(old);
  if (draw.chance(600)) s.cut(alone, ...old.filter((name) => name !== alone && draw.chance(900)));
  if (draw.chance(700)) s.healStore(alone);
  return { s, draw, old, dead: [] };
}

function healFully(s: Script, one: string, other: string): void {
  const { network } = s.cluster;
  while (network.isCut(one, other) || network.isCut(other, one)) s.heal(one, other);
}

function disturb(run: Run, one: string, other: string): void {
  const { s, draw, dead } = run;
  const others = all.filter((name) => name !== one);
  const kind = draw.below(860);
  if (kind < 110) s.cutStore(one, draw.pick(moods));
  else if (kind < 210) s.healStore(one);
  else if (kind < 420 && one === other) return;
  else if (kind < 290) s.cut(one, other);
  else if (kind < 310) s.cluster.network.cut(one, other);
  else if (kind < 420) healFully(s, one, other);
  else if (kind < 460) s.cut(one, ...others.filter(() => draw.chance(700)));
  else if (kind < 500) for (const name of others) healFully(s, one, name);
  else if (kind < 550) s.cluster.pause(one);
  else if (kind < 640) s.cluster.resume(one);
  else if (kind < 665) dead.push(...[s.cluster.crash(one) ?? []].flat());
  else if (kind < 740) tellDeath(run, other);
  else if (kind < 790) s.cluster.start(one);
  else if (kind < 815) s.cluster.deliver(s.node(one), { type: 'drain' });
  else if (kind < 830) s.cluster.tellLink(one, other, draw.chance(500));
  else if (kind < 840) for (const name of all) s.cutStore(name);
  else if (kind < 850) s.cluster.setRate(s.node(one), 1 + draw.pick(rates));
  else loseSome(s, draw.chance(500) ? draw.pick(lost) : null);
}

function tellDeath({ s, draw, dead }: Run, to: string): void {
  if (dead.length > 0) s.cluster.proveDead(draw.pick(dead), s.node(to));
}

function loseSome(s: Script, type: Message['type'] | null): void {
  s.lose(type === null ? null : ({ message }) => message.type === type);
}

function ask({ s, draw }: Run, at: string): void {
  if (s.node(at).state === null) return;
  const key = draw.chance(500) ? `of ${draw.pick(all)}` : `x${draw.below(3)}`;
  const kind = draw.below(10);
  if (kind < 5) s.register(at, key);
  else if (kind < 8) s.read(at, key);
  else s.unregister(at, key);
}

/** Everything is whole again, and whoever is leaving has nothing left to do. */
function calm({ s }: Run): void {
  s.lose(null);
  s.cluster.network.healAll();
  s.cluster.store.cut.clear();
  s.cluster.store.weather.lateMaxMs = 50;
  for (const name of all) {
    s.cluster.resume(name);
    if (s.node(name).state?.phase === 'draining')
      for (const process of s.node(name).processes) s.cluster.exit(process);
  }
  const anybody = all.some((name) => s.node(name).state !== null);
  if (anybody) s.until('all is at rest', () => s.judged.rest.unrest() === null, 80_000);
}

/** How often an office was seen contested, and how often without being so any more, before the record said it. */
function play(seed: number): { contested: number; settled: number } {
  const run = begin(seed);
  const { s, draw, old } = run;
  const seen = { contested: 0, settled: 0 };
  const end = s.now + draw.pick([6000, 15_000]);
  while (s.now < end) {
    s.run(draw.between(5, draw.pick([60, 400, 1500])));
    const head = old.find((name) => s.node(name).state?.leader != null) ?? 'A';
    const one = draw.chance(300) ? head : draw.pick(all);
    if (draw.chance(140)) ask(run, one);
    else disturb(run, one, draw.pick(all));
    for (const { state } of s.cluster.nodes.values()) {
      if (state?.leader?.contested) seen.contested++;
      else if (state?.leader?.record.contested) seen.settled++;
    }
  }
  calm(run);
  s.judged.checkHistory();
  return seen;
}

test('quotas and contests, drawn', () => {
  const seen = { contested: 0, settled: 0 };
  for (let seed = 1; seed <= 80; seed++) {
    const { contested, settled } = play(seed);
    seen.contested += contested;
    seen.settled += settled;
  }
  assert.ok(seen.contested > 100, `contested ${seen.contested} times`);
  assert.ok(seen.settled > 10, `settled ${seen.settled} times`);
});
