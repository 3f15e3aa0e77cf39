// Connections between simulated nodes, in the words of `ByteStream`: what is written arrives in order, in chunks cut and
// joined at random, after a while, or never. The kernels are here too: they take callers while a program stands still, say
// that nobody listens, and hang up for a program that died; a machine that is off says nothing.
import { EventEmitter } from 'node:events';
import type { ByteStream } from '../../distribution/transport.ts';
import type { Life } from './life.ts';
import type { Net } from './net.ts';
import type { Pipe } from './wires.ts';

type Arrived = { readonly bytes: Uint8Array } | 'fin' | 'rst';

interface Write {
  readonly chunk: Uint8Array;
  readonly written: (() => void) | undefined;
}

/** The end of a connection on one node. */
export class SimStream extends EventEmitter implements ByteStream {
  readonly life: Life;
  readonly localPort: number;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly remoteAddress: string;
  writableLength = 0;
  /** To the other end; set when there is one, or something that answers for it. */
  out: Pipe | undefined;
  other: SimStream | undefined;
  readonly #net: Net;
  #connecting: boolean;
  #destroyed = false;
  #closeWhenWritten = false;
  #writes: Write[] = [];
  #inbox: Arrived[] = [];
  #readPlanned = false;
  readonly #onDeath = (): void => this.#kernelCloses();

  constructor(
    net: Net,
    life: Life,
    ends: { local: readonly [string, number]; remote: readonly [string, number]; connecting: boolean },
  ) {
    super();
    this.#net = net;
    this.life = life;
    [this.localAddress, this.localPort] = ends.local;
    [this.remoteAddress, this.remotePort] = ends.remote;
    this.#connecting = ends.connecting;
    life.onDeath.add(this.#onDeath);
  }

  /** No program holds it any more. */
  get isClosed(): boolean {
    return this.#destroyed || !this.life.alive;
  }

  write(chunk: Uint8Array, written?: () => void): boolean {
    if (!this.life.alive) this.life.ghost('writes');
    if (this.isClosed) return false;
    this.#writes.push({ chunk, written });
    this.writableLength += chunk.length;
    this.#handOver();
    return this.writableLength === 0;
  }

  cork(): void {
    // What is gathered or not makes no difference to somebody who reads chunks of any size.
  }

  uncork(): void {
    // As above.
  }

  resume(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  destroySoon(): void {
    if (this.#writes.length === 0) this.destroy();
    else this.#closeWhenWritten = true;
  }

  destroy(): this {
    if (this.isClosed) return this;
    // A kernel that still has input for a program that closes says so by a reset.
    const unread = this.#inbox.some((arrived) => typeof arrived === 'object');
    this.#release(unread ? 'rst' : 'fin');
    this.life.soon(() => this.emit('close'));
    return this;
  }

  /** The connection is there. */
  connected(): void {
    if (this.isClosed) return;
    this.#connecting = false;
    this.emit('connect');
    this.#handOver();
  }

  failed(code: string): void {
    if (this.isClosed) return;
    this.#release(undefined);
    this.emit('error', Object.assign(new Error(`connect ${code}`), { code }));
    this.life.soon(() => this.emit('close'));
  }

  /** The kernel has got something for it. */
  arrive(what: Arrived): void {
    if (this.isClosed) {
      // The kernel knows of no such connection, unless the whole machine is off.
      if (what !== 'rst' && what !== 'fin') this.#answerReset();
      return;
    }
    if (typeof what === 'object') this.#net.story.mixBytes(what.bytes);
    this.#inbox.push(what);
    this.#planRead();
  }

  /** The connection breaks for both ends, as after a reset by somebody on the way. */
  break(): void {
    if (this.isClosed) return;
    this.arrive('rst');
  }

  describe(): string {
    const { life, remoteAddress, remotePort, localPort } = this;
    const listening = ['data', 'end', 'close', 'error'].map((name) => `${name} ${this.listenerCount(name)}`);
    const gone = this.other?.isClosed === true ? ', whose other end is closed' : '';
    return `${life.node}:${localPort} > ${remoteAddress}:${remotePort}${gone}, with listeners ${listening.join(', ')}`;
  }

  #planRead(): void {
    if (this.#readPlanned) return;
    this.#readPlanned = true;
    const lag = this.#net.draw.chance(300) ? this.#net.draw.below(1000) / 1000 : 0;
    this.#net.time.after(lag, () => this.life.enter(() => this.#read()));
  }

  /** All that is there, as one chunk; then what came behind it. */
  #read(): void {
    this.#readPlanned = false;
    if (this.isClosed) return;
    const chunks: Uint8Array[] = [];
    let next = this.#inbox[0];
    // A reset overtakes what has not been read.
    const reset = this.#inbox.includes('rst');
    for (; !reset && typeof next === 'object'; next = this.#inbox[0]) {
      chunks.push(next.bytes);
      this.#inbox.shift();
    }
    if (reset) this.#reset();
    else if (chunks.length > 0) {
      this.emit('data', joined(chunks));
      if (this.#inbox.length > 0) this.#planRead();
    } else if (next === 'fin') {
      this.#inbox.shift();
      this.emit('end');
      // As a socket that is not half open.
      if (!this.isClosed) this.destroySoon();
    }
  }

  #reset(): void {
    this.#inbox = [];
    this.#release(undefined);
    this.emit('error', Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
    this.life.soon(() => this.emit('close'));
  }

  #handOver(): void {
    const { out } = this;
    if (this.#connecting || out === undefined) return;
    while (this.#writes.length > 0 && out.outstanding < this.#net.windowBytes) {
      const { chunk, written } = this.#writes.shift() as Write;
      this.writableLength -= chunk.length;
      for (const piece of this.#net.cutInPieces(chunk)) this.#send(out, piece);
      if (written !== undefined) this.life.soon(written);
    }
    if (this.#writes.length === 0 && this.#closeWhenWritten) this.destroy();
  }

  #send(out: Pipe, piece: Uint8Array): void {
    // Only now: until it is handed over a chunk is the writer's affair.
    const bytes = piece.slice();
    out.send(bytes.length, () => {
      this.other?.arrive({ bytes });
      if (!this.isClosed) this.life.enter(() => this.#handOver());
    });
  }

  #release(farewell: 'fin' | 'rst' | undefined): void {
    this.#destroyed = true;
    this.#writes = [];
    this.writableLength = 0;
    this.#inbox = [];
    this.life.onDeath.delete(this.#onDeath);
    if (farewell !== undefined) this.#say(farewell);
    this.#net.forget(this);
  }

  #say(farewell: 'fin' | 'rst'): void {
    const { out } = this;
    out?.send(0, () => {
      this.other?.arrive(farewell);
      out.close();
    });
  }

  #answerReset(): void {
    if (this.#net.isOff(this.life.node)) return;
    const { other } = this;
    this.out?.send(0, () => other?.arrive('rst'));
  }

  /** The program died: its kernel hangs up, if it still runs. */
  #kernelCloses(): void {
    const unread = this.#inbox.length > 0 || this.#net.draw.chance(300);
    this.#destroyed = true;
    this.#writes = [];
    if (!this.#net.isOff(this.life.node)) this.#say(unread ? 'rst' : 'fin');
    this.#net.forget(this);
  }
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  if (chunks.length === 1) return chunks[0] as Uint8Array;
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
