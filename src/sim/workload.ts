// Carries out the calls of a run. One at a node that is down goes to the next that runs.
import type { NameKey } from '../registry/protocol/types.ts';
import type { DeedAction } from './actions.ts';
import type { Call, Cluster, SimNode, SimProcess } from './cluster.ts';

const processesPerNodeMax = 12;

export class Workload {
  readonly #cluster: Cluster;
  /** At which node each was done. */
  readonly asked: Map<DeedAction, string> = new Map();
  readonly counts: Map<string, number> = new Map();
  #over = false;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  plan(deeds: readonly DeedAction[]): void {
    for (const deed of deeds)
      this.#cluster.timeline.at(deed.at, () => {
        if (!this.#over) this.#do(deed);
      });
  }

  /** No new calls; those that wait are not given up any more. */
  end(): void {
    this.#over = true;
  }

  #do(deed: DeedAction): void {
    const node = this.#nodeFor(deed);
    if (node === null) return;
    this.asked.set(deed, node.name);
    this.counts.set(deed.do, (this.counts.get(deed.do) ?? 0) + 1);
    switch (deed.do) {
      case 'register':
        this.#register(node, deed);
        return;
      case 'unregister':
      case 'read':
        this.#giveUpLater(this.#cluster.call(node.name, { type: deed.do, key: deed.key }), deed.patience);
        return;
      case 'look':
        this.#lookUp(node, deed.key);
        return;
      case 'exit': {
        const all = [...node.processes];
        this.#cluster.exit(all[deed.process % all.length] as SimProcess);
        return;
      }
      case 'unlink':
        for (const process of [...node.processes]) if (process.foreign) this.#cluster.exit(process);
        return;
      case 'forceClaim':
        this.#forceClaim(node);
        return;
      default:
        deed satisfies never;
    }
  }

  #nodeFor(deed: DeedAction): SimNode | null {
    const nodes = [...this.#cluster.nodes.values()];
    const from = nodes.findIndex(({ name }) => name === deed.node);
    const fits = (node: SimNode): boolean =>
      node.state !== null && (deed.do !== 'exit' || node.processes.size > 0);
    return [...nodes.slice(from), ...nodes.slice(0, from)].find(fits) ?? null;
  }

  #register(node: SimNode, deed: Extract<DeedAction, { do: 'register' }>): void {
    const known = [...node.processes];
    const again = known.length >= processesPerNodeMax || (known.length > 0 && deed.process >= 0);
    const process = again
      ? (known[Math.max(deed.process, 0) % known.length] as SimProcess)
      : this.#spawn(node, deed);
    this.#giveUpLater(
      this.#cluster.call(node.name, { type: 'register', key: deed.key, process }),
      deed.patience,
    );
  }

  #spawn(node: SimNode, deed: Extract<DeedAction, { do: 'register' }>): SimProcess {
    return deed.ext === undefined
      ? this.#cluster.spawn(node.name)
      : this.#cluster.spawnForeign(node.name, deed.ext === 'shared');
  }

  #giveUpLater(call: Call, patience: number): void {
    this.#cluster.timeline.after(patience, () => {
      if (!this.#over) this.#cluster.cancel(call);
    });
  }

  /** A snapshot read: from the local table, without asking anybody. */
  #lookUp(node: SimNode, key: NameKey): void {
    const { state } = node;
    if (state === null || state.host.hidden.has(key)) return;
    this.#cluster.watch.snapshotRead(node, key, state.replica.entries.get(key));
  }

  /** As `Registry.forceClaim`, by an operator who does not err. */
  #forceClaim(node: SimNode): void {
    const { store, follow, leader, self } = node.state ?? {};
    const lost = store?.view?.record?.leader ?? follow?.leader;
    if (lost == null || lost === self || leader != null || !this.#cluster.ended.has(lost)) return;
    this.#cluster.note(node.name, `an operator says that ${lost} has ended`);
    this.#cluster.proveDead(lost, node);
  }
}
