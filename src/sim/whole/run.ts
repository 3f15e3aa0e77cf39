// One whole-stack run: first anything may fail, and what is promised must hold; then nothing fails any more, and everything
// must come to rest, be of use, and leave nothing behind. The same seed is the same run, byte by byte.
import process from 'node:process';
import { type Cluster, createCluster } from './cluster.ts';
import { drawOptions, type WholeOptions } from './options.ts';
import { comeToRest } from './rest.ts';
import { Violation } from './watch.ts';

export interface WholeResult {
  readonly seed: number;
  readonly options: WholeOptions;
  /** `null` when every invariant held. */
  readonly failure: { readonly invariant: string; readonly what: string; readonly story: string } | null;
  readonly hash: number;
  readonly events: number;
  readonly simulatedMs: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
  /** From the end of the faults until all members served. */
  readonly restAfterMs: number;
}

export interface WholeSettings {
  /** Replaces drawn options. */
  readonly override?: Partial<WholeOptions>;
  /** Lines of the story; default 100. */
  readonly storyLines?: number;
}

/** One at a time in a process: promises that nobody handles have no owner but the process. */
export async function runWhole(seed: number, settings: WholeSettings = {}): Promise<WholeResult> {
  const options: WholeOptions = { ...drawOptions(seed), ...settings.override };
  const cluster = createCluster(options);
  const listener = (error: unknown): void =>
    cluster.watch.broken('quiet', `nobody handles ${(error as Error)?.stack ?? String(error)}`);
  process.on('unhandledRejection', listener);
  let restAfterMs = Number.POSITIVE_INFINITY;
  let failure: WholeResult['failure'] = null;
  try {
    restAfterMs = await play(cluster);
  } catch (error) {
    failure = failureOf(cluster, error, settings.storyLines ?? 100);
  } finally {
    for (const place of cluster.places.all) place.life?.die();
    process.off('unhandledRejection', listener);
  }
  return {
    seed,
    options,
    failure,
    hash: cluster.story.hash,
    events: cluster.time.events,
    simulatedMs: cluster.time.now,
    counts: Object.fromEntries(cluster.ledger.counts),
    faults: Object.fromEntries(cluster.faults.counts),
    restAfterMs,
  };
}

async function play(cluster: Cluster): Promise<number> {
  const { time, faults, ledger, sums, witness, watch } = cluster;
  faults.begin();
  await time.runUntil(cluster.options.faultsUntilMs);
  const restAfterMs = await comeToRest(cluster);
  for (const name of cluster.names) sums.check(name, witness.valueOf(name));
  const unexplained = ledger.judge();
  if (unexplained !== undefined) watch.broken('consistent', unexplained);
  if (time.failure !== undefined) throw time.failure;
  return restAfterMs;
}

function failureOf(cluster: Cluster, error: unknown, lines: number): WholeResult['failure'] {
  const invariant = error instanceof Violation ? error.invariant : 'crash';
  const what = error instanceof Violation ? error.message : String((error as Error).stack);
  return {
    invariant,
    what: `at ${cluster.time.now.toFixed(1)}: ${what}`,
    story: cluster.story.tell(lines),
  };
}
