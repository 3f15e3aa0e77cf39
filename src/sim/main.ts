// Runs seeds: `node src/sim/main.ts --seeds 200`. Prints what failed with the command that repeats it.
import { tellOptions } from './options.ts';
import { type RunResult, run } from './run.ts';

const usage = `node src/sim/main.ts [--seeds N] [--first S] [--seed S] [--json] [--lines N] [--all] [--go-on] [--stop-after N]
  --seeds N   how many seeds to run, from --first on (default 100)
  --first S   the first seed (default: drawn from the clock, and printed)
  --seed S    this seed alone, and its story
  --json      the last line is {"seeds", "failed", "firstSeed"}
  --lines N   lines of the story of a failure (default 120)
  --all       heartbeats in the story, too
  --go-on     do not stop telling after the third failure
  --stop-after N  run no more seeds after so many failures`;

interface Arguments {
  readonly seeds: number;
  readonly first: number;
  readonly single: boolean;
  readonly json: boolean;
  readonly lines: number;
  readonly all: boolean;
  readonly goOn: boolean;
  readonly stopAfter: number;
}

function parse(args: readonly string[]): Arguments | null {
  const numberOf = (flag: string): number | null => {
    const index = args.indexOf(flag);
    const value = Number(args[index + 1]);
    return index >= 0 && Number.isSafeInteger(value) && value >= 0 ? value : null;
  };
  if (args.includes('--help')) return null;
  const seed = numberOf('--seed');
  return {
    seeds: seed === null ? (numberOf('--seeds') ?? 100) : 1,
    first: seed ?? numberOf('--first') ?? Date.now() % 2 ** 40,
    single: seed !== null,
    json: args.includes('--json'),
    lines: numberOf('--lines') ?? 120,
    all: args.includes('--all'),
    goOn: args.includes('--go-on'),
    stopAfter: numberOf('--stop-after') ?? Infinity,
  };
}

function tellFailure(result: RunResult, story: boolean): void {
  const { seed, failure, options } = result;
  if (failure === null) return;
  console.log(`seed ${seed} FAILED ${failure.what}`);
  console.log(`  repeat: node src/sim/main.ts --seed ${seed}`);
  if (!story) return;
  console.log(`  options: ${tellOptions(options)}`);
  console.log(failure.story);
}

function tellSingle(result: RunResult): void {
  const { options, hash, steps, calls, faults, restAfterMs } = result;
  console.log(`options: ${tellOptions(options)}`);
  console.log(`steps ${steps}, hash ${hash}, at rest after ${restAfterMs} ms`);
  console.log(`faults ${JSON.stringify(faults)}`);
  console.log(`calls ${JSON.stringify(calls)}`);
}

interface Tally {
  seeds: number;
  failed: number;
  steps: number;
  slowestMs: number;
  readonly kinds: Map<string, number>;
}

function runAll(wanted: Arguments): Tally {
  const tally: Tally = { seeds: 0, failed: 0, steps: 0, slowestMs: 0, kinds: new Map() };
  while (tally.seeds < wanted.seeds && tally.failed < wanted.stopAfter) {
    const result = run(wanted.first + tally.seeds, { storyLines: wanted.lines, storyAll: wanted.all });
    tally.seeds++;
    tally.steps += result.steps;
    const { failure } = result;
    if (failure === null) tally.slowestMs = Math.max(tally.slowestMs, result.restAfterMs);
    else {
      tally.failed++;
      tally.kinds.set(failure.invariant, (tally.kinds.get(failure.invariant) ?? 0) + 1);
      if (tally.failed <= 3 || wanted.goOn) tellFailure(result, wanted.single);
    }
    if (wanted.single) tellSingle(result);
    else if (tally.seeds % 100 === 0) console.log(`${tally.seeds} seeds, ${tally.failed} failed`);
  }
  return tally;
}

function main(args: readonly string[]): number {
  const wanted = parse(args);
  if (wanted === null) {
    console.log(usage);
    return 0;
  }
  console.log(`seeds ${wanted.first} to ${wanted.first + wanted.seeds - 1}`);
  const started = performance.now();
  const { seeds, failed, steps, slowestMs, kinds } = runAll(wanted);
  const seconds = (performance.now() - started) / 1000;
  const rates = `${(seeds / seconds).toFixed(1)} seeds/s, ${Math.round(steps / seconds)} steps/s`;
  console.log(`${rates}, slowest to rest ${slowestMs.toFixed(0)} ms`);
  if (failed > 0) console.log(`broken: ${JSON.stringify(Object.fromEntries(kinds))}`);
  console.log(`${seeds - failed} passed, ${failed} failed`);
  if (wanted.json) console.log(JSON.stringify({ seeds, failed, firstSeed: wanted.first }));
  return failed > 0 ? 1 : 0;
}

process.exitCode = main(process.argv.slice(2));
