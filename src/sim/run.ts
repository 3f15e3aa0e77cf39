// One run: a seed draws the options, then the safety phase (anything may fail, the invariants must hold), then the
// liveness phase (nothing fails any more: within a stated time everything must be at rest, and a fresh registration must
// succeed at every member). The same seed is the same run, step by step.
import type { Call } from './cluster.ts';
import { Faults } from './faults.ts';
import { type Judged, judgedCluster, Violation } from './judge.ts';
import { drawOptions, longestDurations, nodeNames, type Options } from './options.ts';
import { tellStanding } from './standing.ts';
import { Workload } from './workload.ts';

export interface RunResult {
  readonly seed: number;
  readonly options: Options;
  /** `null` when every invariant held. */
  readonly failure: { readonly invariant: string; readonly what: string; readonly story: string } | null;
  readonly hash: number;
  readonly steps: number;
  readonly calls: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
  /** From the end of the faults until everything was at rest. */
  readonly restAfterMs: number;
}

export interface RunSettings {
  /** Replaces drawn options. */
  readonly override?: Partial<Options>;
  /** Lines of the story. */
  readonly storyLines?: number;
  /** Heartbeats too. */
  readonly storyAll?: boolean;
}

/** From the end of the faults to rest: the longest wait of the protocol is that of a newcomer while sessions may be held. */
function restWithinMs(options: Options): number {
  const { holdMs, sessionMs, leaseMs } = longestDurations(options);
  return holdMs + 2 * sessionMs + 8 * leaseMs;
}

export function run(seed: number, settings: RunSettings = {}): RunResult {
  const options: Options = { ...drawOptions(seed), ...settings.override };
  const judged = judgedCluster({
    ...options,
    weather: { ...options.weather },
    storeWeather: { ...options.storeWeather },
    names: nodeNames.slice(0, options.nodes + options.joiners),
    traceLines: 4000,
  });
  const { cluster } = judged;
  const faults = new Faults(cluster, options);
  const workload = new Workload(cluster, options);
  const parts = { judged, options, faults, workload };
  let restAfterMs = Infinity;
  let failure: RunResult['failure'] = null;
  try {
    restAfterMs = play(parts);
  } catch (error) {
    const invariant = error instanceof Violation ? error.invariant : 'crash';
    const what = error instanceof Violation ? error.message : String((error as Error).stack);
    const story = `${cluster.trace.story(settings.storyLines ?? 120, settings.storyAll)}\n${tellStanding(cluster)}`;
    failure = { invariant, what: `at ${cluster.timeline.now.toFixed(1)}: ${what}`, story };
  }
  return {
    seed,
    options,
    failure,
    hash: cluster.trace.hash >>> 0,
    steps: cluster.trace.steps,
    calls: countCalls(cluster.calls.values()),
    faults: Object.fromEntries(faults.counts),
    restAfterMs,
  };
}

interface Parts {
  readonly judged: Judged;
  readonly options: Options;
  readonly faults: Faults;
  readonly workload: Workload;
}

function play(parts: Parts): number {
  const { judged, options, faults, workload } = parts;
  const { timeline } = judged.cluster;
  faults.begin();
  workload.begin();
  timeline.runUntil(options.faultsUntilMs);
  workload.end();
  faults.heal();
  // What was under way, in the network and in the store, arrives before the clock of liveness starts.
  timeline.runUntil(timeline.now + Math.max(options.weather.spikeMs, options.storeWeather.lateMaxMs));
  const restAfterMs = waitForRest(judged, restWithinMs(options));
  judged.rest.check();
  checkFresh(judged);
  return restAfterMs;
}

function waitForRest(judged: Judged, withinMs: number): number {
  const { timeline, watch } = judged.cluster;
  const start = timeline.now;
  for (;;) {
    timeline.runUntil(timeline.now + 100);
    const unrest = judged.rest.unrest();
    if (unrest === null) return timeline.now - start;
    if (timeline.now - start > withinMs) watch.broken('at-rest', `after ${withinMs} ms: ${unrest}`);
  }
}

/** A fresh name at every member, and a second look at the cluster at rest. */
function checkFresh(judged: Judged): void {
  const { cluster } = judged;
  const calls: Call[] = [];
  for (const node of cluster.nodes.values()) {
    if (node.state === null) continue;
    const process = cluster.spawn(node.name);
    calls.push(cluster.call(node.name, { type: 'register', key: `fresh ${node.name}`, process }));
  }
  waitForRest(judged, 3000);
  for (const call of calls)
    if (call.result?.type !== 'registered')
      cluster.watch.broken(
        'at-rest',
        `a fresh registration at ${call.node}: ${call.result?.type ?? 'waits'}`,
      );
  cluster.timeline.runUntil(cluster.timeline.now + 200);
  judged.rest.check();
}

function countCalls(calls: Iterable<Call>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { type, result } of calls) {
    const outcome = result === null ? 'lost' : result.type === 'error' ? result.code : result.type;
    counts[`${type} ${outcome}`] = (counts[`${type} ${outcome}`] ?? 0) + 1;
  }
  return counts;
}
