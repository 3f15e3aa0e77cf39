// What this node knows of one other node: nothing, an attempt to reach it, or a link. A signal without a link starts an
// attempt and waits in its queue, in order; when the attempt fails the queue is dropped and the runtime hears of it, so
// that everything that was asked for fires. For a short, growing time after failures signals fail without an attempt.
//
//   idle --signal, connect--> dialling --handshake--> up --loss--> idle
//                                |  ^                     a caller's handshake leads to `up` from everywhere
//                                v  | pause over
//                               failed
import { DGenError } from '../errors/error.ts';
import type { Host, TimerHandle } from '../host/ports.ts';
import type { Inbound } from '../process/distribution-port.ts';
import type { Atom } from '../term/atom.ts';
import type { TermCodecs } from '../term/codecs.ts';
import { Attempt, type AttemptOptions, type HandshakeDone } from './attempt.ts';
import { type DeliverTo, deliver } from './deliver.ts';
import { Link } from './link.ts';
import type { DistributionLimits } from './options.ts';
import type { NodeIdentity } from './protocol/compact.ts';
import type { OutgoingControl } from './protocol/control.ts';
import { capabilitiesOf } from './protocol/flags.ts';
import { SignalQueue } from './signal-queue.ts';
import type { ByteStream } from './transport.ts';

const backoffMinMs = 50;
/** A link that lived shorter than this counts as a failed attempt: a peer that accepts and hangs up must not be dialled in a loop. */
const shortLifeMs = 1_000;

/** What all peers of a node share. */
export interface PeerContext {
  readonly self: NodeIdentity<Atom>;
  readonly host: Host;
  readonly limits: DistributionLimits;
  readonly inbound: Inbound;
  readonly codecs: TermCodecs | undefined;
  readonly beforeInput: (() => void) | undefined;
  readonly silenceMs: (node: Atom) => number;
  readonly ownFlags: bigint;
  readonly attempt: Pick<AttemptOptions, 'transport' | 'self' | 'resolve' | 'callersSettled'>;
  /** False when there are as many links as there may be. */
  readonly mayConnect: () => boolean;
  readonly onUp: (peer: Peer) => void;
  readonly onDown: (peer: Peer, reason: string) => void;
  /** The peer holds nothing worth remembering. */
  readonly onIdle: (peer: Peer) => void;
}

interface Dialling {
  readonly attempt: Attempt;
  readonly queue: SignalQueue;
  readonly waiters: ((connected: boolean) => void)[];
}

export class Peer {
  readonly node: Atom;
  readonly #context: PeerContext;
  #link: Link | undefined;
  #upSince = 0;
  #dialling: Dialling | undefined;
  #failures = 0;
  #retryAt = 0;
  #downScheduled = false;
  #forgetTimer: TimerHandle | undefined;

  constructor(node: Atom, context: PeerContext) {
    this.node = node;
    this.#context = context;
  }

  get link(): Link | undefined {
    return this.#link?.isUsable === true ? this.#link : undefined;
  }

  get isDialling(): boolean {
    return this.#dialling !== undefined;
  }

  get isIdle(): boolean {
    return this.#link === undefined && this.#dialling === undefined && !this.#downScheduled;
  }

  /** Sends, queues or drops one signal, as `Outbound` says. */
  signal(control: OutgoingControl): void {
    const link = this.#link;
    if (link !== undefined) {
      link.write(control);
      return;
    }
    if (this.#dialling === undefined && this.#context.host.clock.now() < this.#retryAt) {
      this.refuse('recent attempts to connect failed');
      return;
    }
    this.#enqueue(control);
  }

  /** Resolves with true when a link is up, with false when the attempt has failed. Makes an attempt also within the pause after failures. */
  connect(): Promise<boolean> {
    const link = this.link;
    if (link !== undefined) return Promise.resolve(true);
    return new Promise((resolve) => {
      this.#dial().waiters.push(resolve);
    });
  }

  whenWritable(onRoom: () => void): void {
    const link = this.#link;
    if (link !== undefined) link.whenWritable(onRoom);
    else if (this.#dialling !== undefined) this.#dialling.waiters.push(() => this.whenWritable(onRoom));
    else this.#context.host.timers.defer(onRoom);
  }

  /** Takes over a socket on which the handshake is complete, from either side. A former link ends first. */
  adopt(done: HandshakeDone, socket: ByteStream): void {
    this.#link?.replace('a newer connection of the peer took its place');
    const dialling = this.#dialling;
    this.#dialling = undefined;
    dialling?.attempt.cancel();
    this.#forgetTimer?.cancel();
    const link = this.#newLink(done, socket);
    this.#link = link;
    this.#upSince = this.#context.host.clock.now();
    link.start();
    if (dialling !== undefined) this.#drain(dialling.queue, link);
    const { kind, creation } = done.peer;
    const { channel } = link;
    this.#context.inbound.nodeUp(this.node, {
      kind,
      creation,
      ...(channel === undefined ? {} : { channel }),
    });
    this.#context.onUp(this);
    for (const waiter of dialling?.waiters ?? []) waiter(true);
    if (done.rest.length > 0) link.receive(done.rest);
  }

  /** Ends the link after what is queued, or the attempt. False when there is neither. */
  disconnect(reason: string): boolean {
    if (this.#link === undefined && this.#dialling === undefined) return false;
    // Ended by us, however early: the peer has not failed.
    this.#upSince = Number.NEGATIVE_INFINITY;
    this.#link?.close(reason);
    if (this.#dialling !== undefined) this.#giveUp(this.#dialling, new DGenError('closed', reason));
    return true;
  }

  /** As `disconnect`; resolves when the socket is closed and the runtime has heard of it. */
  async close(): Promise<void> {
    const link = this.#link;
    this.disconnect('closed');
    await link?.closed;
    await new Promise<void>((resolve) => this.#context.host.timers.defer(resolve));
  }

  #enqueue(control: OutgoingControl): void {
    const dialling = this.#dial();
    if (dialling.queue.add(control)) return;
    this.#giveUp(
      dialling,
      new DGenError('send_buffer_full', `${this.node.name}: too many signals while dialling`),
    );
  }

  /** Ends an attempt; never from within a call of the runtime. */
  #giveUp(dialling: Dialling, error: DGenError): void {
    dialling.attempt.cancel();
    this.#context.host.timers.defer(() => this.#onFailed(dialling, error));
  }

  #dial(): Dialling {
    if (this.#dialling !== undefined) return this.#dialling;
    const { host, limits, codecs, attempt } = this.#context;
    this.#forgetTimer?.cancel();
    const dialling: Dialling = {
      attempt: new Attempt({
        ...attempt,
        node: this.node,
        host,
        limits,
        onConnected: (done, socket) => this.adopt(done, socket),
        onFailed: (error) => this.#onFailed(dialling, error),
      }),
      queue: new SignalQueue({
        bytesMax: limits.sendBufferBytesMax / 2,
        frameBytesMax: limits.frameBytesMax,
        codecs,
      }),
      waiters: [],
    };
    this.#dialling = dialling;
    if (this.#context.mayConnect()) dialling.attempt.start();
    else this.#giveUp(dialling, new DGenError('system_limit', 'connected nodes'));
    return dialling;
  }

  #onFailed(dialling: Dialling, error: DGenError): void {
    if (this.#dialling !== dialling) return;
    this.#dialling = undefined;
    this.#countFailure();
    const { host, inbound } = this.#context;
    host.log.info({ peer: this.node.name, code: error.code, error }, 'distribution: no connection to a node');
    inbound.nodeDown(this.node, error.message);
    for (const waiter of dialling.waiters) waiter(false);
    this.#forgetLater();
  }

  #newLink(done: HandshakeDone, socket: ByteStream): Link {
    const { self, host, limits, codecs, beforeInput, silenceMs, ownFlags, inbound } = this.#context;
    const to: DeliverTo = { inbound, reply: (answer) => link.write(answer) };
    const link: Link = new Link({
      socket,
      self,
      node: this.node,
      peer: done.peer,
      inbound,
      can: capabilitiesOf(ownFlags, done.peer.flags),
      host,
      limits,
      codecs,
      beforeInput,
      silenceMs: () => silenceMs(this.node),
      onControl: (control) => deliver(control, to),
      onEnd: (reason) => this.#onEnd(link, reason),
    });
    return link;
  }

  #drain(queue: SignalQueue, link: Link): void {
    try {
      queue.drain(link.peer.kind, this.#context.host.log, (control) => link.write(control));
    } catch (error) {
      link.cut(`queued signals could not be sent: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #onEnd(link: Link, reason: string): void {
    if (this.#link !== link) return;
    this.#link = undefined;
    const { host, inbound } = this.#context;
    if (host.clock.now() - this.#upSince < shortLifeMs) this.#countFailure();
    else this.#failures = 0;
    inbound.nodeDown(this.node, reason);
    this.#context.onDown(this, reason);
    this.#forgetLater();
  }

  /** Between half and the whole of a pause that doubles with every failure in a row. */
  #countFailure(): void {
    const { host, limits } = this.#context;
    this.#failures += 1;
    const pause = Math.min(limits.backoffMaxMs, backoffMinMs * 2 ** Math.min(this.#failures - 1, 16));
    this.#retryAt = host.clock.now() + pause * (0.5 + host.random.uint32() / 2 ** 33);
  }

  /** Drops a signal: tells the runtime, once per turn and never from within its own call. */
  refuse(reason: string): void {
    if (this.#downScheduled) return;
    this.#downScheduled = true;
    this.#context.host.timers.defer(() => {
      this.#downScheduled = false;
      // If a link came up in between, its own end will tell; what was dropped before it is still to be told of.
      this.#context.inbound.nodeDown(this.node, reason);
      this.#forgetLater();
    });
  }

  #forgetLater(): void {
    const { host, limits } = this.#context;
    this.#forgetTimer?.cancel();
    const delay = 2 * limits.backoffMaxMs + shortLifeMs;
    this.#forgetTimer = host.timers.after(delay, () => this.#context.onIdle(this), { background: true });
  }

  /** For the end of the distribution: no timer is left behind. */
  dispose(): void {
    this.#forgetTimer?.cancel();
  }
}
