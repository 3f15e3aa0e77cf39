// Calls to a process of another operating-system process, one or 64 in flight, against the raw echo of remote-floor.ts:
// both in one run, rounds taking turns, medians. Run directly it prints them, and casts per second.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createDistribution } from '../src/distribution/index.ts';
import { nodeHost } from '../src/host/index.ts';
import { createRuntime, type LocalRuntime } from '../src/process/index.ts';
import { atom } from '../src/term/index.ts';
import { openRawEcho } from './remote-floor.ts';
import { median } from './statistics.ts';

export interface Versus {
  /** Calls per second of the runtime. */
  readonly value: number;
  /** Echoes per second of the floor. */
  readonly baseline: number;
  /** `value / baseline`. */
  readonly ratio: number;
}

export interface RemoteResult {
  readonly call_remote_1_vs_floor: Versus;
  readonly call_remote_64_vs_floor: Versus;
  readonly castsPerSecond: number;
}

export interface RemoteOptions {
  /** Many and short, so that the median is one in which nothing else had the processor. Default 41. */
  readonly rounds?: number;
  /** Milliseconds of each measurement; default 30. */
  readonly roundMs?: number;
}

const warmUpRounds = 10;
const serverNode = atom('server@127.0.0.1');
const echo = { name: atom('echo'), node: serverNode };

/** Runs the whole comparison; ends the process that it starts. */
export async function benchRemoteCalls(options: RemoteOptions = {}): Promise<RemoteResult> {
  const child = fork(fileURLToPath(new URL('./remote-server.ts', import.meta.url)));
  try {
    return await measureAll(child, options);
  } finally {
    child.disconnect();
  }
}

async function measureAll(
  child: ChildProcess,
  { rounds = 41, roundMs = 30 }: RemoteOptions,
): Promise<RemoteResult> {
  const { rawPort, port } = await new Promise<{ rawPort: number; port: number }>((resolve, reject) => {
    child.once('message', (message) => resolve(message as { rawPort: number; port: number }));
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
  });
  const raw = await openRawEcho(rawPort);
  const { runtime, close } = connectedRuntime(port);
  const call = (): Promise<unknown> => runtime.call(echo, { op: 'get', id: 42 });
  const echoRaw = (): Promise<void> => raw.call();
  const compare = async (measure: Measure): Promise<Versus> => {
    const values: number[] = [];
    const baselines: number[] = [];
    for (let round = 0; round < rounds + warmUpRounds; round++) {
      const value = await measure(call, roundMs);
      const baseline = await measure(echoRaw, roundMs);
      // The first rounds warm up.
      if (round >= warmUpRounds) {
        values.push(value);
        baselines.push(baseline);
      }
    }
    const [value, baseline] = [median(values), median(baselines)];
    return { value, baseline, ratio: value / baseline };
  };
  const one = await compare(perSecondOfOne);
  const many = await compare(perSecondOf64);
  const castsPerSecond = await benchCasts(runtime);
  raw.close();
  await close();
  return { call_remote_1_vs_floor: one, call_remote_64_vs_floor: many, castsPerSecond };
}

function connectedRuntime(port: number): { runtime: LocalRuntime; close: () => Promise<void> } {
  const identity = { name: atom('client@127.0.0.1'), creation: 1, host: nodeHost() };
  const runtime = createRuntime(identity);
  const distribution = createDistribution({
    ...identity,
    cookie: 'bench',
    inbound: runtime.inbound,
    resolve: async () => [{ host: '127.0.0.1', port }],
  });
  runtime.attach(distribution);
  const close = async (): Promise<void> => {
    await runtime.close();
    await distribution.close();
  };
  return { runtime, close };
}

type Measure = (call: () => Promise<unknown>, roundMs: number) => Promise<number>;

/** By the median time of a call: what one caller gets while nothing else takes the processor away. */
async function perSecondOfOne(call: () => Promise<unknown>, roundMs: number): Promise<number> {
  const times: number[] = [];
  const start = performance.now();
  for (let before = start; before - start < roundMs; ) {
    await call();
    const after = performance.now();
    times.push(after - before);
    before = after;
  }
  return 1000 / median(times);
}

async function perSecondOf64(call: () => Promise<unknown>, roundMs: number): Promise<number> {
  let count = 0;
  const start = performance.now();
  const end = start + roundMs;
  const caller = async (): Promise<void> => {
    while (performance.now() < end) {
      await call();
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: 64 }, caller));
  return (count * 1000) / (performance.now() - start);
}

async function benchCasts(runtime: LocalRuntime): Promise<number> {
  const total = 300_000;
  const start = performance.now();
  for (let sent = 0; sent < total; sent++) {
    runtime.send(echo, sent);
    // A turn of the event loop now and then, so that bytes can leave.
    if (sent % 1000 === 999) await new Promise((resolve) => setImmediate(resolve));
  }
  await runtime.call(echo, 'casts', { timeoutMs: 60_000 });
  return (total * 1000) / (performance.now() - start);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const result = await benchRemoteCalls();
  for (const name of ['call_remote_1_vs_floor', 'call_remote_64_vs_floor'] as const) {
    const { value, baseline, ratio } = result[name];
    console.log(
      `${name} ${Math.round(value)}/s of ${Math.round(baseline)}/s = ${(ratio * 100).toFixed(1)} %`,
    );
  }
  console.log(`casts ${Math.round(result.castsPerSecond)}/s`);
}
