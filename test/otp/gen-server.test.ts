// What a running server does with its messages, on the simulated clock.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DGenError } from '../../src/errors/error.ts';
import {
  call,
  callRaw,
  cast,
  castRaw,
  GenServer,
  noReply,
  ReplyLater,
  refuse,
  start,
  stop,
  within,
} from '../../src/otp/index.ts';
import type { From, Runtime } from '../../src/process/types.ts';
import { atom } from '../../src/term/atom.ts';
import { tuple } from '../../src/term/tuple.ts';
import { inWorld, rejection } from './support.ts';

class Counter extends GenServer {
  static readonly type = 'counter';
  #count = 0;
  init(from: number) {
    this.#count = from;
  }
  handleCall = {
    increment: (by: number) => (this.#count += by),
    get: () => this.#count,
    add: (...values: number[]) => {
      for (const value of values) this.#count += value;
      return this.#count;
    },
    slow: async (value: string) => {
      await Promise.resolve();
      return value;
    },
    crash: (): never => {
      throw new Error('bug');
    },
    crashLater: async (): Promise<never> => {
      await Promise.resolve();
      throw new Error('late bug');
    },
    never: () => noReply,
    refused: () => refuse(new DGenError('overloaded', 'not now')),
    stopping: () => {
      this.stop('normal');
      return 'bye';
    },
  };
  handleCast = {
    reset: () => {
      this.#count = 0;
    },
    setLater: async (value: number) => {
      await Promise.resolve();
      this.#count = value;
    },
    crash: () => {
      throw new Error('bug in cast');
    },
  };
}

test(
  'calls go to the handler of their name, with all arguments, and resolve with what it returns',
  inWorld(async ({ run, runtime }) => {
    const pid = await run(start(runtime, Counter, 5));
    assert.equal(await run(call(runtime, pid, 'increment', 2)), 7);
    assert.equal(await run(call(runtime, pid, 'get')), 7);
    assert.equal(await run(call(runtime, pid, 'add', 1, 2, 3)), 13);
    assert.equal(await run(call(runtime, pid, 'slow', 'text')), 'text');
  }),
);

test(
  'on the wire a request is an atom or a tuple',
  inWorld(async ({ run, runtime }) => {
    const pid = await run(start(runtime, Counter, 5));
    assert.equal(await run(runtime.call(pid, tuple(atom('increment'), 2))), 7);
    assert.equal(await run(runtime.call(pid, atom('get'))), 7);
    runtime.cast(pid, atom('reset'));
    assert.equal(await run(runtime.call(pid, atom('get'))), 0);
  }),
);

test(
  'casts change the state, also after an await, before the next message',
  inWorld(async ({ run, runtime }) => {
    const pid = await run(start(runtime, Counter, 5));
    cast(runtime, pid, 'setLater', 40);
    const first = call(runtime, pid, 'increment', 2);
    cast(runtime, pid, 'reset');
    const second = call(runtime, pid, 'get');
    assert.equal(await run(first), 42);
    assert.equal(await run(second), 0);
  }),
);

test(
  'an unknown request rejects the caller and leaves the server alive',
  inWorld(async ({ run, runtime }) => {
    const pid = await run(start(runtime, Counter, 5));
    for (const request of [
      atom('nothing'),
      tuple(atom('constructor'), 1),
      'get',
      tuple(),
      tuple('get'),
      5,
      null,
      undefined,
      { get: 1 },
    ]) {
      const error = await run(rejection(runtime.call(pid, request), 'unknown_request'));
      assert.match(error.message, /counter: expected one of increment, get, add.*, got /);
      assert.deepEqual(error.details.known, Object.keys(new Counter().handleCall));
    }
    assert.match(
      (await run(rejection(runtime.call(pid, tuple(atom('put'), 1, 2)), 'unknown_request'))).message,
      /got 'put' with 2 arguments/,
    );
    assert.equal(await run(call(runtime, pid, 'get')), 5);
  }),
);

test(
  'an unknown cast and an unexpected message are dropped and logged',
  inWorld(async ({ log, run, runtime }) => {
    const pid = await run(start(runtime, Counter, 5));
    runtime.cast(pid, atom('nothing'));
    runtime.send(pid, 'hello');
    assert.equal(await run(call(runtime, pid, 'get')), 5);
    assert.deepEqual(
      log.map(({ level, message }) => `${level} ${message}`),
      [
        'warn a cast that the server does not know was dropped',
        'warn a message that the server does not handle was dropped',
      ],
    );
  }),
);

test(
  'a server without callbacks answers every call with unknown_request',
  inWorld(async ({ run, runtime }) => {
    class Empty extends GenServer {}
    const pid = await run(start(runtime, Empty));
    assert.match(
      (await run(rejection(runtime.call(pid, atom('x')), 'unknown_request'))).message,
      /expected no call at all, got 'x'/,
    );
  }),
);

test(
  'a throw ends the process with the error, and rejects its caller at once',
  inWorld(async ({ host, run, runtime }) => {
    for (const name of ['crash', 'crashLater'] as const) {
      const pid = await run(start(runtime, Counter, 5));
      const down = runtime.whenDown(pid);
      const error = await run(rejection(call(runtime, pid, name), 'process_exit'));
      assert.match((error.details.reason as Error).message, /bug$/);
      assert.equal(await run(down), error.details.reason);
      await run(rejection(call(runtime, pid, 'get'), 'noproc'));
    }
    assert.equal(host.clock.now(), 0);
  }),
);

test(
  'a throw in a cast fails the calls that wait behind it',
  inWorld(async ({ run, runtime }) => {
    const pid = await run(start(runtime, Counter, 5));
    cast(runtime, pid, 'crash');
    await run(rejection(call(runtime, pid, 'get'), 'process_exit'));
  }),
);

test(
  'a refusal rejects the caller with its error and leaves the server alive',
  inWorld(async ({ run, runtime }) => {
    const pid = await run(start(runtime, Counter, 5));
    await run(rejection(call(runtime, pid, 'refused'), 'overloaded'));
    assert.equal(await run(call(runtime, pid, 'get')), 5);
  }),
);

test(
  'a call has a deadline, and a signal',
  inWorld(async ({ host, run, runtime }) => {
    const pid = await run(start(runtime, Counter, 5));
    await run(rejection(call(runtime, pid, 'never'), 'timeout'));
    assert.equal(host.clock.now(), 5000);
    await run(rejection(call(runtime, pid, 'never', within(100)), 'timeout'));
    assert.equal(host.clock.now(), 5100);
    const controller = new AbortController();
    const aborted = rejection(
      call(runtime, pid, 'never', within({ signal: controller.signal, timeoutMs: Number.POSITIVE_INFINITY })),
      'aborted',
    );
    controller.abort();
    await run(aborted);
    assert.equal(await run(call(runtime, pid, 'add', 1, 2, within(10))), 8);
  }),
);

test(
  'stop after a reply: the caller has it, then the process ends with the reason',
  inWorld(async ({ run, runtime }) => {
    const pid = await run(start(runtime, Counter, 5));
    const down = runtime.whenDown(pid);
    assert.equal(await run(call(runtime, pid, 'stopping')), 'bye');
    assert.equal(await run(down), atom('normal'));
  }),
);

test(
  'synchronous handlers cost no promise: a thousand calls are answered in one turn',
  inWorld(async ({ runtime, run, settle }) => {
    const pid = await run(start(runtime, Counter, 0));
    const calls = Array.from({ length: 1000 }, () => call(runtime, pid, 'increment', 1));
    await settle();
    assert.deepEqual(
      await Promise.all(calls),
      Array.from({ length: 1000 }, (_, index) => index + 1),
    );
  }),
);

class Queue extends GenServer {
  readonly #items: string[] = [];
  readonly #waiting: ReplyLater<string>[] = [];
  #caller: From | undefined;
  handleCall = {
    pop: () => {
      const item = this.#items.shift();
      if (item !== undefined) return item;
      const later = this.replyLater<string>();
      this.#waiting.push(later);
      return later;
    },
    popAsync: async () => {
      await Promise.resolve();
      const later = this.replyLater<string>();
      this.#waiting.push(later);
      return later;
    },
    byHand: () => {
      this.#caller = this.from;
      return noReply;
    },
  };
  handleCast = {
    push: (item: string) => {
      const later = this.#waiting.shift();
      if (later === undefined) this.#items.push(item);
      else later.reply(item);
      later?.reply('never seen');
    },
    refuse: () => this.#waiting.shift()?.refuse(new DGenError('overloaded', 'go away')),
    answer: (value: string) => {
      if (this.#caller !== undefined) this.reply(this.#caller, value);
    },
    useFrom: () => void this.from,
  };
}

test(
  'a reply may come later: by the handle, by hand, as a refusal',
  inWorld(async ({ run, runtime }) => {
    const pid = await run(start(runtime, Queue));
    const [first, second, third] = [
      call(runtime, pid, 'pop'),
      call(runtime, pid, 'popAsync'),
      rejection(call(runtime, pid, 'pop'), 'overloaded'),
    ];
    cast(runtime, pid, 'push', 'a');
    cast(runtime, pid, 'push', 'b');
    cast(runtime, pid, 'refuse');
    assert.deepEqual([await run(first), await run(second)], ['a', 'b']);
    await run(third);
    const byHand = call(runtime, pid, 'byHand');
    cast(runtime, pid, 'answer', 'hand');
    assert.equal(await run(byHand), 'hand');
  }),
);

test(
  'a reply that is still owed when the server ends rejects its caller',
  inWorld(async ({ run, runtime }) => {
    const pid = await run(start(runtime, Queue));
    const waiting = rejection(call(runtime, pid, 'pop'), 'process_exit');
    await run(stop(runtime, pid));
    await run(waiting);
  }),
);

test(
  'this.from outside of a call handler is a mistake',
  inWorld(async ({ run, runtime }) => {
    const pid = await run(start(runtime, Queue));
    cast(runtime, pid, 'push', 'a');
    assert.equal(await run(call(runtime, pid, 'pop')), 'a');
    const down = runtime.whenDown(pid);
    cast(runtime, pid, 'useFrom');
    assert.equal(((await run(down)) as DGenError).code, 'badarg');
  }),
);

test(
  'handlers may be one function for any term',
  inWorld(async ({ run, runtime }) => {
    class Raw extends GenServer {
      seen: unknown;
      async handleCall(request: { readonly double: number } | 'seen', from: From) {
        assert.ok(from.pid);
        return request === 'seen' ? this.seen : request.double * 2;
      }
      handleCast(request: string) {
        this.seen = request;
      }
    }
    const pid = await run(start(runtime, Raw));
    assert.equal(await run(callRaw(runtime, pid, { double: 4 })), 8);
    castRaw(runtime, pid, 'tick');
    assert.equal(await run(callRaw(runtime, pid, 'seen', within(10))), 'tick');
  }),
);

test('outside of a process the handlers are plain functions, and the rest throws badarg', () => {
  const counter = new Counter();
  assert.equal(counter.handleCall.increment(3), 3);
  assert.throws(() => counter.handleCall.stopping(), { code: 'badarg' });
});

test('a reply that is owed is given once', () => {
  const given: unknown[] = [];
  const runtime = {
    reply: (_from: From, value: unknown) => given.push(value),
    replyError: (_from: From, error: Error) => given.push(error),
  } as unknown as Runtime;
  const later = new ReplyLater<number>(runtime, {} as From);
  assert.equal(later.settled, false);
  later.reply(1);
  later.reply(2);
  later.refuse(new Error('late'));
  assert.equal(later.settled, true);
  assert.deepEqual(given, [1]);
});

test(
  'a server that constructs another as a part of itself does not lend it its process',
  inWorld(async ({ run, runtime }) => {
    class Outer extends GenServer {
      readonly inner = new Counter();
      readonly own = this.self;
      handleCall = { stopInner: () => this.inner.handleCall.stopping(), own: () => this.own };
    }
    const pid = await run(start(runtime, Outer));
    assert.ok(pid.equals(await run(call(runtime, pid, 'own'))));
    await run(rejection(call(runtime, pid, 'stopInner'), 'process_exit'));
  }),
);
