// Runtimes joined by a network that is a queue per direction. Every value goes through the codec, so what arrives is
// never the object that was sent. A direction can be held, to let signals cross; a link can be cut, and can be full.
import { DGenError } from '../../src/errors/error.ts';
import { type SimulatedHost, simulatedHost } from '../../src/host/index.ts';
import {
  type CallChannel,
  createRuntime,
  type Inbound,
  type LocalRuntime,
  type NamedTarget,
  type Outbound,
  type OutgoingRequest,
} from '../../src/process/index.ts';
import {
  type Atom,
  atom,
  type Dialect,
  decodeTerm,
  encodeTerm,
  type Pid,
  type Ref,
} from '../../src/term/index.ts';

export interface JoinedOptions {
  readonly host?: SimulatedHost;
  /** How `b` presents itself to `a`, and the other way round; default `typescript`. */
  readonly kind?: Dialect;
  /** Whether calls have their private form; default true between nodes of this library. */
  readonly channels?: boolean;
}

export interface Joined {
  readonly host: SimulatedHost;
  readonly network: TestNetwork;
  readonly a: LocalRuntime;
  readonly b: LocalRuntime;
}

/** Two connected runtimes, `a@test` and `b@test`. */
export function joinedRuntimes(options: JoinedOptions = {}): Joined {
  const host = options.host ?? simulatedHost();
  const network = new TestNetwork(host, options.kind, options.channels);
  const a = network.join('a@test', 1);
  const b = network.join('b@test', 2);
  network.connect(a, b);
  return { host, network, a, b };
}

export class TestNetwork {
  /** Every signal that was sent, as `a> send`, in order. */
  readonly trace: string[] = [];
  /** Sends that may wait in one direction. */
  signalsMax = 1_000_000;
  readonly #host: SimulatedHost;
  readonly #kind: Dialect;
  readonly #channels: boolean;
  readonly #nodes = new Map<Atom, LocalRuntime>();
  readonly #directions = new Map<string, Direction>();

  constructor(host: SimulatedHost, kind: Dialect = 'typescript', channels: boolean = kind === 'typescript') {
    this.#host = host;
    this.#kind = kind;
    this.#channels = channels;
  }

  join(name: string, creation: number): LocalRuntime {
    const runtime = createRuntime({ name: atom(name), creation, host: this.#host });
    this.add(runtime);
    return runtime;
  }

  add(runtime: LocalRuntime): void {
    this.#nodes.set(runtime.name, runtime);
    runtime.attach(new TestOutbound(runtime.name, this));
  }

  connect(one: LocalRuntime, other: LocalRuntime): void {
    const ends = channelEnds(this, one, other);
    for (const [from, to, channel] of [
      [one, other, ends[1]],
      [other, one, ends[0]],
    ] as const) {
      this.#directions.set(keyOf(from.name, to.name), new Direction(this.#host, to.inbound, channel));
      const peer = { kind: this.#kind, creation: from.creation };
      to.inbound.nodeUp(from.name, this.#channels ? { ...peer, channel } : peer);
    }
  }

  /** The connection breaks: what is under way is lost. */
  disconnect(one: LocalRuntime, other: LocalRuntime): void {
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      const direction = this.#directions.get(keyOf(from.name, to.name));
      this.#directions.delete(keyOf(from.name, to.name));
      to.inbound.nodeDown(from.name, 'cut by the test');
      direction?.cut();
    }
  }

  /** Signals in this direction wait from now on. */
  hold(from: LocalRuntime, to: LocalRuntime): void {
    this.#of(from, to).held = true;
  }

  release(from: LocalRuntime, to: LocalRuntime): void {
    this.#of(from, to).release();
  }

  /** The two ends of the connection, that of `from` first. */
  channelsOf(from: LocalRuntime, to: LocalRuntime): readonly [CallChannel, CallChannel] {
    const { channel } = this.#of(from, to);
    return [channel.far, channel];
  }

  isConnected(from: Atom, to: Atom): boolean {
    return this.#directions.has(keyOf(from, to));
  }

  whenWritable(from: Atom, to: Atom, onRoom: () => void): void {
    const direction = this.#directions.get(keyOf(from, to));
    if (direction === undefined) this.#host.timers.defer(onRoom);
    else direction.onRoom.push(onRoom);
  }

  /** `bounded`: the three sends, which fail when the direction is full. */
  transmit(from: Atom, to: Atom, signal: Signal): void {
    const value = signal.value === undefined ? undefined : this.#copy(signal.value[0]);
    this.trace.push(`${from.name.split('@')[0]}> ${signal.what}`);
    const direction = this.#directions.get(keyOf(from, to));
    if (direction === undefined) {
      this.#host.timers.defer(() => this.#nodes.get(from)?.inbound.nodeDown(to, 'no such connection'));
      return;
    }
    if (signal.bounded === true && direction.size >= this.signalsMax) {
      this.trace.pop();
      throw new DGenError('send_buffer_full', 'no room');
    }
    direction.push((inbound) => signal.deliver(inbound, value));
  }

  #copy(value: unknown): unknown {
    return decodeTerm(encodeTerm(value, { dialect: this.#kind }), { dialect: this.#kind });
  }

  #of(from: LocalRuntime, to: LocalRuntime): Direction {
    const direction = this.#directions.get(keyOf(from.name, to.name));
    if (direction === undefined) throw new Error('not connected');
    return direction;
  }
}

interface Signal {
  readonly what: string;
  readonly bounded?: true;
  /** What goes through the codec, in a box: it may be undefined. */
  readonly value?: readonly [unknown];
  deliver(inbound: Inbound, value: unknown): void;
}

type Delivery = (inbound: Inbound) => void;

class Direction {
  held = false;
  onRoom: (() => void)[] = [];
  readonly #host: SimulatedHost;
  readonly #inbound: Inbound;
  readonly channel: TestChannel;
  #waiting: Delivery[] = [];

  /** The channel is the receiver's. */
  constructor(host: SimulatedHost, inbound: Inbound, channel: TestChannel) {
    this.#host = host;
    this.channel = channel;
    this.#inbound = inbound;
  }

  get size(): number {
    return this.#waiting.length;
  }

  push(delivery: Delivery): void {
    this.#waiting.push(delivery);
    this.#host.timers.defer(() => this.#next());
  }

  release(): void {
    this.held = false;
    while (this.#waiting.length > 0) this.#next();
  }

  cut(): void {
    this.#waiting = [];
    this.channel.open = false;
    this.#tellRoom();
  }

  #next(): void {
    if (this.held) return;
    this.#waiting.shift()?.(this.#inbound);
    this.#tellRoom();
  }

  #tellRoom(): void {
    const waiting = this.onRoom;
    this.onRoom = [];
    for (const onRoom of waiting) onRoom();
  }
}

/** One end of a connection, as it takes calls. */
class TestChannel implements CallChannel {
  readonly node: Atom;
  open = true;
  far!: TestChannel;
  readonly #self: Atom;
  readonly #network: TestNetwork;

  constructor(network: TestNetwork, self: Atom, node: Atom) {
    this.#network = network;
    this.#self = self;
    this.node = node;
  }

  call(from: Pid, to: Pid | NamedTarget, { number, request }: OutgoingRequest): void {
    this.#transmit({
      what: 'call',
      bounded: true,
      value: [request],
      deliver: ({ calls }, value) => calls?.onCall(this.far, number, from, bare(to), value),
    });
  }

  answer(number: number, reply: unknown): void {
    this.#transmit({
      what: 'answer',
      bounded: true,
      value: [reply],
      deliver: ({ calls }, value) => calls?.onAnswer(this.far, number, value),
    });
  }

  calleeGone(number: number, reason: unknown): void {
    this.#transmit({
      what: 'calleeGone',
      value: [reason],
      deliver: ({ calls }, value) => calls?.onCalleeGone(this.far, number, value),
    });
  }

  givenUp(number: number): void {
    this.#transmit({ what: 'givenUp', deliver: ({ calls }) => calls?.onGivenUp(this.far, number) });
  }

  #transmit(signal: Signal): void {
    if (this.open) this.#network.transmit(this.#self, this.node, signal);
  }
}

function channelEnds(
  network: TestNetwork,
  one: LocalRuntime,
  other: LocalRuntime,
): readonly [TestChannel, TestChannel] {
  const ends = [
    new TestChannel(network, one.name, other.name),
    new TestChannel(network, other.name, one.name),
  ] as const;
  [ends[0].far, ends[1].far] = [ends[1], ends[0]];
  return ends;
}

class TestOutbound implements Outbound {
  readonly #self: Atom;
  readonly #network: TestNetwork;

  constructor(self: Atom, network: TestNetwork) {
    this.#self = self;
    this.#network = network;
  }

  send(from: Pid, to: Pid, message: unknown): void {
    this.#bounded(to.node, `send ${kindOf(message)}`, message, (inbound, value) =>
      inbound.onSend(from, to, value),
    );
  }

  sendNamed(from: Pid, to: NamedTarget, message: unknown): void {
    this.#bounded(to.node, `sendNamed ${kindOf(message)}`, message, (inbound, value) =>
      inbound.onSendNamed(from, to.name, value),
    );
  }

  sendAlias(_from: Pid, alias: Ref, message: unknown): void {
    this.#bounded(alias.node, 'sendAlias', message, (inbound, value) => inbound.onSendAlias(alias, value));
  }

  link(from: Pid, to: Pid): void {
    this.#plain(to.node, 'link', (inbound) => inbound.onLink(from, to));
  }

  unlink(from: Pid, to: Pid, id: number): void {
    this.#plain(to.node, 'unlink', (inbound) => inbound.onUnlink(from, to, id));
  }

  unlinkAck(from: Pid, to: Pid, id: number): void {
    this.#plain(to.node, 'unlinkAck', (inbound) => inbound.onUnlinkAck(from, to, id));
  }

  exit(from: Pid, to: Pid, reason: unknown): void {
    this.#valued(to.node, 'exit', reason, (inbound, value) => inbound.onExit(from, to, value));
  }

  exit2(from: Pid, to: Pid, reason: unknown): void {
    this.#valued(to.node, 'exit2', reason, (inbound, value) => inbound.onExit2(from, to, value));
  }

  monitor(from: Pid, to: Pid | NamedTarget, ref: Ref): void {
    this.#plain(to.node, 'monitor', (inbound) => inbound.onMonitor(from, bare(to), ref));
  }

  demonitor(from: Pid, to: Pid | NamedTarget, ref: Ref): void {
    this.#plain(to.node, 'demonitor', (inbound) => inbound.onDemonitor(from, bare(to), ref));
  }

  // biome-ignore lint/complexity/useMaxParams: the port's signature
  down(from: Pid | Atom, to: Pid, ref: Ref, reason: unknown): void {
    this.#valued(to.node, 'down', reason, (inbound, value) => inbound.onDown(from, to, ref, value));
  }

  isConnected(node: Atom): boolean {
    return this.#network.isConnected(this.#self, node);
  }

  whenWritable(node: Atom, onRoom: () => void): void {
    this.#network.whenWritable(this.#self, node, onRoom);
  }

  #plain(node: Atom, what: string, deliver: (inbound: Inbound) => void): void {
    this.#network.transmit(this.#self, node, { what, deliver });
  }

  // biome-ignore lint/complexity/useMaxParams: private, and one line at each use
  #valued(node: Atom, what: string, value: unknown, deliver: Signal['deliver']): void {
    this.#network.transmit(this.#self, node, { what, value: [value], deliver });
  }

  // biome-ignore lint/complexity/useMaxParams: private, and one line at each use
  #bounded(node: Atom, what: string, value: unknown, deliver: Signal['deliver']): void {
    this.#network.transmit(this.#self, node, { what, bounded: true, value: [value], deliver });
  }
}

function bare(to: Pid | NamedTarget): Pid | Atom {
  return 'name' in to ? to.name : to;
}

/** `$gen_call`, `$gen_cast` or `message`. */
function kindOf(message: unknown): string {
  const first = (message as { elements?: readonly { name?: string }[] } | undefined)?.elements?.[0]?.name;
  return first?.startsWith('$') === true ? first : 'message';
}

function keyOf(from: Atom, to: Atom): string {
  return `${from.name} ${to.name}`;
}
