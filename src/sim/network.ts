// The network between simulated nodes: for each ordered pair a link that keeps the order, with delay, loss, cuts in one
// or both directions. What is sent into a cut is lost; what was under way when the cut came is lost or arrives, as drawn
// for that cut. Not here: who learns of a cut (see faults.ts).
import type { Message } from '../registry/protocol/messages.ts';
import type { MemberKey } from '../registry/protocol/types.ts';
import type { Draw } from './draw.ts';
import type { Timeline } from './timeline.ts';

export interface Parcel {
  readonly fromNode: string;
  readonly toNode: string;
  readonly from: MemberKey;
  readonly to: MemberKey;
  readonly message: Message;
}

interface Link {
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

export class Network {
  readonly weather: Weather;
  /** A script's own rule: true takes the parcel out, before any other rule. */
  intercept: ((parcel: Parcel) => boolean) | null = null;
  sent = 0;
  readonly #timeline: Timeline;
  readonly #draw: Draw;
  readonly #arrive: (parcel: Parcel) => void;
  readonly #links: Map<string, Link> = new Map();

  constructor(
    timeline: Timeline,
    options: { draw: Draw; weather: Weather; arrive: (parcel: Parcel) => void },
  ) {
    this.#timeline = timeline;
    this.#draw = options.draw;
    this.weather = options.weather;
    this.#arrive = options.arrive;
  }

  send(parcel: Parcel): void {
    this.sent++;
    if (this.intercept?.(parcel) === true) return;
    this.forward(parcel);
  }

  /** As `send`, but past the script's rule. */
  forward(parcel: Parcel): void {
    const link = this.#link(parcel.fromNode, parcel.toNode);
    const { weather } = this;
    if (link.cuts > 0 || this.#draw.chance(weather.lossPerMille)) return;
    let delay = this.#draw.between(weather.delayMinMs, weather.delayMaxMs);
    if (this.#draw.chance(weather.spikePerMille)) delay += this.#draw.below(weather.spikeMs);
    const at = Math.max(link.busyUntil, this.#timeline.now + delay);
    const resets = link.resets;
    link.busyUntil = at;
    this.#timeline.at(at, () => {
      if (link.resets === resets) this.#arrive(parcel);
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
    const key = `${fromNode}>${toNode}`;
    let link = this.#links.get(key);
    if (link === undefined) {
      link = { cuts: 0, resets: 0, busyUntil: 0 };
      this.#links.set(key, link);
    }
    return link;
  }
}
