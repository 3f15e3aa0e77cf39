// What the clients do: register fresh and known processes under few names, unregister their own and others' names, read
// consistently and from snapshots, give up after a deadline. Processes exit now and then.
import type { NameKey } from '../registry/protocol/types.ts';
import type { Call, Cluster, SimNode, SimProcess } from './cluster.ts';
import { createDraw, type Draw } from './draw.ts';
import type { Options } from './options.ts';

const processesPerNodeMax = 12;

export class Workload {
  readonly #cluster: Cluster;
  readonly #options: Options;
  readonly #draw: Draw;
  readonly #names: readonly NameKey[];
  #over = false;
  snapshotReads = 0;

  constructor(cluster: Cluster, options: Options) {
    this.#cluster = cluster;
    this.#options = options;
    this.#draw = createDraw(options.seed, 5);
    this.#names = Array.from({ length: options.names }, (_, index) => `x${index}`);
  }

  begin(): void {
    this.#plan(this.#options.callEveryMs, () => this.#callSomething());
    this.#plan(this.#options.exitEveryMs, () => this.#exitSomething());
  }

  /** No new calls; those that wait are not given up any more. */
  end(): void {
    this.#over = true;
  }

  #plan(everyMs: number, what: () => void): void {
    this.#cluster.timeline.after(this.#draw.between(1, 2 * everyMs), () => {
      if (this.#over) return;
      what();
      this.#plan(everyMs, what);
    });
  }

  #callSomething(): void {
    const running = [...this.#cluster.nodes.values()].filter((node) => node.state !== null);
    if (running.length === 0) return;
    const node = this.#draw.pick(running);
    const key = this.#draw.pick(this.#names);
    const kind = this.#draw.below(100);
    if (kind < 45) this.#register(node, key);
    else if (kind < 65) this.#giveUpLater(this.#cluster.call(node.name, { type: 'unregister', key }));
    else if (kind < 90) this.#giveUpLater(this.#cluster.call(node.name, { type: 'read', key }));
    else this.#lookUp(node, key);
  }

  #register(node: SimNode, key: NameKey): void {
    const known = [...node.processes];
    const again = known.length >= processesPerNodeMax || (known.length > 0 && this.#draw.chance(300));
    const process = again ? this.#draw.pick(known) : this.#cluster.spawn(node.name);
    this.#giveUpLater(this.#cluster.call(node.name, { type: 'register', key, process }));
  }

  #giveUpLater(call: Call): void {
    const delay = this.#draw.between(20, this.#options.callDeadlineMs);
    this.#cluster.timeline.after(delay, () => {
      if (!this.#over) this.#cluster.cancel(call);
    });
  }

  /** A snapshot read: from the local table, without asking anybody. */
  #lookUp(node: SimNode, key: NameKey): void {
    const { state } = node;
    if (state === null || state.host.hidden.has(key)) return;
    const entry = state.replica.entries.get(key);
    this.snapshotReads++;
    if (entry !== undefined && entry.key !== key)
      this.#cluster.watch.broken('snapshot', `${node.name} shows ${entry.key} for ${key}`);
  }

  #exitSomething(): void {
    const all: SimProcess[] = [];
    for (const node of this.#cluster.nodes.values()) all.push(...node.processes);
    if (all.length > 0) this.#cluster.exit(this.#draw.pick(all));
  }
}
