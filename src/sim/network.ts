// The network between simulated machines: for each ordered pair a link that keeps the order, with delay, loss, cuts in
// one or both directions. What is sent into a cut is lost; what was under way when the cut came is lost or arrives, as
// drawn for that cut. The fate of each message is drawn by its number on its link. Not here: who learns of a cut (see
// faults.ts), and which machine answers to the name of a node (see cluster.ts).
import type { Message } from '../registry/protocol/messages.ts';
import type { MemberKey } from '../registry/protocol/types.ts';
import { keyOf, rollDraw } from './draw.ts';
import type { Timeline } from './timeline.ts';

export interface Parcel {
  /** Machines, which are named like their nodes unless two share a name. */
  readonly fromNode: string;
  readonly toNode: string;
  readonly from: MemberKey;
  readonly to: MemberKey;
  readonly message: Message;
}

interface Link {
  readonly key: number;
  /** Messages that were sent into it, cut or not. */
  sent: number;
  /** Cuts that cover this link now. */
  cuts: number;
  /** Raised by a cut that loses what is under way. */
  resets: number;
  busyUntil: number;
}

export interface Weather {
  delayMinMs: number;
  delayMaxMs: number;
  lossPerMille: number;
  /** A delay of up to `spikeMs` on top, for so many of 1000 messages. */
  spikePerMille: number;
  spikeMs: number;
}

export interface NetworkOptions {
  readonly seed: number;
  readonly weather: Weather;
  readonly arrive: (parcel: Parcel) => void;
  /** Exactly these are lost, as `A>B:17`, instead of what the weather draws. */
  readonly losses?: readonly string[] | undefined;
}

/** What became of a message that did not arrive. */
export type Lost = 'cut' | 'lost' | 'reset';

export class Network {
  readonly weather: Weather;
  /** A script's own rule: true takes the parcel out, before any other rule. */
  intercept: ((parcel: Parcel) => boolean) | null = null;
  /** Told of everything that never arrives. */
  dropped: ((parcel: Parcel, how: Lost, mark: string) => void) | null = null;
  sent = 0;
  readonly #timeline: Timeline;
  readonly #options: NetworkOptions;
  readonly #losses: ReadonlySet<string> | null;
  readonly #links: Map<string, Link> = new Map();

  constructor(timeline: Timeline, options: NetworkOptions) {
    this.#timeline = timeline;
    this.#options = options;
    this.#losses = options.losses === undefined ? null : new Set(options.losses);
    this.weather = options.weather;
  }

  send(parcel: Parcel): void {
    this.sent++;
    if (this.intercept?.(parcel) === true) return;
    this.forward(parcel);
  }

  /** As `send`, but past the script's rule. */
  forward(parcel: Parcel): void {
    const { weather } = this;
    const link = this.#link(parcel.fromNode, parcel.toNode);
    const number = link.sent++;
    const draw = rollDraw(link.key, number);
    const lost = draw.chance(weather.lossPerMille);
    let delay = draw.between(weather.delayMinMs, weather.delayMaxMs);
    if (draw.chance(weather.spikePerMille)) delay += draw.below(weather.spikeMs);
    const mark = `${parcel.fromNode}>${parcel.toNode}:${number}`;
    if (link.cuts > 0) this.dropped?.(parcel, 'cut', mark);
    else if (this.#losses?.has(mark) ?? lost) this.dropped?.(parcel, 'lost', mark);
    else this.#deliver(parcel, link, this.#timeline.now + delay);
  }

  #deliver(parcel: Parcel, link: Link, earliest: number): void {
    const at = Math.max(link.busyUntil, earliest);
    const { resets } = link;
    link.busyUntil = at;
    this.#timeline.at(at, () => {
      if (link.resets === resets) this.#options.arrive(parcel);
      else this.dropped?.(parcel, 'reset', '');
    });
  }

  cut(fromNode: string, toNode: string, reset = true): void {
    const link = this.#link(fromNode, toNode);
    link.cuts++;
    if (!reset) return;
    link.resets++;
    link.busyUntil = this.#timeline.now;
  }

  heal(fromNode: string, toNode: string): void {
    const link = this.#link(fromNode, toNode);
    link.cuts = Math.max(0, link.cuts - 1);
  }

  isCut(fromNode: string, toNode: string): boolean {
    return this.#link(fromNode, toNode).cuts > 0;
  }

  /** Every link is whole; each change of a link that was cut is told. */
  healAll(): string[][] {
    const healed: string[][] = [];
    for (const [key, link] of this.#links) {
      if (link.cuts > 0) healed.push(key.split('>'));
      link.cuts = 0;
    }
    return healed;
  }

  #link(fromNode: string, toNode: string): Link {
    const name = `${fromNode}>${toNode}`;
    let link = this.#links.get(name);
    if (link === undefined) {
      link = { key: keyOf(this.#options.seed, 2, name), sent: 0, cuts: 0, resets: 0, busyUntil: 0 };
      this.#links.set(name, link);
    }
    return link;
  }
}
