// What a node is put together from, and in which order: store, the number of its start, runtime, distribution, and last the
// announcement of its address. The world around it (clock and chance, machine, transport) is given: `Node.start` gives the
// real one.
import { createDistribution, type Distribution, type DistributionLimits } from '../distribution/index.ts';
import type { DistributionOptions } from '../distribution/options.ts';
import type { Transport } from '../distribution/transport.ts';
import type { Host } from '../host/index.ts';
import { createRuntime, type LocalRuntime } from '../process/index.ts';
import type { NodeAddress, ProbeAnswer } from '../registry/index.ts';
import type { Store, Tenant } from '../storage/index.ts';
import { atom } from '../term/index.ts';
import { type Beginning, Directory } from './directory.ts';
import { storeAt } from './open-store.ts';
import { checkNodeOptions, type NodeOptions } from './options.ts';

/** What a node finds where it starts. */
export interface World {
  readonly host: Host;
  /** Equal on nodes whose addresses lead to each other; see `RegistryNode`. */
  readonly machineId: string;
  /** Default: TCP. */
  readonly transport?: Transport;
  readonly limits?: Partial<DistributionLimits>;
}

/** How long the session of a node of some registry is, in milliseconds; `undefined` for one that the registry does not know. */
export type SessionOf = (node: string) => number | undefined;

export interface NodeParts {
  readonly name: string;
  readonly runtime: LocalRuntime;
  readonly tenant: Tenant;
  readonly machineId: string;
  readonly unprovenFormers: readonly number[];
  readonly distribution: Distribution;
  readonly directory: Directory;
  readonly guards: Set<() => void>;
  readonly sessions: Set<SessionOf>;
  /** To be closed with the node. */
  readonly ownStore: Store | undefined;
  readonly address: NodeAddress | null;
}

/** Rejects as `Node.start`. Nothing is left open then. */
export async function composeNode(options: NodeOptions, world: World): Promise<NodeParts> {
  checkNodeOptions(options);
  const name = options.name.includes('@') ? options.name : `${options.name}@127.0.0.1`;
  const ownStore = typeof options.store === 'string' ? await storeAt(options.store, world.host) : undefined;
  const opened: { close(): Promise<void> }[] = ownStore === undefined ? [] : [ownStore];
  try {
    const store = ownStore ?? (options.store as Store);
    const tenant = store.tenant(options.tenant ?? 'default');
    const assembly = await assemble({ options, name, world, tenant });
    opened.push(assembly.distribution);
    return { ...assembly, ownStore, address: await listen(assembly, options) };
  } catch (error) {
    for (const one of opened.reverse()) await one.close();
    throw error;
  }
}

type Assembly = Omit<NodeParts, 'ownStore' | 'address'>;

async function listen(parts: Assembly, options: NodeOptions): Promise<NodeAddress | null> {
  const wish = options.listen ?? {};
  let address: NodeAddress | null = null;
  if (wish !== false) {
    const { advertise, ...where } = wish;
    const bound = await parts.distribution.listen(where);
    address = { host: advertise ?? bound.host, port: bound.port };
  }
  await parts.directory.announce(parts.name, {
    creation: parts.runtime.creation,
    address,
    machineId: parts.machineId,
    unprovenFormers: parts.unprovenFormers,
  });
  return address;
}

interface Order {
  readonly options: NodeOptions;
  readonly name: string;
  readonly world: World;
  readonly tenant: Tenant;
}

async function assemble({ options, name, world, tenant }: Order): Promise<Assembly> {
  const { host, machineId } = world;
  const directory = new Directory(tenant);
  const cookie =
    options.cookie ??
    (listensBeyondLoopback(options) ? '' : await directory.cookie((bytes) => host.random.bytes(bytes)));
  const { creation, unprovenFormers } = await beginCreation({ name, world, directory, cookie });
  const runtime = createRuntime({ name: atom(name), creation, host });
  const guards = new Set<() => void>();
  const sessions = new Set<SessionOf>();
  const distribution = createDistribution({
    name: atom(name),
    creation,
    cookie,
    ...linksOf(world),
    inbound: runtime.inbound,
    beforeInput: () => {
      for (const guard of guards) guard();
    },
    silenceMs: (node) => longestSession(sessions, node.name),
    resolve: async (node) => {
      const address = await directory.find(node.name, host.clock.now());
      return address === undefined ? [] : [address];
    },
  });
  runtime.attach(distribution);
  return { name, runtime, tenant, machineId, unprovenFormers, distribution, guards, sessions, directory };
}

/** Who monitors a process of a node may count on that it hears of no loss before its session is over. */
function longestSession(sessions: Iterable<SessionOf>, node: string): number {
  let longest = 0;
  for (const sessionOf of sessions) longest = Math.max(longest, sessionOf(node) ?? 0);
  return longest > 0 ? longest : Number.POSITIVE_INFINITY;
}

function linksOf({
  host,
  transport,
  limits,
}: World): Pick<DistributionOptions, 'host' | 'transport' | 'limits'> {
  return {
    host,
    ...(transport === undefined ? {} : { transport }),
    ...(limits === undefined ? {} : { limits }),
  };
}

interface Naming {
  readonly name: string;
  readonly world: World;
  readonly directory: Directory;
  readonly cookie: string;
}

/** Asks the address of the start before, if there was one, whether it still answers. */
async function beginCreation({ name, world, directory, cookie }: Naming): Promise<Beginning> {
  return directory.begin(name, world.machineId, async (former) => {
    if (former.address === null) return 'unproven';
    const scout = createRuntime({ name: atom(`scout.${name}`), creation: 1, host: world.host });
    const distribution = createDistribution({
      name: scout.name,
      creation: 1,
      cookie,
      ...linksOf(world),
      inbound: scout.inbound,
      resolve: async () => [],
    });
    try {
      const answer = await probe(distribution, former.address, {
        node: name,
        creation: former.creation,
        signal: new AbortController().signal,
      });
      if (answer.verdict === 'alive') return 'alive';
      // Only on the machine where it listened does it prove anything that nobody, or somebody else, listens there now.
      return answer.verdict !== 'unknown' && former.machineId === world.machineId ? 'dead' : 'unproven';
    } finally {
      await distribution.close();
    }
  });
}

/** Asks who listens at exactly that address. */
export async function probe(
  distribution: Distribution,
  address: NodeAddress,
  expected: { node: string; creation: number; signal: AbortSignal },
): Promise<ProbeAnswer> {
  let identity: { name: string; creation: number } | undefined;
  const verdict = await distribution.probe(
    address,
    { node: atom(expected.node), creation: expected.creation },
    {
      signal: expected.signal,
      onIdentity: (name, creation) => {
        identity = { name, creation };
      },
    },
  );
  return { verdict, ...identity };
}

function listensBeyondLoopback(options: NodeOptions): boolean {
  const host = options.listen === false ? undefined : options.listen?.host;
  return host !== undefined && host !== 'localhost' && host !== '::1' && !host.startsWith('127.');
}
