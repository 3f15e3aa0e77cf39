// `node scripts/test.ts [suite] [part of a path ...]`: runs a suite of scripts/suites.ts, or the files of it whose
// path contains one of the parts. Exit code 0 when nothing failed. A suite whose system software is missing is
// skipped with its reason on a developer's machine, and fails where CI is set.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { filesUnder } from './files.ts';
import { filesOfSuite, systemSuites } from './suites.ts';
import { closingLine, runFiles } from './test-runner.ts';

const fileTimeoutMs = 120_000;

async function main(args: readonly string[]): Promise<number> {
  const suite = args[0] !== undefined && (args[0] === 'fast' || args[0] in systemSuites) ? args[0] : 'fast';
  const parts = args[0] === suite ? args.slice(1) : args;
  const missing = missingSoftware(suite);
  if (missing !== undefined) return reportMissing(suite, missing);
  const files = filesOfSuite(suite, filesUnder('test')).filter(
    (file) => parts.length === 0 || parts.some((part) => file.includes(part)),
  );
  const name = suite === 'fast' ? 'test' : suite;
  const counts = await runFiles(files, { suite: name, concurrency: 2, fileTimeoutMs });
  return counts.failed === 0 ? 0 : 1;
}

function missingSoftware(suite: string): string | undefined {
  const system = systemSuites[suite];
  if (system === undefined) return undefined;
  const isThere = system.find === undefined ? onPath(system.needs) : system.find() !== undefined;
  return isThere ? undefined : `${system.needs} is missing (${system.install})`;
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
