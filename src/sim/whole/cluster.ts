// All parts of one run, put together.
import { createDraw } from '../draw.ts';
import { Clients } from './clients.ts';
import { Faults } from './faults.ts';
import { keptPrefix, Ledger } from './ledger.ts';
import { Net } from './net.ts';
import { Notices } from './notices.ts';
import type { WholeOptions } from './options.ts';
import { Places } from './places.ts';
import { StoreFaults } from './store-client.ts';
import { Story } from './story.ts';
import { Sums } from './sums.ts';
import { VirtualTime } from './virtual-time.ts';
import { Watch } from './watch.ts';
import { Wires } from './wires.ts';
import { Witness } from './witness.ts';

const sampleEveryMs = 100;

export interface Cluster {
  readonly options: WholeOptions;
  readonly names: readonly string[];
  readonly time: VirtualTime;
  readonly story: Story;
  readonly watch: Watch;
  readonly net: Net;
  readonly witness: Witness;
  readonly ledger: Ledger;
  readonly notices: Notices;
  readonly sums: Sums;
  readonly places: Places;
  readonly clients: Clients;
  readonly faults: Faults;
  note(text: string): void;
  /** What members believe goes into the story from time to time, until this. */
  stopSampling(): void;
}

export function createCluster(options: WholeOptions): Cluster {
  const { seed } = options;
  const time = new VirtualTime();
  const story = new Story();
  const watch = new Watch(time);
  const wires = new Wires(time, createDraw(seed, 25), { ...options.wires });
  const net = new Net({ wires, draw: createDraw(seed, 26), story, windowBytes: options.windowBytes });
  const storeFaults = new StoreFaults(createDraw(seed, 27), { ...options.store });
  const witness = new Witness({ time, draw: createDraw(seed, 28), watch });
  const ledger = new Ledger({ time, story, watch, timersLateMs: options.timersLateMs });
  const notices = new Notices(watch);
  const sums = new Sums(watch);
  const places = new Places({ options, time, story, watch, net, storeFaults, witness, ledger });
  const names = Array.from({ length: options.names }, (_, index) =>
    index === 0 ? `${keptPrefix}0` : `x${index}`,
  );
  const clients = new Clients({
    names,
    clientsPerNode: options.clientsPerNode,
    pauseMs: options.clientPauseMs,
    callTimeoutMs: options.callTimeoutMs,
    draw: createDraw(seed, 23),
    sums,
    notices,
    desks: () => places.desks,
  });
  places.clients = clients;
  const faults = new Faults({ options, time, story, net, places, store: storeFaults });
  const stopSampling = sample({ time, story, places });
  const note = (text: string): void => story.note(time.now, '*', `** ${text}`);
  const parts = { time, story, watch, net, witness, ledger, notices, sums, places, clients, faults };
  return { options, names, ...parts, note, stopSampling };
}

function sample({ time, story, places }: Pick<Cluster, 'time' | 'story' | 'places'>): () => void {
  const shown = new Map<string, string>();
  let over = false;
  const look = (): void => {
    if (over) return;
    for (const { life, registry } of places.desks) {
      const { phase, epoch, leader, serving, established } = registry.status();
      const now = `${phase}, epoch ${epoch} of ${leader?.[0] ?? 'nobody'}${serving ? ', served' : ''}${established ? ', counts' : ''}`;
      if (shown.get(life.node) !== now) story.note(time.now, life.node, `-- ${now}`);
      shown.set(life.node, now);
    }
    time.after(sampleEveryMs, look);
  };
  time.after(sampleEveryMs, look);
  return () => {
    over = true;
  };
}
