// The README keeps its word: its first example is short, compiles as it stands, and does what it says.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { compileFaults, type Example, examplesOf } from './examples.ts';

const linesMax = 15;

function firstExample(): Example {
  const [first] = examplesOf('README.md');
  assert.ok(first, 'README.md has no example');
  return first;
}

/** Runs a program in a directory of its own, with the package's name leading to the sources. */
async function run(code: string): Promise<{ code: number | null; output: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'dgen-readme-'));
  try {
    const door = pathToFileURL('src/index.ts').href;
    const file = join(directory, 'example.ts');
    await writeFile(join(directory, 'package.json'), '{ "type": "module" }');
    await writeFile(file, code.replaceAll(`'dgen-ts'`, `'${door}'`));
    return await outputOf(file, directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function outputOf(file: string, cwd: string): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [file], { cwd, timeout: 30_000, killSignal: 'SIGKILL' });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}

test('the README begins with a sentence, the two commands, and a first server in few lines', async () => {
  const [, intro = '', commands = ''] = (await readFile('README.md', 'utf8')).split('\n\n');
  assert.match(intro.replaceAll('\n', ' '), /^[A-Z][^.]*(\.js[^.]*)?\.$/, 'one sentence');
  assert.match(commands, /^```sh\nnpm ci && npm run demo\b.*\nnpm ci && npm test\b.*\n```$/);
  const lines = firstExample().code.trimEnd().split('\n').length;
  assert.ok(lines <= linesMax, `${lines} lines`);
});

test('the first example compiles and prints what its comment says', { timeout: 60_000 }, async () => {
  const example = firstExample();
  assert.deepEqual(compileFaults([example]), []);
  const [, expected] = /console\.log\(.*\); \/\/ (.*)/.exec(example.code) ?? [];
  assert.ok(expected, 'the example says what it prints');
  assert.deepEqual(await run(example.code), { code: 0, output: `${expected}\n` });
});
