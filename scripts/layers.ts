// Checks the direction of imports with dependency-cruiser, and that it saw what it was meant to see: without a
// compiler it knows, that tool finds no modules, and no violations.
import { spawnSync } from 'node:child_process';
import { filesUnder } from './files.ts';

const folders = ['src', 'test', 'demo', 'bench', 'examples', 'scripts'];
const modulesMin = 10;

interface CruiseResult {
  readonly modules: readonly { readonly source: string }[];
  readonly summary: {
    readonly totalDependenciesCruised: number;
    readonly violations: readonly {
      readonly from: string;
      readonly to: string;
      readonly rule: { readonly name: string };
      readonly cycle?: readonly { readonly name: string }[];
    }[];
  };
}

function cruise(files: readonly string[]): CruiseResult {
  const args = ['--config', '.dependency-cruiser.cjs', '--output-type', 'json', ...files];
  const result = spawnSync('depcruise', args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (result.error) throw new Error('dependency-cruiser did not start', { cause: result.error });
  if (result.stdout === '') throw new Error(`dependency-cruiser said nothing: ${result.stderr}`);
  return JSON.parse(result.stdout) as CruiseResult;
}

function faults(files: readonly string[], { modules, summary }: CruiseResult): string[] {
  const seen = new Set(modules.map((module) => module.source));
  const unseen = files.filter((file) => !seen.has(file));
  const { violations, totalDependenciesCruised: edges } = summary;
  return [
    ...violations.map(({ rule, from, to, cycle }) => {
      const path = cycle === undefined ? to : cycle.map((step) => step.name).join(' -> ');
      return `${rule.name}: ${from} -> ${path}`;
    }),
    ...unseen.map((file) => `not seen: ${file}`),
    ...(files.length < modulesMin ? [`only ${files.length} modules, expected at least ${modulesMin}`] : []),
    ...(edges < files.length / 2 ? [`only ${edges} imports in ${files.length} modules`] : []),
  ];
}

const files = folders.flatMap(filesUnder).filter((file) => file.endsWith('.ts'));
const found = faults(files, cruise(files));
for (const fault of found) console.log(fault);
console.log(`${files.length} modules, ${found.length} faults`);
process.exitCode = found.length === 0 ? 0 : 1;
