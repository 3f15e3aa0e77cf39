// What one operating-system process writes down about itself, a line for each fact, with one system call: what was written
// before a SIGKILL stays. All moments are milliseconds of the machine's monotonic clock, which all processes share.
import {
  appendFileSync,
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

/** What a client asked for. `call` is a call of the holder by name. */
export type CallType = 'register' | 'unregister' | 'read' | 'call';

/** How a call ended: with an answer, or with an error that says whether it may have had an effect. */
export type CallResult =
  | 'registered'
  | 'taken'
  | 'done'
  | 'found'
  | 'absent'
  | 'answered'
  | 'failed'
  | 'unknown';

export interface CallFact {
  readonly fact: 'call';
  readonly at: number;
  /** Of the journal. */
  readonly id: number;
  readonly client: string;
  readonly name: string;
  readonly type: CallType;
  /** Of `register`: the process. */
  readonly process?: string;
}

export interface AnswerFact {
  readonly fact: 'answer';
  readonly at: number;
  /** Of the call. */
  readonly id: number;
  readonly result: CallResult;
  /** Of `taken`, `found` and `answered`: the process that has the name. */
  readonly holder?: string;
  /** Of `registered`, `taken` and `found`: `epoch.n`. */
  readonly token?: string;
  /** Of `failed` and `unknown`. */
  readonly code?: string;
}

/** What a look into the snapshot showed. */
export interface SnapshotFact {
  readonly fact: 'snapshot';
  readonly at: number;
  readonly name: string;
  readonly holder?: string;
}

/** A process ended. */
export interface EndFact {
  readonly fact: 'end';
  readonly at: number;
  readonly name: string;
  readonly process: string;
  readonly reason: string;
}

/** Nothing ran here from `at` to `to`, whoever is to blame. */
export interface StallFact {
  readonly fact: 'stall';
  readonly at: number;
  readonly to: number;
}

/** At `at` the member counted its session to last until `to`. */
export interface SessionFact {
  readonly fact: 'session';
  readonly at: number;
  readonly to: number;
}

export type Fact = CallFact | AnswerFact | SnapshotFact | EndFact | StallFact | SessionFact;

/** All that one process wrote. */
export interface Journal {
  readonly node: string;
  /** Of the operating system. */
  readonly pid: number;
  readonly facts: readonly Fact[];
}

export class JournalWriter {
  readonly #fd: number;

  constructor(folder: string, node: string) {
    this.#fd = openSync(join(folder, `${node}.${process.pid}.journal`), 'ax');
  }

  write(fact: Fact): void {
    writeSync(this.#fd, `${JSON.stringify(fact)}\n`);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** A last line that was cut off is left out: nothing followed from it. */
export function readJournals(folder: string): Journal[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.journal'));
  return files.map((file) => {
    const [node = '', pid] = file.split('.');
    const lines = readFileSync(join(folder, file), 'utf8').split('\n').slice(0, -1);
    return { node, pid: Number(pid), facts: lines.map((line) => JSON.parse(line) as Fact) };
  });
}

/** Done to one process: a kill and a thaw are noted before the signal, a freeze after it. */
export interface Fate {
  readonly pid: number;
  readonly what: 'kill' | 'freeze' | 'thaw';
  readonly at: number;
}

const fatesFile = 'fates';

export function noteFate(folder: string, fate: Fate): void {
  appendFileSync(join(folder, fatesFile), `${JSON.stringify(fate)}\n`);
}

export function readFates(folder: string): Fate[] {
  const file = join(folder, fatesFile);
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Fate);
}

export function nowMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}
