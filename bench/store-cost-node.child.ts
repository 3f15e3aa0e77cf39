// One real node on a store, in an operating-system process of its own: sockets, clock and disk are real. It tells when it is
// at rest, counts for a while when it is asked to, and tells the counts.

import { type Behaviour, Node, nodeHost, openStore, type Registry } from '../src/index.ts';
import { backendAt } from '../src/node/open-store.ts';
import { connectionsTo } from './store-cost/connections.ts';
import { countingBackend, countsBetween, noCounts } from './store-cost/counting-backend.ts';

export interface NodeOrder {
  readonly name: string;
  /** As `storeAt` takes it. */
  readonly store: string;
  readonly members: number;
  /** Of this node. */
  readonly names: number;
}

const idle: Behaviour = { handle() {} };
const counts = noCounts();
let address = '';

async function start({ name, store: at, members, names }: NodeOrder): Promise<object> {
  address = at;
  const host = nodeHost();
  const store = await openStore(countingBackend(await backendAt(at, host), counts), { host });
  const node = await Node.start({ name, store });
  const registry = await node.registry('names');
  const holder = node.runtime.spawnBehaviour(idle);
  for (let index = 0; index < names; index++) await registry.register(`${name}-${index}`, holder);
  while (!isAtRest(registry, members, names)) await pause(100);
  return {};
}

function isAtRest(registry: Registry, members: number, names: number): boolean {
  const status = registry.status();
  const complete = registry.getMembers().length === members && status.names === members * names;
  return complete && status.phase === 'active' && status.established;
}

async function measure(seconds: number): Promise<object> {
  const before = { ...counts };
  await pause(seconds * 1_000);
  return { counts: countsBetween(before, counts), connections: connectionsTo(address) };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

process.on('message', (order: NodeOrder | { readonly seconds: number }) => {
  const job = 'seconds' in order ? measure(order.seconds) : start(order);
  job.then(
    (result) => process.send?.(result),
    (error: Error) => process.send?.({ error: error.stack }),
  );
});
process.on('disconnect', () => process.exit());
