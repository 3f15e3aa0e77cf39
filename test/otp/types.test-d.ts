// Checked by the compiler alone: every line under `@ts-expect-error` must not compile, everything else must.

import {
  addressOf,
  type CallArguments,
  type CallNames,
  type CallParameters,
  type CallReply,
  type CastArguments,
  type CastNames,
  call,
  callRaw,
  cast,
  castRaw,
  child,
  GenServer,
  type InitArgument,
  noReply,
  type ReplyLater,
  refuse,
  type Server,
  type ServerAddress,
  type ServerCallbacks,
  type ServerClass,
  type ServerPid,
  type StartArguments,
  type StartOptions,
  Supervisor,
  start,
  startLink,
  within,
} from '../../src/otp/index.ts';
import type { From, Runtime } from '../../src/process/types.ts';
import type { Pid } from '../../src/term/pid.ts';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_equal: Same<A, B>): void {}

class Counter extends GenServer {
  static readonly type = 'counter';
  static readonly startTimeoutMs = 100;
  #count = 0;
  readonly #waiting: ReplyLater<number>[] = [];

  init(from: number) {
    this.#count = from;
    this.continueWith('warm up');
    // @ts-expect-error handleContinue takes a string
    this.continueWith(5);
  }

  handleCall = {
    increment: (by: number) => (this.#count += by),
    get: () => this.#count,
    slow: async () => String(this.#count),
    put: (key: string, value?: number) => key.length + (value ?? 0),
    sum: (...values: number[]) => values.length,
    next: () => {
      if (this.#count > 0) return 'now' as const;
      const later = this.replyLater<number>();
      this.#waiting.push(later);
      return later;
    },
    positive: (value: number) => (value > 0 ? value : refuse(new RangeError('not positive'))),
    manual: () => {
      const from: From = this.from;
      this.reply(from, 1);
      return noReply;
    },
    fails: (): never => {
      throw new Error('always');
    },
  };

  handleCast = {
    reset: () => {
      this.#count = 0;
    },
    set: async (value: number) => {
      this.#count = value;
      this.stop();
    },
  };

  handleInfo(_message: unknown) {
    for (const later of this.#waiting.splice(0)) later.reply(this.#count);
  }

  async handleContinue(work: string) {
    if (work === 'warm up') this.continueWith('more');
  }
}

class Other extends GenServer {
  handleCall = { foo: () => 1 };
}

class Optional extends GenServer {
  init(_size?: number) {}
  handleCast = { grow: (_by: number) => {} };
}

class OneFunction extends GenServer {
  handleCall(request: { readonly double: number }, _from: From) {
    return request.double * 2;
  }
  handleCast(_request: 'tick') {}
}

class Cache<V> extends GenServer {
  readonly #values = new Map<string, V>();
  handleCall = {
    get: (key: string) => this.#values.get(key),
    put: (key: string, value: V) => void this.#values.set(key, value),
  };
}

class Checked extends GenServer implements ServerCallbacks {
  // @ts-expect-error a table of functions, or a function
  handleCall = 5;
}

class CallsOthers extends GenServer {
  handleCall = {
    ask: async (counter: ServerAddress<Counter>) => {
      this.cast(counter, 'reset');
      // @ts-expect-error no such cast
      this.cast(counter, 'increment', 1);
      await startLink(this.process, Other);
      return this.call(counter, 'increment', 1, within(10));
    },
  };
}

// The composition root wraps the functions as methods: types must survive one-line delegation.
class Wrapped {
  readonly runtime: Runtime;
  constructor(runtime: Runtime) {
    this.runtime = runtime;
  }
  start<S extends Server>(server: ServerClass<S>, ...rest: StartArguments<S>): Promise<ServerPid<S>> {
    return start(this.runtime, server, ...rest);
  }
  call<S, K extends CallNames<S>>(
    address: ServerAddress<S>,
    name: K,
    ...args: CallParameters<S, K>
  ): Promise<CallReply<S, K>> {
    return call(this.runtime, address, name, ...args);
  }
  cast<S, K extends CastNames<S>>(address: ServerAddress<S>, name: K, ...args: CastArguments<S, K>): void {
    cast(this.runtime, address, name, ...args);
  }
}

export async function types(runtime: Runtime): Promise<void> {
  const counter = await start(runtime, Counter, 5);
  same<typeof counter, ServerPid<Counter>>(true);
  same<
    CallNames<Counter>,
    'increment' | 'get' | 'slow' | 'put' | 'sum' | 'next' | 'positive' | 'manual' | 'fails'
  >(true);
  same<CallArguments<Counter, 'increment'>, [by: number]>(true);
  same<CallReply<Counter, 'increment'>, number>(true);
  same<CallReply<Counter, 'slow'>, string>(true);
  same<CallReply<Counter, 'next'>, 'now' | number>(true);
  same<CallReply<Counter, 'positive'>, number>(true);
  same<CallReply<Counter, 'manual'>, unknown>(true);
  same<CallReply<Counter, 'fails'>, never>(true);
  same<CastNames<Counter>, 'reset' | 'set'>(true);
  same<InitArgument<Counter>, number>(true);
  same<InitArgument<Other>, undefined>(true);
  same<InitArgument<Optional>, number | undefined>(true);
  same<StartArguments<Counter>, [argument: number, options?: StartOptions]>(true);
  same<CallNames<Optional>, never>(true);

  const replied: number = await call(runtime, counter, 'increment', 2);
  const limited: number = await call(runtime, counter, 'increment', replied, within(100));
  const text: string = await call(runtime, counter, 'slow', within({ timeoutMs: limited }));
  await call(runtime, counter, 'put', text);
  await call(runtime, counter, 'put', text, 3);
  await call(runtime, counter, 'put', text, 3, within(5));
  await call(runtime, counter, 'sum', 1, 2, 3);
  cast(runtime, counter, 'reset');
  cast(runtime, counter, 'set', 4);

  // @ts-expect-error unknown request
  await call(runtime, counter, 'decrement', 2);
  // @ts-expect-error wrong argument
  await call(runtime, counter, 'increment', 'two');
  // @ts-expect-error missing argument
  await call(runtime, counter, 'increment');
  // @ts-expect-error one argument too many
  await call(runtime, counter, 'get', 1);
  // @ts-expect-error the reply is a number
  const wrongReply: string = await call(runtime, counter, 'get');
  // @ts-expect-error a cast, not a call
  await call(runtime, counter, 'reset');
  // @ts-expect-error a call, not a cast
  cast(runtime, counter, 'increment', 1);
  // @ts-expect-error wrong argument of a cast
  cast(runtime, counter, 'set', 'four');
  // @ts-expect-error a cast has no limit
  cast(runtime, counter, 'set', 4, within(5));
  // @ts-expect-error an address of another server
  const otherAddress: ServerAddress<Other> = counter;
  // @ts-expect-error a request of another server
  await call(runtime, addressOf(Other, 'other'), 'get');
  // @ts-expect-error an untyped destination
  await call(runtime, 'counter', 'get');

  const named: ServerAddress<Counter> = addressOf(Counter, 'counter');
  const typed: ServerAddress<Counter> = counter;
  await call(runtime, named, 'get');
  await call(runtime, typed, 'get');
  await runtime.call(counter, 'anything');

  // @ts-expect-error wrong argument of init
  await start(runtime, Counter, 'five');
  // @ts-expect-error missing argument of init
  await start(runtime, Counter);
  // @ts-expect-error init takes none
  await start(runtime, Other, 5);
  // @ts-expect-error an unknown option
  await start(runtime, Counter, 5, { named: 'counter' });
  // @ts-expect-error no server
  await start(runtime, Map);
  // @ts-expect-error handleCall has the wrong shape
  await start(runtime, Checked);
  await start(runtime, Other);
  await start(runtime, Other, undefined, { name: 'other' });
  await start(runtime, Optional);
  await start(runtime, Optional, 3, { timeoutMs: 10 });
  await start(runtime, CallsOthers);

  const one = await start(runtime, OneFunction);
  const doubled: number = await callRaw(runtime, one, { double: 2 }, within(5));
  castRaw(runtime, one, 'tick');
  // @ts-expect-error wrong request
  await callRaw(runtime, one, { triple: doubled });
  // @ts-expect-error wrong request
  castRaw(runtime, one, 'tock');
  // @ts-expect-error it has no requests by name
  await call(runtime, one, 'double');
  // @ts-expect-error a table has no raw requests
  await callRaw(runtime, counter, 'get');

  const cache = await start(runtime, Cache<Date>);
  const hit: Date | undefined = await call(runtime, cache, 'get', 'key');
  await call(runtime, cache, 'put', 'key', hit ?? new Date(0));
  // @ts-expect-error not what the cache holds
  await call(runtime, cache, 'put', 'key', 'value');

  const tree = await start(runtime, Supervisor, { children: [child('counter', Counter, 5)] });
  const added: Pid = await call(runtime, tree, 'startChild', child('other', Other));
  child('counter', Counter, 5, { restart: 'transient', shutdownMs: 100, name: 'counter' });
  child('other', Other, undefined, { type: 'worker' });
  // @ts-expect-error wrong argument of init
  child('counter', Counter, 'five');
  // @ts-expect-error missing argument of init
  child('counter', Counter);
  // @ts-expect-error no such restart
  child('other', Other, undefined, { restart: 'always' });
  // @ts-expect-error the supervisor is the parent
  child('other', Other, undefined, { link: added });
  // @ts-expect-error no such strategy
  await start(runtime, Supervisor, { strategy: 'all_for_one' });

  const node = new Wrapped(runtime);
  const wrapped = await node.start(Counter, 5, { name: 'counter' });
  const viaMethod: number = await node.call(wrapped, 'increment', 2, within(9));
  node.cast(wrapped, 'set', viaMethod);
  // @ts-expect-error unknown request
  await node.call(wrapped, 'decrement', 2);
  // @ts-expect-error wrong argument of init
  await node.start(Counter, 'five');
  return void [wrongReply, otherAddress];
}
