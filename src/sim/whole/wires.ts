// What lies between nodes: for each ordered pair a way, open or cut. On it go the pipes, one for each direction of each
// connection, which keep the order of what they carry. A cut loses nothing, as with TCP: what meets it is sent again in
// intervals that double, so it goes on up to as long after the cut as that has lasted, unless the connection has ended by then.
import type { Draw } from '../draw.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface WireWeather {
  delayMinMs: number;
  delayMaxMs: number;
  /** A delay of up to `spikeMs` on top, for so many of 1000 chunks. */
  spikePerMille: number;
  spikeMs: number;
  /** Of 1000 chunks, so many arrive in pieces. */
  piecesPerMille: number;
}

interface Way {
  cuts: number;
  readonly pipes: Set<Pipe>;
}

/** When TCP sends again for the first time what was not acknowledged; and what opens a connection. */
const retransmitMs = { least: 200, most: 400, opening: 1_000 };

export class Wires {
  readonly weather: WireWeather;
  readonly time: VirtualTime;
  readonly draw: Draw;
  readonly #ways: Map<string, Way> = new Map();

  constructor(time: VirtualTime, draw: Draw, weather: WireWeather) {
    this.time = time;
    this.draw = draw;
    this.weather = weather;
  }

  cut(from: string, to: string): void {
    this.#way(from, to).cuts++;
  }

  heal(from: string, to: string): void {
    const way = this.#way(from, to);
    if (way.cuts === 0) return;
    way.cuts--;
    if (way.cuts === 0) this.#goOn(way);
  }

  healAll(): void {
    for (const way of this.#ways.values()) {
      if (way.cuts === 0) continue;
      way.cuts = 0;
      this.#goOn(way);
    }
  }

  isCut(from: string, to: string): boolean {
    return this.#way(from, to).cuts > 0;
  }

  pipe(from: string, to: string): Pipe {
    const way = this.#way(from, to);
    const pipe: Pipe = new Pipe(this, () => way.cuts > 0);
    way.pipes.add(pipe);
    pipe.onClosed = () => way.pipes.delete(pipe);
    return pipe;
  }

  delay(): number {
    const { delayMinMs, delayMaxMs, spikePerMille, spikeMs } = this.weather;
    const spike = this.draw.chance(spikePerMille) ? this.draw.below(spikeMs * 1000) : 0;
    return (this.draw.between(delayMinMs * 1000, delayMaxMs * 1000) + spike) / 1000;
  }

  #goOn(way: Way): void {
    for (const pipe of way.pipes) if (pipe.isStuck) this.time.after(pipe.nextTryMs(), () => pipe.goOn());
  }

  #way(from: string, to: string): Way {
    const key = `${from}>${to}`;
    let way = this.#ways.get(key);
    if (way === undefined) {
      way = { cuts: 0, pipes: new Set() };
      this.#ways.set(key, way);
    }
    return way;
  }
}

interface Parcel {
  readonly number: number;
  readonly bytes: number;
  readonly arrive: () => void;
}

/** One direction of a connection: first in, first out. */
export class Pipe {
  /** Bytes that were sent and have not arrived. */
  outstanding = 0;
  onClosed: () => void = () => undefined;
  readonly #wires: Wires;
  readonly #isCut: () => boolean;
  #lastArrival = 0;
  #onTheWay = 0;
  #sent = 0;
  #stuck: Parcel[] = [];
  /** When the first of those met the cut, and the first interval. */
  #retries = { since: 0, firstMs: 0 };
  #stalledUntil = 0;
  #closed = false;

  constructor(wires: Wires, isCut: () => boolean) {
    this.#wires = wires;
    this.#isCut = isCut;
  }

  send(bytes: number, arrive: () => void): void {
    if (this.#closed) return;
    this.outstanding += bytes;
    this.#plan({ number: this.#sent++, bytes, arrive });
  }

  /** Nothing arrives for so long; then everything. */
  stall(ms: number): void {
    this.#stalledUntil = Math.max(this.#stalledUntil, this.#wires.time.now + ms);
  }

  /** What has not arrived never will. */
  close(): void {
    this.#closed = true;
    this.#stuck = [];
    this.onClosed();
  }

  get isStuck(): boolean {
    return this.#stuck.length > 0;
  }

  /** Milliseconds until TCP tries again. */
  nextTryMs(): number {
    const { since, firstMs } = this.#retries;
    const elapsed = this.#wires.time.now - since;
    let at = firstMs;
    for (let interval = firstMs; at <= elapsed; at += interval) interval *= 2;
    return at - elapsed;
  }

  /** The way is whole again. */
  goOn(): void {
    if (this.#isCut() || this.#onTheWay > 0) return;
    for (const parcel of this.#stuck.splice(0)) this.#plan(parcel);
  }

  #plan(parcel: Parcel): void {
    if (this.#stuck.length > 0) {
      this.#stick(parcel);
      return;
    }
    const { time } = this.#wires;
    const at = Math.max(this.#lastArrival, this.#stalledUntil, time.now + this.#wires.delay());
    this.#lastArrival = at;
    this.#onTheWay++;
    time.after(at - time.now, () => this.#arrive(parcel));
  }

  /** In the order in which they were sent: some were on their way when others met the cut. */
  #stick(parcel: Parcel): void {
    if (this.#stuck.length === 0)
      this.#retries = { since: this.#wires.time.now, firstMs: this.#firstRetryMs(parcel) };
    this.#stuck.push(parcel);
    this.#stuck.sort((a, b) => a.number - b.number);
  }

  #firstRetryMs({ number }: Parcel): number {
    const { least, most, opening } = retransmitMs;
    return number === 0 ? opening : this.#wires.draw.between(least, most);
  }

  #arrive(parcel: Parcel): void {
    this.#onTheWay--;
    if (this.#closed) return;
    if (this.#isCut() || this.#stuck.length > 0) {
      this.#stick(parcel);
      // The cut was healed while this one was on its way to it.
      if (!this.#isCut()) this.#wires.time.after(this.nextTryMs(), () => this.goOn());
      return;
    }
    this.outstanding -= parcel.bytes;
    parcel.arrive();
  }
}
