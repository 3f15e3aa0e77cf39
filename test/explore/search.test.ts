import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { decode } from '../../src/explore/actions.ts';
import { transitions } from '../../src/explore/coverage.ts';
import { heal } from '../../src/explore/heal.ts';
import type { Scope } from '../../src/explore/scope.ts';
import { scopes } from '../../src/explore/scopes.ts';
import { Search } from '../../src/explore/search.ts';
import { readPath, tellPath, tellStory } from '../../src/explore/story.ts';

function scopeOf(name: string): Scope {
  const scope = scopes.find((one) => one.name === name);
  assert.ok(scope !== undefined);
  return scope;
}

test('two enumerations of one configuration agree in every number, and end', () => {
  for (const name of ['two-free-calls', 'two-from-nothing', 'three-membership']) {
    const [first, second] = [1, 2].map(() => new Search(scopeOf(name), { heal }).run());
    assert.deepEqual(first, second);
    assert.ok(first?.exhausted);
    assert.deepEqual(first.violations, []);
  }
});

test('a row that is seen again is not counted again: walking the path to a state leads to that state', () => {
  const search = new Search(scopeOf('two-free-calls'));
  const { states } = search.run();
  assert.ok(states > 100);
  const path = search.pathTo(states - 1);
  assert.ok(path.length > 5);
  assert.deepEqual(readPath(tellPath(path)), path);
});

test('a bound on the states is said', () => {
  const found = new Search(scopeOf('two-free'), { statesMax: 500 }).run();
  assert.equal(found.exhausted, false);
  assert.ok(found.states >= 500 && found.states < 600);
});

test('a safeguard that is taken away is a violation, with the shortest way to it as a story', () => {
  const { breaks: _, ...scope } = scopeOf('two-mistake');
  const found = new Search(scope, { stopAtFirst: true }).run();
  const [violation] = found.violations;
  assert.equal(violation?.broken.invariant, 'one-authority');
  assert.ok(violation.path.length <= 6);
  const story = tellStory(scope, violation.path);
  assert.match(story, /mistake of B to A/);
  assert.match(story, /A takes provenDead: asks the store: write\(epoch 2/);
  assert.match(story, /In the end: .*A#1 active, leads epoch 2 with authority/);
});

test('an action that is left out shows as a transition that was never taken', () => {
  const whole = new Search(scopeOf('two-free-calls')).run();
  const without = new Search(scopeOf('two-free-calls'), {
    without: (code) => decode(code).kind === 'ask' && decode(code).a === 4,
  }).run();
  const lost = whole.taken.filter((one) => !without.taken.includes(one));
  assert.ok(lost.includes('event read') && lost.includes('reply absent'));
});

test('what is taken stands in the table', () => {
  assert.equal(new Set(transitions).size, transitions.length);
  for (const name of ['two-free-calls', 'two-last-out', 'three-membership']) {
    const { taken } = new Search(scopeOf(name), { heal }).run();
    assert.deepEqual(
      taken.filter((one) => !transitions.includes(one)),
      [],
    );
  }
});

test('names of configurations are unique, and each fault hits somebody', () => {
  assert.equal(new Set(scopes.map(({ name }) => name)).size, scopes.length);
  for (const { name, nodes, faults, ops } of scopes) {
    const known = new Set(nodes.map((node) => node.name));
    for (const rule of Object.values(faults))
      for (const at of rule.at ?? [])
        for (const node of at.split(/[+>@]/)) assert.ok(node === '' || known.has(node), `${name}: ${at}`);
    for (const op of ops) assert.ok(known.has(op.at), `${name}: ${op.at}`);
  }
});

function explore(args: readonly string[], mutant?: string): { status: number | null; output: string } {
  const hook = mutant === undefined ? [] : ['--import', './scripts/mutant-hook.ts'];
  const { MUTANT: _none, ...env } = process.env;
  const { status, stdout } = spawnSync(process.execPath, [...hook, 'src/explore/main.ts', ...args], {
    env: mutant === undefined ? env : { ...env, MUTANT: mutant },
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { status, output: stdout };
}

test('the command tells one object in its last line, and ends well', () => {
  const { status, output } = explore(['--config', 'two-free-calls,two-from-nothing', '--json']);
  const last = JSON.parse(output.trimEnd().split('\n').at(-1) ?? '');
  assert.equal(status, 0);
  assert.deepEqual(Object.keys(last), ['states', 'depth', 'violations', 'unreachedTransitions']);
  assert.deepEqual(last.violations, []);
});

test('the command finds a guard that was taken out of the protocol, tells the story, and fails', () => {
  const args = ['--config', 'three-membership', '--stop-at-first', '--json'];
  const { status, output } = explore(args, 'waiting ignores the clock rates');
  assert.equal(status, 1);
  assert.match(output, /BROKE one-authority/);
  assert.match(output, /repeat: npm run explore -- --config three-membership --stop-at-first/);
  const last = JSON.parse(output.trimEnd().split('\n').at(-1) ?? '');
  assert.equal(last.violations.length, 1);
});
