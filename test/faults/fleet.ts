// The node processes of a run: started on their machines, killed, frozen, thawed, asked. What was done to them is written
// into the witness, before a kill and a thaw, after a freeze; and kept for the judge.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Chronicle } from '../../demo/witness.ts';
import { type Fate, noteFate, nowMs } from './journal.ts';
import type { MemberPlan, Order, Reply, Status } from './messages.ts';
import type { Network } from './network.ts';

const memberFile = fileURLToPath(new URL('./member.child.ts', import.meta.url));
const orderTimeoutMs = 20_000;
const startTimeoutMs = 40_000;

export interface Seat {
  readonly node: string;
  readonly machine: string;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export class Member {
  readonly node: string;
  readonly machine: string;
  readonly alarms: string[] = [];
  fences = 0;
  frozen = false;
  readonly #child: ChildProcess;
  readonly #waiting: Map<number, Waiting> = new Map();
  #nextId = 1;
  #ready: (() => void) | undefined;

  constructor(seat: Seat, child: ChildProcess) {
    this.node = seat.node;
    this.machine = seat.machine;
    this.#child = child;
    child.on('message', (message) => this.#take(message as Reply));
    child.once('exit', () => {
      for (const { reject } of [...this.#waiting.values()]) reject(new Error(`${this.node} ended`));
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves when the registry serves; to false when the process ends instead. */
  ready(): Promise<boolean> {
    return new Promise((resolve) => {
      this.#ready = () => resolve(true);
      this.#child.once('exit', () => resolve(false));
    });
  }

  order<T>(order: Order): Promise<T> {
    const id = this.#nextId++;
    const what = `${this.node}: ${order.do}`;
    return new Promise<T>((resolve, reject) => {
      const late = setTimeout(
        () => this.#settle(id)?.reject(new Error(`${what}: no answer in ${orderTimeoutMs} ms`)),
        orderTimeoutMs,
      );
      const settled = (): void => clearTimeout(late);
      this.#waiting.set(id, {
        resolve: (value) => {
          settled();
          resolve(value as T);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      });
      if (this.#child.connected) this.#child.send({ id, order });
      else this.#settle(id)?.reject(new Error(`${what}: it has ended`));
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async ended(): Promise<void> {
    if (this.alive) await once(this.#child, 'exit');
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #take(message: Reply): void {
    switch (message.type) {
      case 'ready':
        this.#ready?.();
        return;
      case 'done':
        this.#settle(message.id)?.resolve(message.result);
        return;
      case 'failed':
        this.#settle(message.id)?.reject(new Error(`${this.node}: ${message.why}`));
        return;
      case 'alarm':
        this.alarms.push(message.what);
        return;
      case 'fenced':
        this.fences += 1;
        return;
      default:
        message satisfies never;
    }
  }
}

export interface FleetParts {
  readonly network: Network;
  readonly seats: readonly Seat[];
  readonly plan: Omit<MemberPlan, 'node' | 'address'>;
}

export class Fleet {
  /** Every process that was ever started. */
  readonly all: Member[] = [];
  readonly #parts: FleetParts;
  readonly #chronicle: Chronicle;
  readonly #members: Map<string, Member> = new Map();
  #working = false;
  #over = false;

  constructor(parts: FleetParts) {
    this.#parts = parts;
    this.#chronicle = new Chronicle(parts.plan.witness);
  }

  /** The living ones, in the order of their seats; frozen ones too. */
  get members(): Member[] {
    const all = this.#parts.seats.map(({ node }) => this.#members.get(node));
    return all.filter((member) => member?.alive === true) as Member[];
  }

  /** Starts the process of one seat, again and again until it serves. */
  async start(node: string): Promise<void> {
    const endsAt = nowMs() + startTimeoutMs;
    for (;;) {
      const member = this.#spawn(this.#parts.seats.find((seat) => seat.node === node) as Seat);
      if (await within(member.ready(), endsAt - nowMs())) {
        this.#members.set(node, member);
        if (this.#working) await member.order({ do: 'work' });
        return;
      }
      await this.#end(member);
      if (this.#over || nowMs() > endsAt)
        throw new Error(`${node} does not start within ${startTimeoutMs} ms`);
      await sleep(100);
    }
  }

  async kill(member: Member): Promise<void> {
    this.#note(member, 'kill', 'killing');
    await this.#end(member);
  }

  /** Resolves when it stands still. */
  async freeze(member: Member): Promise<void> {
    member.frozen = true;
    member.signal('SIGSTOP');
    while (member.alive && stateOf(member.pid) !== 'T') await sleep(1);
    if (!member.alive) return;
    this.#note(member, 'freeze', 'frozen');
  }

  thaw(member: Member): void {
    if (!member.alive) return;
    this.#note(member, 'thaw', 'thawing');
    member.frozen = false;
    member.signal('SIGCONT');
  }

  /** All of them, and all that are started from now on, have clients. */
  async work(): Promise<void> {
    this.#working = true;
    await this.#orderAll({ do: 'work' });
  }

  async rest(): Promise<void> {
    this.#working = false;
    await this.#orderAll({ do: 'rest' });
  }

  statuses(): Promise<Status[]> {
    return this.#orderAll({ do: 'status' });
  }

  /** Closes every node in good order. */
  async close(): Promise<void> {
    await this.#orderAll({ do: 'close' });
    await Promise.all(this.all.map((member) => member.ended()));
  }

  async dispose(): Promise<void> {
    this.#over = true;
    await Promise.all(this.all.map((member) => this.#end(member)));
    this.#chronicle.close();
  }

  #orderAll<T>(order: Order): Promise<T[]> {
    return Promise.all(this.members.map((member) => member.order<T>(order)));
  }

  #spawn(seat: Seat): Member {
    const { network, plan } = this.#parts;
    const whole: MemberPlan = { ...plan, node: seat.node, address: network.addressOf(seat.machine) };
    const [execPath, ...execArgv] = network.on(seat.machine, process.execPath);
    const child = fork(memberFile, [JSON.stringify(whole)], {
      execPath,
      execArgv,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const member = new Member(seat, child);
    this.all.push(member);
    return member;
  }

  async #end(member: Member): Promise<void> {
    member.signal('SIGKILL');
    await member.ended();
  }

  #note(member: Member, what: Fate['what'], event: 'killing' | 'frozen' | 'thawing'): void {
    noteFate(this.#parts.plan.folder, { pid: member.pid, what, at: nowMs() });
    this.#chronicle.note(event, { node: member.node, pid: member.pid });
  }
}

/** False after the time. */
async function within(ready: Promise<boolean>, ms: number): Promise<boolean> {
  const late = new AbortController();
  const timeout = sleep(Math.max(ms, 0), false, { signal: late.signal, ref: false });
  // Aborted when nobody needs it any more.
  timeout.catch(() => false);
  try {
    return await Promise.race([ready, timeout]);
  } finally {
    late.abort();
  }
}

/** `T` for a process that stands still. */
function stateOf(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[0];
}
