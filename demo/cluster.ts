// The processes of the cluster as the demo sees them: started, killed, frozen, thawed and ended by it, and none of them
// left behind. What they report is kept here; what it means is for others to say.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Command, Failure, Report, Tally, WorkerPlan } from './messages.ts';
import { Chronicle, nowUs } from './witness.ts';

export interface ClusterFailure extends Failure {
  readonly caller: string;
}

type ReportOf<T extends Report['type']> = Extract<Report, { type: T }>;

const workerFile = fileURLToPath(new URL('./worker.ts', import.meta.url));
const errorTextMax = 4_000;

export class WorkerProcess {
  readonly node: string;
  readonly pid: number;
  readonly startedUs: number = nowUs();
  readonly child: ChildProcess;
  /** What the demo did to it; while it is not `running`, calls to and from it may fail. */
  state: 'starting' | 'running' | 'frozen' | 'leaving' | 'gone' = 'starting';
  leader: string | undefined;
  phase: { readonly name: string; readonly atUs: number } = { name: 'starting', atUs: 0 };
  fencedUs: number | undefined;
  roundDone: { readonly id: number; readonly atUs: number } = { id: 0, atUs: 0 };
  readonly reports: Set<Report['type']> = new Set();
  startMs = 0;
  tally: Tally | undefined;
  errors = '';

  constructor(node: string, child: ChildProcess) {
    this.node = node;
    this.child = child;
    this.pid = child.pid ?? 0;
  }

  get alive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  send(command: Command): void {
    if (this.child.connected) this.child.send(command);
  }
}

export type ClusterPlan = Omit<WorkerPlan, 'node'>;

export class Cluster {
  /** Every process that was ever started, in order. */
  readonly workers: WorkerProcess[] = [];
  readonly failures: ClusterFailure[] = [];
  readonly alarms: string[] = [];
  readonly #plan: ClusterPlan;
  readonly #signal: AbortSignal;
  readonly #chronicle: Chronicle;
  #broken: Error | undefined;
  #rounds = 0;

  /** Nothing waits any longer once `signal` is aborted. */
  constructor(plan: ClusterPlan, signal: AbortSignal) {
    this.#plan = plan;
    this.#signal = signal;
    this.#chronicle = new Chronicle(plan.witness);
  }

  get running(): WorkerProcess[] {
    return this.workers.filter((worker) => worker.state === 'running');
  }

  /** The process that most take for the leader's. */
  get leader(): WorkerProcess | undefined {
    const { running } = this;
    const votes = (one: WorkerProcess): number => running.filter(({ leader }) => leader === one.node).length;
    return running.find((one) => 2 * votes(one) > running.length);
  }

  /** Starts a process, and resolves when its registry serves. */
  async start(node: string): Promise<WorkerProcess> {
    const argument = JSON.stringify({ ...this.#plan, node } satisfies WorkerPlan);
    const child = fork(workerFile, [argument], { execArgv: [], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    const worker = new WorkerProcess(node, child);
    this.workers.push(worker);
    child.on('message', (report) => this.#take(worker, report as Report));
    child.on('error', (error) => {
      this.#broken ??= error;
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      worker.errors = (worker.errors + chunk.toString()).slice(-errorTextMax);
    });
    child.once('exit', (code, signal) => this.#exited(worker, code ?? signal));
    await this.until(() => worker.reports.has('ready'), `${node} to be ready`, 20_000);
    worker.state = 'running';
    return worker;
  }

  /** Ends a process at once, as a crash does. Returns when that was, in microseconds. */
  kill(worker: WorkerProcess): number {
    worker.state = 'gone';
    const atUs = this.#chronicle.note('killing', worker);
    worker.child.kill('SIGKILL');
    return atUs;
  }

  /** Stops a process in its tracks: it keeps its sockets and its memory, and does nothing. Returns when that was. */
  async freeze(worker: WorkerProcess): Promise<number> {
    worker.state = 'frozen';
    worker.child.kill('SIGSTOP');
    const stopped = (): boolean => process.platform !== 'linux' || stateOf(worker.pid) === 'T';
    await this.until(stopped, `${worker.node} to stand still`, 2_000);
    return this.#chronicle.note('frozen', worker);
  }

  thaw(worker: WorkerProcess): number {
    const atUs = this.#chronicle.note('thawing', worker);
    worker.child.kill('SIGCONT');
    return atUs;
  }

  /** Has a process leave in good order. Resolves with the milliseconds that it took. */
  async leave(worker: WorkerProcess): Promise<number> {
    worker.state = 'leaving';
    const from = nowUs();
    worker.send({ type: 'close' });
    await this.until(() => !worker.alive, `${worker.node} to leave`, 10_000);
    worker.state = 'gone';
    if (worker.child.exitCode !== 0) throw new Error(`${worker.node} left with ${exitOf(worker)}`);
    return (nowUs() - from) / 1_000;
  }

  /** Resolves when every name has answered a call begun from now on, to every running process; with the time of the last. */
  async round(): Promise<number> {
    this.#rounds += 1;
    const id = this.#rounds;
    const { running } = this;
    for (const worker of running) worker.send({ type: 'round', id });
    await this.until(
      () => running.every(({ roundDone }) => roundDone.id === id),
      'all names to answer',
      20_000,
    );
    return Math.max(...running.map(({ roundDone }) => roundDone.atUs));
  }

  /** Rejects when the time is over, a process ended that should not have, or the demo was interrupted. */
  async until(holds: () => boolean, what: string, timeoutMs: number): Promise<void> {
    const deadlineUs = nowUs() + timeoutMs * 1_000;
    for (;;) {
      if (this.#broken !== undefined) throw this.#broken;
      this.#signal.throwIfAborted();
      if (holds()) return;
      if (nowUs() > deadlineUs)
        throw new Error(`waited ${timeoutMs} ms for ${what}, in vain\n${this.#describe()}`);
      await pause(5, undefined, { signal: this.#signal });
    }
  }

  /** Ends whatever still runs. Never rejects. */
  async dispose(): Promise<void> {
    const left = this.workers.filter((worker) => worker.alive);
    this.killAll();
    const gone = left.map((worker) => (worker.alive ? once(worker.child, 'exit') : undefined));
    await Promise.race([Promise.allSettled(gone), pause(5_000, undefined, { ref: false })]);
    this.#chronicle.close();
  }

  /** Without waiting: also for the end of the process that calls. */
  killAll(): void {
    for (const worker of this.workers) {
      worker.state = 'gone';
      if (worker.alive) worker.child.kill('SIGKILL');
    }
  }

  #describe(): string {
    const lines = this.workers.map(({ node, pid, state, phase, leader, roundDone }) => {
      const leads = `leader ${leader ?? 'none'}, round ${roundDone.id}`;
      return `${node} (pid ${pid}): ${state}, ${phase.name}, ${leads}`;
    });
    return [...lines, ...this.alarms].join('\n');
  }

  #exited(worker: WorkerProcess, how: number | string | null): void {
    if (worker.state === 'gone' || worker.state === 'leaving') return;
    worker.state = 'gone';
    this.#broken ??= new Error(`${worker.node} ended with ${how}\n${worker.errors}`.trim());
  }

  #take(worker: WorkerProcess, report: Report): void {
    worker.reports.add(report.type);
    switch (report.type) {
      case 'ready':
        worker.startMs = report.startMs;
        return;
      case 'owned':
        return;
      case 'leader':
        worker.leader = report.leader;
        return;
      case 'phase':
        worker.phase = { name: report.phase, atUs: report.atUs };
        return;
      case 'round':
        worker.roundDone = report;
        return;
      case 'fenced':
        worker.fencedUs = report.atUs;
        return;
      case 'alarm':
        this.alarms.push(`${worker.node}: ${report.what}`);
        return;
      case 'tally':
        this.#tally(worker, report);
        return;
      default:
        report satisfies never;
    }
  }

  #tally(worker: WorkerProcess, { tally, failures }: ReportOf<'tally'>): void {
    worker.tally = tally;
    for (const failure of failures) this.failures.push({ ...failure, caller: worker.node });
  }
}

/** `T` for a process that was stopped. */
function stateOf(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[0];
}

function exitOf({ child, errors }: WorkerProcess): string {
  return `${child.exitCode ?? child.signalCode}\n${errors}`.trim();
}
