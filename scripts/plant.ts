// Plants the defects of src/sim/defects.ts, one at a time, into a copy of the sources, and runs the simulator on it:
// `node scripts/plant.ts [seeds] [part of a name]`. Prints in how many seeds each was found; fails if one never was.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Defect, defects } from '../src/sim/defects.ts';

/** In how many of the seeds the simulator failed, and with which invariants. */
function tryDefect(defect: Defect, seeds: number): { failed: number; broken: string } {
  const copy = mkdtempSync(join(tmpdir(), 'planted-'));
  try {
    cpSync('src', join(copy, 'src'), { recursive: true });
    writeFileSync(join(copy, 'package.json'), '{ "type": "module" }');
    const file = join(copy, 'src/registry/protocol', defect.file);
    const source = readFileSync(file, 'utf8');
    if (source.split(defect.find).length !== 2) throw new Error(`${defect.name}: no single place in ${defect.file}`);
    writeFileSync(file, source.replace(defect.find, () => defect.replace));
    const args = [join(copy, 'src/sim/main.ts'), '--first', '1', '--seeds', String(seeds), '--json'];
    const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    const lines = stdout.trim().split('\n');
    const result = JSON.parse(lines.at(-1) ?? '') as { failed: number };
    const broken = lines.find((line) => line.startsWith('broken: ')) ?? '';
    return { failed: result.failed, broken: broken.slice('broken: '.length) };
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

function main(args: readonly string[]): number {
  const seeds = Number(args[0] ?? 300);
  const chosen = defects.filter(({ name }) => name.includes(args[1] ?? ''));
  let missed = 0;
  for (const defect of chosen) {
    const { failed, broken } = tryDefect(defect, seeds);
    if (failed === 0) missed++;
    console.log(`${failed === 0 ? 'MISSED' : 'found '} ${failed}/${seeds} ${defect.name} ${broken}`);
  }
  console.log(`${chosen.length - missed} of ${chosen.length} defects found`);
  return missed === 0 ? 0 : 1;
}

process.exitCode = main(process.argv.slice(2));
