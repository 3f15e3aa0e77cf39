// The end of a run, when nothing goes wrong any more: within a stated time all members serve; then every name can be called
// from every node; then, all servers stopped, nothing is left behind; then all nodes close, and time itself is empty.
import { DynamicSupervisor, within } from '../../otp/index.ts';
import { holdingsOf } from '../../process/runtime.ts';
import { createDraw } from '../draw.ts';
import { appProcesses, Counter, counterSpec, countersName, type Desk } from './app.ts';
import type { Cluster } from './cluster.ts';

/** Supervisor, elector and member. */
const registryProcesses = 3;
/** The last calls, with their deadlines, and who waits a while for a second notice. */
const quietWithinMs = 8_000;
/** Timers that nobody cancels, and connections that say goodbye. */
const silenceWithinMs = 20_000;

/** After failed attempts to connect. */
const pauseMsMax = 1_500;

/** From the end of the faults to service: as in the simulator of the protocol, and the time in which nodes boot. */
function serviceWithinMs({ options }: Cluster): number {
  const { storeOutageHoldMs, sessionMs, leaseMs } = options.registry;
  return storeOutageHoldMs + 2 * sessionMs + 8 * leaseMs + 3_000 + options.store.lateMaxMs;
}

/**
 * A link that says nothing is given up after its session and some looks. An attempt at a machine that was off may still go on, and
 * after it the pause of those that failed.
 */
function linksWithinMs({ options }: Cluster): number {
  return 1.25 * options.registry.sessionMs + options.connectMs + pauseMsMax;
}

/** Resolves with the milliseconds from the end of the faults to service. */
export async function comeToRest(cluster: Cluster): Promise<number> {
  const { time, faults, clients } = cluster;
  const healedAt = time.now;
  faults.heal();
  await until(cluster, 'at-rest', { withinMs: serviceWithinMs(cluster), unrest: () => unserved(cluster) });
  const restMs = time.now - healedAt;
  cluster.note(`all serve, ${restMs.toFixed(0)} ms after the end of the faults`);
  clients.end();
  await until(cluster, 'calls', { withinMs: quietWithinMs, unrest: () => cluster.ledger.callsOpen[0] });
  await time.runUntil(Math.max(time.now, healedAt + linksWithinMs(cluster)));
  await stopEverything(cluster);
  await callEverybody(cluster);
  await stopEverything(cluster);
  await closeAll(cluster);
  return restMs;
}

interface Wait {
  readonly withinMs: number;
  /** What is still missing. */
  readonly unrest: () => string | undefined;
}

async function until(
  { time, watch }: Cluster,
  invariant: 'at-rest' | 'calls' | 'leaks' | 'monitors',
  { withinMs, unrest }: Wait,
): Promise<void> {
  const end = time.now + withinMs;
  while (unrest() !== undefined) {
    if (time.now >= end) {
      watch.broken(invariant, `after ${withinMs} ms: ${unrest()}`);
    }
    await time.runUntil(time.now + 50);
  }
}

function unserved({ places }: Cluster): string | undefined {
  const missing = places.all.find(({ desk, closing }) => desk === undefined || closing !== undefined);
  if (missing !== undefined) return `${missing.name} is not there`;
  const statuses = places.desks.map(({ life, registry }) => ({ node: life.node, ...registry.status() }));
  const [first] = statuses;
  const bad = statuses.find(
    (one) => one.phase !== 'active' || !one.serving || one.epoch !== first?.epoch || !one.established,
  );
  return bad === undefined ? undefined : `${bad.node} has ${JSON.stringify(bad)}`;
}

/** A counter under every name, and a call to each from each node. */
async function callEverybody(cluster: Cluster): Promise<void> {
  const { places, names, clients, watch, time } = cluster;
  const draw = createDraw(cluster.options.seed, 24);
  for (const name of names) {
    const desk = draw.pick(places.desks);
    const supervisor = desk.node.addressOf(DynamicSupervisor, countersName);
    const spec = counterSpec(desk, name);
    await settled(cluster, desk.node.call(supervisor, 'startChild', spec, within(2_000)));
  }
  // Snapshots of the others show it.
  await time.runUntil(time.now + 500);
  const calls = places.desks.flatMap((desk) =>
    names.map(async (name) => {
      const limit = within(2_000);
      const works = await desk.node
        .call(desk.registry.address(Counter, name), 'value', limit)
        .catch((error: unknown) => watch.broken('at-rest', `${desk.life.node} calls ${name}: ${error}`));
      if (works !== undefined) await clients.add(desk, name);
    }),
  );
  await settled(cluster, Promise.all(calls));
}

async function stopEverything(cluster: Cluster): Promise<void> {
  const { places, names, notices, ledger } = cluster;
  for (const desk of places.desks) {
    const supervisor = desk.node.addressOf(DynamicSupervisor, countersName);
    const children = await settled(cluster, desk.node.call(supervisor, 'whichChildren', within(2_000)));
    for (const { pid } of children ?? [])
      if (typeof pid === 'object') await settled(cluster, desk.node.call(supervisor, 'terminateChild', pid));
  }
  const shown = (): string | undefined => {
    for (const { registry, life } of places.desks)
      for (const name of names)
        if (registry.whereis(name) !== undefined) return `${life.node} still shows ${name}`;
    return undefined;
  };
  const left = (): string | undefined => shown() ?? ledger.callsOpen[0] ?? held(places.desks);
  await until(cluster, 'monitors', { withinMs: quietWithinMs, unrest: () => notices.still[0] });
  await until(cluster, 'leaks', { withinMs: quietWithinMs, unrest: left });
}

/** What a node at rest does not hold. */
function held(desks: readonly Desk[]): string | undefined {
  for (const { life, runtime } of desks) {
    const holdings = holdingsOf(runtime);
    const { processes, ...rest } = holdings;
    const busy = Object.values(rest).some((count) => count !== 0);
    if (busy || processes !== registryProcesses + appProcesses)
      return `${life.node} holds ${JSON.stringify(holdings)}`;
  }
  return undefined;
}

async function closeAll(cluster: Cluster): Promise<void> {
  const { places, time, watch, options } = cluster;
  const lives = places.all.map(({ life }) => life);
  cluster.stopSampling();
  if (options.closeAtOnce)
    await settled(cluster, Promise.all(places.all.map((place) => places.close(place))));
  else for (const place of places.all) await settled(cluster, places.close(place));
  await time.runUntil(time.now + silenceWithinMs, () => time.pending === 0);
  for (const life of lives) {
    const [timer] = life?.timersPending ?? [];
    if (timer !== undefined) watch.broken('leaks', `${life?.node} is closed and has a timer: ${timer}`);
  }
  if (time.pending > 0) watch.broken('leaks', `${time.pending} events are planned, and all nodes are closed`);
  const [stream] = cluster.net.open;
  if (stream !== undefined)
    watch.broken('leaks', `all nodes are closed, and a connection is open: ${stream.describe()}`);
  for (const { desk } of places.all)
    if (desk !== undefined && desk.runtime.processCount() > 0)
      watch.broken('leaks', `${desk.life.node} is closed and has processes`);
}

/** Lets time pass until something is done. */
async function settled<T>({ time, watch }: Cluster, work: Promise<T>): Promise<T | undefined> {
  let outcome: { value: T } | undefined;
  work.then(
    (value) => {
      outcome = { value };
    },
    (error: unknown) => watch.broken('at-rest', String((error as Error).stack)),
  );
  const end = time.now + 30_000;
  await time.runUntil(end, () => outcome !== undefined);
  if (outcome === undefined) watch.broken('at-rest', 'something does not come to its end');
  await time.runUntil(time.now);
  return (outcome as { value: T } | undefined)?.value;
}
