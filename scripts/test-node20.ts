// The core suites on the oldest supported Node. That one cannot strip types, so sources and tests are compiled into
// .build/node20 first. The binary is the machine's own when that is a Node 20, else it is fetched by npm into
// .runtimes/20, once.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { filesUnder } from './files.ts';
import { coreFolders, filesOfSuite } from './suites.ts';

const output = '.build/node20';
const fetched = '.runtimes/20';

function run(program: string, args: readonly string[], cwd = '.'): void {
  const { status, error } = spawnSync(program, args, { cwd, stdio: 'inherit' });
  if (error) throw new Error(`${program} did not start`, { cause: error });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}`);
}

const isNode20 = (program: string): boolean =>
  spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout?.startsWith('v20.') ?? false;

function findNode20(): string {
  const ours = resolve('node_modules/.bin');
  const onPath = (process.env.PATH ?? '').split(delimiter).filter((folder) => resolve(folder) !== ours);
  const candidates = [
    ...onPath.map((folder) => join(folder, 'node')),
    resolve(fetched, 'node_modules/.bin/node'),
  ];
  const found = candidates.find((program) => existsSync(program) && isNode20(program));
  return found ?? fetchNode20();
}

function fetchNode20(): string {
  mkdirSync(fetched, { recursive: true });
  const manifest = { private: true, dependencies: { node: '20' }, allowScripts: { node: true } };
  writeFileSync(join(fetched, 'package.json'), JSON.stringify(manifest));
  run('npm', ['install', '--no-audit', '--no-fund', '--no-package-lock'], fetched);
  return resolve(fetched, 'node_modules/.bin/node');
}

function compile(): void {
  rmSync(output, { recursive: true, force: true });
  run('tsc', ['-p', 'tsconfig.node20.json']);
  // What the tests read, such as transcripts, stands beside them.
  for (const file of coreFolders.flatMap(filesUnder).filter((name) => !name.endsWith('.ts'))) {
    mkdirSync(dirname(join(output, file)), { recursive: true });
    cpSync(file, join(output, file));
  }
  writeFileSync(join(output, 'package.json'), '{ "type": "module" }\n');
}

compile();
const node = findNode20();
const files = filesOfSuite('node20', filesUnder('test')).map((file) =>
  join(output, file.replace(/ts$/, 'js')),
);
const runner = `
  import { runFiles } from './${output}/scripts/test-runner.js';
  console.log('node ' + process.version);
  const { failed } = await runFiles(process.argv.slice(1), { suite: 'node20', concurrency: 2, fileTimeoutMs: 120000 });
  process.exitCode = failed === 0 ? 0 : 1;
`;
const { status } = spawnSync(node, ['--input-type=module', '-e', runner, ...files], { stdio: 'inherit' });
process.exitCode = status ?? 1;
