// What clients do on every node, one thing after the other: start counters and plain processes under names, call and cast by
// name, read, unregister, stop, kill, monitor, link, and send streams of messages to other nodes.
import { DGenError } from '../../errors/error.ts';
import { DynamicSupervisor, within } from '../../otp/index.ts';
import type { Process } from '../../process/index.ts';
import { isDownMessage, isExitMessage } from '../../process/index.ts';
import { atom, equals, inspect, type Pid, tuple } from '../../term/index.ts';
import type { Draw } from '../draw.ts';
import { Counter, counterSpec, countersName, type Desk, registryTimeoutMs, sinkName } from './app.ts';
import { keptPrefix } from './ledger.ts';
import type { Notices } from './notices.ts';
import type { Sums } from './sums.ts';
import { drawTerm } from './terms.ts';

export interface ClientsOptions {
  readonly names: readonly string[];
  readonly clientsPerNode: number;
  readonly pauseMs: number;
  readonly callTimeoutMs: number;
  readonly draw: Draw;
  readonly sums: Sums;
  readonly notices: Notices;
  /** The desks of nodes that run, this one among them. */
  readonly desks: () => readonly Desk[];
}

type Work = (desk: Desk, name: string) => Promise<void>;

/** Codes that a call to a server may end with while things go wrong. */
const expected: ReadonlySet<string> = new Set([
  'aborted',
  'already_started',
  'closed',
  'draining',
  'fenced',
  'noconnection',
  'noproc',
  'overloaded',
  'process_exit',
  'send_buffer_full',
  'start_failed',
  'timeout',
  'unavailable',
]);

export class Clients {
  readonly #options: ClientsOptions;
  readonly #draw: Draw;
  readonly #works: readonly (readonly [weight: number, work: Work])[];
  #over = false;
  #running = 0;
  #serial = 0;

  constructor(options: ClientsOptions) {
    this.#options = options;
    this.#draw = options.draw;
    this.#works = [
      [14, (desk, name) => this.#startCounter(desk, name)],
      [26, async (desk, name) => void (await this.add(desk, name))],
      [9, (desk, name) => this.#register(desk, name)],
      [5, (desk, name) => this.#registerRemote(desk, name)],
      [11, (desk, name) => this.#read(desk, name)],
      [8, (desk, name) => this.#lookUp(desk, name)],
      [5, (desk, name) => this.#unregister(desk, name)],
      [4, (desk, name) => this.#stop(desk, name)],
      [3, (desk, name) => this.#kill(desk, name)],
      [2, (desk, name) => this.#crash(desk, name)],
      [6, (desk, name) => this.#monitor(desk, name)],
      [4, (desk, name) => this.#link(desk, name)],
      [5, (desk) => this.#stream(desk)],
      [4, (desk, name) => this.#bump(desk, name)],
      [4, (desk, name) => this.#callLater(desk, name)],
    ];
  }

  /** Clients that have not come to their end on nodes that live; those of dead nodes never do. */
  get running(): number {
    return this.#running;
  }

  serve(desk: Desk): void {
    for (let index = 0; index < this.#options.clientsPerNode; index++) {
      this.#running++;
      let counted = true;
      const done = (): void => {
        if (counted) this.#running--;
        counted = false;
      };
      desk.life.onDeath.add(done);
      this.#run(desk).then(done, (error: unknown) => {
        done();
        desk.watch.broken('calls', `a client of ${desk.life.node}: ${(error as Error).stack}`);
      });
    }
  }

  end(): void {
    this.#over = true;
  }

  /** Calls the counter of that name, wherever it is, and notes what is certain. False when that failed. */
  async add(desk: Desk, name: string): Promise<boolean> {
    const id = `${desk.life.node}/${++this.#serial}`;
    const payload = drawTerm(this.#draw, desk.runtime.clientPid);
    const by = this.#draw.between(1, 9);
    const { sums } = this.#options;
    sums.tried(name, by);
    const answer = await this.#call(desk, `add to ${name}`, (limit) =>
      desk.node.call(desk.registry.address(Counter, name), 'add', id, by, payload, limit),
    );
    if (answer === undefined) return false;
    const [sum, echo] = answer as [number, unknown];
    sums.acknowledged(name, by, sum);
    if (!equals(echo, payload))
      desk.watch.broken('terms', `${inspect(payload)} came back as ${inspect(echo)}`);
    return true;
  }

  /** True when the name has a counter then: this one, or another. */
  async #startCounter(desk: Desk, name: string): Promise<void> {
    const address = desk.node.addressOf(DynamicSupervisor, countersName);
    await this.#call(desk, `start ${name}`, (limit) =>
      desk.node.call(address, 'startChild', counterSpec(desk, name), limit),
    );
  }

  async #run(desk: Desk): Promise<void> {
    await this.#pause(desk, 100);
    while (!this.#over && !desk.closing) {
      const name = this.#draw.pick(this.#options.names);
      await this.#drawWork()(desk, name);
      await this.#pause(desk, 2 * this.#options.pauseMs);
    }
  }

  #drawWork(): Work {
    let left = this.#draw.below(this.#works.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, work] of this.#works) {
      left -= weight;
      if (left < 0) return work;
    }
    throw new Error('no work');
  }

  #pause({ life }: Desk, most: number): Promise<void> {
    return new Promise((resolve) => life.host.timers.after(this.#draw.between(1, most), resolve));
  }

  /** `undefined` when it failed with a code that it may fail with. */
  async #call<T>(
    desk: Desk,
    label: string,
    call: (limit: ReturnType<typeof within>) => Promise<T>,
  ): Promise<T | undefined> {
    const { ledger, life } = desk;
    const timeoutMs = this.#draw.between(50, this.#options.callTimeoutMs);
    try {
      const answer = await ledger.track(life, { label, timeoutMs }, () => call(within(timeoutMs)));
      ledger.count('call answered');
      return answer;
    } catch (error) {
      const code = error instanceof DGenError ? error.code : String(error);
      if (!expected.has(code))
        desk.watch.broken('calls', `${life.node}: ${label}: ${(error as Error).stack}`);
      ledger.count(`call ${code}`);
      return undefined;
    }
  }

  async #register(desk: Desk, name: string): Promise<void> {
    const pid = desk.node.spawn(idle);
    await this.#registerPid(desk, desk, { name, pid });
  }

  async #registerRemote(desk: Desk, name: string): Promise<void> {
    const home = this.#draw.pick(this.#options.desks());
    if (!home.life.runs || home.closing) return;
    await this.#registerPid(desk, home, { name, pid: home.node.spawn(idle) });
  }

  /** Registers a process of `home` by asking `desk`; it lives a while if it gets the name. */
  async #registerPid(desk: Desk, home: Desk, { name, pid }: { name: string; pid: Pid }): Promise<void> {
    home.ledger.candidate(home, name, pid);
    // Where no member is known, the one that asks is the witness: the name goes with it, and the process stays.
    const hasMember = desk.registry.getMembers().some(([node]) => node === home.node.name);
    if (home !== desk && !hasMember) desk.ledger.mayEnd(desk.life, name, pid);
    const timeoutMs = this.#draw.between(50, registryTimeoutMs);
    const what = { name, type: 'register', process: pid.key, timeoutMs } as const;
    const answer = await desk.ledger.operate(desk.life, what, async () => {
      const outcome = await desk.registry.register(name, pid, { timeoutMs });
      if (outcome.status === 'taken') return { result: 'taken', holder: outcome.holder.key };
      if (home === desk) home.ledger.owns(home, name, pid);
      return { result: 'registered', token: outcome.token };
    });
    const livesMs = answer.result === 'registered' ? this.#draw.between(50, 800) : 0;
    home.life.enter(() => home.life.host.timers.after(livesMs, () => home.runtime.exit(pid, atom('kill'))));
  }

  async #read(desk: Desk, name: string): Promise<void> {
    const timeoutMs = this.#draw.between(50, registryTimeoutMs);
    await desk.ledger.operate(desk.life, { name, type: 'read', timeoutMs }, async () => {
      const pid = await desk.registry.whereisConsistent(name, { timeoutMs });
      return pid === undefined ? { result: 'absent' } : { result: 'found', holder: pid.key };
    });
  }

  async #lookUp(desk: Desk, name: string): Promise<void> {
    const found = desk.registry.lookup(name);
    if (found !== undefined && !desk.ledger.isCandidate(name, found.pid))
      desk.watch.broken(
        'snapshots',
        `${desk.life.node} shows ${found.pid.key} for ${name}, which never asked`,
      );
  }

  async #unregister(desk: Desk, name: string): Promise<void> {
    if (name.startsWith(keptPrefix)) return;
    const timeoutMs = this.#draw.between(50, registryTimeoutMs);
    await desk.ledger.operate(desk.life, { name, type: 'unregister', timeoutMs }, async () => {
      await desk.registry.unregister(name, { timeoutMs });
      return { result: 'done' };
    });
  }

  async #stop(desk: Desk, name: string): Promise<void> {
    await this.#call(desk, `stop ${name}`, ({ options }) => {
      const pid = desk.registry.whereis(name);
      return pid === undefined ? Promise.resolve() : desk.node.stop(pid, options);
    });
  }

  async #kill(desk: Desk, name: string): Promise<void> {
    const pid = desk.registry.whereis(name);
    if (pid !== undefined)
      desk.runtime.exit(pid, this.#draw.pick([atom('kill'), 'by hand', atom('shutdown')]));
  }

  async #crash(desk: Desk, name: string): Promise<void> {
    await this.#call(desk, `crash ${name}`, (limit) =>
      desk.node.call(desk.registry.address(Counter, name), 'crash', limit),
    );
  }

  async #bump(desk: Desk, name: string): Promise<void> {
    this.#options.sums.tried(name, 1);
    desk.node.cast(desk.registry.address(Counter, name), 'bump');
  }

  /** A call that is answered late, given up, or aborted. */
  async #callLater(desk: Desk, name: string): Promise<void> {
    const controller = new AbortController();
    const abort = (): void => controller.abort('by hand');
    if (this.#draw.chance(500)) desk.life.host.timers.after(this.#draw.between(1, 200), abort);
    const ms = this.#draw.between(1, 300);
    await this.#call(desk, `later ${name}`, ({ options }) => {
      const limit = within({ ...options, signal: controller.signal });
      return desk.node.call(desk.registry.address(Counter, name), 'later', ms, limit);
    });
  }

  async #monitor(desk: Desk, name: string): Promise<void> {
    const pid = desk.registry.whereis(name);
    const forgetAfterMs = this.#draw.chance(200) ? this.#draw.between(1, 500) : undefined;
    const notices = this.#options.notices.set(desk.life, `monitor of ${pid?.key ?? name}`);
    desk.node.spawn(async (self) => {
      const target = pid ?? desk.registry.via(name);
      const ref = self.monitor(target);
      const isIts = (message: unknown): boolean => isDownMessage(message) && message.ref.equals(ref);
      if (forgetAfterMs !== undefined) {
        const early = await heard(self, isIts, forgetAfterMs);
        self.demonitor(ref);
        notices.fired(early ? 1 : 0);
        notices.over();
        if (await heard(self, isIts, afterwardsMs)) notices.fired(1);
        return;
      }
      await self.receive(isIts);
      notices.fired(1);
      notices.over();
      if (await heard(self, isIts, afterwardsMs)) notices.fired(1);
    });
  }

  async #link(desk: Desk, name: string): Promise<void> {
    const pid = desk.registry.whereis(name);
    if (pid === undefined) return;
    const notices = this.#options.notices.set(desk.life, `link to ${pid.key}`);
    const livesMs = this.#draw.chance(500) ? this.#draw.between(100, 2_000) : undefined;
    desk.node.spawn(async (self) => {
      self.trapExit(true);
      self.link(pid);
      const isIts = (message: unknown): boolean => isExitMessage(message) && message.from.equals(pid);
      if (livesMs !== undefined) {
        // It goes first: what it is linked to is a counter that traps nothing, and goes with it but for reason `normal`.
        const early = await heard(self, isIts, livesMs);
        notices.fired(early ? 1 : 0);
        notices.over();
        return;
      }
      await self.receive(isIts);
      notices.fired(1);
      notices.over();
      if (await heard(self, isIts, afterwardsMs)) notices.fired(1);
    });
  }

  async #stream(desk: Desk): Promise<void> {
    const other = this.#draw.pick(this.#options.desks());
    const to = { name: atom(sinkName), node: atom(other.node.name) };
    const items = Array.from({ length: this.#draw.between(1, 12) }, () =>
      drawTerm(this.#draw, desk.runtime.clientPid),
    );
    const pauseMs = this.#draw.pick([0, 0, 5, 60]);
    desk.node.spawn(async (self) => {
      for (const [index, payload] of items.entries()) {
        sendItem(self, to, [index + 1, payload]);
        if (pauseMs > 0) await heard(self, () => false, pauseMs);
      }
    });
  }
}

const afterwardsMs = 3_000;
const idleMsMax = 4_000;

type Target = Parameters<Process['send']>[0];

function sendItem(self: Process, to: Target, [number, payload]: [number, unknown]): void {
  try {
    self.send(to, tuple(self.self, number, payload, inspect(payload)));
  } catch (error) {
    // Where the sink is on this node and not up yet it is not registered; a link without room says so.
    if (!(error instanceof DGenError) || !['badarg', 'send_buffer_full'].includes(error.code)) throw error;
  }
}

/** Whether such a message comes within the time. */
function heard(self: Process, matches: (message: unknown) => boolean, timeoutMs: number): Promise<boolean> {
  return self.receive(matches, { timeoutMs }).then(
    () => true,
    (error: unknown) => {
      if (error instanceof DGenError && error.code === 'timeout') return false;
      throw error;
    },
  );
}

/** Waits to be ended, and ends by itself where whoever is to do that died before. */
async function idle(self: Process): Promise<void> {
  await heard(self, () => false, idleMsMax);
}
