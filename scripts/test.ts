// `node scripts/test.ts [suite] [part of a path ...]`: runs a suite of scripts/suites.ts, or the files of it whose
// path contains one of the parts. Exit code 0 when nothing failed. A suite whose system software is missing is
// skipped with its reason on a developer's machine, and fails where CI is set. Options of a suite, such as `--seed 7`, are
// given to its tests in the environment.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { filesUnder } from './files.ts';
import { filesOfSuite, type SystemSuite, systemSuites } from './suites.ts';
import { closingLine, runFiles } from './test-runner.ts';

const fileTimeoutMs = 120_000;

async function main(args: readonly string[]): Promise<number> {
  const suite = args[0] !== undefined && (args[0] === 'fast' || args[0] in systemSuites) ? args[0] : 'fast';
  const { options, parts } = parsed(suite, args[0] === suite ? args.slice(1) : args);
  const missing = missingSoftware(suite);
  if (missing !== undefined) return reportMissing(suite, missing);
  for (const [name, value] of Object.entries(options)) process.env[`${suite}_${name}`.toUpperCase()] = value;
  const files = filesOfSuite(suite, filesUnder('test')).filter(
    (file) => parts.length === 0 || parts.some((part) => file.includes(part)),
  );
  const counts = await runFiles(files, {
    suite: suite === 'fast' ? 'test' : suite,
    concurrency: 2,
    fileTimeoutMs: systemSuites[suite]?.fileTimeoutMs?.(options) ?? fileTimeoutMs,
    showOutput: systemSuites[suite]?.showOutput === true,
  });
  return counts.failed === 0 ? 0 : 1;
}

/** Throws for an option that the suite does not have, or one without a value. */
function parsed(
  suite: string,
  args: readonly string[],
): { options: Record<string, string>; parts: string[] } {
  const known = systemSuites[suite]?.options ?? [];
  const options: Record<string, string> = {};
  const parts: string[] = [];
  const waiting = [...args];
  for (let arg = waiting.shift(); arg !== undefined; arg = waiting.shift()) {
    if (!arg.startsWith('--')) {
      parts.push(arg);
      continue;
    }
    const value = waiting.shift();
    if (!known.includes(arg.slice(2)) || value === undefined)
      throw new RangeError(
        `${arg}: ${suite} has ${known.map((name) => `--${name} VALUE`).join(', ') || 'no options'}`,
      );
    options[arg.slice(2)] = value;
  }
  return { options, parts };
}

function missingSoftware(suite: string): string | undefined {
  const system = systemSuites[suite];
  if (system === undefined) return undefined;
  const lack = system.lack === undefined ? lackOf(system) : system.lack();
  return lack === undefined ? undefined : `${lack} (${system.install})`;
}

function lackOf({ needs, find }: SystemSuite): string | undefined {
  const isThere = find === undefined ? onPath(needs) : find() !== undefined;
  return isThere ? undefined : `${needs} is missing`;
}

function reportMissing(suite: string, reason: string): number {
  const inCi = process.env.CI !== undefined && process.env.CI !== '';
  console.log(`${inCi ? 'cannot run' : 'skipping'} the suite ${suite}: ${reason}`);
  console.log(closingLine(suite, { passed: 0, failed: inCi ? 1 : 0, skipped: inCi ? 0 : 1 }));
  return inCi ? 1 : 0;
}

function onPath(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch (error) {
      return error === undefined;
    }
  });
}

process.exitCode = await main(process.argv.slice(2));
