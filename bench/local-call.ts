// Calls within one node, one caller that awaits each: the runtime against the least that could do it, a map of mailboxes
// drained in a microtask. Both in one run, rounds taking turns, medians.

import { nodeHost } from '../src/host/index.ts';
import { createRuntime, isCallMessage } from '../src/process/index.ts';
import { atom } from '../src/term/atom.ts';
import type { Pid } from '../src/term/pid.ts';
import { sideBySide } from './statistics.ts';

const ROUNDS = 9;
const CALLS = 200_000;

/** Calls per second: `value` by the runtime, `baseline` by the bare map. */
export async function callLocal(): Promise<{ value: number; baseline: number }> {
  const runtime = createRuntime({ name: atom('bench@localhost'), creation: 1, host: nodeHost() });
  const server = startCounter(runtime);
  const bare = new BareNode();
  bare.start('counter', counter());
  const result = await sideBySide(
    ROUNDS,
    (round) => perSecond(() => runtime.call(server, round)),
    (round) => perSecond(() => bare.call('counter', round)),
  );
  await runtime.close();
  return result;
}

function startCounter(runtime: ReturnType<typeof createRuntime>): Pid {
  const handle = counter();
  return runtime.spawnBehaviour({
    handle(message) {
      if (isCallMessage(message)) runtime.reply(message.from, handle(message.request));
    },
  });
}

export function counter(): (request: unknown) => unknown {
  let sum = 0;
  return (request) => {
    sum += request as number;
    return sum;
  };
}

export async function perSecond(call: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  for (let count = 0; count < CALLS; count++) await call();
  return Math.round((CALLS * 1000) / (performance.now() - start));
}

interface BareMailbox {
  readonly handle: (request: unknown) => unknown;
  readonly waiting: { request: unknown; resolve: (value: unknown) => void }[];
  scheduled: boolean;
}

/** No deadlines, no limits, no deaths, no fairness. */
export class BareNode {
  readonly #mailboxes = new Map<string, BareMailbox>();

  start(name: string, handle: (request: unknown) => unknown): void {
    this.#mailboxes.set(name, { handle, waiting: [], scheduled: false });
  }

  call(name: string, request: unknown): Promise<unknown> {
    const mailbox = this.#mailboxes.get(name) as BareMailbox;
    return new Promise((resolve) => {
      mailbox.waiting.push({ request, resolve });
      if (mailbox.scheduled) return;
      mailbox.scheduled = true;
      void Promise.resolve().then(() => drain(mailbox));
    });
  }
}

function drain(mailbox: BareMailbox): void {
  mailbox.scheduled = false;
  for (const { request, resolve } of mailbox.waiting.splice(0)) resolve(mailbox.handle(request));
}

if (import.meta.main) {
  const { value, baseline } = await callLocal();
  console.log(
    `runtime ${value} calls/s, bare map ${baseline} calls/s, ratio ${(value / baseline).toFixed(2)}`,
  );
}
