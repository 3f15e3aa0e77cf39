// Calls by name to a server of the same node, one caller that awaits each: name looked up in the registry, request typed,
// deadline kept. Against the least that could do it, a map of mailboxes drained in a microtask.
import { GenServer, MemoryDatabase, Node, nodeHost, openStore } from '../src/index.ts';
import { BareNode, counter, perSecond } from './local-call.ts';
import { sideBySide } from './statistics.ts';

const rounds = 9;

class Counter extends GenServer {
  #count = 0;
  handleCall = {
    increment: (by: number): number => {
      this.#count += by;
      return this.#count;
    },
  };
}

/** Calls per second. */
export async function callLocalByName(): Promise<{ value: number; baseline: number }> {
  const host = nodeHost();
  const store = await openStore(new MemoryDatabase(host).connect(), { host });
  const node = await Node.start({ name: 'local', store });
  try {
    const registry = await node.registry('bench');
    await node.start(Counter, undefined, { name: registry.via('counter') });
    const address = registry.address(Counter, 'counter');
    const bare = new BareNode();
    bare.start('counter', counter());
    return await sideBySide(
      rounds,
      (round) => perSecond(() => node.call(address, 'increment', round)),
      (round) => perSecond(() => bare.call('counter', round)),
    );
  } finally {
    await node.close();
    await store.close();
  }
}

if (import.meta.main) {
  const { value, baseline } = await callLocalByName();
  console.log(
    `by name ${Math.round(value)} calls/s, bare map ${Math.round(baseline)}, ratio ${(value / baseline).toFixed(2)}`,
  );
}
