// What the demo concludes: the numbers, and which guarantees they break.
import type { Findings } from './checker.ts';
import type { Cluster, ClusterFailure } from './cluster.ts';
import type { Printer } from './report.ts';
import { count, duration } from './report.ts';
import type { Scenario, Times } from './scenario.ts';

export interface Summary extends Times {
  readonly nodes: number;
  readonly names: number;
  readonly seconds: number;
  /** Calls that came to an end; the last moments of a process that was killed are not known. */
  readonly calls: number;
  readonly retriedCalls: number;
  readonly failedCalls: number;
  readonly failedAttempts: number;
  /** Attempts that failed although neither the host of the name nor the caller had been hurt. */
  readonly failedOnSurvivors: number;
  readonly namesLost: number;
  /** Starts that came second, because another node was faster. */
  readonly lateStarts: number;
  readonly doubleOwners: number;
  readonly tokenRegressions: number;
  readonly unownedActs: number;
  /** Answers with an older token than the same caller had seen before. */
  readonly staleAnswers: number;
  readonly refusedAfterThaw: number;
  readonly lastInstantMs: number;
  readonly witnessLines: number;
  readonly alarms: number;
  readonly guaranteesHeld: boolean;
}

export interface SummaryParts {
  readonly cluster: Cluster;
  readonly scenario: Scenario;
  readonly findings: Findings;
  readonly nodes: number;
  readonly names: number;
  readonly seconds: number;
}

export function summarize({ cluster, scenario, findings, nodes, names, seconds }: SummaryParts): Summary {
  const sum = (key: 'calls' | 'retried' | 'failed' | 'lateStarts' | 'tokensBack'): number =>
    cluster.workers.reduce((total, { tally }) => total + (tally?.[key] ?? 0), 0);
  const numbers = {
    failedCalls: sum('failed'),
    failedOnSurvivors: scenario.unexplained().length,
    doubleOwners: findings.doubleOwners,
    tokenRegressions: findings.tokenRegressions,
    unownedActs: findings.unownedActs,
    staleAnswers: sum('tokensBack'),
    alarms: cluster.alarms.length,
  };
  return {
    nodes,
    names,
    seconds: round(seconds),
    calls: sum('calls'),
    retriedCalls: sum('retried'),
    failedAttempts: cluster.failures.length,
    namesLost: scenario.namesLost,
    lateStarts: sum('lateStarts'),
    ...numbers,
    refusedAfterThaw: findings.refusedAfterThaw,
    lastInstantMs: findings.lastInstantUs / 1_000,
    witnessLines: findings.lines,
    ...(Object.fromEntries(
      Object.entries(scenario.times).map(([key, ms]) => [key, round(ms)]),
    ) as unknown as Times),
    guaranteesHeld: Object.values(numbers).every((number) => number === 0),
  };
}

const round = (value: number): number => Math.round(value * 10) / 10;

export function printSummary(printer: Printer, s: Summary): void {
  printer.section('Summary');
  printer.row('calls made', s.calls);
  printer.row('  tried again, then answered', s.retriedCalls);
  printer.row('names lost with their host', s.namesLost);
  printer.row('starts that came second to another node', s.lateStarts);
  printer.row('lines of the witness', s.witnessLines);
  printer.row('kill to first new registration', duration(s.killToFirstRegisterMs * 1_000));
  printer.row('thaw to the end of the last old server', duration(s.lastInstantMs * 1_000));
  printer.row('  lines refused by the guard in that instant', s.refusedAfterThaw);
  printer.gap();
  const must = (label: string, value: number): void => printer.verdict(label, value, value === 0);
  must('two owners of a name', s.doubleOwners);
  must('acts of an owner that had been replaced', s.tokenRegressions);
  must('acts of a server without a name', s.unownedActs);
  must('answers older than one before', s.staleAnswers);
  must('calls failed though the host lived', s.failedOnSurvivors);
  must('calls failed for good', s.failedCalls);
  must('alarms of the registry', s.alarms);
  printer.gap();
  printer.line(
    `     ${s.guaranteesHeld ? 'Every guarantee held' : 'A GUARANTEE WAS BROKEN'}, in ${s.seconds} s.`,
  );
}

/** For whoever has to find out why. */
export function printFaults(printer: Printer, { cluster, scenario, findings }: SummaryParts): void {
  const faults = [...findings.faults, ...grouped(scenario.unexplained()), ...cluster.alarms];
  if (faults.length === 0) return;
  printer.gap();
  for (const fault of faults.slice(0, 20)) printer.line(`     ${fault}`);
  if (faults.length > 20) printer.line(`     and ${count(faults.length - 20)} more`);
}

function grouped(failures: readonly ClusterFailure[]): string[] {
  const groups = new Map<string, ClusterFailure[]>();
  for (const failure of failures) {
    const key = `${failure.caller} called ${failure.host ?? 'nobody'}: ${failure.code}`;
    groups.set(key, [...(groups.get(key) ?? []), failure]);
  }
  return [...groups].map(([key, group]) => {
    const from = Math.min(...group.map(({ fromUs }) => fromUs));
    const to = Math.max(...group.map(({ toUs }) => toUs));
    return `${key}, ${count(group.length)} times in ${duration(to - from)}`;
  });
}
