// A TCP proxy on loopback that fails on command. It knows no protocol, so it serves every client of every server. Each
// connection is two pipes, `up` from the client to the server and `down` back; a pipe lets bytes flow, holds them, or
// swallows them. Nothing survives `close`.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { type Direction, ProxyConnection } from './proxy-connection.ts';

export interface ProxyTarget {
  readonly port: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
}

/** What becomes of new connections. */
type Door = 'open' | 'refusing' | 'silent';

/** Called at the begin of each turn, before its bytes are passed on. */
type TurnListener = (connection: ProxyConnection) => void;

export class TcpProxy {
  /** Since the start, over all connections. Bytes are counted as they arrive, also those that go no further. */
  readonly counts = { accepted: 0, cut: 0, up: 0, down: 0 };
  readonly #server: Server;
  readonly #connections: Set<ProxyConnection> = new Set();
  readonly #listeners: Set<TurnListener> = new Set();
  readonly #timers: Set<NodeJS.Timeout> = new Set();
  #target: ProxyTarget;
  #door: Door = 'open';
  #cutAfterMs: number | undefined;

  private constructor(server: Server, target: ProxyTarget) {
    this.#server = server;
    this.#target = target;
    server.on('connection', (client: Socket) => this.#accept(client));
  }

  static async start(target: ProxyTarget): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new TcpProxy(server, target);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Those that have a living side, the oldest first. */
  get connections(): readonly ProxyConnection[] {
    return [...this.#connections];
  }

  /** Where new connections lead to. */
  retarget(target: ProxyTarget): void {
    this.#target = target;
  }

  /** Resets both sides of every connection. */
  cut(): void {
    for (const connection of this.#connections) connection.cut();
  }

  /** `refusing` resets new connections as they come; `silent` takes them and passes nothing, for ever. */
  door(state: Door): void {
    this.#door = state;
  }

  /** Swallows everything in both directions on the connections of now, for ever. */
  silence(): void {
    for (const connection of this.#connections) connection.swallow();
  }

  /** Holds bytes of a direction on the connections of now, until `release`. */
  hold(direction: Direction): void {
    for (const connection of this.#connections) connection.pipe(direction).hold();
  }

  release(direction: Direction): void {
    for (const connection of this.#connections) connection.pipe(direction).release();
  }

  /** On the connections of now: `bytes` more pass in that direction, the rest is swallowed. */
  dropAfter(direction: Direction, bytes: number): void {
    for (const connection of this.#connections) connection.pipe(direction).dropAfter(bytes);
  }

  /** Cuts each new connection so many milliseconds after it was made; undefined: no more of that. */
  cutEachAfter(ms: number | undefined): void {
    this.#cutAfterMs = ms;
  }

  /** Calls `listener` at each turn from now on, the next bytes of any client being one, until the returned function is called. */
  onTurn(listener: TurnListener): () => void {
    for (const connection of this.#connections) connection.expectTurn();
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Runs `action` after `ms` unless the proxy is closed before. */
  after(ms: number, action: () => void): () => void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, ms);
    this.#timers.add(timer);
    return () => {
      clearTimeout(timer);
      this.#timers.delete(timer);
    };
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#listeners.clear();
    if (this.#server.listening) {
      const closed = once(this.#server, 'close');
      this.#server.close();
      this.cut();
      await closed;
    }
  }

  #accept(client: Socket): void {
    this.counts.accepted += 1;
    if (this.#door === 'refusing') {
      client.on('error', () => undefined);
      client.resetAndDestroy();
      return;
    }
    const { port, host = '127.0.0.1' } = this.#target;
    const server =
      this.#door === 'silent' ? undefined : connect({ port, host, allowHalfOpen: true, noDelay: true });
    const connection = new ProxyConnection(client, server, {
      turn: (at) => {
        for (const listener of [...this.#listeners]) listener(at);
      },
      bytes: (direction, count) => {
        this.counts[direction] += count;
      },
      cut: () => {
        this.counts.cut += 1;
      },
      ended: (at) => void this.#connections.delete(at),
    });
    this.#connections.add(connection);
    if (this.#cutAfterMs !== undefined) this.after(this.#cutAfterMs, () => connection.cut());
  }
}
