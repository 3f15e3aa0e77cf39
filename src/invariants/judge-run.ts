// The judge of real runs: was every promise kept, as far as what all processes wrote down can tell? I1, I2 and I5 by the
// observer, told in the order in which clients had their answers; I4 and I7 by snapshot reads; I6 by the search for an
// order; I11 by what was not answered; and tokens once more by a system outside that compares them.
import { compareVersions, sameVersion, type Version } from '../registry/protocol/version.ts';
import { type Check, type InvariantName, invariantOf, tellCheck } from './catalogue.ts';
import { judgeHistory, type Operation } from './linearize.ts';
import { Lives } from './lives.ts';
import { Observer, type Registration } from './observer.ts';
import type { OperationRecord, RecordOf, RunRecord } from './run-record.ts';
import { tellOperation } from './tell.ts';

export interface RunViolation {
  readonly invariant: InvariantName;
  readonly check: Check;
  /** Begins with the invariant, as `I1 one-owner: ...`. */
  readonly what: string;
}

export interface RunVerdict {
  readonly violations: readonly RunViolation[];
  readonly operations: number;
  readonly names: number;
  /** Names whose history had no verdict within the bound of the search. */
  readonly undecided: readonly string[];
  /** Writes with a token below one that was seen before: they were refused, or came from a process that had just stood still. */
  readonly lateWrites: number;
}

/** Judges everything that was written down; the records of each life, and all writes, in their order. */
export function judgeRun(records: readonly RunRecord[], stepsMax?: number): RunVerdict {
  const violations: RunViolation[] = [];
  const broken = (check: Check, what: string): void => {
    violations.push({ invariant: invariantOf(check), check, what: `${tellCheck(check)}: ${what}` });
  };
  const lives = new Lives(records);
  const of = <K extends RunRecord['kind']>(kind: K): RecordOf<K>[] =>
    records.filter((record): record is RecordOf<K> => record.kind === kind);
  const operations = of('operation');
  const parts = { lives, broken, operations, holdsUntil: certainly(operations, lives) };
  const observer = observe(parts);
  checkAnswered(parts);
  checkSnapshots({ ...parts, observer, snapshots: of('snapshot') });
  const lateWrites = checkWrites({ ...parts, observer, writes: of('write') });
  const { unexplained, undecided, names } = judgeHistory(historyOf(operations, lives), stepsMax);
  if (unexplained !== undefined) {
    const { name, holder, stuck } = unexplained;
    const told = stuck.map(tellOperation).join('; ');
    broken('linearizable', `${name}, held by ${holder ?? 'nobody'}: none can follow of ${told}`);
  }
  return { violations, operations: operations.length, names, undecided, lateWrites };
}

/** The calls, and from when on each process that may hold a name may have ended: what `judgeHistory` takes. */
function historyOf(operations: readonly OperationRecord[], lives: Lives): Operation[] {
  const exits = operations.flatMap(({ client, name, type, process, result }): Operation[] => {
    const mayHold = type === 'register' && (result === 'registered' || result === 'unknown');
    if (!mayHold || process === undefined) return [];
    const start = lives.freeFrom(process);
    if (start === Infinity) return [];
    return [{ client, name, type: 'exit', process, start, end: Infinity, result: 'unknown' }];
  });
  return [...operations, ...exits];
}

interface Parts {
  readonly lives: Lives;
  readonly operations: readonly OperationRecord[];
  readonly broken: (check: Check, what: string) => void;
  /** The end of certain ownership. */
  readonly holdsUntil: (one: Registration<string>) => number;
}

/** Until its process may have ended, or until somebody began to unregister the name. */
function certainly(
  operations: readonly OperationRecord[],
  lives: Lives,
): (one: Registration<string>) => number {
  const unregisters = operations.filter(({ type, result }) => type === 'unregister' && result !== 'failed');
  const byName = new Map<unknown, OperationRecord[]>();
  for (const one of unregisters) {
    const known = byName.get(one.name);
    if (known === undefined) byName.set(one.name, [one]);
    else known.push(one);
  }
  return ({ name, process, grantedFrom, endedAt }) => {
    const may = (byName.get(name) ?? []).filter(
      ({ result, end }) => result === 'unknown' || end >= grantedFrom,
    );
    return Math.min(endedAt, lives.freeFrom(process), ...may.map(({ start }) => start));
  };
}

/** Tells an observer everything in the order in which clients knew it. */
function observe({ operations, broken, holdsUntil }: Parts): Observer<string> {
  let now = 0;
  const observer = new Observer<string>({
    now: () => now,
    idOf: (process) => process,
    holdsUntil,
    exact: false,
    broken,
  });
  for (const { type, name, process, start } of operations)
    if (type === 'register' && process !== undefined) observer.asked(name, process, start);
  const answered = operations.filter(({ end }) => end !== Infinity).sort((a, b) => a.end - b.end);
  for (const one of answered) {
    now = one.end;
    tellObserver(observer, one);
  }
  return observer;
}

function tellObserver(observer: Observer<string>, one: OperationRecord): void {
  const told = { call: tellOperation(one), name: one.name, start: one.start };
  const token = one.token === undefined ? undefined : versionOf(one.token);
  switch (one.result) {
    case 'registered':
      // Without its token a registration cannot be told from the one before.
      if (token !== undefined) observer.registered({ ...told, process: one.process ?? '', token });
      return;
    case 'taken':
    case 'found':
      observer.named({ ...told, holder: one.holder ?? '', token });
      return;
    case 'absent':
      observer.absent(told);
      return;
    case 'done':
      observer.unregistered(told);
      return;
    default:
  }
}

/** I11: who was not killed answers everything. */
function checkAnswered({ lives, operations, broken }: Parts): void {
  for (const one of operations)
    if (one.pending === true && !lives.wasKilled(one.life))
      broken('answers', `no answer to ${tellOperation(one)}`);
}

interface SnapshotParts extends Parts {
  readonly observer: Observer<string>;
  readonly snapshots: readonly RecordOf<'snapshot'>[];
}

function checkSnapshots(parts: SnapshotParts): void {
  const asked = new Map<string, number>();
  for (const { type, name, process = '', start } of parts.operations)
    if (type === 'register') {
      const key = JSON.stringify([name, process]);
      asked.set(key, Math.min(start, asked.get(key) ?? start));
    }
  const versions = new Map<string, Version>();
  const tokens = new Map<string, Version>();
  for (const read of parts.snapshots) {
    const { member, name, holder, at, version, token } = read;
    if (holder !== undefined && !((asked.get(JSON.stringify([name, holder])) ?? Infinity) <= at))
      parts.broken('granted', `${tellRead(read)}: it had not asked for it`);
    checkOwn(parts, read);
    if (member !== undefined && version !== undefined)
      rises(versions, { key: member, to: version, otherwise: 'forward', read, broken: parts.broken });
    if (member !== undefined && token !== undefined) {
      const key = JSON.stringify([member, name]);
      rises(tokens, { key, to: token, otherwise: 'no-return', read, broken: parts.broken });
    }
  }
}

/** I4: a node shows what it hosts, from the answer to the first moment at which it may have ended. */
function checkOwn(parts: SnapshotParts, read: RecordOf<'snapshot'>): void {
  const { lives, observer, holdsUntil, broken } = parts;
  for (const one of observer.of(read.name)) {
    const held = one.heldFrom < read.at && read.at < holdsUntil(one);
    if (held && lives.isOf(one.process, read.life) && read.holder !== one.process)
      broken('kept', `${tellRead(read)}, which hosts ${observer.tell(one)}`);
  }
}

function rises(
  known: Map<string, Version>,
  of: {
    readonly key: string;
    readonly to: string;
    readonly otherwise: Check;
    readonly read: RecordOf<'snapshot'>;
    readonly broken: Parts['broken'];
  },
): void {
  const to = versionOf(of.to);
  const from = known.get(of.key);
  if (from !== undefined && compareVersions(to, from) < 0)
    of.broken(of.otherwise, `${tellRead(of.read)}: ${of.to} after ${from.epoch}.${from.n}`);
  known.set(of.key, to);
}

interface WriteParts extends Parts {
  readonly observer: Observer<string>;
  readonly writes: readonly RecordOf<'write'>[];
}

/** A system outside takes a write unless it has seen a higher token; and who still owns the name has the highest. */
function checkWrites({ observer, writes, holdsUntil, broken }: WriteParts): number {
  const highest = new Map<string, Version>();
  let late = 0;
  for (const { name, token, life, at, accepted } of writes) {
    const version = versionOf(token);
    const seen = highest.get(name);
    if (seen === undefined || compareVersions(version, seen) >= 0) {
      if (accepted !== false) highest.set(name, version);
      continue;
    }
    late++;
    const what = `${life} wrote to ${name} with token ${token} at ${at.toFixed(1)}, after ${seen.epoch}.${seen.n}`;
    const owner = observer.of(name).find((one) => sameVersion(one.token, version));
    if (accepted === true) broken('tokens', `${what}, and it was accepted`);
    else if (owner !== undefined && at < holdsUntil(owner)) broken('one-owner', `${what}, and had it still`);
  }
  return late;
}

function versionOf(token: string): Version {
  const [epoch = 0, n = 0] = token.split('.').map(Number);
  return { epoch, n };
}

function tellRead({ life, at, name, holder, version }: RecordOf<'snapshot'>): string {
  const of = version === undefined ? '' : ` (version ${version})`;
  return `${life} shows ${name} → ${holder ?? 'nothing'} at ${at.toFixed(1)}${of}`;
}
