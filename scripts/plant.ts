// Plants the defects of src/sim/defects.ts, one at a time, into a copy of the sources, and runs the simulator on it:
// and the scripted cases:
// `node scripts/plant.ts [seeds] [part of a name]`. Prints by what each was found; fails if one never was.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Defect, defects } from '../src/sim/defects.ts';

const scripted = ['basics', 'counterexamples', 'incidents', 'newcomers', 'outage', 'review'].map(
  (name) => `test/sim/${name}.test.ts`,
);

/** Runs what the work needs on a copy of the sources that has the defect. */
function withDefect<T>(defect: Defect, work: (copy: string) => T): T {
  const copy = mkdtempSync(join(tmpdir(), 'planted-'));
  try {
    for (const folder of ['src', 'test/sim']) cpSync(folder, join(copy, folder), { recursive: true });
    writeFileSync(join(copy, 'package.json'), '{ "type": "module" }');
    const file = join(copy, 'src/registry/protocol', defect.file);
    const source = readFileSync(file, 'utf8');
    if (source.split(defect.find).length !== 2)
      throw new Error(`${defect.name}: no single place in ${defect.file}`);
    writeFileSync(
      file,
      source.replace(defect.find, () => defect.replace),
    );
    return work(copy);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** How many of the scripted cases fail. */
function tryScripts(copy: string): number {
  const args = ['--test', '--test-reporter=tap', ...scripted];
  const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8', cwd: copy });
  return Number(/^# fail (\d+)$/m.exec(stdout)?.[1] ?? 0);
}

/** Runs seeds until some have failed; the last lines say which invariants. */
function trySeeds(copy: string, seeds: number): { failed: number; seeds: number; broken: string } {
  const args = ['--first', '1', '--seeds', String(seeds), '--stop-after', '5', '--json'];
  const options = { encoding: 'utf8', cwd: copy, maxBuffer: 1e8 } as const;
  const { stdout } = spawnSync(process.execPath, ['src/sim/main.ts', ...args], options);
  const lines = stdout.trim().split('\n');
  const result = JSON.parse(lines.at(-1) ?? '') as { failed: number; seeds: number };
  const broken = lines.find((line) => line.startsWith('broken: ')) ?? '';
  return { ...result, broken: broken.slice('broken: '.length) };
}

function main(args: readonly string[]): number {
  const seeds = Number(args[0] ?? 1000);
  const chosen = defects.filter(({ name }) => name.includes(args[1] ?? ''));
  let missed = 0;
  for (const defect of chosen) {
    const { cases, random } = withDefect(defect, (copy) => ({
      cases: tryScripts(copy),
      random: trySeeds(copy, seeds),
    }));
    const found = cases + random.failed > 0;
    if (!found) missed++;
    const inSeeds = `${random.failed} of ${random.seeds} seeds ${random.broken}`;
    console.log(`${found ? 'found ' : 'MISSED'} ${defect.name}: ${cases} scripted cases, ${inSeeds}`);
  }
  console.log(`${chosen.length - missed} of ${chosen.length} defects found`);
  return missed === 0 ? 0 : 1;
}

process.exitCode = main(process.argv.slice(2));
