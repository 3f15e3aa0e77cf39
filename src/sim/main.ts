// Runs seeds: `node src/sim/main.ts --seeds 200`. What fails is printed with the command that repeats it; the first failure
// is made as small as it gets, and told. docs/SIMULATION.md explains all of it.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { encodeHistory } from '../invariants/history-file.ts';
import type { Outcome } from './batch.ts';
import type { Judged } from './judge.ts';
import { tellOptions } from './options.ts';
import { runSeeds } from './pool.ts';
import { type RunResult, runScenario } from './run.ts';
import { decodeScenario, drawScenario, encodeScenario, type Scenario } from './scenario.ts';
import { shrink } from './shrink.ts';
import { tellStory } from './story.ts';
import { wholeCommand } from './whole/command.ts';

const usage = `node src/sim/main.ts [--seeds N] [--first S] [--workers N] [--json] [--no-shrink] ...
  --seeds N        how many seeds to run, from --first on (default 100)
  --first S        the first seed (default: drawn from the clock, and printed)
  --workers N      threads (default 2, or 1 where there is one core)
  --json           the last line is {"seeds", "failed", "firstSeed", ...}; firstSeed: the lowest that failed, or null
  --no-histories   do not judge the order of all answers of a run (I6), which is 7 % of the work
  --no-shrink      do not make the first failure smaller
  --stop-after N   run no more seeds after so many failures
  --go-on          do not stop telling after the third failure
  --seed S         this seed alone, step by step
  --history FILE   writes what its clients asked and heard, for npm run check-history
  --lines N        lines of that (default 120)
  --all            heartbeats, too
  --shrink S       make the failing seed S smaller, and tell its story
  --seconds N      for making it smaller at most (default 60)
  --whole          nodes with everything that is in them instead: --whole --help
  --replay WHAT    run a scenario, as --shrink prints it, or a file with one, and tell its story`;

interface Arguments {
  readonly seeds: number;
  readonly first: number;
  readonly workers: number;
  readonly json: boolean;
  readonly histories: boolean;
  readonly history: string | null;
  readonly shrink: boolean;
  readonly stopAfter: number;
  readonly goOn: boolean;
  readonly lines: number;
  readonly all: boolean;
  readonly seconds: number;
}

function parse(args: readonly string[]): Arguments {
  const numberOf = (flag: string): number | null => numberAfter(args, flag);
  return {
    seeds: numberOf('--seeds') ?? 100,
    first: numberOf('--first') ?? Date.now() % 2 ** 40,
    workers: numberOf('--workers') ?? Math.min(2, availableParallelism()),
    json: args.includes('--json'),
    histories: !args.includes('--no-histories'),
    history: textAfter(args, '--history'),
    shrink: !args.includes('--no-shrink'),
    stopAfter: numberOf('--stop-after') ?? Infinity,
    goOn: args.includes('--go-on'),
    lines: numberOf('--lines') ?? 120,
    all: args.includes('--all'),
    seconds: numberOf('--seconds') ?? 60,
  };
}

function textAfter(args: readonly string[], flag: string): string | null {
  const index = args.indexOf(flag);
  return index < 0 ? null : (args[index + 1] ?? '');
}

function numberAfter(args: readonly string[], flag: string): number | null {
  const value = Number(textAfter(args, flag) ?? Number.NaN);
  return Number.isSafeInteger(value) && value >= 0 ? value : null;
}

function scenarioOf(seed: number, { histories }: Arguments): Scenario {
  return { ...drawScenario(seed), histories };
}

/** One seed, step by step. */
function tellSeed(seed: number, wanted: Arguments): number {
  let judged: Judged | undefined;
  const result = runScenario(scenarioOf(seed, wanted), {
    storyLines: wanted.lines,
    storyAll: wanted.all,
    observe: (parts) => {
      judged = parts.judged;
    },
  });
  const { failure, options } = result;
  if (wanted.history !== null) writeFileSync(wanted.history, encodeHistory(judged?.history() ?? []));
  if (failure !== null) console.log(`seed ${seed} FAILED ${failure.what}\n${failure.story}`);
  console.log(`options: ${tellOptions(options)}`);
  tellRun(result);
  return failure === null ? 0 : 1;
}

function tellRun({ hash, steps, calls, faults, deeds, restAfterMs, beyond }: RunResult): void {
  console.log(`steps ${steps}, hash ${hash}, at rest after ${restAfterMs} ms`);
  if (beyond !== null) console.log(`beyond the bound broke ${beyond}`);
  console.log(`faults ${JSON.stringify(faults)}`);
  console.log(`deeds ${JSON.stringify(deeds)}`);
  console.log(`calls ${JSON.stringify(calls)}`);
}

/** Makes the failing run smaller, tells it, and prints the line that repeats it. */
function tellSmallest(scenario: Scenario, seconds: number): number {
  if (runScenario(scenario, { storyLines: 0 }).failure === null) {
    console.log(`seed ${scenario.options.seed} does not fail`);
    return 1;
  }
  const until = performance.now() + seconds * 1000;
  const { scenario: smallest, runs, done } = shrink(scenario, () => performance.now() > until);
  const { length } = smallest.actions;
  console.log(
    `--- the smallest run that fails like that: ${length} actions, ${runs} runs${done ? '' : ', out of time'}`,
  );
  for (const line of tellStory(smallest)) console.log(line);
  console.log(`repeat: node src/sim/main.ts --replay '${encodeScenario(smallest)}'`);
  return 0;
}

function replay(what: string): number {
  const scenario = decodeScenario(existsSync(what) ? readFileSync(what, 'utf8') : what);
  for (const line of tellStory(scenario)) console.log(line);
  return runScenario(scenario, { storyLines: 0 }).failure === null ? 0 : 1;
}

class Tally {
  seeds = 0;
  steps = 0;
  beyondRuns = 0;
  readonly beyondBroken: Map<string, number> = new Map();
  readonly failed: Outcome[] = [];
  readonly #rests: number[] = [];
  restShareMax = 0;

  add(outcome: Outcome): void {
    this.seeds++;
    this.steps += outcome.steps;
    if (outcome.beyond !== null) this.beyondRuns++;
    if (outcome.beyond?.broken != null) count(this.beyondBroken, outcome.beyond.broken.split(':')[0] ?? '');
    if (outcome.failure !== null) {
      this.failed.push(outcome);
      return;
    }
    this.#rests.push(outcome.restAfterMs);
    this.restShareMax = Math.max(this.restShareMax, outcome.restShare);
  }

  /** The time to rest that so many of 100 runs keep. */
  rest(percent: number): number {
    const sorted = this.#rests.toSorted((a, b) => a - b);
    return Math.round(sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? 0);
  }

  get kinds(): Record<string, number> {
    const kinds = new Map<string, number>();
    for (const { failure } of this.failed) count(kinds, failure?.invariant ?? '');
    return Object.fromEntries(kinds);
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

async function runAll(wanted: Arguments): Promise<Tally> {
  const tally = new Tally();
  const progress = Math.max(100, Math.floor(wanted.seeds / 50));
  await runSeeds({
    ...wanted,
    take: (outcome) => {
      tally.add(outcome);
      const { seed, failure } = outcome;
      if (failure !== null && (tally.failed.length <= 3 || wanted.goOn))
        console.log(`seed ${seed} FAILED ${failure.what}\n  repeat: ${repeating(seed, wanted)}`);
      if (tally.seeds % progress === 0) console.log(`${tally.seeds} seeds, ${tally.failed.length} failed`);
      return tally.failed.length < wanted.stopAfter;
    },
  });
  return tally;
}

function repeating(seed: number, { histories }: Arguments): string {
  return `node src/sim/main.ts --seed ${seed}${histories ? '' : ' --no-histories'}`;
}

/** The end of the output: people read it, and `scripts/plant.ts` the lines that begin with `broken: ` and with `{`. */
function tellTally(tally: Tally, wanted: Arguments, seconds: number): void {
  const failed = tally.failed.length;
  const perHour = Math.round((3600 * tally.seeds) / seconds);
  console.log(
    `${(tally.seeds / seconds).toFixed(1)} seeds/s, ${perHour} seeds/hour, ${Math.round(tally.steps / seconds)} steps/s, ${wanted.workers} workers`,
  );
  console.log(
    `at rest after ${tally.rest(50)} ms (median), ${tally.rest(99)} ms (99 of 100), ${tally.rest(100)} ms (slowest); at most ${Math.round(100 * tally.restShareMax)} % of what is allowed`,
  );
  console.log(
    `beyond the bound: ${tally.beyondRuns} runs, broken ${JSON.stringify(Object.fromEntries(tally.beyondBroken))}`,
  );
  if (failed > 0) console.log(`broken: ${JSON.stringify(tally.kinds)}`);
  console.log(`${tally.seeds - failed} passed, ${failed} failed`);
  if (!wanted.json) return;
  const firstSeed = failed === 0 ? null : Math.min(...tally.failed.map(({ seed }) => seed));
  const rest = { restMsMax: tally.rest(100), restMs99: tally.rest(99) };
  const from = { from: wanted.first, seedsPerHour: perHour, beyondRuns: tally.beyondRuns };
  console.log(JSON.stringify({ seeds: tally.seeds, failed, firstSeed, ...rest, ...from }));
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--whole')) return wholeCommand(args);
  if (args.includes('--help')) {
    console.log(usage);
    return 0;
  }
  const wanted = parse(args);
  const scenario = textAfter(args, '--replay');
  if (scenario !== null) return replay(scenario);
  const single = numberAfter(args, '--seed');
  if (single !== null) return tellSeed(single, wanted);
  const toShrink = numberAfter(args, '--shrink');
  if (toShrink !== null) return tellSmallest(scenarioOf(toShrink, wanted), wanted.seconds);
  console.log(`seeds ${wanted.first} to ${wanted.first + wanted.seeds - 1}`);
  const started = performance.now();
  const tally = await runAll(wanted);
  const seconds = (performance.now() - started) / 1000;
  const [first] = tally.failed.toSorted((a, b) => a.seed - b.seed);
  if (first !== undefined && wanted.shrink) tellSmallest(scenarioOf(first.seed, wanted), wanted.seconds);
  tellTally(tally, wanted, seconds);
  return tally.failed.length > 0 ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
