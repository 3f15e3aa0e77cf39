// Runs test files, each in a process group of its own, and prints one line per file, the whole story of what failed,
// and a closing line with the counts. Beside failed tests these are failures: a file without tests, one that ends
// before its tests do, with an exit code, or later than its deadline, and one that leaves processes behind.
// It also runs on Node 20, compiled, so it uses nothing newer.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { TestRecord } from './test-reporter.ts';

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

export interface RunOptions {
  /** Stands before the counts in the closing line. */
  readonly suite: string;
  /** Files that run at the same time. */
  readonly concurrency: number;
  /** A file that takes longer is killed, and is a failure. */
  readonly fileTimeoutMs: number;
  /** Passes on at once what tests write, for those that run long; else it is printed where something failed. */
  readonly showOutput?: boolean;
}

interface FileReport extends Counts {
  readonly failures: string[];
  output: string;
}

const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const reporter = fileURLToPath(new URL(`./test-reporter${extension}`, import.meta.url));
const outputCharactersMax = 4000;
const leftoverGraceMs = 1000;
const groups = new Set<number>();

/** Runs all files, prints as it goes, and returns the sums. No file at all is a failure: a wrong path must not pass. */
export async function runFiles(files: readonly string[], options: RunOptions): Promise<Counts> {
  const total: Counts = { passed: 0, failed: files.length === 0 ? 1 : 0, skipped: 0 };
  if (files.length === 0) console.log(`no test files for the suite ${options.suite}`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopAll(signal));
  const waiting = [...files];
  const worker = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const started = performance.now();
      const report = await runFile(file, options);
      print(file, report, performance.now() - started);
      total.passed += report.passed;
      total.failed += report.failed;
      total.skipped += report.skipped;
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, worker));
  console.log(closingLine(options.suite, total));
  return total;
}

export function closingLine(suite: string, counts: Counts): string {
  return `${suite}: ${countsText(counts)}`;
}

function countsText(counts: Counts): string {
  const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
  return `${counts.passed} passed, ${counts.failed} failed${skipped}`;
}

async function runFile(file: string, options: RunOptions): Promise<FileReport> {
  const report: FileReport = { passed: 0, failed: 0, skipped: 0, failures: [], output: '' };
  const scratch = mkdtempSync(join(tmpdir(), 'test-runner-'));
  const records = join(scratch, 'records');
  try {
    const child = spawn(
      process.execPath,
      [`--test-reporter=${reporter}`, `--test-reporter-destination=${records}`, file],
      { detached: true, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const ended = await wait(child, report, options);
    count(report, existsSync(records) ? readFileSync(records, 'utf8') : '', ended);
    if (await leavesProcesses(child)) fail(report, 'the file left processes running');
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return report;
}

/** Resolves, when the process is gone, to how it went: '' when well. The pipes may be held open by its children. */
async function wait(child: ChildProcess, report: FileReport, options: RunOptions): Promise<string> {
  const { fileTimeoutMs, showOutput = false } = options;
  const collect = (chunk: Buffer): void => {
    report.output = (report.output + chunk.toString()).slice(-outputCharactersMax);
  };
  if (showOutput) child.stdout?.pipe(process.stdout, { end: false });
  else child.stdout?.on('data', collect);
  child.stderr?.on('data', collect);
  if (child.pid !== undefined) groups.add(child.pid);
  let late = false;
  const deadline = setTimeout(() => {
    late = true;
    signalGroup(child.pid, 'SIGKILL');
  }, fileTimeoutMs);
  const code = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`could not start: ${error.message}`));
    child.once('exit', (status, signal) => resolve(status === 0 ? '' : `exit ${signal ?? status}`));
  });
  clearTimeout(deadline);
  return late ? `killed after ${fileTimeoutMs / 1000} s` : code;
}

function count(report: FileReport, text: string, ended: string): void {
  const lines = text.split('\n').filter((line) => line.endsWith('}'));
  const records = lines.map((line) => JSON.parse(line) as TestRecord);
  for (const record of records) {
    if (record.kind === 'passed') report.passed += 1;
    else if (record.kind === 'skipped') report.skipped += 1;
    else if (record.kind === 'note') report.output += `\n${record.text}`;
    else if (record.kind === 'failed') fail(report, `${record.name}\n${indent(record.error)}`);
  }
  const complete = records.some((record) => record.kind === 'end');
  if (ended !== '' && (report.failed === 0 || !complete)) fail(report, `the file: ${ended}`);
  else if (!complete) fail(report, 'the file ended before its tests, or has none');
  else if (report.passed + report.failed + report.skipped === 0) fail(report, 'the file has no tests');
}

function fail(report: FileReport, what: string): void {
  report.failed += 1;
  report.failures.push(what);
}

async function leavesProcesses(child: ChildProcess): Promise<boolean> {
  if (child.pid === undefined) return false;
  let alive = signalGroup(child.pid, 0);
  for (let waited = 0; alive && waited < leftoverGraceMs; waited += 50) {
    await sleep(50);
    alive = signalGroup(child.pid, 0);
  }
  if (alive) signalGroup(child.pid, 'SIGKILL');
  child.stdout?.destroy();
  child.stderr?.destroy();
  groups.delete(child.pid);
  return alive;
}

/** False when the group has no process any more. */
function signalGroup(pid: number | undefined, signal: NodeJS.Signals | 0): boolean {
  if (pid === undefined) return false;
  try {
    return process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

function stopAll(signal: NodeJS.Signals): void {
  for (const pid of groups) signalGroup(pid, 'SIGKILL');
  process.exit(signal === 'SIGINT' ? 130 : 143);
}

function print(file: string, report: FileReport, elapsedMs: number): void {
  const mark = report.failed > 0 ? 'FAIL' : 'ok  ';
  console.log(`${mark} ${file}: ${countsText(report)} (${Math.round(elapsedMs)} ms)`);
  for (const failure of report.failures) console.log(indent(`- ${failure}`));
  if (report.failed > 0 && report.output !== '') console.log(indent(`output:\n${report.output.trim()}`));
}

const indent = (text: string): string => text.replaceAll(/^/gm, '    ');
