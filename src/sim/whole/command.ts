// Runs seeds of the whole stack, one after the other, and prints what failed with the command that repeats it.
import { tellOptions } from './options.ts';
import { runWhole, type WholeResult } from './run.ts';

const usage = `npm run sim -- --whole [--seeds N] [--first S] [--seed S] [--json] [--lines N] [--go-on] [--stop-after N]
  --seeds N   how many seeds to run, from --first on (default 40)
  --first S   the first seed (default: drawn from the clock, and printed)
  --seed S    this seed alone, and its story if it fails
  --json      the last line is {"seeds", "failed", "firstSeed"}; firstSeed: the lowest that failed, or null
  --lines N   lines of the story of a failure (default 100)
  --go-on     do not stop telling after the third failure
  --stop-after N  run no more seeds after so many failures`;

interface Arguments {
  readonly seeds: number;
  readonly first: number;
  readonly single: boolean;
  readonly json: boolean;
  readonly lines: number;
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
    seeds: seed === null ? (numberOf('--seeds') ?? 40) : 1,
    first: seed ?? numberOf('--first') ?? Date.now() % 2 ** 32,
    single: seed !== null,
    json: args.includes('--json'),
    lines: numberOf('--lines') ?? 100,
    goOn: args.includes('--go-on'),
    stopAfter: numberOf('--stop-after') ?? Number.POSITIVE_INFINITY,
  };
}

function tellFailure({ seed, failure, options }: WholeResult): void {
  if (failure === null) return;
  console.log(`seed ${seed} FAILED ${failure.invariant}`);
  console.log(`  options: ${tellOptions(options)}`);
  console.log(failure.story);
  console.log(`  ${failure.what}`);
  console.log(`  repeat: npm run sim -- --whole --seed ${seed}`);
}

function tellSingle({ hash, events, simulatedMs, counts, faults, restAfterMs }: WholeResult): void {
  console.log(`events ${events}, hash ${hash}, ${(simulatedMs / 1000).toFixed(1)} s of simulated time`);
  console.log(`served again after ${restAfterMs.toFixed(0)} ms`);
  console.log(`faults ${JSON.stringify(faults)}`);
  console.log(`calls ${JSON.stringify(counts)}`);
}

interface Tally {
  seeds: number;
  failed: number;
  firstFailed: number | null;
  events: number;
  simulatedMs: number;
  readonly kinds: Map<string, number>;
}

async function runOne(seed: number, wanted: Arguments, tally: Tally): Promise<void> {
  const result = await runWhole(seed, { storyLines: wanted.lines });
  tally.seeds++;
  tally.events += result.events;
  tally.simulatedMs += result.simulatedMs;
  if (wanted.single) tellSingle(result);
  if (result.failure === null) return;
  tally.failed++;
  tally.firstFailed ??= seed;
  tally.kinds.set(result.failure.invariant, (tally.kinds.get(result.failure.invariant) ?? 0) + 1);
  if (tally.failed <= 3 || wanted.goOn) tellFailure(result);
}

/** Resolves with the exit code. */
export async function wholeCommand(args: readonly string[]): Promise<number> {
  const wanted = parse(args);
  if (wanted === null) {
    console.log(usage);
    return 0;
  }
  console.log(`seeds ${wanted.first} to ${wanted.first + wanted.seeds - 1}, whole stack`);
  const started = performance.now();
  const tally: Tally = {
    seeds: 0,
    failed: 0,
    firstFailed: null,
    events: 0,
    simulatedMs: 0,
    kinds: new Map(),
  };
  while (tally.seeds < wanted.seeds && tally.failed < wanted.stopAfter)
    await runOne(wanted.first + tally.seeds, wanted, tally);
  const { seeds, failed, firstFailed, events, simulatedMs, kinds } = tally;
  const seconds = (performance.now() - started) / 1000;
  const rates = `${(seeds / seconds).toFixed(2)} seeds/s, ${Math.round(events / seconds)} events/s`;
  console.log(`${rates}, ${(simulatedMs / 1000 / seconds).toFixed(1)} x real time`);
  if (failed > 0) console.log(`broken: ${JSON.stringify(Object.fromEntries(kinds))}`);
  console.log(`${seeds - failed} passed, ${failed} failed`);
  if (wanted.json) console.log(JSON.stringify({ seeds, failed, firstSeed: firstFailed }));
  return failed > 0 ? 1 : 0;
}
