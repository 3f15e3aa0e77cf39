// The judge: from what all processes wrote down, what was done to them, and what the witness holds, was every promise kept?
// It asks nobody, so it also judges records that somebody made up (judge.test.ts).
import { join } from 'node:path';
import { check, type Findings } from '../../demo/checker.ts';
import { WitnessReader, type WitnessRecord } from '../../demo/witness.ts';
import { type Operation, unexplained } from '../../src/invariants/linearize.ts';
import {
  type AnswerFact,
  type CallFact,
  type Fact,
  type Fate,
  type Journal,
  readFates,
  readJournals,
} from './journal.ts';

export interface Evidence {
  readonly journals: readonly Journal[];
  readonly fates: readonly Fate[];
  /** In the order of the file. */
  readonly witness: readonly WitnessRecord[];
}

/** What a run has left in its folder, where the witness has this name. */
export function evidenceIn(folder: string): Evidence {
  const witness: WitnessRecord[] = [];
  const reader = new WitnessReader(join(folder, witnessFile));
  reader.read((record) => witness.push(record));
  reader.close();
  return { journals: readJournals(folder), fates: readFates(folder), witness };
}

export const witnessFile = 'witness';

export interface Verdict {
  /** In words; none when all is well. */
  readonly violations: readonly string[];
  readonly calls: Readonly<Record<string, number>>;
  /** Calls without a verdict, by code. */
  readonly refusals: Readonly<Record<string, number>>;
  readonly witness: Findings;
  /** Faults of the witness that are none once it is known when a process did not get the core. */
  readonly excused: number;
  readonly longestStallMs: number;
}

/** How long a process that stood still may take to see that it has lost its names. */
const lastInstantMs = 1_000;

export function judge(evidence: Evidence): Verdict {
  const lives = evidence.journals.map((journal) => new Life(journal, evidence.fates));
  const calls = lives.flatMap((life) => life.calls);
  const { findings, excused } = judgeWitness(evidence.witness, lives);
  return {
    violations: [
      ...unansweredIn(lives),
      ...unexplainedIn(lives),
      ...tokenFaults(calls),
      ...strangersIn(lives),
      ...findings.faults.map((fault) => `witness: ${fault}`),
    ],
    calls: countBy(calls, ({ type, result }) => `${type} ${result ?? 'unanswered'}`),
    refusals: countBy(
      calls.filter(({ code }) => code !== undefined),
      ({ code }) => code as string,
    ),
    witness: findings,
    excused,
    longestStallMs: Math.max(0, ...lives.flatMap(({ stalls }) => stalls.map(({ at, to }) => to - at))),
  };
}

type Call = Omit<CallFact, 'fact'> &
  Partial<Omit<AnswerFact, 'fact' | 'at' | 'id'>> & { readonly endedAt: number };

/** One operating-system process from its start to its end. */
class Life {
  readonly pid: number;
  readonly node: string;
  readonly calls: readonly Call[];
  /** When the process was killed; infinity when it was not. */
  readonly killedAt: number;
  readonly stalls: readonly { readonly at: number; readonly to: number }[];
  readonly snapshots: readonly Extract<Fact, { fact: 'snapshot' }>[];
  readonly #ends: Map<string, number> = new Map();

  constructor({ node, pid, facts }: Journal, fates: readonly Fate[]) {
    this.node = node;
    this.pid = pid;
    const mine = fates.filter((fate) => fate.pid === pid);
    this.killedAt = mine.find(({ what }) => what === 'kill')?.at ?? Number.POSITIVE_INFINITY;
    this.calls = joined(facts);
    this.snapshots = facts.filter((fact) => fact.fact === 'snapshot');
    const lastFreeze = mine.findLast(({ what }) => what !== 'kill');
    const untilDeath = lastFreeze?.what === 'freeze' ? [{ at: lastFreeze.at, to: this.killedAt }] : [];
    this.stalls = [...facts.filter((fact) => fact.fact === 'stall'), ...untilDeath];
    for (const fact of facts) if (fact.fact === 'end') this.#ends.set(fact.process, fact.at);
  }

  /** When a process of it ended; infinity while it runs. */
  endOf(process: string): number {
    return Math.min(this.#ends.get(process) ?? Number.POSITIVE_INFINITY, this.killedAt);
  }

  /**
   * From when on a name of the process may be free: from its end, or, if that came when it had just stood still, from the
   * beginning of the standstill, for its session may have lapsed in it.
   */
  freeFrom(process: string): number {
    const at = this.endOf(process);
    const still = this.stalls.filter((stall) => stall.at < at && at <= stall.to + lastInstantMs);
    return Math.min(at, ...still.map((stall) => stall.at));
  }
}

function joined(facts: readonly Fact[]): Call[] {
  const answers = new Map<number, AnswerFact>();
  for (const fact of facts) if (fact.fact === 'answer') answers.set(fact.id, fact);
  return facts
    .filter((fact) => fact.fact === 'call')
    .map((call) => {
      const { at: endedAt = Number.POSITIVE_INFINITY, ...answer } = answers.get(call.id) ?? {};
      return { ...answer, ...call, endedAt };
    });
}

/** Who was not killed has to answer everything that was asked. */
function unansweredIn(lives: readonly Life[]): string[] {
  return lives
    .filter(({ killedAt }) => killedAt === Number.POSITIVE_INFINITY)
    .flatMap(({ calls }) => calls.filter(({ result }) => result === undefined))
    .map((call) => `no answer: ${JSON.stringify(call)}`);
}

function unexplainedIn(lives: readonly Life[]): string[] {
  const byName = groups(lives.flatMap(operationsOf), ({ name }) => name);
  return [...byName].flatMap(([name, history]) => {
    const found = unexplained(history);
    if (found === undefined) return [];
    return [`${name}: held by ${found.holder}, nothing explains ${JSON.stringify(found.stuck)}`];
  });
}

function operationsOf(life: Life): Operation[] {
  return life.calls.flatMap((call): Operation[] => {
    const { client, name, type, process, result = 'unknown', holder } = call;
    if (type === 'call' || result === 'answered') return [];
    const end = result === 'unknown' ? Number.POSITIVE_INFINITY : call.endedAt;
    const of = { client, name, ...(process === undefined ? {} : { process }) };
    const operation = {
      ...of,
      type,
      start: call.at,
      end,
      result,
      ...(holder === undefined ? {} : { holder }),
    };
    const mayHold = type === 'register' && (result === 'registered' || result === 'unknown');
    const start = mayHold && process !== undefined ? life.freeFrom(process) : Number.POSITIVE_INFINITY;
    if (start === Number.POSITIVE_INFINITY) return [operation];
    return [operation, { ...of, type: 'exit', start, end: Number.POSITIVE_INFINITY, result: 'unknown' }];
  });
}

/** Tokens of a name rise in the order of acknowledgement, are given once, and are the same for everybody who sees them. */
function tokenFaults(calls: readonly Call[]): string[] {
  const seen = calls.filter(({ token }) => token !== undefined);
  const owners = new Map<string, string>();
  const faults: string[] = [];
  for (const { name, type, result, process, holder, token = '' } of seen) {
    const owner = `${name} ${(type === 'register' && result === 'registered' ? process : holder) ?? ''}`;
    const known = owners.get(token) ?? owner;
    owners.set(token, known);
    if (known !== owner) faults.push(`token ${token} is of ${known} and of ${owner}`);
  }
  const granted = seen.filter(({ result }) => result === 'registered');
  for (const [name, list] of groups(granted, ({ name }) => name)) {
    let highest: Call | undefined;
    const byEnd = [...list].sort((a, b) => a.endedAt - b.endedAt);
    // Of those that were acknowledged before a call began, the one with the highest token.
    let next = 0;
    for (const call of [...list].sort((a, b) => a.at - b.at)) {
      for (let one = byEnd[next]; one !== undefined && one.endedAt < call.at; one = byEnd[++next])
        if (highest === undefined || compare(one.token, highest.token) > 0) highest = one;
      if (highest !== undefined && compare(call.token, highest.token) <= 0)
        faults.push(`${name}: token ${call.token} was given after ${highest.token}`);
    }
  }
  return faults;
}

function compare(a = '0.0', b = '0.0'): number {
  const [epochA = 0, nA = 0] = a.split('.').map(Number);
  const [epochB = 0, nB = 0] = b.split('.').map(Number);
  return epochA === epochB ? nA - nB : epochA - epochB;
}

/** Snapshots show, and calls reach, only processes that somebody registered under the name, and calls only living ones. */
function strangersIn(lives: readonly Life[]): string[] {
  const asked = new Map<string, { at: number; life: Life }>();
  for (const life of lives)
    for (const { type, name, process, at } of life.calls)
      if (type === 'register') asked.set(`${name} ${process}`, { at, life });
  const isStrange = (name: string, holder: string, at: number): boolean =>
    !((asked.get(`${name} ${holder}`)?.at ?? Number.POSITIVE_INFINITY) <= at);
  const shown = lives
    .flatMap(({ snapshots }) => snapshots)
    .filter(({ name, holder, at }) => holder !== undefined && isStrange(name, holder, at));
  const answers = lives.flatMap(({ calls }) => calls).filter(({ result }) => result === 'answered');
  const strange = answers.filter(({ name, holder = '', endedAt }) => isStrange(name, holder, endedAt));
  const dead = answers.filter(({ name, holder = '', at }) => {
    const life = asked.get(`${name} ${holder}`)?.life;
    return life !== undefined && life.endOf(holder) < at;
  });
  return [
    ...shown.map((one) => `nobody had asked for what a snapshot shows: ${JSON.stringify(one)}`),
    ...strange.map((one) => `answered by a process that was not registered: ${JSON.stringify(one)}`),
    ...dead.map((one) => `answered by a process that had ended: ${JSON.stringify(one)}`),
  ];
}

/** First by the order of the lines alone; where that finds faults, with what is known of processes that did not get the core. */
function judgeWitness(
  witness: readonly WitnessRecord[],
  lives: readonly Life[],
): { findings: Findings; excused: number } {
  const strict = check(witness);
  if (strict.faults.length === 0) return { findings: strict, excused: 0 };
  const findings = check(withStalls(witness, lives));
  return { findings, excused: strict.faults.length - findings.faults.length };
}

/** As if each stall had been a freeze. The lines stay in their order: it is what is judged. */
function withStalls(witness: readonly WitnessRecord[], lives: readonly Life[]): WitnessRecord[] {
  const whole = { seq: 0, token: { epoch: 0, n: 0 }, name: '-' };
  const added = lives.flatMap(({ pid, node, stalls, killedAt }) =>
    stalls
      .filter(({ to }) => to < killedAt)
      .flatMap(({ at, to }): WitnessRecord[] => [
        { ...whole, pid, node, atUs: at * 1_000, event: 'frozen' },
        { ...whole, pid, node, atUs: to * 1_000, event: 'thawing' },
      ]),
  );
  added.sort((a, b) => a.atUs - b.atUs);
  const merged: WitnessRecord[] = [];
  let next = 0;
  for (const record of witness) {
    for (let one = added[next]; one !== undefined && one.atUs <= record.atUs; one = added[++next])
      merged.push(one);
    merged.push(record);
  }
  return [...merged, ...added.slice(next)];
}

function groups<T>(list: readonly T[], keyOf: (one: T) => string): Map<string, T[]> {
  const found = new Map<string, T[]>();
  for (const one of list) {
    const group = found.get(keyOf(one));
    if (group === undefined) found.set(keyOf(one), [one]);
    else group.push(one);
  }
  return found;
}

function countBy<T>(list: readonly T[], keyOf: (one: T) => string): Record<string, number> {
  const counts = [...groups(list, keyOf)].map(([key, group]): [string, number] => [key, group.length]);
  return Object.fromEntries(counts.sort(([a], [b]) => (a < b ? -1 : 1)));
}
