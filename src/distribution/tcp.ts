// The distribution of one node over TCP: the table of peers, the listening socket, and the two faces it has, `Outbound`
// for the runtime below and the handle of this file for whoever composes the node.
import { createHash } from 'node:crypto';
import { DGenError } from '../errors/error.ts';
import type { NamedTarget, Outbound } from '../process/distribution-port.ts';
import type { Atom } from '../term/atom.ts';
import { atom } from '../term/atom.ts';
import type { Pid } from '../term/pid.ts';
import type { Ref } from '../term/ref.ts';
import type { HandshakeDone } from './attempt.ts';
import { Listener } from './listener.ts';
import {
  type Address,
  checkListen,
  checkOptions,
  type DistributionLimits,
  type DistributionOptions,
  type ListenOptions,
} from './options.ts';
import { Peer, type PeerContext } from './peer.ts';
import { type ProbeExpectation, type ProbeOptions, type ProbeVerdict, probeAddress } from './probe.ts';
import type { OutgoingControl } from './protocol/control.ts';
import { ownFlags } from './protocol/flags.ts';
import {
  type HandshakePeer,
  type HandshakeSelf,
  type HandshakeStatus,
  resolveSimultaneous,
} from './protocol/handshake.ts';
import { sockets } from './sockets.ts';
import type { ByteStream, Transport } from './transport.ts';

/** A connected node. */
export interface ConnectedNode {
  readonly node: Atom;
  readonly creation: number;
  readonly kind: 'typescript' | 'erlang';
}

export interface DistributionStats {
  readonly connected: number;
  readonly dialling: number;
  /** Nodes that something is remembered of, the two above included; others are forgotten some seconds after the last failure or loss. */
  readonly known: number;
  /** Callers in the handshake. */
  readonly handshaking: number;
  /** Bytes that wait for peers. */
  readonly bytesBuffered: number;
  /** Callers that were turned away, by code: `bad_peer`, `bad_cookie`, `name_clash`, `not_allowed`, `system_limit`. */
  readonly refused: Readonly<Record<string, number>>;
}

/** Stops the observation. Idempotent. */
export type Unobserve = () => void;

/** The connections of one node to others. */
export interface Distribution extends Outbound {
  /**
   * Accepts callers from now on, and resolves with the address they reach us at. Throws `insecure_listen` beyond loopback with an
   * empty cookie, `badarg` when listening already, `closed`; rejects with `connect_failed` when the address cannot be had.
   */
  listen(options?: ListenOptions): Promise<Address>;
  /** True when a connection is up, then or already; false when none can be made now. Never rejects. */
  connect(node: Atom): Promise<boolean>;
  /** Ends the connection after what is queued has been sent, or the attempt to make one. False when there is neither. The next signal dials again. */
  disconnect(node: Atom): boolean;
  connectedNodes(): readonly ConnectedNode[];
  /** Called for each connection after the runtime has heard of it. Observers must not throw. */
  onNodeUp(observer: (node: ConnectedNode) => void): Unobserve;
  /** Called for each connection that was up and is lost, after the runtime has heard of it. */
  onNodeDown(observer: (node: Atom, reason: string) => void): Unobserve;
  /** Asks who listens at exactly that address; see `ProbeVerdict`. Never rejects. */
  probe(address: Address, expected: ProbeExpectation, options?: ProbeOptions): Promise<ProbeVerdict>;
  stats(): DistributionStats;
  /** Sends what is queued (for up to a second), ends all connections and stops listening. The runtime hears `nodeDown` for each. Idempotent; never rejects. */
  close(): Promise<void>;
}

/** Makes the distribution of a node. It neither listens nor dials before it is asked to. Throws `bad_option`. */
export function createDistribution(options: DistributionOptions): Distribution {
  return new TcpDistribution(options);
}

class TcpDistribution implements Distribution {
  readonly #options: DistributionOptions;
  readonly #transport: Transport;
  readonly #limits: DistributionLimits;
  readonly #flags: bigint;
  readonly #peers = new Map<Atom, Peer>();
  readonly #up = new Set<Peer>();
  readonly #listener: Listener;
  readonly #context: PeerContext;
  /** Challenges that callers have still to answer. */
  readonly #openChallenges = new Set<number>();
  readonly #upObservers = new Set<(node: ConnectedNode) => void>();
  readonly #downObservers = new Set<(node: Atom, reason: string) => void>();
  readonly #refused: Record<string, number> = {};
  #closing: Promise<void> | undefined;

  constructor(options: DistributionOptions) {
    this.#limits = checkOptions(options);
    this.#options = options;
    this.#transport = options.transport ?? sockets;
    this.#flags = ownFlags({ visible: options.visible ?? false });
    this.#listener = this.#newListener();
    this.#context = this.#newContext();
  }

  send(from: Pid, to: Pid, message: unknown): void {
    this.#signal(to.node, { kind: 'send', from, to, message });
  }

  sendNamed(from: Pid, to: NamedTarget, message: unknown): void {
    this.#signal(to.node, { kind: 'send_named', from, name: to.name, message });
  }

  sendAlias(from: Pid, alias: Ref, message: unknown): void {
    this.#signal(alias.node, { kind: 'send_alias', from, alias, message });
  }

  link(from: Pid, to: Pid): void {
    this.#signal(to.node, { kind: 'link', from, to });
  }

  unlink(from: Pid, to: Pid, id: number): void {
    this.#signal(to.node, { kind: 'unlink', from, to, id });
  }

  unlinkAck(from: Pid, to: Pid, id: number): void {
    this.#signal(to.node, { kind: 'unlink_ack', from, to, id });
  }

  exit(from: Pid, to: Pid, reason: unknown): void {
    this.#signal(to.node, { kind: 'exit', from, to, reason });
  }

  exit2(from: Pid, to: Pid, reason: unknown): void {
    this.#signal(to.node, { kind: 'exit2', from, to, reason });
  }

  monitor(from: Pid, to: Pid | NamedTarget, ref: Ref): void {
    this.#signal(to.node, { kind: 'monitor', from, to: 'name' in to ? to.name : to, ref });
  }

  demonitor(from: Pid, to: Pid | NamedTarget, ref: Ref): void {
    this.#signal(to.node, { kind: 'demonitor', from, to: 'name' in to ? to.name : to, ref });
  }

  // biome-ignore lint/complexity/useMaxParams: the port gives the signature
  down(from: Pid | Atom, to: Pid, ref: Ref, reason: unknown): void {
    this.#signal(to.node, { kind: 'down', from, to, ref, reason });
  }

  isConnected(node: Atom): boolean {
    return this.#peers.get(node)?.link !== undefined;
  }

  whenWritable(node: Atom, onRoom: () => void): void {
    const peer = this.#peers.get(node);
    if (peer === undefined) this.#options.host.timers.defer(onRoom);
    else peer.whenWritable(onRoom);
  }

  listen({ host = '127.0.0.1', port = 0 }: ListenOptions = {}): Promise<Address> {
    if (this.#closing !== undefined) throw new DGenError('closed', 'the distribution');
    checkListen(host, this.#options.cookie);
    return this.#listener.listen(host, port);
  }

  connect(node: Atom): Promise<boolean> {
    if (this.#closing !== undefined || node === this.#options.name) return Promise.resolve(false);
    return this.#peerOf(node).connect();
  }

  disconnect(node: Atom): boolean {
    return this.#peers.get(node)?.disconnect('disconnected') ?? false;
  }

  connectedNodes(): readonly ConnectedNode[] {
    return [...this.#up].flatMap((peer) => describe(peer) ?? []);
  }

  onNodeUp(observer: (node: ConnectedNode) => void): Unobserve {
    this.#upObservers.add(observer);
    return () => void this.#upObservers.delete(observer);
  }

  onNodeDown(observer: (node: Atom, reason: string) => void): Unobserve {
    this.#downObservers.add(observer);
    return () => void this.#downObservers.delete(observer);
  }

  probe(address: Address, expected: ProbeExpectation, options: ProbeOptions = {}): Promise<ProbeVerdict> {
    const { timers, log } = this.#options.host;
    const dial = { transport: this.#transport, address, self: this.#newSelf(), timers };
    return probeAddress({ ...options, expected, dial, log });
  }

  stats(): DistributionStats {
    const peers = [...this.#peers.values()];
    return {
      connected: this.#up.size,
      dialling: peers.filter((peer) => peer.isDialling).length,
      known: peers.length,
      handshaking: this.#listener.handshakeCount,
      bytesBuffered: peers.reduce((sum, peer) => sum + (peer.link?.bytesBuffered ?? 0), 0),
      refused: { ...this.#refused },
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const peers = [...this.#peers.values()];
    await Promise.all([this.#listener.close(), ...peers.map((peer) => peer.close())]);
    for (const peer of this.#peers.values()) peer.dispose();
  }

  #signal(node: Atom, control: OutgoingControl): void {
    const peer = this.#peerOf(node);
    if (this.#closing === undefined) peer.signal(control);
    else peer.refuse('closed');
  }

  #peerOf(node: Atom): Peer {
    const known = this.#peers.get(node);
    if (known !== undefined) return known;
    const peer = new Peer(node, this.#context);
    this.#peers.set(node, peer);
    return peer;
  }

  #newListener(): Listener {
    return new Listener({
      host: this.#options.host,
      limits: this.#limits,
      transport: this.#transport,
      self: () => {
        const self = this.#newSelf();
        this.#openChallenges.add(self.challenge);
        return self;
      },
      release: (self) => void this.#openChallenges.delete(self.challenge),
      decide: (peer) => this.#decide(peer),
      onConnected: (done, socket) => this.#adopt(done, socket),
      onRefused: (reason) => {
        this.#refused[reason] = (this.#refused[reason] ?? 0) + 1;
      },
    });
  }

  #newContext(): PeerContext {
    const { name, creation, host, inbound, codecs, resolve, beforeInput } = this.#options;
    const { silenceMs = () => Number.POSITIVE_INFINITY } = this.#options;
    return {
      self: { name, creation },
      host,
      limits: this.#limits,
      inbound,
      codecs,
      beforeInput,
      silenceMs,
      ownFlags: this.#flags,
      attempt: {
        transport: this.#transport,
        self: () => this.#newSelf(),
        resolve,
        callersSettled: (node, graceMs) => this.#listener.settled(node, graceMs),
      },
      mayConnect: () => this.#up.size < this.#limits.connectionsMax,
      onUp: (peer) => this.#onUp(peer),
      onDown: (peer, reason) => this.#onDown(peer, reason),
      onIdle: (peer) => {
        if (peer.isIdle && this.#peers.get(peer.node) === peer) this.#peers.delete(peer.node);
      },
    };
  }

  #newSelf(): HandshakeSelf {
    const { name, creation, cookie, host, inbound } = this.#options;
    return {
      name: name.name,
      creation,
      flags: this.#flags,
      compact: inbound.calls !== undefined,
      cookie,
      md5: (bytes) => createHash('md5').update(bytes).digest(),
      challenge: host.random.uint32(),
      isOwnChallenge: (challenge) => this.#openChallenges.has(challenge),
    };
  }

  /** Whether a caller that has said its name, and proved nothing yet, may go on. */
  #decide(caller: HandshakePeer): HandshakeStatus {
    const { name, creation, host } = this.#options;
    if (caller.name === name.name && caller.creation === creation) {
      host.log.info({ name: caller.name }, 'distribution: an old address of another node leads to this one');
      return 'not_allowed';
    }
    if (caller.name === name.name) {
      host.log.error(
        { code: 'name_clash', name: caller.name },
        'distribution: a caller has the name of this node',
      );
      this.#refused.name_clash = (this.#refused.name_clash ?? 0) + 1;
      return 'not_allowed';
    }
    if (this.#closing !== undefined) return 'not_allowed';
    const peer = this.#peers.get(atom(caller.name));
    const link = peer?.link;
    // An earlier start of the same node cannot be alive any more, so nobody needs to be asked.
    if (link !== undefined) return link.peer.creation === caller.creation ? 'alive' : 'ok';
    if (this.#up.size >= this.#limits.connectionsMax) return 'not_allowed';
    return peer?.isDialling === true ? resolveSimultaneous(name.name, caller.name) : 'ok';
  }

  #adopt(done: HandshakeDone, socket: ByteStream): void {
    if (this.#closing === undefined) this.#peerOf(atom(done.peer.name)).adopt(done, socket);
    else socket.destroy();
  }

  #onUp(peer: Peer): void {
    this.#up.add(peer);
    const connected = describe(peer);
    if (connected === undefined) return;
    for (const observer of this.#upObservers) observer(connected);
  }

  #onDown(peer: Peer, reason: string): void {
    this.#up.delete(peer);
    for (const observer of this.#downObservers) observer(peer.node, reason);
  }
}

function describe(peer: Peer): ConnectedNode | undefined {
  const link = peer.link;
  if (link === undefined) return undefined;
  return { node: peer.node, creation: link.peer.creation, kind: link.peer.kind };
}
