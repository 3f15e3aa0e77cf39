// The demo, small: it runs, its guarantees hold, its last line is the summary, and it leaves nothing behind.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../demo/main.ts', import.meta.url));

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dgen-demo-test-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function demo(args: readonly string[], onOutput?: (stdout: string, pid: number) => void): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [main, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, TMPDIR: directory, NO_COLOR: '1' },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      onOutput?.(stdout, child.pid as number);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const timer = setTimeout(() => child.kill('SIGTERM'), 80_000);
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
  });
}

/** The processes of the cluster by the numbers that the demo prints, and what runs under them now. */
function survivors(stdout: string): string[] {
  const pids = [...stdout.matchAll(/pid (\d+)/g)].map(([, pid]) => pid ?? '');
  assert.ok(pids.length >= 3, stdout);
  return pids.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('worker.ts');
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOENT');
      return false;
    }
  });
}

function leftovers(stdout: string): string[] {
  return [...readdirSync(directory), ...(process.platform === 'linux' ? survivors(stdout) : [])];
}

test('with 60 names: exit code 0, and a summary with the guarantees', { timeout: 90_000 }, async () => {
  const { code, stdout, stderr } = await demo(['--names', '60', '--nodes', '3', '--json']);
  assert.equal(stderr, '');
  assert.equal(code, 0, stdout);
  const summary = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown>;
  const { nodes, names, doubleOwners, tokenRegressions, failedOnSurvivors, failedCalls } = summary;
  assert.deepEqual(
    { nodes, names, doubleOwners, tokenRegressions, failedOnSurvivors, failedCalls },
    { nodes: 3, names: 60, doubleOwners: 0, tokenRegressions: 0, failedOnSurvivors: 0, failedCalls: 0 },
  );
  assert.ok((summary.calls as number) > 600, `${summary.calls} calls`);
  assert.ok((summary.namesLost as number) >= 60, `${summary.namesLost} names lost`);
  // Well below the lease: the death was proven, nobody waited.
  assert.ok((summary.killToFirstRegisterMs as number) > 0);
  assert.ok((summary.killToFirstRegisterMs as number) < 1_000, `${summary.killToFirstRegisterMs} ms`);
  assert.ok(!stdout.includes('\u001b'), 'no colours');
  assert.deepEqual(leftovers(stdout), []);
});

test('interrupted while a node is frozen: nothing is left', { timeout: 60_000 }, async () => {
  let told = false;
  const { code, stdout, stderr } = await demo(['--names', '30', '--nodes', '3'], (text, pid) => {
    if (told || !text.includes('another node leads')) return;
    told = true;
    process.kill(pid, 'SIGINT');
  });
  assert.equal(code, 130, stderr);
  assert.match(stderr, /interrupted/);
  assert.deepEqual(leftovers(stdout), []);
});

test('what it cannot do it says, with the code of the error', { timeout: 30_000 }, async () => {
  for (const [args, message] of [
    [['--store', 'etcd:nowhere'], /bad_option: store address/],
    [['--store', 'memory:shared'], /bad_option: store address.*processes can share/],
    [['--nodes', '2'], /--nodes takes a whole number from 3/],
    [['--colour'], /--colour/],
  ] as const) {
    const { code, stdout, stderr } = await demo(args);
    assert.equal(code, 1);
    assert.match(stderr, message);
    assert.equal(stdout, '');
  }
  assert.deepEqual(readdirSync(directory), []);
  const { code, stdout } = await demo(['--help']);
  assert.equal(code, 0);
  assert.match(stdout, /--names N/);
});
