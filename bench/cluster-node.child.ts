// One node of the cluster benchmarks, in an operating-system process of its own, driven over the channel of `fork`.
import { type Behaviour, Node, type Pid, type Registry } from '../src/index.ts';

type Order =
  | { readonly do: 'start'; readonly name: string; readonly store: string; readonly leaseMs: number }
  | { readonly do: 'register'; readonly prefix: string; readonly count: number; readonly inFlight: number }
  | { readonly do: 'await'; readonly names: number }
  | { readonly do: 'watch'; readonly prefix: string }
  | { readonly do: 'status' };

const idle: Behaviour = { handle() {} };
let node: Node;
let registry: Registry;

const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/** Registers `count` fresh processes, so many at a time; resolves with the moments of the first start and the last answer. */
async function register(order: Extract<Order, { do: 'register' }>): Promise<object> {
  const pids: Pid[] = [];
  for (let index = 0; index < order.count; index++) pids.push(node.runtime.spawnBehaviour(idle));
  const startedAt = nowMs();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < order.count) {
      const index = next++;
      const done = await registry.register(`${order.prefix}${index}`, pids[index] as Pid, {
        timeoutMs: 60_000,
      });
      if (done.status !== 'registered') throw new Error(`${order.prefix}${index} is ${done.status}`);
    }
  };
  await Promise.all(Array.from({ length: order.inFlight }, worker));
  return { startedAt, endedAt: nowMs() };
}

async function awaitNames(names: number): Promise<object> {
  const deadline = nowMs() + 120_000;
  while (registry.status().names < names) {
    if (nowMs() > deadline) throw new Error(`${registry.status().names} of ${names} names`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return { at: nowMs() };
}

/** Registers one name after the other until one is granted in a later epoch than now. */
async function watch(prefix: string): Promise<object> {
  const { epoch } = registry.status();
  for (let index = 0; ; index++) {
    const pid = node.runtime.spawnBehaviour(idle);
    const done = await registry.register(`${prefix}${index}`, pid, { timeoutMs: 30_000 });
    if (done.status === 'registered' && done.token.epoch > epoch) return { at: nowMs() };
  }
}

async function carryOut(order: Order): Promise<object> {
  switch (order.do) {
    case 'start':
      node = await Node.start({ name: order.name, store: order.store });
      registry = await node.registry('bench', { leaseMs: order.leaseMs });
      return { name: node.name };
    case 'register':
      return register(order);
    case 'await':
      return awaitNames(order.names);
    case 'watch':
      return watch(order.prefix);
    case 'status':
      return { leader: registry.getLeader()?.[0], memoryBytes: process.memoryUsage().heapUsed };
    default:
      return order satisfies never;
  }
}

process.on('message', ({ id, order }: { id: number; order: Order }) => {
  carryOut(order).then(
    (result) => process.send?.({ id, result }),
    (error: Error) => process.send?.({ id, error: error.message }),
  );
});
process.on('disconnect', () => process.exit());
