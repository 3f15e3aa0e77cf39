// What is done to a cluster: each fault by name, how it begins, how long it lasts, and how it ends. A fault takes back all that it did, so
// that two of them can run at once; what it hurts it chooses by the roles at that moment.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../src/host/ports.ts';
import type { Fleet, Member } from './fleet.ts';
import type { Status } from './messages.ts';
import type { Network, Undo } from './network.ts';
import { type FaultyStore, storeMachine } from './stores.ts';

/** L, S, T, H: short, so that many leases end within a run. */
export const durations = {
  leaseMs: 700,
  sessionMs: 2_100,
  storeOutageToleranceMs: 3_500,
  storeOutageHoldMs: 10_500,
} as const;
const { leaseMs, sessionMs, storeOutageToleranceMs } = durations;

export interface Stage {
  readonly fleet: Fleet;
  readonly network: Network;
  readonly store: FaultyStore;
  readonly random: Random;
  readonly seats: readonly { readonly node: string; readonly machine: string }[];
}

export interface Fault {
  readonly name: string;
  /** It cuts the network of the store, or kills its server. */
  readonly needsServer?: true;
  /** Instead of the time that all serve again after others. */
  readonly recoversWithinMs?: number;
  run(stage: Stage): Promise<void>;
}

type Role = 'leader' | 'follower';

/** Long enough for the names of a silent node to go to others, while it is still cut off: S (1 + ρ), after a claim where it led. */
const untilGivenAway: Readonly<Record<Role, number>> = {
  leader: 1.1 * (leaseMs + sessionMs) + 300,
  follower: 1.1 * sessionMs + 600,
};

/** So long that TCP by itself would need many seconds more, and that no session is left on either side. */
const longMs = 15_000;

export const faults: readonly Fault[] = [
  { name: 'leader killed and started again', run: (stage) => killAndStart(stage, 'leader') },
  { name: 'follower killed and started again', run: (stage) => killAndStart(stage, 'follower') },
  { name: 'leader frozen, longer than a lease', run: (stage) => freeze(stage, 'leader', 1.5 * leaseMs) },
  { name: 'leader frozen, longer than a session', run: (stage) => freeze(stage, 'leader', 1.4 * sessionMs) },
  {
    name: 'follower frozen, longer than a session',
    run: (stage) => freeze(stage, 'follower', 1.4 * sessionMs),
  },
  { name: 'follower frozen, and cut off when it thaws', run: thawAlone },
  { name: 'leader cut off from everybody', run: (stage) => isolate(stage, 'leader') },
  { name: 'follower cut off from everybody', run: (stage) => isolate(stage, 'follower') },
  {
    name: 'follower cut off from everybody, for long',
    needsServer: true,
    recoversWithinMs: 7_000,
    run: (stage) => isolate(stage, 'follower', longMs),
  },
  { name: 'leader cut off from the other nodes only', run: fromNodes },
  { name: 'leader is not heard', run: (stage) => oneWay(stage, 'from') },
  { name: 'leader does not hear', run: (stage) => oneWay(stage, 'to') },
  { name: 'one direction between two followers', run: betweenFollowers },
  { name: '20 % loss', run: ({ network }) => lasting(4_000, () => network.lose(20)) },
  { name: '200 ms delay', run: ({ network }) => lasting(4_000, () => network.delay()) },
  { name: 'leader cut off from the store', needsServer: true, run: (stage) => fromStore(stage, 'leader') },
  {
    name: 'follower cut off from the store',
    needsServer: true,
    run: (stage) => fromStore(stage, 'follower'),
  },
  { name: 'everybody cut off from the store', needsServer: true, run: everybodyFromStore },
  { name: 'store restarted', run: (stage) => storeAway(stage, leaseMs * (0.2 + 2 * share(stage))) },
  {
    name: 'store away beyond the tolerance',
    run: (stage) => storeAway(stage, storeOutageToleranceMs + 1_500),
  },
  { name: 'everybody killed and started again', run: everybodyKilled },
];

/** Two faults at once, the second a while after the first. */
export function together(first: Fault, second: Fault): Fault {
  return {
    name: `${first.name}; and ${second.name}`,
    run: async (stage) => {
      const later = async (): Promise<void> => {
        await sleep(sessionMs * share(stage));
        await second.run(stage);
      };
      // What one has begun it has to end, also when the other fails.
      const ends = await Promise.allSettled([first.run(stage), later()]);
      for (const end of ends) if (end.status === 'rejected') throw end.reason;
    },
  };
}

async function killAndStart(stage: Stage, role: Role): Promise<void> {
  const member = await inRole(stage, role);
  await stage.fleet.kill(member);
  await sleep(sessionMs * 0.6 * share(stage));
  await stage.fleet.start(member.node);
}

async function everybodyKilled({ fleet }: Stage): Promise<void> {
  const { members } = fleet;
  await Promise.all(members.map((member) => fleet.kill(member)));
  await Promise.all(members.map(({ node }) => fleet.start(node)));
}

async function freeze(stage: Stage, role: Role, ms: number): Promise<void> {
  const member = await inRole(stage, role);
  await stage.fleet.freeze(member);
  await sleep(ms * (1 + 0.3 * share(stage)));
  stage.fleet.thaw(member);
}

/** Nobody tells it that its session is over: it has to see that by itself. */
async function thawAlone(stage: Stage): Promise<void> {
  const { fleet, network } = stage;
  const member = await inRole(stage, 'follower');
  await fleet.freeze(member);
  await lasting(untilGivenAway.follower + 1_500, async () => {
    const undo = await network.separate([member.machine], othersThan(stage, member.machine));
    setTimeout(() => fleet.thaw(member), untilGivenAway.follower);
    return undo;
  });
}

async function isolate(stage: Stage, role: Role, ms: number = untilGivenAway[role]): Promise<void> {
  const { machine } = await inRole(stage, role);
  await lasting(ms, () => stage.network.separate([machine], othersThan(stage, machine)));
}

async function fromNodes(stage: Stage): Promise<void> {
  const { machine } = await inRole(stage, 'leader');
  const others = othersThan(stage, machine).filter((other) => other !== storeMachine);
  await lasting(untilGivenAway.leader, () => stage.network.separate([machine], others));
}

async function oneWay(stage: Stage, side: 'from' | 'to'): Promise<void> {
  const { machine } = await inRole(stage, 'leader');
  const others = othersThan(stage, machine).filter((other) => other !== storeMachine);
  const directions = others.map((other) =>
    side === 'from' ? { from: machine, to: other } : { from: other, to: machine },
  );
  await lasting(untilGivenAway.leader, () => stage.network.cut(directions));
}

async function betweenFollowers(stage: Stage): Promise<void> {
  const { machine: leads } = await inRole(stage, 'leader');
  const [from = '', to = ''] = othersThan(stage, leads).filter((other) => other !== storeMachine);
  await lasting(sessionMs * 1.3, () => stage.network.cut([{ from, to }]));
}

async function fromStore(stage: Stage, role: Role): Promise<void> {
  const { machine } = await inRole(stage, role);
  await lasting(leaseMs * 4, () => stage.network.separate([machine], [storeMachine]));
}

async function everybodyFromStore({ network }: Stage): Promise<void> {
  const nodes = network.machines.filter((machine) => machine !== storeMachine);
  await lasting(leaseMs * 3, () => network.separate(nodes, [storeMachine]));
}

async function storeAway({ store }: Stage, ms: number): Promise<void> {
  await store.takeAway();
  await sleep(ms);
  await store.bringBack();
}

async function lasting(ms: number, begin: () => Promise<Undo>): Promise<void> {
  const undo = await begin();
  await sleep(ms);
  await undo();
}

/** Somebody who runs and has that role as most see it; where that is nobody, anybody who runs. Waits while all are dead. */
async function inRole({ fleet, random }: Stage, role: Role): Promise<Member> {
  let running: Member[] = [];
  while (running.length === 0) {
    await sleep(20);
    running = fleet.members.filter(({ frozen }) => !frozen);
  }
  const leader = await leaderOf(running);
  const fitting = running.filter((member) => (member === leader) === (role === 'leader'));
  const choice = fitting.length > 0 ? fitting : running;
  return choice[random.uint32() % choice.length] as Member;
}

async function leaderOf(members: readonly Member[]): Promise<Member | undefined> {
  // Another fault may kill one of them meanwhile.
  const asked = await Promise.allSettled(members.map((member) => member.order<Status>({ do: 'status' })));
  const leaders = asked.map((one) => (one.status === 'fulfilled' ? one.value.leader : undefined));
  const votes = ({ node }: Member): number =>
    leaders.filter((leader) => leader?.startsWith(`${node}@`)).length;
  return members.find((member) => 2 * votes(member) > members.length);
}

function othersThan({ network }: Stage, machine: string): string[] {
  return network.machines.filter((other) => other !== machine);
}

/** From 0 to 1. */
function share({ random }: Stage): number {
  return (random.uint32() % 1_001) / 1_000;
}
