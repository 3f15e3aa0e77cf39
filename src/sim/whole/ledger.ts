// What is on record of a run: every operation on a name with its interval and answer, for the checker of linearizability; who
// owned what; every call under way. Judged as it is written where that is possible, and by `judge` at the end.
import { DGenError } from '../../errors/error.ts';
import { judgeHistory, type Operation } from '../../invariants/linearize.ts';
import type { LocalRuntime } from '../../process/index.ts';
import { compareTokens, type FencingToken } from '../../registry/index.ts';
import type { Pid } from '../../term/index.ts';
import { atom } from '../../term/index.ts';
import type { Life } from './life.ts';
import type { Story } from './story.ts';
import type { VirtualTime } from './virtual-time.ts';
import type { Watch } from './watch.ts';

/** The names that are never unregistered by hand begin so: there a second owner is seen at once. */
export const keptPrefix = 'kept';

/** The ends of turns, sweeps and lanes. */
const slackMs = 40;
/** A fence may come so late after the session lapsed. */
const fenceLagMs = 60;

export type Answer = Pick<Operation, 'result' | 'holder'> & { readonly token?: FencingToken };

/** A party to a record: which node, which start of it, and its runtime. */
export interface Party {
  readonly life: Life;
  readonly runtime: LocalRuntime;
  /** Milliseconds for which its names are still its own, by its member; 0 or less when they are not. */
  readonly sessionMsLeft: () => number;
}

interface Owner {
  readonly pid: Pid;
  readonly party: Party;
  ended: boolean;
}

interface Open {
  readonly life: Life;
  readonly label: string;
  readonly operation: Omit<Operation, 'end' | 'result'> | undefined;
}

interface Grant {
  readonly start: number;
  readonly end: number;
  readonly pid: string;
  readonly token: FencingToken;
}

export interface LedgerOptions {
  readonly time: VirtualTime;
  readonly story: Story;
  readonly watch: Watch;
  readonly timersLateMs: number;
}

export class Ledger {
  readonly history: Operation[] = [];
  readonly counts: Map<string, number> = new Map();
  readonly #options: LedgerOptions;
  readonly #open: Set<Open> = new Set();
  readonly #owners: Map<string, Owner[]> = new Map();
  readonly #grants: Map<string, Grant[]> = new Map();
  /** Pids that ever asked for a name. */
  readonly #candidates: Map<string, Set<string>> = new Map();
  readonly #executed: Set<string> = new Set();

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  get callsOpen(): readonly string[] {
    return [...this.#open]
      .filter(({ life }) => life.alive)
      .map(({ life, label }) => `${life.node}: ${label}`);
  }

  /** Follows a call on a node until it settles: in time, by the clock of that node, not counting the time that it stood still. */
  async track<T>(life: Life, what: { label: string; timeoutMs: number }, call: () => Promise<T>): Promise<T> {
    return this.#follow({ life, label: what.label, operation: undefined }, what.timeoutMs, call);
  }

  /** The same for an operation on a name, which goes on record. Never rejects. */
  async operate(
    life: Life,
    what: Pick<Operation, 'name' | 'type' | 'process'> & { readonly timeoutMs: number },
    call: () => Promise<Answer>,
  ): Promise<Answer> {
    const { time, story } = this.#options;
    const { timeoutMs, ...rest } = what;
    const operation = { ...rest, client: life.node, start: time.now };
    const label = `${what.type} ${what.name} ${what.process ?? ''}`;
    let answer: Answer;
    let code = '';
    try {
      answer = await this.#follow({ life, label, operation }, timeoutMs, call);
    } catch (error) {
      answer = { result: mayHaveHappened(error) ? 'unknown' : 'failed' };
      code = error instanceof DGenError ? error.code : String(error);
    }
    const end = answer.result === 'unknown' ? Number.POSITIVE_INFINITY : time.now;
    const { token, ...heard } = answer;
    this.history.push({ ...operation, end, ...heard });
    this.count(`${what.type} ${code === '' ? answer.result : code}`);
    const of = token === undefined ? '' : ` ${token.epoch}.${token.n}`;
    story.note(time.now, life.node, `${label} → ${answer.result}${of} ${answer.holder ?? ''}${code}`);
    if (token !== undefined && what.process !== undefined && answer.result === 'registered')
      this.#noteGrant(what.name, { start: operation.start, end: time.now, pid: what.process, token });
    return answer;
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  /** A request that may be carried out once: told by its callee. */
  executed(id: string): void {
    if (this.#executed.has(id)) this.#options.watch.broken('calls', `${id} was carried out twice`);
    this.#executed.add(id);
  }

  /** A process is about to ask for a name: from here on its end is on record. */
  candidate(party: Party, name: string, pid: Pid): void {
    const known = this.#candidates.get(name) ?? new Set();
    this.#candidates.set(name, known);
    if (known.has(pid.key)) return;
    known.add(pid.key);
    let ended = false;
    const onEnd = (reason: unknown): void => {
      if (ended) return;
      ended = true;
      party.life.onDeath.delete(onDeath);
      this.#exited(party, { name, pid, reason });
    };
    const onDeath = (): void => onEnd('the node died');
    party.life.onDeath.add(onDeath);
    party.runtime.watchDown(pid, onEnd);
  }

  /** The registration may end at any time from now on, though the process lives. */
  mayEnd(life: Life, name: string, pid: Pid): void {
    const { now: start } = this.#options.time;
    const end = Number.POSITIVE_INFINITY;
    const operation = { client: life.node, name, type: 'exit', process: pid.key, start, end } as const;
    this.history.push({ ...operation, result: 'unknown' });
  }

  isCandidate(name: string, pid: Pid): boolean {
    return this.#candidates.get(name)?.has(pid.key) ?? false;
  }

  /** The process was told that it has the name. */
  owns(party: Party, name: string, pid: Pid): void {
    const owners = this.#owners.get(name) ?? [];
    this.#owners.set(name, owners);
    if (owners.some((owner) => owner.pid.equals(pid))) return;
    const ended = !party.runtime.isAlive(pid);
    for (const other of owners) if (name.startsWith(keptPrefix)) this.#checkPair(name, other, pid);
    owners.push({ pid, party, ended });
  }

  /** At the end of a run. `undefined`: there is an order. */
  judge(): string | undefined {
    for (const { life, operation } of this.#open) {
      if (operation === undefined || life.alive) continue;
      this.history.push({ ...operation, end: Number.POSITIVE_INFINITY, result: 'unknown' });
    }
    const { unexplained, undecided } = judgeHistory(this.history);
    for (const name of undecided) this.count(`undecided ${name}`);
    if (unexplained === undefined) return undefined;
    const { name, holder, stuck, operations } = unexplained;
    const last = operations.map((one) => `    ${JSON.stringify(one)}`).join('\n');
    return `${name}, held by ${holder}: none of ${JSON.stringify(stuck)} can follow\n${last}`;
  }

  async #follow<T>(open: Open, timeoutMs: number, call: () => Promise<T>): Promise<T> {
    const { time } = this.#options;
    const { life } = open;
    const startedAt = time.now;
    const startedClock = life.clock();
    this.#open.add(open);
    try {
      return await call();
    } finally {
      this.#open.delete(open);
      const took = life.clock() - startedClock - 1.06 * life.stillBetween(startedAt, time.now);
      if (took > timeoutMs + slackMs + 2 * this.#options.timersLateMs)
        this.#options.watch.broken('calls', `${life.node}: ${open.label} took ${took} ms of ${timeoutMs}`);
    }
  }

  #exited({ life }: Party, of: { name: string; pid: Pid; reason: unknown }): void {
    const { time, story } = this.#options;
    const start = this.#lostAt(life, of.reason);
    const end = Number.POSITIVE_INFINITY;
    const { name, pid } = of;
    const operation = { client: life.node, name, type: 'exit', process: pid.key, start, end } as const;
    this.history.push({ ...operation, result: 'unknown' });
    story.note(time.now, life.node, `exit of ${pid.key}, candidate for ${name}: ${String(of.reason)}`);
    for (const owner of this.#owners.get(name) ?? []) if (owner.pid.equals(pid)) owner.ended = true;
  }

  /** When its right to the name may have ended: a node that stood still lost it meanwhile, and finds out when it goes on. */
  #lostAt(life: Life, reason: unknown): number {
    const { now } = this.#options.time;
    if (life.pausedAt !== undefined) return life.pausedAt;
    const last = life.pauses.at(-1);
    if (last !== undefined && now - last.to < fenceLagMs) return last.from;
    return reason === atom('fenced') ? now - fenceLagMs : now;
  }

  #checkPair(name: string, other: Owner, pid: Pid): void {
    if (other.ended || !other.party.life.alive || other.party.sessionMsLeft() <= 0) return;
    this.#options.watch.broken('one-owner', `${name}: ${pid.key} has it while ${other.pid.key} lives`);
  }

  #noteGrant(name: string, grant: Grant): void {
    const grants = this.#grants.get(name) ?? [];
    this.#grants.set(name, grants);
    for (const other of grants) {
      const order = compareTokens(other.token, grant.token);
      const wrong = other.pid !== grant.pid && (order === 0 || (other.end < grant.start && order > 0));
      if (wrong) this.#options.watch.broken('tokens', `${name}: ${tell(other)}, then ${tell(grant)}`);
    }
    grants.push(grant);
  }
}

function tell({ pid, token }: Grant): string {
  return `${pid} got ${token.epoch}.${token.n}`;
}

function mayHaveHappened(error: unknown): boolean {
  return !(error instanceof DGenError) || error.maybeExecuted;
}
