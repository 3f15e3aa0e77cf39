// Plants the defects of src/sim/defects.ts, one at a time, and looks who finds them: `npm run mutants`. Each attempt is a
// process of its own, which edits one source as it is loaded (mutant-hook.ts) and runs one finder (mutant-attempt.ts). The
// finders that a defect names come first; where they pass, all scripted cases and many seeds follow before it counts as
// missed. In the end the same finders run on the sources as they are, and must pass: what always fails finds nothing.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Defect, defects, type Finder } from '../src/sim/defects.ts';
import type { Verdict } from './mutant-attempt.ts';

const usage = `npm run mutants -- [--only PART] [--all-finders] [--json] [--workers N]
  --only PART    the defects whose names contain it
  --all-finders  tells of each defect all scripted cases that fail, and the first seed (slow)
  --json         the last line is {"planted": N, "found": N, "missed": [names]}
  --workers N    how many attempts at a time (default 2)`;

const partFlag = 'only';
const attemptMsMax = 60_000;
const fallbackSeeds = 400;

const scripts = readdirSync('test/sim')
  .filter(
    (file) => file.endsWith('.test.ts') && !['defects', 'seeds', 'newcomers'].includes(file.slice(0, -8)),
  )
  .map((file) => `sim/${file.slice(0, -8)}`);
const fallback: readonly Finder[] = [
  { test: scripts.join(' '), name: '' },
  { test: 'sim/newcomers', name: '' },
  { first: 1, seeds: fallbackSeeds },
];

interface Tried {
  readonly finder: Finder;
  readonly verdict: Verdict;
}

interface Outcome {
  readonly defect: Defect;
  readonly tried: readonly Tried[];
  readonly seconds: number;
}

/** One attempt, on the sources as they are where no defect is named. Never rejects. */
function attempt(defect: Defect | null, finder: Finder): Promise<Verdict> {
  const args = ['--import', './scripts/mutant-hook.ts', 'scripts/mutant-attempt.ts', JSON.stringify(finder)];
  const { MUTANT: _none, ...env } = process.env;
  const child = spawn(process.execPath, args, {
    env: defect === null ? env : { ...env, MUTANT: defect.name },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const text = { out: '', err: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    text.out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    text.err += chunk.toString();
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), attemptMsMax);
  return new Promise((resolve) => {
    child.on('close', (_code, signal) => {
      clearTimeout(timer);
      const last = text.out.trim().split('\n').at(-1) ?? '';
      if (last.startsWith('{"kind"')) resolve(JSON.parse(last) as Verdict);
      else resolve({ kind: 'broken', by: signal ?? text.err.trim().split('\n').slice(-4).join(' ') });
    });
  });
}

async function seek(defect: Defect, all: boolean): Promise<Outcome> {
  const started = performance.now();
  const tried: Tried[] = [];
  for (const finder of [...defect.finders, ...fallback]) {
    const verdict = await attempt(defect, finder);
    tried.push({ finder, verdict });
    if (verdict.kind === 'found' && !all) break;
  }
  return { defect, tried, seconds: (performance.now() - started) / 1000 };
}

function tell({ defect, tried, seconds }: Outcome): void {
  const found = tried.filter(({ verdict }) => verdict.kind === 'found');
  const known = defect.finders.length;
  const strayed = tried.slice(0, known).filter(({ verdict }) => verdict.kind !== 'found');
  const by = (found.length > 0 ? found : tried).map(
    ({ verdict }) => `${verdict.kind === 'broken' ? 'BROKEN ' : ''}${verdict.by}`,
  );
  const late =
    found.length > 0 && strayed.length === known && known > 0 ? ' (not by the finder that it names)' : '';
  console.log(
    `${found.length > 0 ? 'found ' : 'MISSED'} ${defect.name}: ${by.join('; ')}${late}, ${seconds.toFixed(1)} s`,
  );
}

/** Works through the list with so many at a time. */
async function inParallel<T>(
  list: readonly T[],
  workers: number,
  work: (one: T) => Promise<void>,
): Promise<void> {
  const queue = [...list];
  const worker = async (): Promise<void> => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) await work(one);
  };
  await Promise.all(Array.from({ length: workers }, worker));
}

/** What has found something must pass on the sources as they are: each test file once as a whole, each seed by itself. */
function controlsOf(outcomes: readonly Outcome[]): Finder[] {
  const tests = new Set<string>();
  const configurations = new Set<string>();
  const seeds = new Set<number>();
  for (const { tried } of outcomes)
    for (const { finder, verdict } of tried) {
      if (verdict.kind !== 'found') continue;
      if ('test' in finder) for (const test of finder.test.split(' ')) tests.add(test);
      else if ('explore' in finder) configurations.add(finder.explore);
      else seeds.add(Number(/^seed (\d+)/.exec(verdict.by)?.[1]));
    }
  return [
    ...[...tests].map((test) => ({ test, name: '' })),
    ...[...configurations].map((explore) => ({ explore })),
    ...[...seeds].map((first) => ({ first, seeds: 1 })),
  ];
}

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      [partFlag]: { type: 'string', default: '' },
      'all-finders': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      workers: { type: 'string', default: '2' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const started = performance.now();
  const chosen = defects.filter(({ name }) => name.includes(values[partFlag]));
  const outcomes: Outcome[] = [];
  await inParallel(chosen, Number(values.workers), async (defect) => {
    const outcome = await seek(defect, values['all-finders']);
    outcomes.push(outcome);
    tell(outcome);
  });
  const unsound: string[] = [];
  await inParallel(controlsOf(outcomes), Number(values.workers), async (finder) => {
    const verdict = await attempt(null, finder);
    if (verdict.kind !== 'passed') unsound.push(verdict.by);
  });
  return conclude(outcomes, { unsound, json: values.json, seconds: (performance.now() - started) / 1000 });
}

function conclude(
  outcomes: readonly Outcome[],
  rest: { unsound: readonly string[]; json: boolean; seconds: number },
): number {
  const missed = outcomes
    .filter(({ tried }) => !tried.some(({ verdict }) => verdict.kind === 'found'))
    .map(({ defect }) => defect.name);
  const found = outcomes.length - missed.length;
  for (const by of rest.unsound) console.log(`FAILS WITHOUT A DEFECT: ${by}`);
  console.log(`${outcomes.length} planted, each finder tried without a defect, ${rest.seconds.toFixed(0)} s`);
  const failed = missed.length + rest.unsound.length;
  console.log(`${found} passed, ${failed} failed`);
  if (rest.json) console.log(JSON.stringify({ planted: outcomes.length, found, missed }));
  return failed > 0 || outcomes.length === 0 ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
