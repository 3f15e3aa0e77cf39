// The judge of a run: what all processes wrote down, what was done to them, and what the witness holds, as records for the
// judge of real runs (src/invariants/judge-run.ts); and of calls by name, that they were answered by who had the name. It
// asks nobody, so it also judges records that somebody made up (judge.test.ts).
import { join } from 'node:path';
import { WitnessReader, type WitnessRecord } from '../../demo/witness.ts';
import { judgeRun } from '../../src/invariants/judge-run.ts';
import type { OperationRecord, RunRecord } from '../../src/invariants/run-record.ts';
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

export const witnessFile = 'witness';

/** What a run has left in its folder. */
export function evidenceIn(folder: string): Evidence {
  const witness: WitnessRecord[] = [];
  const reader = new WitnessReader(join(folder, witnessFile));
  reader.read((record) => witness.push(record));
  reader.close();
  return { journals: readJournals(folder), fates: readFates(folder), witness };
}

export interface Verdict {
  /** In words; none when all is well. */
  readonly violations: readonly string[];
  readonly calls: Readonly<Record<string, number>>;
  /** Calls without a verdict, by code. */
  readonly refusals: Readonly<Record<string, number>>;
  /** Owners that the witness knows. */
  readonly owners: number;
  readonly writes: number;
  /** Writes that came after one of a later owner: of processes that had just stood still, and refused. */
  readonly lateWrites: number;
  readonly longestStallMs: number;
}

type Call = Omit<CallFact, 'fact'> &
  Partial<Omit<AnswerFact, 'fact' | 'at' | 'id'>> & { readonly endedAt: number; readonly life: string };

export function judge({ journals, fates, witness }: Evidence): Verdict {
  const calls = journals.flatMap(callsIn);
  const records = [
    ...calls.flatMap(operationOf),
    ...journals.flatMap((journal) => recordsOf(journal, fates)),
    ...writesIn(witness),
  ];
  const { violations, undecided, lateWrites } = judgeRun(records);
  const stalls = journals.flatMap(({ facts }) => facts.filter((fact) => fact.fact === 'stall'));
  return {
    violations: [
      ...violations.map(({ what }) => what),
      ...undecided.map((name) => `${name}: no verdict on its history`),
      ...strangersIn(calls, records),
    ],
    calls: countBy(calls, ({ type, result }) => `${type} ${result ?? 'unanswered'}`),
    refusals: countBy(calls, ({ code }) => code),
    owners: witness.filter(({ event }) => event === 'acquired').length,
    writes: witness.filter(({ event }) => event === 'served').length,
    lateWrites,
    longestStallMs: Math.max(0, ...stalls.map(({ at, to }) => to - at)),
  };
}

const lifeOf = ({ node, pid }: { readonly node: string; readonly pid: number }): string => `${node}.${pid}`;

function callsIn(journal: Journal): Call[] {
  const answers = new Map<number, AnswerFact>();
  for (const fact of journal.facts) if (fact.fact === 'answer') answers.set(fact.id, fact);
  return journal.facts
    .filter((fact) => fact.fact === 'call')
    .map((call) => {
      const { at: endedAt = Number.POSITIVE_INFINITY, ...answer } = answers.get(call.id) ?? {};
      return { ...answer, ...call, endedAt, life: lifeOf(journal) };
    });
}

function operationOf(call: Call): OperationRecord[] {
  const { client, name, type, process, result, holder, token, life, at: start, endedAt } = call;
  if (type === 'call' || result === 'answered') return [];
  const of = { kind: 'operation', life, client, name, type, start } as const;
  const about = {
    ...(process === undefined ? {} : { process }),
    ...(holder === undefined ? {} : { holder }),
    ...(token === undefined ? {} : { token }),
  };
  const end = result === undefined || result === 'unknown' ? Number.POSITIVE_INFINITY : endedAt;
  return [{ ...of, ...about, end, result: result ?? 'unknown', pending: result === undefined }];
}

function recordsOf(journal: Journal, fates: readonly Fate[]): RunRecord[] {
  const life = lifeOf(journal);
  const mine = fates.filter(({ pid }) => pid === journal.pid);
  const records = journal.facts.flatMap((fact): RunRecord[] => recordOf(fact, life));
  for (const { at } of mine.filter(({ what }) => what === 'kill'))
    records.push({ kind: 'killing', life, at });
  const last = mine.findLast(({ what }) => what !== 'kill');
  // It never went on, so it could not write that it had stood still.
  if (last?.what === 'freeze')
    records.push({ kind: 'still', life, from: last.at, to: Number.POSITIVE_INFINITY });
  return records;
}

function recordOf(fact: Fact, life: string): RunRecord[] {
  switch (fact.fact) {
    case 'end': {
      const fenced = fact.reason.includes('fenced');
      return [{ kind: 'ended', life, process: fact.process, at: fact.at, fenced }];
    }
    case 'stall':
      return [{ kind: 'still', life, from: fact.at, to: fact.to }];
    case 'session':
      return [{ kind: 'session', life, at: fact.at, until: fact.to }];
    case 'snapshot': {
      const { at, name, holder } = fact;
      return [{ kind: 'snapshot', life, at, name, ...(holder === undefined ? {} : { holder }) }];
    }
    default:
      return [];
  }
}

function writesIn(witness: readonly WitnessRecord[]): RunRecord[] {
  return witness
    .filter(({ event }) => event === 'acquired' || event === 'served')
    .map((record) => {
      const { atUs, name, token } = record;
      return {
        kind: 'write',
        life: lifeOf(record),
        at: atUs / 1_000,
        name,
        token: `${token.epoch}.${token.n}`,
      };
    });
}

/** Calls reach only processes that somebody registered under the name, and only living ones. */
function strangersIn(calls: readonly Call[], records: readonly RunRecord[]): string[] {
  const asked = new Map<string, number>();
  for (const { type, name, process, at } of calls)
    if (type === 'register') asked.set(`${name} ${process}`, at);
  const ended = new Map<string, number>();
  for (const record of records) if (record.kind === 'ended') ended.set(record.process, record.at);
  return calls.flatMap((call) => {
    const { name, holder = '', at, endedAt, result } = call;
    if (result !== 'answered') return [];
    const isStrange = !((asked.get(`${name} ${holder}`) ?? Number.POSITIVE_INFINITY) <= endedAt);
    const wasDead = (ended.get(holder) ?? Number.POSITIVE_INFINITY) < at;
    if (!isStrange && !wasDead) return [];
    return [
      `answered by a process that ${wasDead ? 'had ended' : 'was not registered'}: ${JSON.stringify(call)}`,
    ];
  });
}

/** What has no key is not counted. */
function countBy<T>(list: readonly T[], keyOf: (one: T) => string | undefined): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const key of list.map(keyOf).sort()) if (key !== undefined) counts[key] = (counts[key] ?? 0) + 1;
  return counts;
}
