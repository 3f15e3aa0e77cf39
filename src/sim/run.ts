// One run: a seed draws a scenario, then the safety phase (anything may fail, the invariants must hold), then the liveness
// phase (nothing fails any more: within a stated time everything must be at rest, and a fresh registration must succeed at
// every member). The same scenario is the same run, step by step.
import { isDeed } from './actions.ts';
import { Beyond } from './beyond.ts';
import type { Call } from './cluster.ts';
import { Faults } from './faults.ts';
import { type Judged, judgedCluster, Violation } from './judge.ts';
import { longestDurations, type Options } from './options.ts';
import { machinesOf } from './plan.ts';
import { drawScenario, type Scenario } from './scenario.ts';
import { tellStanding } from './standing.ts';
import { Workload } from './workload.ts';

export interface Failure {
  /** Its name in the catalogue, `harness`, or `crash` where a step threw. */
  readonly invariant: string;
  /** What was looked for in particular. */
  readonly check: string;
  /** Simulated milliseconds since the begin of the run. */
  readonly at: number;
  readonly what: string;
  readonly story: string;
}

export interface RunResult {
  readonly seed: number;
  readonly options: Options;
  /** `null` when every invariant held. */
  readonly failure: Failure | null;
  /** What broke while the clocks were beyond the bound, where nothing is promised then. */
  readonly beyond: string | null;
  readonly hash: number;
  readonly steps: number;
  readonly calls: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
  readonly deeds: Readonly<Record<string, number>>;
  /** From the end of the faults until everything was at rest. */
  readonly restAfterMs: number;
  readonly restWithinMs: number;
}

export interface RunSettings {
  /** Replaces drawn options. */
  readonly override?: Partial<Options>;
  /** Lines of the story. */
  readonly storyLines?: number;
  /** Heartbeats too. */
  readonly storyAll?: boolean;
  /** Gets the run before it begins. */
  readonly observe?: (parts: Parts) => void;
  /** Stops there, unless it has failed before; what comes later is not judged. */
  readonly untilMs?: number;
}

export interface Parts {
  readonly judged: Judged;
  readonly scenario: Scenario;
  readonly faults: Faults;
  readonly workload: Workload;
  readonly beyond: Beyond | null;
}

/**
 * The longest wait of the protocol is that of a newcomer while sessions may be held; then a take-over after a double fault.
 * Who waits waits longer by the bound, and its clock may be slow by as much.
 */
function restWithinMs(options: Options): number {
  const { holdMs, sessionMs, leaseMs, clockRateBound } = longestDurations(options);
  const stretch = (1 + clockRateBound) / (1 - clockRateBound);
  return Math.ceil((holdMs + 2 * sessionMs + 8 * leaseMs) * stretch);
}

export function run(seed: number, settings: RunSettings = {}): RunResult {
  return runScenario(drawScenario(seed, settings.override), settings);
}

export function runScenario(scenario: Scenario, settings: RunSettings = {}): RunResult {
  const { options } = scenario;
  const parts = prepare(scenario);
  settings.observe?.(parts);
  const { cluster } = parts.judged;
  let restAfterMs = Infinity;
  let failure: RunResult['failure'] = null;
  try {
    restAfterMs = play(parts, settings.untilMs ?? Infinity);
    if (scenario.histories === true && parts.beyond === null) parts.judged.checkHistory();
  } catch (error) {
    const { invariant, check } = error instanceof Violation ? error : { invariant: 'crash', check: 'crash' };
    const what = error instanceof Violation ? error.message : String((error as Error).stack);
    const lines = settings.storyLines ?? 120;
    const story =
      lines === 0 ? '' : `${cluster.trace.story(lines, settings.storyAll)}\n${tellStanding(cluster)}`;
    const at = cluster.timeline.now;
    failure = { invariant, check, at, what: `at ${at.toFixed(1)}: ${what}`, story };
  }
  return {
    seed: options.seed,
    options,
    failure,
    beyond: parts.beyond?.broken ?? null,
    hash: cluster.trace.hash >>> 0,
    steps: cluster.trace.steps,
    calls: countCalls(cluster.calls.values()),
    faults: Object.fromEntries(parts.faults.counts),
    deeds: Object.fromEntries(parts.workload.counts),
    restAfterMs,
    restWithinMs: restWithinMs(options),
  };
}

function prepare(scenario: Scenario): Parts {
  const { options, actions, losses } = scenario;
  const judged = judgedCluster({
    ...options,
    weather: { ...options.weather },
    storeWeather: { ...options.storeWeather },
    names: machinesOf(options, actions),
    traceLines: 4000,
    losses,
  });
  const beyond = options.beyondBound ? new Beyond(judged.cluster) : null;
  const { cluster } = judged;
  return { judged, scenario, beyond, faults: new Faults(cluster), workload: new Workload(cluster) };
}

function play(parts: Parts, untilMs: number): number {
  const { judged, scenario, faults, workload, beyond } = parts;
  const { options, actions } = scenario;
  const { timeline } = judged.cluster;
  faults.plan(actions.filter((one) => !isDeed(one)));
  workload.plan(actions.filter(isDeed));
  timeline.runUntil(Math.min(untilMs, options.faultsUntilMs));
  if (timeline.now >= untilMs) return Infinity;
  workload.end();
  faults.heal();
  // What was under way, in the network and in the store, arrives before the clock of liveness starts.
  const { lateMaxMs, timeoutMs } = options.storeWeather;
  timeline.runUntil(timeline.now + Math.max(options.weather.spikeMs, lateMaxMs, 3 * timeoutMs));
  if (timeline.now >= untilMs) return Infinity;
  const restAfterMs = waitForRest(judged, restWithinMs(options));
  checkAtRest(parts);
  checkFresh(parts);
  beyond?.checkEnd();
  return restAfterMs;
}

function checkAtRest({ judged, beyond }: Parts): void {
  if (beyond === null) judged.rest.check();
  else beyond.checkAtRest();
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
function checkFresh(parts: Parts): void {
  const { cluster } = parts.judged;
  const calls: Call[] = [];
  for (const node of cluster.nodes.values()) {
    if (node.state === null) continue;
    const process = cluster.spawn(node.name);
    calls.push(cluster.call(node.name, { type: 'register', key: `fresh ${node.name}`, process }));
  }
  waitForRest(parts.judged, 3000);
  for (const call of calls)
    if (call.result?.type !== 'registered')
      cluster.watch.broken(
        'at-rest',
        `a fresh registration at ${call.node}: ${call.result?.type ?? 'waits'}`,
      );
  cluster.timeline.runUntil(cluster.timeline.now + 200);
  checkAtRest(parts);
}

function countCalls(calls: Iterable<Call>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { type, result } of calls) {
    const outcome = result === null ? 'lost' : result.type === 'error' ? result.code : result.type;
    counts[`${type} ${outcome}`] = (counts[`${type} ${outcome}`] ?? 0) + 1;
  }
  return counts;
}
