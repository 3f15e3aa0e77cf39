// One node with one registry on one of the machines, and its clients.
import { Witness } from '../../demo/witness.ts';
import { type Behaviour, isCallMessage, type Log, Node, type Pid, type Registry } from '../../src/index.ts';
import { JournalWriter, nowMs } from './journal.ts';
import type { MemberPlan, Order, Reply, Status } from './messages.ts';
import { Workload } from './workload.ts';

const heartbeatMs = 20;
const stallMs = 100;

const ignore = (): void => undefined;
const log: Log = {
  debug: ignore,
  info: (fields, message) => tell(fields, message),
  warn: (fields, message) => {
    tell(fields, message);
    if (message.includes('fenced')) reply({ type: 'fenced' });
  },
  error: (fields, message) => {
    tell(fields, message);
    reply({ type: 'alarm', what: `${message} ${JSON.stringify(fields)}` });
  },
};

class Kept implements Behaviour {
  handle(message: unknown): void {
    if (isCallMessage(message)) node.runtime.reply(message.from, 'kept');
  }
}

const plan = JSON.parse(process.argv[2] ?? '{}') as MemberPlan;
const journal = new JournalWriter(plan.folder, plan.node);
const witness = new Witness(plan.witness, plan.node);
const kept: Map<string, Pid> = new Map();
let node: Node;
let registry: Registry;
let workload: Workload | undefined;

/** `FAULTS_LOG=1` shows what the nodes say. */
function tell(fields: object, message: string): void {
  if (process.env.FAULTS_LOG === undefined) return;
  process.stderr.write(`${nowMs().toFixed(0)} ${plan.node} ${message} ${JSON.stringify(fields)}\n`);
}

function reply(message: Reply): void {
  if (process.connected) process.send?.(message);
}

/** Notes when nothing ran here, because of a signal or because others had the cores; and how long the session lasts. */
function watch(): void {
  let last = nowMs();
  setInterval(() => {
    const now = nowMs();
    if (now - last > stallMs) journal.write({ fact: 'stall', at: last, to: now });
    last = now;
    const left = registry.status().sessionMsLeft;
    if (left !== undefined && left > 0) journal.write({ fact: 'session', at: now, to: now + left });
  }, heartbeatMs).unref();
}

async function keep(name: string, timeoutMs: number): Promise<null> {
  const pid = node.runtime.spawnBehaviour(new Kept());
  try {
    const outcome = await registry.register(name, pid, { timeoutMs });
    if (outcome.status !== 'registered') throw new Error(`${name} is taken by ${outcome.holder.key}`);
    kept.set(name, pid);
    return null;
  } catch (error) {
    node.runtime.terminate(pid, 'unused');
    throw error;
  }
}

async function callAll(names: readonly string[]): Promise<string[]> {
  const results = await Promise.allSettled(names.map((name) => node.runtime.call(registry.via(name), 'who')));
  return results.flatMap((one, index) =>
    one.status === 'rejected' ? [`${names[index]}: ${one.reason}`] : [],
  );
}

function status(): Status {
  const { phase, member, epoch, leader, serving, established, storeOutageMsLeft } = registry.status();
  return { phase, member, epoch, leader: leader?.[0], serving, established, storeOutageMsLeft };
}

async function carryOut(order: Order): Promise<unknown> {
  switch (order.do) {
    case 'status':
      return status();
    case 'keep':
      return keep(order.name, order.timeoutMs);
    case 'call':
      return callAll(order.names);
    case 'release': {
      const pid = kept.get(order.name);
      if (pid !== undefined) node.runtime.terminate(pid, 'released');
      return null;
    }
    case 'work':
      workload = new Workload({ node, registry, journal, witness });
      return null;
    case 'rest':
      return workload?.stop();
    case 'close':
      await workload?.stop();
      return node.close();
    default:
      return order satisfies never;
  }
}

process.on('message', ({ id, order }: { id: number; order: Order }) => {
  carryOut(order).then(
    (result) => {
      reply({ type: 'done', id, result });
      if (order.do === 'close') process.disconnect();
    },
    (error: Error) => reply({ type: 'failed', id, why: error.stack ?? error.message }),
  );
});
process.on('disconnect', () => {
  // Once closed it ends by itself; else the test has gone.
  setTimeout(() => process.exit(1), 2_000).unref();
});

const { store, cookie, address } = plan;
node = await Node.start({ name: `${plan.node}@${address}`, store, cookie, listen: { host: address }, log });
node.onLink((peer, up) => tell({ peer, up }, 'link'));
registry = await node.registry('rooms', plan.options);
watch();
reply({ type: 'ready' });
