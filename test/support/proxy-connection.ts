// One connection of the proxy: a socket to the client, one to the server, and a pipe in each direction. While a pipe does
// not flow, the end of its source is kept from the other side too, so the server does not notice a client that is gone.
import type { Socket } from 'node:net';

/** `up` is from the client to the server. */
export type Direction = 'up' | 'down';

export interface ConnectionListener {
  turn(connection: ProxyConnection): void;
  bytes(direction: Direction, count: number): void;
  cut(): void;
  ended(connection: ProxyConnection): void;
}

export class ProxyConnection {
  /** Turns so far: bytes of the client after bytes of the server, or after `expectTurn`. */
  turns = 0;
  readonly #client: Socket;
  readonly #server: Socket | undefined;
  readonly #pipes: Readonly<Record<Direction, ProxyPipe>>;
  readonly #listener: ConnectionListener;
  readonly #downListeners: Set<() => void> = new Set();
  #last: Direction = 'down';
  #open = 1;

  /** Without a server it swallows what the client says. */
  constructor(client: Socket, server: Socket | undefined, listener: ConnectionListener) {
    this.#client = client;
    this.#server = server;
    this.#listener = listener;
    this.#pipes = { up: new ProxyPipe(server), down: new ProxyPipe(client) };
    this.#attach(client, 'up');
    if (server === undefined) return;
    this.#open = 2;
    this.#attach(server, 'down');
  }

  pipe(direction: Direction): ProxyPipe {
    return this.#pipes[direction];
  }

  /** The next bytes of the client are the begin of a turn. */
  expectTurn(): void {
    this.#last = 'down';
  }

  /** Swallows everything in both directions, for ever. */
  swallow(): void {
    this.#pipes.up.swallow();
    this.#pipes.down.swallow();
  }

  /** Resets both sides. */
  cut(): void {
    this.#listener.cut();
    this.cutClient();
    this.#server?.resetAndDestroy();
  }

  /** Resets the client's side only. */
  cutClient(): void {
    this.#client.resetAndDestroy();
  }

  /** Calls `listener` for each arrival of bytes from the server, and for its end, also if they go no further. */
  onDown(listener: () => void): void {
    this.#downListeners.add(listener);
  }

  #attach(source: Socket, direction: Direction): void {
    const pipe = this.#pipes[direction];
    source.on('data', (chunk: Buffer) => {
      this.#listener.bytes(direction, chunk.length);
      this.#arrived(direction);
      pipe.write(chunk, source);
    });
    source.on('end', () => pipe.end());
    // What went wrong with a socket is told to the other side by its close.
    source.on('error', () => undefined);
    source.on('close', (failed: boolean) => {
      if (direction === 'down') this.#tellDown();
      if (failed) pipe.reset();
      else pipe.end();
      this.#open -= 1;
      if (this.#open === 0) this.#listener.ended(this);
    });
  }

  #arrived(direction: Direction): void {
    const isTurn = direction === 'up' && this.#last === 'down';
    this.#last = direction;
    if (direction === 'down') this.#tellDown();
    if (!isTurn) return;
    this.turns += 1;
    this.#listener.turn(this);
  }

  #tellDown(): void {
    for (const listener of [...this.#downListeners]) listener();
  }
}

const heldBytesMax = 64 * 1024 * 1024;

export class ProxyPipe {
  readonly #to: Socket | undefined;
  #mode: 'flow' | 'hold' | 'swallow';
  #held: Buffer[] = [];
  #heldBytes = 0;
  #ending: 'end' | 'reset' | undefined;
  #bytesLeft = Number.POSITIVE_INFINITY;
  #keptOpen = false;

  constructor(to: Socket | undefined) {
    this.#to = to;
    this.#mode = to === undefined ? 'swallow' : 'flow';
  }

  hold(): void {
    if (this.#mode === 'flow') this.#mode = 'hold';
  }

  /** From now on the end of its source is not told to the other side. */
  keepOpen(): void {
    this.#keptOpen = true;
  }

  /** Passes on what was held, in order, and lets the rest flow. */
  release(): void {
    if (this.#mode !== 'hold') return;
    this.#mode = 'flow';
    for (const chunk of this.#held.splice(0)) this.#to?.write(chunk);
    this.#heldBytes = 0;
    if (this.#ending === 'end') this.end();
    if (this.#ending === 'reset') this.reset();
  }

  swallow(): void {
    this.#mode = 'swallow';
    this.#held = [];
  }

  /** Lets so many bytes more pass, in whatever chunks they come, and swallows the rest. */
  dropAfter(bytes: number): void {
    this.#bytesLeft = bytes;
    if (bytes === 0) this.swallow();
  }

  write(chunk: Buffer, source: Socket): void {
    if (this.#mode === 'swallow') return;
    const passing = chunk.length > this.#bytesLeft ? chunk.subarray(0, this.#bytesLeft) : chunk;
    this.#bytesLeft -= passing.length;
    if (this.#mode === 'hold') this.#keep(passing);
    else this.#pass(passing, source);
    if (this.#bytesLeft === 0) this.swallow();
  }

  end(): void {
    if (this.#keptOpen) return;
    if (this.#mode === 'flow') this.#to?.end();
    else this.#ending ??= 'end';
  }

  reset(): void {
    if (this.#keptOpen) return;
    if (this.#mode === 'flow') this.#to?.resetAndDestroy();
    else this.#ending = 'reset';
  }

  #keep(chunk: Buffer): void {
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#heldBytes > heldBytesMax) throw new Error(`the proxy holds more than ${heldBytesMax} bytes`);
  }

  #pass(chunk: Buffer, source: Socket): void {
    const to = this.#to;
    if (to === undefined || to.destroyed || to.writableEnded || to.write(chunk)) return;
    source.pause();
    const resume = (): void => {
      to.off('drain', resume);
      to.off('close', resume);
      source.resume();
    };
    to.on('drain', resume);
    to.on('close', resume);
  }
}
