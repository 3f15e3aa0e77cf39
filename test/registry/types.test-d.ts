// Checked by the compiler, never run: a name that belongs to a server knows what that server can be asked.
import { GenServer, type Node, type Pid, Registry } from '../../src/index.ts';

class Counter extends GenServer {
  #count = 0;
  init(from: number): void {
    this.#count = from;
  }
  handleCall = {
    increment: (by: number): number => {
      this.#count += by;
      return this.#count;
    },
    name: async (): Promise<string> => `counter ${this.#count}`,
  };
  handleCast = {
    reset: (): void => {
      this.#count = 0;
    },
  };
}

class Door extends GenServer {
  handleCall = { open: (): boolean => true };
}

export async function byName(node: Node, registry: Registry, pid: Pid): Promise<void> {
  const counter = registry.address(Counter, 'room-1');
  const count: number = await node.call(counter, 'increment', 2);
  const name: string = await node.call(counter, 'name');
  node.cast(counter, 'reset');
  // @ts-expect-error a request that Counter does not know
  await node.call(counter, 'decrement', 2);
  // @ts-expect-error an argument of the wrong type
  await node.call(counter, 'increment', '2');
  // @ts-expect-error an argument too few
  await node.call(counter, 'increment');
  // @ts-expect-error the reply is a number
  const text: string = await node.call(counter, 'increment', 2);
  // @ts-expect-error a cast is no call
  await node.call(counter, 'reset');
  // @ts-expect-error a request of another server
  await node.call(registry.address(Door, 'room-1'), 'increment', 2);
  // @ts-expect-error a bare pid does not say whose it is
  await node.call(pid, 'increment', 2);
  // @ts-expect-error init takes a number
  await node.start(Counter, 'five', { name: registry.via('room-1') });
  // @ts-expect-error init needs its argument
  await node.start(Counter);
  const started = await node.start(Counter, 5, { name: registry.via('room-1') });
  const again: number = await node.call(started, 'increment', 1);

  const done = await registry.register('room-1', pid);
  // @ts-expect-error only a refusal has a holder
  done.holder;
  if (done.status === 'taken') done.holder satisfies Pid;
  else done.token.value satisfies bigint;
  const via = { via: Registry, name: ['games', 'room-1'] } as const;
  node.send(via, { count, name, text, again });
}
