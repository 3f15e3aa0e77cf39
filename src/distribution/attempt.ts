// An attempt to reach a node: look its addresses up, dial one after the other, and start again when the peer answers
// that its own attempt goes on and then nothing comes of it, or when nobody answers at all: the network may be whole again a
// moment later, and the kernel knocks in ever larger intervals. All within one deadline. The attempt may be cancelled at
// any moment, the look-up included: that is what happens when the peer's attempt was faster.
import { DGenError } from '../errors/error.ts';
import type { Host } from '../host/ports.ts';
import type { Atom } from '../term/atom.ts';
import { type DialResult, dial } from './dialling.ts';
import type { Address, DistributionLimits } from './options.ts';
import type { HandshakeOutcome, HandshakeSelf } from './protocol/handshake.ts';
import type { ByteStream, Transport } from './transport.ts';

/** Addresses tried for one node; the rest of a longer list is ignored. */
const addressesMax = 8;
/** How long a peer's own attempt may take, from the moment that it lets us know of it. */
const graceMs = 1_000;
/** How long an address may leave a knock unanswered; then others, or it again. */
const openTimeoutMs = 2_000;

export type HandshakeDone = Extract<HandshakeOutcome, { kind: 'done' }>;

export interface AttemptOptions {
  readonly node: Atom;
  readonly host: Host;
  readonly limits: DistributionLimits;
  readonly transport: Transport;
  readonly self: () => HandshakeSelf;
  readonly resolve: (node: Atom) => Promise<readonly Address[]>;
  /** Resolves when no handshake of a caller with that name is under way, or after `graceMs`. */
  readonly callersSettled: (node: Atom, graceMs: number) => Promise<void>;
  /** The result, once, unless cancelled before. The socket must be taken over before the return. */
  readonly onConnected: (done: HandshakeDone, socket: ByteStream) => void;
  readonly onFailed: (error: DGenError) => void;
}

type Round = 'finished' | 'try later' | 'try again';

export class Attempt {
  readonly #options: AttemptOptions;
  readonly #deadline: number;
  #finished = false;
  #cancelDial: (() => void) | undefined;
  /** Wakes a pause early, when the attempt is cancelled. */
  #wake: (() => void) | undefined;

  constructor(options: AttemptOptions) {
    this.#options = options;
    this.#deadline = options.host.clock.now() + options.limits.connectTimeoutMs;
  }

  start(): void {
    this.#run().catch((cause: unknown) => {
      this.#fail(new DGenError('connect_failed', this.#options.node.name, { cause }));
    });
  }

  cancel(): void {
    this.#finished = true;
    this.#cancelDial?.();
    this.#wake?.();
  }

  async #run(): Promise<void> {
    const { node, callersSettled } = this.#options;
    while (!this.#finished) {
      await callersSettled(node, Math.min(graceMs, this.#timeLeft()));
      const round = await this.#round();
      if (round === 'finished') return;
      if (round === 'try later') await this.#pause(graceMs);
      if (this.#timeLeft() <= 0)
        this.#fail(connectFailed(node, 'the peer neither takes nor makes a connection'));
    }
  }

  async #round(): Promise<Round> {
    const { node } = this.#options;
    const addresses = await this.#resolve();
    let error = new DGenError('unknown_node', node.name);
    let silent = false;
    for (const [index, address] of addresses.entries()) {
      if (this.#finished) return 'finished';
      const result = await this.#dial(address, this.#timeLeft() / (addresses.length - index));
      if (result.kind === 'done' || result.kind === 'cancelled') return 'finished';
      if (result.kind === 'refused' && result.status === 'nok') return 'try later';
      silent ||= result.kind === 'unreachable' && result.silent;
      error = errorOf(result, node);
    }
    if (silent && this.#timeLeft() > 0) return 'try again';
    this.#fail(error);
    return 'finished';
  }

  async #resolve(): Promise<readonly Address[]> {
    const { node, resolve, host } = this.#options;
    let timer: { cancel(): void } | undefined;
    const late = new Promise<readonly Address[]>((done) => {
      timer = host.timers.after(this.#timeLeft(), () => done([]));
      this.#wake = () => done([]);
    });
    try {
      return (await Promise.race([resolve(node), late])).slice(0, addressesMax);
    } catch (error) {
      host.log.warn({ node: node.name, error }, 'distribution: address look-up failed');
      return [];
    } finally {
      timer?.cancel();
    }
  }

  #dial(address: Address, timeoutMs: number): Promise<DialResult> {
    const { node, host, limits, transport, self } = this.#options;
    return new Promise((resolve) => {
      const atMostMs = Math.max(1, timeoutMs);
      const request = {
        transport,
        address,
        self: self(),
        expected: node.name,
        timers: host.timers,
        timeoutMs: Math.min(atMostMs, limits.handshakeTimeoutMs),
        openTimeoutMs: Math.min(atMostMs, openTimeoutMs),
      };
      const cancel = dial(request, (result, socket) => {
        this.#cancelDial = undefined;
        // The socket is handed over here and not after the await: by then its events could have come.
        if (result.kind === 'done') this.#succeed(result, socket);
        resolve(result);
      });
      this.#cancelDial = () => {
        cancel();
        resolve({ kind: 'cancelled' });
      };
    });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#options.host.timers.after(Math.min(ms, Math.max(0, this.#timeLeft())), resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  #timeLeft(): number {
    return this.#deadline - this.#options.host.clock.now();
  }

  #succeed(done: HandshakeDone, socket: ByteStream): void {
    this.#finished = true;
    this.#options.onConnected(done, socket);
  }

  #fail(error: DGenError): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#options.onFailed(error);
  }
}

function errorOf(result: DialResult, node: Atom): DGenError {
  switch (result.kind) {
    case 'failed':
      return result.error;
    case 'unreachable':
      return connectFailed(node, result.cause.message, result.cause);
    case 'timeout':
      return connectFailed(node, `no ${result.waitingFor} in time`);
    case 'closed':
      // A node that sees a wrong proof hangs up without a word.
      if (result.waitingFor === 'ack') return new DGenError('bad_cookie', `${node.name} rejects the cookie`);
      return connectFailed(node, `hung up instead of sending ${result.waitingFor}`, result.cause);
    case 'refused':
      return connectFailed(node, `refused with status ${result.status}`);
    default:
      return connectFailed(node, result.kind);
  }
}

function connectFailed(node: Atom, why: string, cause?: Error): DGenError {
  return new DGenError('connect_failed', `${node.name}: ${why}`, { cause });
}
