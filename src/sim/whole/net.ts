// The machines, their kernels and what listens there: gives each life a transport, joins the two ends of a connection, and
// refuses callers where nobody listens.
import type { Address } from '../../distribution/index.ts';
import type { Listening, ListenRequest, Transport } from '../../distribution/transport.ts';
import type { Draw } from '../draw.ts';
import type { Life } from './life.ts';
import type { Story } from './story.ts';
import { SimStream } from './streams.ts';
import type { VirtualTime } from './virtual-time.ts';
import type { Pipe, Wires } from './wires.ts';

interface Listener {
  readonly life: Life;
  readonly request: ListenRequest;
  readonly accepted: Set<SimStream>;
  whenIdle: (() => void) | undefined;
}

export interface NetOptions {
  readonly wires: Wires;
  readonly draw: Draw;
  readonly story: Story;
  readonly windowBytes: number;
}

const firstPort = 4001;
/** Few, so that a port is soon another node's. */
const portsToChoose = 6;
const firstCallersPort = 30_000;
const knockEveryMs = 1_000;

export class Net {
  readonly time: VirtualTime;
  readonly wires: Wires;
  readonly draw: Draw;
  readonly story: Story;
  readonly windowBytes: number;
  /** Machines that are off: they say nothing at all. */
  readonly off: Set<string> = new Set();
  /** Ways on which callers are turned away, though somebody listens: a filter on the way. */
  readonly refusing: Set<string> = new Set();
  readonly #listeners: Map<string, Listener> = new Map();
  /** Whose an address is, or was last. */
  readonly #owners: Map<string, string> = new Map();
  readonly #streams: Map<SimStream, Listener | undefined> = new Map();
  #callersPort = firstCallersPort;

  constructor({ wires, draw, story, windowBytes }: NetOptions) {
    this.time = wires.time;
    this.wires = wires;
    this.draw = draw;
    this.story = story;
    this.windowBytes = windowBytes;
  }

  isOff(node: string): boolean {
    return this.off.has(node);
  }

  transportOf(life: Life): Transport {
    return {
      dial: (address) => this.#dial(life, address),
      listen: (request) => this.#listen(life, request),
    };
  }

  /** Connections that are there, by both ends. */
  get open(): readonly SimStream[] {
    return [...this.#streams.keys()];
  }

  forget(stream: SimStream): void {
    const listener = this.#streams.get(stream);
    this.#streams.delete(stream);
    if (listener?.accepted.delete(stream) && listener.accepted.size === 0) listener.whenIdle?.();
  }

  cutInPieces(chunk: Uint8Array): Uint8Array[] {
    const { draw } = this;
    if (chunk.length < 2 || !draw.chance(this.wires.weather.piecesPerMille)) return [chunk];
    const cuts = Array.from({ length: draw.between(1, 4) }, () => draw.between(1, chunk.length - 1));
    const ends = [...new Set([...cuts, chunk.length])].sort((a, b) => a - b);
    return ends.map((end, index) => chunk.subarray(ends[index - 1] ?? 0, end));
  }

  async #listen(life: Life, request: ListenRequest): Promise<Listening> {
    await new Promise<void>((resolve) => life.soon(resolve));
    const port = request.port === 0 ? this.#freePort(request.host) : request.port;
    const key = `${request.host}:${port}`;
    if (this.#listeners.has(key)) throw new Error(`listen EADDRINUSE ${key}`);
    const listener: Listener = { life, request, accepted: new Set(), whenIdle: undefined };
    this.#listeners.set(key, listener);
    this.#owners.set(key, life.node);
    life.onDeath.add(() => this.#unlisten(key, listener));
    return { port, close: () => this.#stopListening(key, listener) };
  }

  #stopListening(key: string, listener: Listener): Promise<void> {
    this.#unlisten(key, listener);
    return new Promise((resolve) => {
      listener.whenIdle = () => listener.life.soon(resolve);
      if (listener.accepted.size === 0) listener.whenIdle();
    });
  }

  #unlisten(key: string, listener: Listener): void {
    if (this.#listeners.get(key) === listener) this.#listeners.delete(key);
  }

  #freePort(host: string): number {
    const from = this.draw.below(portsToChoose);
    for (let offset = 0; ; offset++) {
      const port = firstPort + ((from + offset) % portsToChoose) + Math.floor(offset / portsToChoose) * 100;
      if (!this.#listeners.has(`${host}:${port}`)) return port;
    }
  }

  #dial(life: Life, { host, port }: Address): SimStream {
    const key = `${host}:${port}`;
    const to = this.#owners.get(key) ?? life.node;
    const callersPort = this.#callersPort++;
    const remote = [host, port] as const;
    const local = [host, callersPort] as const;
    const dialled = new SimStream(this, life, { local, remote, connecting: true });
    const there = this.wires.pipe(life.node, to);
    const back = this.wires.pipe(to, life.node);
    dialled.out = there;
    const knock = (): void =>
      there.send(0, () => {
        const listener = this.refusing.has(`${life.node}>${to}`) ? undefined : this.#listeners.get(key);
        // Nobody answers: TCP asks again.
        if (this.off.has(to)) this.time.after(knockEveryMs, () => dialled.isClosed || knock());
        else if (listener === undefined) this.#refuse(dialled, back);
        else this.#accept(dialled, { listener, back });
      });
    knock();
    return dialled;
  }

  #refuse(dialled: SimStream, back: Pipe): void {
    back.send(0, () => {
      dialled.out?.close();
      back.close();
      dialled.life.enter(() => dialled.failed('ECONNREFUSED'));
    });
  }

  #accept(dialled: SimStream, { listener, back }: { listener: Listener; back: Pipe }): void {
    const { life, request } = listener;
    const local = [dialled.remoteAddress, dialled.remotePort] as const;
    const remote = [dialled.localAddress, dialled.localPort] as const;
    const accepted = new SimStream(this, life, { local, remote, connecting: false });
    accepted.out = back;
    accepted.other = dialled;
    dialled.other = accepted;
    listener.accepted.add(accepted);
    this.#streams.set(accepted, listener);
    if (!dialled.isClosed) this.#streams.set(dialled, undefined);
    back.send(0, () => {
      if (dialled.isClosed) accepted.arrive('rst');
      else dialled.life.enter(() => dialled.connected());
    });
    life.enter(() => {
      if (!accepted.isClosed) request.onStream(accepted);
    });
  }
}
