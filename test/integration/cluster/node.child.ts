// One node with one registry in an operating-system process of its own, driven over the channel of `fork`. Every process
// that is granted a name acts until it ends: it notes name, token and time, as it would write to a system outside.
import {
  type Behaviour,
  DGenError,
  isCallMessage,
  Node,
  type Pid,
  type Registration,
  type Registry,
} from '../../../src/index.ts';
import { Churn } from './churn.ts';
import { type Act, nowMs, type Order, type Outcome, type Owner, type Status } from './orders.ts';

const actEveryMs = 10;

class Room implements Behaviour {
  handle(message: unknown): void {
    if (isCallMessage(message)) node.runtime.reply(message.from, node.name);
  }
}

type Living = { -readonly [K in keyof Owner]: Owner[K] };

let node: Node;
let registry: Registry;
let owners: Living[] = [];
let acts: Act[] = [];
const living: Map<string, Set<Living>> = new Map();
let acting: NodeJS.Timeout | undefined;
let churn: Churn | undefined;
let left = false;

function act(): void {
  const at = nowMs();
  for (const held of living.values()) for (const { name, token } of held) acts.push({ name, token, at });
}

function spawnRoom(): Pid {
  const pid = node.runtime.spawnBehaviour(new Room());
  const { key } = pid;
  living.set(key, new Set());
  node.runtime.watchDown(pid, (reason) => {
    const endedAt = nowMs();
    for (const owner of living.get(key) ?? []) Object.assign(owner, { endedAt, reason: String(reason) });
    living.delete(key);
  });
  return pid;
}

function granted(name: string, pid: Pid, done: Registration): Outcome {
  if (done.status === 'taken') return { status: 'taken', pid: done.holder.key };
  const token = `${done.token.epoch}.${done.token.n}`;
  const owner = { name, pid: pid.key, token, grantedAt: nowMs(), endedAt: null, reason: null };
  // The process may have ended while the answer was on its way: then it owns nothing.
  if (living.has(pid.key)) {
    owners.push(owner);
    living.get(pid.key)?.add(owner);
  }
  return { status: 'registered', pid: pid.key, token };
}

function failed(error: unknown): Outcome {
  const code = error instanceof DGenError ? error.code : 'none';
  return { status: 'failed', code, message: String(error) };
}

async function registerOne(name: string, timeoutMs: number): Promise<Outcome> {
  const pid = spawnRoom();
  try {
    const outcome = granted(name, pid, await registry.register(name, pid, { timeoutMs }));
    if (outcome.status !== 'registered') node.runtime.terminate(pid, 'unused');
    return outcome;
  } catch (error) {
    node.runtime.terminate(pid, 'unused');
    return failed(error);
  }
}

async function register({
  names,
  inFlight = names.length,
  timeoutMs = 10_000,
}: Extract<Order, { do: 'register' }>): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < names.length) {
      const index = next++;
      outcomes[index] = await registerOne(names[index] as string, timeoutMs);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return outcomes;
}

async function awaitGrant(prefix: string, afterEpoch: number): Promise<object> {
  for (let index = 0; ; index++) {
    const outcome = await registerOne(`${prefix}${index}`, 20_000);
    if (outcome.status === 'registered' && Number(outcome.token.split('.')[0]) > afterEpoch)
      return { at: nowMs(), token: outcome.token };
  }
}

async function seize(name: string, timeoutMs: number): Promise<object> {
  const deadline = nowMs() + timeoutMs;
  for (;;) {
    const outcome = await registerOne(name, timeoutMs);
    if (outcome.status === 'registered' || nowMs() > deadline) return { ...outcome, at: nowMs() };
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function read(names: readonly string[], ask: (name: string) => Promise<string | null>): Promise<Outcome[]> {
  return Promise.all(
    names.map((name) => ask(name).then((value): Outcome => ({ status: 'answer', value }), failed)),
  );
}

function status(): Status {
  const { leader: _, sessionMsLeft: __, ...known } = registry.status();
  const leader = registry.getLeader()?.[0] ?? null;
  const members = registry.getMembers().map(([of]) => of);
  return { ...known, leader, members };
}

async function close(): Promise<object> {
  const from = nowMs();
  clearInterval(acting);
  await node.close();
  return { ms: nowMs() - from, at: nowMs() };
}

async function start(order: Extract<Order, { do: 'start' }>): Promise<object> {
  const listen = order.port === undefined ? {} : { listen: { port: order.port } };
  node = await Node.start({ name: order.name, store: order.store, ...listen, ...logging() });
  registry = await node.registry('games', order.options);
  acting = setInterval(act, actEveryMs);
  return { name: node.name, port: node.address?.port };
}

/** `DGEN_TEST_LOG=1` shows what the nodes say. */
function logging(): object {
  if (process.env.DGEN_TEST_LOG === undefined) return {};
  const print =
    (level: string) =>
    (fields: object, message: string): void =>
      console.error(nowMs().toFixed(0), process.pid, level, message, fields);
  return { log: { debug() {}, info: print('info'), warn: print('warn'), error: print('error') } };
}

function crash(name: string): object {
  const pid = node.runtime.whereis(name);
  if (pid === undefined) throw new Error(`nothing is registered as ${name}`);
  node.runtime.terminate(pid, 'crashed');
  return { at: nowMs() };
}

async function carryOut(order: Order): Promise<unknown> {
  switch (order.do) {
    case 'start':
      return start(order);
    case 'register':
      return register(order);
    case 'awaitGrant':
      return awaitGrant(order.prefix, order.afterEpoch);
    case 'seize':
      return seize(order.name, order.timeoutMs);
    case 'lookup':
      return order.names.map((name) => registry.whereis(name)?.key ?? null);
    case 'consistent':
      return read(order.names, async (name) => {
        const wait = { timeoutMs: order.timeoutMs ?? 10_000 };
        return (await registry.whereisConsistent(name, wait))?.key ?? null;
      });
    case 'names':
      return [...registry.names()].map(String).sort();
    case 'unregister':
      return Promise.all(order.names.map((name) => registry.unregister(name).then(() => null, failed)));
    case 'call':
      return read(order.names, async (name) => String(await node.runtime.call(registry.via(name), 'who')));
    case 'status':
      return status();
    case 'owners':
      return owners;
    case 'acts':
      return acts;
    case 'churn':
      churn = new Churn(node, registry, order.order);
      return null;
    case 'endChurn':
      return churn?.stop();
    case 'killMember':
      return crash(registry.memberName);
    case 'killElector':
      return crash(registry.electorName);
    case 'forgetHistory':
      owners = owners.filter(({ endedAt }) => endedAt === null);
      acts = [];
      return null;
    case 'close':
      return close();
    case 'leave':
      return close();
    default:
      return order satisfies never;
  }
}

process.on('message', ({ id, order }: { id: number; order: Order }) => {
  carryOut(order).then(
    (result) => {
      process.send?.({ id, result }, () => {
        if (order.do !== 'leave') return;
        left = true;
        process.disconnect();
      });
    },
    (error: Error) => process.send?.({ id, error: error.stack ?? error.message }),
  );
});
// Without the test nobody would end it.
process.once('disconnect', () => {
  if (!left) process.exit(1);
});
