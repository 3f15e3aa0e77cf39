// Defects that are planted into a copy of the sources fail some seed; what is left of it is a short story, and the line
// that it ends with fails in the same way.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ddmin } from '../../src/sim/ddmin.ts';
import { runScenario } from '../../src/sim/run.ts';
import { decodeScenario, drawScenario, encodeScenario } from '../../src/sim/scenario.ts';
import { tellStory } from '../../src/sim/story.ts';

interface Planted {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Faults that the story may need, starts not counted. */
  readonly faultsMax: number;
}

const planted: readonly Planted[] = [
  {
    name: 'no wait for a second holder',
    file: 'authority.ts',
    find: 'if (copies.length > 0) return Math.max(...copies);',
    replace: 'if (copies.length > 0) return leader.n;',
    faultsMax: 5,
  },
  {
    name: 'claims while the own support runs',
    file: 'claims.ts',
    find: 'if (now < s.follow.supportUntil) return false;',
    replace: '',
    faultsMax: 5,
  },
  {
    name: 'eviction after a lease instead of a session',
    file: 'authority.ts',
    find: 'lengthen(durations.sessionMs, durations);',
    replace: 'lengthen(durations.leaseMs, durations);',
    faultsMax: 5,
  },
];

function withDefect<T>(defect: Planted, work: (copy: string) => T): T {
  const copy = mkdtempSync(join(tmpdir(), 'shrunk-'));
  try {
    cpSync('src', join(copy, 'src'), { recursive: true });
    writeFileSync(join(copy, 'package.json'), '{ "type": "module" }');
    const file = join(copy, 'src/registry/protocol', defect.file);
    const source = readFileSync(file, 'utf8');
    assert.equal(source.split(defect.find).length, 2, `${defect.name}: one place`);
    writeFileSync(
      file,
      source.replace(defect.find, () => defect.replace),
    );
    return work(copy);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

function simulate(copy: string, ...args: string[]): string {
  const options = { encoding: 'utf8', cwd: copy, timeout: 120_000, maxBuffer: 1e8 } as const;
  return spawnSync(process.execPath, ['src/sim/main.ts', ...args], options).stdout;
}

/** From the first line of the story to what broke. */
function storyIn(output: string): string[] {
  const lines = output.split('\n');
  const from = lines.findIndex((line) => line.startsWith('--- '));
  const to = lines.findIndex((line) => line.startsWith('BROKEN '));
  return lines.slice(from + 1, to + 1);
}

describe('a planted defect shrinks to a story', () => {
  for (const defect of planted)
    test(defect.name, () => {
      withDefect(defect, (copy) => {
        const some = [
          '--first',
          '1',
          '--seeds',
          '200',
          '--stop-after',
          '1',
          '--workers',
          '1',
          '--seconds',
          '25',
        ];
        const output = simulate(copy, ...some, '--json');
        const story = storyIn(output);
        assert.ok(story.length > 3 && story.length <= 60, `${story.length} lines\n${output}`);
        const line = /--replay '(.*)'$/m.exec(output)?.[1] ?? '';
        const scenario = decodeScenario(line);
        const faults = scenario.actions.filter(
          (one) => !['start', 'register', 'read', 'unregister'].includes(one.do),
        );
        assert.ok(faults.length <= defect.faultsMax, `${faults.length} faults\n${story.join('\n')}`);
        const last = JSON.parse(output.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
        assert.deepEqual([last.failed, last.firstSeed], [1, scenario.options.seed]);
        assert.equal(simulate(copy, '--replay', line).trim().split('\n').at(-1), story.at(-1));
        // In these sources, which have the guard, the same run does not fail.
        assert.equal(runScenario(scenario).failure, null);
      });
    });
});

test('a scenario that was written down is the same run', () => {
  const drawn = drawScenario(11);
  const [one, other] = [drawn, decodeScenario(encodeScenario(drawn))].map((scenario) =>
    runScenario(scenario),
  );
  assert.equal(one?.hash, other?.hash);
  assert.equal(one?.hash, runScenario(drawScenario(11)).hash);
});

test('a run tells what was done, and that nothing broke', () => {
  const story = tellStory(drawScenario(11), 40);
  assert.ok(story.length <= 40);
  assert.ok(
    story.some((line) => / starts as /.test(line)),
    story.join('\n'),
  );
  assert.equal(story.at(-1), 'BROKEN nothing broke');
});

test('what is left of a list is what it takes', () => {
  const list = Array.from({ length: 100 }, (_, index) => index);
  const holds = (some: readonly number[]): boolean => [3, 50, 51, 97].every((one) => some.includes(one));
  assert.deepEqual(ddmin(list, { holds, outOfTime: () => false }), [3, 50, 51, 97]);
  let left = 5;
  assert.ok(holds(ddmin(list, { holds, outOfTime: () => left-- < 0 })));
});
