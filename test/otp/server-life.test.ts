// The life of a server between its start and its end: continuations, timers, exits, stops, on the simulated clock.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, cast, GenServer, start, stop } from '../../src/otp/index.ts';
import { atom } from '../../src/term/atom.ts';
import { type Tuple, tuple } from '../../src/term/tuple.ts';
import { inWorld, rejection } from './support.ts';

class Life extends GenServer {
  readonly log: string[];
  // The context is there before the constructor ends.
  readonly ownPid = this.self;
  constructor() {
    super();
    this.log = [];
  }
  init(options: { trap?: boolean; work?: string[]; log: string[]; slowTerminate?: boolean }) {
    Object.assign(this, { log: options.log });
    this.slow = options.slowTerminate ?? false;
    this.process.trapExit(options.trap ?? false);
    for (const work of options.work ?? []) this.continueWith(work);
  }
  slow = false;
  handleCall = {
    pid: () => this.ownPid,
    after: (ms: number, message: string) => this.sendAfter(ms, message),
    cancelled: (ms: number) => this.cancelTimer(this.sendAfter(ms, 'never')),
    idle: (ms: number) => this.idleTimeout(ms),
    work: (...values: string[]) => {
      for (const value of values) this.continueWith(value);
      return 'asked';
    },
    nothing: () => 'nothing',
  };
  handleInfo(message: unknown) {
    this.log.push(
      `info ${typeof message === 'string' ? message : ((message as { kind?: string }).kind ?? message)}`,
    );
  }
  async handleContinue(work: string) {
    this.log.push(`continue ${work}`);
    await Promise.resolve();
    if (work === 'more') this.continueWith('last');
    if (work === 'stop') this.stop('shutdown');
    if (work === 'throw') throw new Error('in continue');
  }
  async terminate(reason: unknown) {
    if (this.slow) await Promise.resolve();
    this.log.push(`terminate ${String(reason)}`);
  }
}

test(
  'continuations run after the start and after the reply, before the next message, in order',
  inWorld(async ({ run, runtime, settle }) => {
    const log: string[] = [];
    const starting = start(runtime, Life, { log, work: ['first', 'more'] });
    const pid = await run(starting);
    runtime.send(pid, 'hello');
    const asked = call(runtime, pid, 'work', 'x', 'y').then((reply) => log.push(reply));
    runtime.send(pid, 'world');
    await run(asked);
    await settle();
    assert.deepEqual(log, [
      'continue first',
      'continue more',
      'continue last',
      'info hello',
      'continue x',
      'asked',
      'continue y',
      'info world',
    ]);
    assert.ok((await run(call(runtime, pid, 'pid'))).equals(pid));
  }),
);

test(
  'a continuation may stop or crash the server, also the first one after the start: terminate runs',
  inWorld(async ({ run, runtime }) => {
    for (const work of ['stop', 'throw']) {
      const log: string[] = [];
      const fresh = await run(start(runtime, Life, { log, work: [work, 'not run'] }));
      await run(runtime.whenDown(fresh));
      const later = await run(start(runtime, Life, { log, slowTerminate: true }));
      const down = runtime.whenDown(later);
      await run(call(runtime, later, 'work', work, 'not run'));
      await run(down);
      const end = `terminate ${work === 'stop' ? ':shutdown' : 'Error: in continue'}`;
      assert.deepEqual(log, [`continue ${work}`, end, `continue ${work}`, end]);
    }
  }),
);

test(
  'the idle timeout fires after silence, any message cancels it',
  inWorld(async ({ pass, run, runtime }) => {
    const log: string[] = [];
    const pid = await run(start(runtime, Life, { log }));
    await run(call(runtime, pid, 'idle', 100));
    await pass(99);
    assert.deepEqual(log, []);
    await pass(1);
    assert.deepEqual(log, ['info :timeout']);
    await pass(500);
    await run(call(runtime, pid, 'idle', 100));
    await pass(99);
    await run(call(runtime, pid, 'nothing'));
    await pass(500);
    assert.deepEqual(log, ['info :timeout']);
  }),
);

test(
  'handleTimeout takes the idle timeout where it exists, and may ask again',
  inWorld(async ({ pass, run, runtime }) => {
    class Ticker extends GenServer {
      #ticks = 0;
      init() {
        this.idleTimeout(10);
      }
      handleCall = { ticks: () => this.#ticks };
      handleTimeout() {
        this.#ticks += 1;
        this.idleTimeout(10);
      }
    }
    const pid = await run(start(runtime, Ticker));
    await pass(35);
    assert.equal(await run(call(runtime, pid, 'ticks')), 3);
    await pass(100);
    assert.equal(await run(call(runtime, pid, 'ticks')), 3);
  }),
);

test(
  'an idle timeout that fires behind a waiting message does not count',
  inWorld(async ({ host, pass, run, runtime, settle }) => {
    const log: string[] = [];
    class Busy extends GenServer {
      handleCast = {
        idleThenWork: () => this.idleTimeout(10),
        work: async () => {
          await new Promise<void>((resolve) => void this.node.host.timers.after(20, resolve));
          log.push('worked');
        },
      };
      handleTimeout() {
        log.push('timeout');
      }
    }
    const pid = await run(start(runtime, Busy));
    cast(runtime, pid, 'idleThenWork');
    await settle();
    await pass(9);
    cast(runtime, pid, 'work');
    host.advance(1);
    await pass(50);
    assert.deepEqual(log, ['worked']);
  }),
);

test(
  'sendAfter delivers to handleInfo, unless cancelled',
  inWorld(async ({ pass, run, runtime }) => {
    const log: string[] = [];
    const pid = await run(start(runtime, Life, { log }));
    await run(call(runtime, pid, 'after', 50, 'tick'));
    assert.equal(await run(call(runtime, pid, 'cancelled', 10)), true);
    await pass(49);
    assert.deepEqual(log, []);
    await pass(1);
    assert.deepEqual(log, ['info tick']);
  }),
);

test(
  'the exit of the parent ends a server that traps exits, terminate runs; other exits are messages',
  inWorld(async ({ run, runtime, settle }) => {
    const log: string[] = [];
    const parent = runtime.spawn((self) => self.receive().then(() => self.exit('over')));
    const stranger = runtime.spawn((self) => self.receive().then(() => undefined));
    const pid = await run(start(runtime, Life, { log, trap: true }, { link: parent }));
    runtime.exit(pid, 'from outside');
    await settle();
    assert.deepEqual(log, ['info exit']);
    runtime.send(stranger, 'end');
    runtime.send(parent, 'end');
    assert.equal(await run(runtime.whenDown(pid)), 'over');
    assert.deepEqual(log, ['info exit', 'terminate over']);
  }),
);

test(
  'a server that does not trap exits dies with its parent, without terminate',
  inWorld(async ({ run, runtime }) => {
    const log: string[] = [];
    const parent = runtime.spawn((self) => self.receive().then(() => self.exit('over')));
    const pid = await run(start(runtime, Life, { log }, { link: parent }));
    runtime.send(parent, 'end');
    assert.equal(await run(runtime.whenDown(pid)), 'over');
    assert.deepEqual(log, []);
  }),
);

test(
  'stop runs terminate after what was sent before, and tells the reason',
  inWorld(async ({ run, runtime }) => {
    const log: string[] = [];
    const pid = await run(start(runtime, Life, { log, slowTerminate: true }, { name: 'life' }));
    runtime.send(pid, 'before');
    assert.equal(await run(stop(runtime, 'life', { reason: 'shutdown' })), atom('shutdown'));
    assert.deepEqual(log, ['info before', 'terminate :shutdown']);
    assert.equal(await run(stop(runtime, pid)), atom('noproc'));
    assert.equal(await run(stop(runtime, 'life')), atom('noproc'));
  }),
);

test(
  'stop has a deadline and a signal; the request stays',
  inWorld(async ({ run, runtime }) => {
    let release = (): void => {};
    class Slow extends GenServer {
      terminate() {
        return new Promise<void>((resolve) => {
          release = resolve;
        });
      }
    }
    const pid = await run(start(runtime, Slow));
    await run(rejection(stop(runtime, pid, { timeoutMs: 50 }), 'timeout'));
    const controller = new AbortController();
    const aborted = rejection(stop(runtime, pid, { signal: controller.signal }), 'aborted');
    controller.abort();
    await run(aborted);
    const down = runtime.whenDown(pid);
    release();
    assert.equal(await run(down), atom('normal'));
  }),
);

test(
  'a killed server does nothing more: signal aborted, replies and timers void',
  inWorld(async ({ pass, run, runtime, settle }) => {
    const log: string[] = [];
    let signal: AbortSignal | undefined;
    class Waits extends GenServer {
      handleCall = {
        wait: async () => {
          signal = this.signal;
          this.sendAfter(10, 'tick');
          await new Promise<void>((resolve) => void this.node.host.timers.after(20, resolve));
          log.push('went on');
          this.idleTimeout(5);
          return 'answer';
        },
      };
      handleInfo() {
        log.push('info');
      }
      terminate() {
        log.push('terminate');
      }
    }
    const pid = await run(start(runtime, Waits));
    const waiting = rejection(call(runtime, pid, 'wait'), 'process_exit');
    await settle();
    runtime.exit(pid, atom('kill'));
    await run(waiting);
    assert.equal(signal?.aborted, true);
    await pass(100);
    assert.deepEqual(log, ['went on']);
  }),
);

test(
  "the stop request of OTP's sys protocol is answered and obeyed; what only looks like one is a message",
  inWorld(async ({ run, runtime }) => {
    const log: string[] = [];
    const pid = await run(start(runtime, Life, { log }));
    const system = (from: unknown, request: unknown) => tuple(atom('system'), from, request);
    const terminate = tuple(atom('terminate'), atom('shutdown'));
    const asking = runtime.spawn(async (self) => {
      self.send(pid, system('nobody', terminate));
      self.send(pid, system(tuple(self.self, 'tag'), atom('get_state')));
      self.send(pid, system(tuple(self.self, 'tag'), terminate));
      const reply = await self.receive<Tuple>();
      log.push(`${reply.elements[0]} ${reply.elements[1]}`);
    });
    await run(runtime.whenDown(asking));
    assert.deepEqual(log, ['info [object Object]', 'info [object Object]', 'terminate :shutdown', 'tag :ok']);
  }),
);
