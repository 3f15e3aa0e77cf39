// `npm run check`: everything that is known without running the product. All stages run; each prints one line and, if
// it failed, what it said. `npm run check -- biome knip` runs only the stages named.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

interface Stage {
  readonly name: string;
  readonly command: readonly string[];
}

const stages: readonly Stage[] = [
  { name: 'tsc-main', command: ['tsc', '-p', 'tsconfig.json'] },
  { name: 'tsc-pure', command: ['tsc', '-p', 'tsconfig.pure.json'] },
  { name: 'tsc-build', command: ['tsc', '-p', 'tsconfig.build.json', '--noEmit'] },
  ...(existsSync('test/types/tsconfig.json')
    ? [{ name: 'tsc-types', command: ['tsc', '-p', 'test/types/tsconfig.json'] }]
    : []),
  {
    name: 'biome',
    command: ['biome', 'check', '--max-diagnostics=50', '--diagnostic-level=warn', '--error-on-warnings'],
  },
  { name: 'layers', command: ['node', 'scripts/layers.ts'] },
  { name: 'knip', command: ['knip', '--no-progress', '--no-config-hints'] },
  {
    name: 'tidy',
    command: ['node', '--test', '--test-reporter=dot', 'test/tidy.test.ts', 'test/tidy-rules.test.ts'],
  },
];

function run(command: readonly string[]): Promise<{ ok: boolean; output: string }> {
  const [program = '', ...args] = command;
  return new Promise((resolve) => {
    let output = '';
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const collect = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.once('error', (error) => resolve({ ok: false, output: `could not start: ${error.message}` }));
    child.once('close', (code) => resolve({ ok: code === 0, output }));
  });
}

async function main(wanted: readonly string[]): Promise<number> {
  const chosen = stages.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
  let failed = 0;
  for (const { name, command } of chosen) {
    const started = performance.now();
    const { ok, output } = await run(command);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`${ok ? 'ok  ' : 'FAIL'} ${name} (${seconds} s)`);
    if (!ok) console.log(output.trimEnd());
    if (!ok) failed += 1;
  }
  console.log(`check: ${chosen.length - failed} passed, ${failed} failed`);
  return failed === 0 && chosen.length > 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
