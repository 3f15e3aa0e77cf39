// The listening socket and the handshakes of callers. A caller is nobody until it has proved the cookie: it gets a short
// time, few bytes, and one of a limited number of places; whatever it does wrong costs it the connection, a line in the
// log and a count, and nothing else.
import { DGenError } from '../errors/error.ts';
import type { Host } from '../host/ports.ts';
import type { Atom } from '../term/atom.ts';
import type { HandshakeDone } from './attempt.ts';
import { type HandshakeResult, runHandshake } from './handshaking.ts';
import type { Address, DistributionLimits } from './options.ts';
import {
  Acceptor,
  type HandshakePeer,
  type HandshakeSelf,
  type HandshakeStatus,
} from './protocol/handshake.ts';
import type { ByteStream, Listening, Transport } from './transport.ts';

export interface ListenerOptions {
  readonly host: Host;
  readonly limits: DistributionLimits;
  readonly transport: Transport;
  readonly self: () => HandshakeSelf;
  /** The handshake that used that `self` is over. */
  readonly release: (self: HandshakeSelf) => void;
  readonly decide: (peer: HandshakePeer) => HandshakeStatus;
  readonly onConnected: (done: HandshakeDone, socket: ByteStream) => void;
  /** A connection was refused for that reason: a code of the error table, or a handshake status. */
  readonly onRefused: (reason: string) => void;
}

export class Listener {
  readonly #options: ListenerOptions;
  #listening: Promise<Listening> | undefined;
  readonly #handshakes = new Set<() => void>();
  /** Names of callers whose handshake is under way, and who waits for its end. */
  readonly #callers = new Map<string, (() => void)[][]>();

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  get handshakeCount(): number {
    return this.#handshakes.size;
  }

  /** Rejects with the system's error as `cause` of a `connect_failed` when the address cannot be had. */
  listen(host: string, port: number): Promise<Address> {
    if (this.#listening !== undefined) throw new DGenError('badarg', 'the node is listening already');
    return this.#listen(host, port);
  }

  async #listen(host: string, port: number): Promise<Address> {
    const listening = this.#options.transport.listen({
      host,
      port,
      onStream: (socket) => this.#onCaller(socket),
      onError: (error) => this.#options.host.log.error({ error }, 'distribution: accepting failed'),
    });
    this.#listening = listening;
    try {
      return { host, port: (await listening).port };
    } catch (cause) {
      this.#listening = undefined;
      // biome-ignore lint/style/useErrorCause: it is in the options.
      throw new DGenError('connect_failed', `listening on ${host}:${port}`, { cause, maybeExecuted: false });
    }
  }

  /** Resolves when no handshake of a caller of that name is under way, or after the time. */
  settled(node: Atom, graceMs: number): Promise<void> {
    const running = this.#callers.get(node.name);
    if (running === undefined || running.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#options.host.timers.after(graceMs, resolve);
      let left = running.length;
      for (const waiters of running) {
        waiters.push(() => {
          left -= 1;
          if (left > 0) return;
          timer.cancel();
          resolve();
        });
      }
    });
  }

  /** Takes no more callers and hangs up on those in the handshake. */
  close(): Promise<void> {
    for (const cancel of [...this.#handshakes]) cancel();
    const listening = this.#listening;
    this.#listening = undefined;
    return listening === undefined ? Promise.resolve() : closeOnce(listening);
  }

  #onCaller(socket: ByteStream): void {
    const { host, limits, onRefused } = this.#options;
    if (this.#handshakes.size >= limits.handshakesMax) {
      onRefused('system_limit');
      host.log.warn({ code: 'system_limit', remote: remoteOf(socket) }, 'distribution: too many handshakes');
      socket.on('error', () => socket.destroy());
      socket.destroy();
      return;
    }
    this.#handshake(socket);
  }

  #handshake(socket: ByteStream): void {
    const { host, limits, self: makeSelf, release } = this.#options;
    const self = makeSelf();
    const remote = remoteOf(socket);
    let endCaller: (() => void) | undefined;
    const machine = new Acceptor({
      self,
      decide: (peer) => {
        const status = this.#options.decide(peer);
        if (status !== 'nok' && status !== 'not_allowed') endCaller = this.#beginCaller(peer.name);
        return status;
      },
    });
    const cancel = runHandshake({
      socket,
      machine,
      timers: host.timers,
      timeoutMs: limits.handshakeTimeoutMs,
      onResult: (result) => {
        this.#handshakes.delete(cancel);
        release(self);
        if (result.kind === 'done') this.#options.onConnected(result, socket);
        else this.#report(result, remote);
        endCaller?.();
      },
    });
    this.#handshakes.add(cancel);
  }

  #beginCaller(name: string): () => void {
    const waiters: (() => void)[] = [];
    const running = this.#callers.get(name) ?? [];
    running.push(waiters);
    this.#callers.set(name, running);
    return () => {
      const rest = (this.#callers.get(name) ?? []).filter((each) => each !== waiters);
      if (rest.length === 0) this.#callers.delete(name);
      else this.#callers.set(name, rest);
      for (const waiter of waiters) waiter();
    };
  }

  #report(result: HandshakeResult, remote: string): void {
    const { host, onRefused } = this.#options;
    const refusal = refusalOf(result);
    if (refusal === undefined) return;
    onRefused(refusal.code);
    host.log.warn({ ...refusal, remote }, 'distribution: caller refused');
  }
}

interface Refusal {
  readonly code: string;
  readonly error?: Error;
  readonly waitingFor?: string;
}

/** What to say about a handshake that led to nothing; `undefined` when all went as it should. */
function refusalOf(result: HandshakeResult): Refusal | undefined {
  switch (result.kind) {
    case 'failed':
      return { code: result.error.code, error: result.error };
    case 'timeout':
      return { code: 'bad_peer', waitingFor: result.waitingFor };
    case 'closed':
      // Whoever connects and says nothing only looked whether the port is open.
      return result.bytesReceived === 0 ? undefined : { code: 'bad_peer', waitingFor: result.waitingFor };
    case 'refused':
      return result.status === 'not_allowed' ? { code: 'not_allowed' } : undefined;
    default:
      return undefined;
  }
}

/** One that could not begin has nothing to close. */
async function closeOnce(listening: Promise<Listening>): Promise<void> {
  const begun = await listening.catch(() => undefined);
  await begun?.close();
}

function remoteOf(socket: ByteStream): string {
  return `${socket.remoteAddress ?? '?'}:${socket.remotePort ?? '?'}`;
}
