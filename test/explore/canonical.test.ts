// What the enumeration rests on: a member that is stepped from the canonical form of its state does what the same member
// does that was never brought into that form, for as long as anybody looks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Actions } from '../../src/explore/actions.ts';
import { Cluster } from '../../src/explore/cluster.ts';
import { prepare } from '../../src/explore/root.ts';
import type { Scope } from '../../src/explore/scope.ts';
import { scopes } from '../../src/explore/scopes.ts';
import { Twins } from './twins.ts';
import { draw, numbers } from './walk.ts';

const walks = 3;
const movesMax = 250;

function walk(scope: Scope, seed: number): number {
  const cluster = new Cluster(scope);
  const actions = new Actions(cluster);
  const twins = new Twins(cluster);
  const act = actions.do.bind(actions);
  const begin = actions.begin.bind(actions);
  actions.do = (code) => {
    act(code);
    twins.follow();
  };
  actions.begin = (fault, target) => {
    begin(fault, target);
    twins.follow();
  };
  prepare(cluster, actions);
  const random = numbers(seed);
  for (let moves = 0; moves < movesMax; moves++) {
    const code = draw(actions, random);
    if (code === undefined) break;
    actions.do(code);
  }
  return twins.steps;
}

for (const scope of scopes.filter(({ tier, flushLater }) => tier === 'ci' && flushLater !== true)) {
  test(`the canonical form behaves as the state itself: ${scope.name}`, () => {
    let steps = 0;
    for (let seed = 1; seed <= walks; seed++) steps += walk({ ...scope, horizon: 60 }, seed * 7919);
    assert.ok(steps > 20 * walks, `${steps} steps`);
  });
}
