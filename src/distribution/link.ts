// A connection on which both sides have proved the cookie. Signals are encoded at once, straight into the writer's
// chunk, so that a value that cannot travel throws at its sender; the bytes of one turn of the event loop leave in one
// write. Whatever arrives counts as a sign of life; silence, an overfull buffer or a broken rule ends the link with a
// reason. The owner hears of the end exactly once, never from within one of its own calls.
import { DGenError } from '../errors/error.ts';
import type { Host, TimerHandle } from '../host/ports.ts';
import type { CallChannel, Inbound, NamedTarget, OutgoingRequest } from '../process/distribution-port.ts';
import type { Atom } from '../term/atom.ts';
import type { TermCodecs } from '../term/codecs.ts';
import type { Pid } from '../term/pid.ts';
import { TermWriter } from '../term/writer.ts';
import { compactReceiver } from './deliver.ts';
import type { DistributionLimits } from './options.ts';
import type { NodeIdentity } from './protocol/compact.ts';
import { CompactDecoder, isCompact } from './protocol/compact-decode.ts';
import { CompactEncoder } from './protocol/compact-encode.ts';
import type { IncomingControl, OutgoingControl } from './protocol/control.ts';
import { ControlDecoder } from './protocol/control-decode.ts';
import { ControlEncoder } from './protocol/control-encode.ts';
import type { Capabilities } from './protocol/flags.ts';
import { FrameReader } from './protocol/frames.ts';
import type { HandshakePeer } from './protocol/handshake.ts';
import { Silence } from './silence.ts';
import type { ByteStream } from './transport.ts';

/** Bytes after which a batch leaves before the turn ends: about what one system call takes. */
const flushBytes = 60 * 1024;
/** A last flush may take this long, then the socket is closed anyway. */
const lingerMs = 1_000;

export interface LinkOptions {
  readonly socket: ByteStream;
  readonly self: NodeIdentity<Atom>;
  readonly node: Atom;
  readonly peer: HandshakePeer;
  readonly inbound: Inbound;
  readonly can: Capabilities;
  readonly host: Host;
  readonly limits: DistributionLimits;
  readonly codecs: TermCodecs | undefined;
  readonly beforeInput: (() => void) | undefined;
  /** See `DistributionOptions`. */
  readonly silenceMs: () => number;
  readonly onControl: (control: IncomingControl) => void;
  /** The link is unusable. Called once, from the event loop. */
  readonly onEnd: (reason: string) => void;
}

interface Compact {
  readonly encoder: CompactEncoder;
  readonly decoder: CompactDecoder;
}

export class Link implements CallChannel {
  readonly peer: HandshakePeer;
  readonly node: Atom;
  /** Resolves when the socket is closed. */
  readonly closed: Promise<void>;
  readonly #socket: ByteStream;
  readonly #host: Host;
  readonly #limits: DistributionLimits;
  readonly #options: LinkOptions;
  readonly #writer: TermWriter;
  readonly #encoder: ControlEncoder;
  readonly #decoder: ControlDecoder;
  /** The private frames, where both sides take them. */
  readonly #compact: Compact | undefined;
  readonly #frames: FrameReader;
  readonly #onData = (chunk: Uint8Array): void => this.receive(chunk);
  readonly #flushNow = (): void => this.#flush();
  readonly #onWritten = (): void => {
    // There was no room, and now there is: the peer has taken something.
    if (this.#wasFull) this.#silence.heard();
    this.#wasFull = false;
    if (this.#waiters.length > 0) this.#wakeWaiters();
  };
  /** Encoded, not yet handed to the socket. */
  #batchBytes = 0;
  #flushScheduled = false;
  #wroteSinceTick = true;
  #silentTicks = 0;
  #tick: TimerHandle | undefined;
  readonly #silence: Silence = new Silence();
  /** At the last look the kernel did not take all that was written. */
  #wasFull = false;
  #nextLook: TimerHandle | undefined;
  #waiters: (() => void)[] = [];
  /** Set when the link takes no more signals; the end may still have to be told. */
  #endReason: string | undefined;
  #endTold = false;

  constructor(options: LinkOptions) {
    const { socket, peer, can, host, limits, codecs } = options;
    this.peer = peer;
    this.node = options.node;
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    this.#options = options;
    this.#socket = socket;
    this.#host = host;
    this.#limits = limits;
    const dialect = peer.kind;
    const shared = { dialect, bytesMax: limits.frameBytesMax, ...(codecs === undefined ? {} : { codecs }) };
    this.#writer = new TermWriter(shared);
    this.#encoder = new ControlEncoder(this.#writer, can);
    this.#decoder = new ControlDecoder({ ...shared, can });
    this.#compact = this.#newCompact(shared);
    this.#frames = new FrameReader(limits.frameBytesMax, (bytes, start, end) =>
      this.#onFrame(bytes, start, end),
    );
  }

  /** Takes the socket over. `receive` the bytes that came with the end of the handshake before the call returns to the event loop. */
  start(): void {
    const socket = this.#socket;
    socket.setNoDelay(true);
    socket.on('data', this.#onData);
    socket.on('end', () => this.#end('the peer closed the connection'));
    socket.on('error', (error) => this.#end(`connection lost: ${error.message}`));
    socket.on('close', () => this.#end('connection lost'));
    this.#scheduleTick();
    if (this.#compact !== undefined) this.#scheduleLook(this.#compact.encoder);
  }

  receive(chunk: Uint8Array): void {
    this.#silentTicks = 0;
    this.#silence.heard();
    if (this.#endReason !== undefined) return;
    this.#options.beforeInput?.();
    try {
      this.#frames.push(chunk);
    } catch (error) {
      this.#breach(error);
    }
  }

  get isUsable(): boolean {
    return this.#endReason === undefined;
  }

  /** Bytes that have not reached the operating system. */
  get bytesBuffered(): number {
    return this.#batchBytes + this.#socket.writableLength;
  }

  /** Where both sides take calls in their private form. */
  get channel(): CallChannel | undefined {
    return this.#compact === undefined ? undefined : this;
  }

  /** Encodes and queues one signal. Throws `not_encodable`, `term_too_large`; `send_buffer_full` from the three sends. */
  write(control: OutgoingControl): void {
    if (this.#endReason !== undefined) return;
    if (!this.#options.can.unlinkId && this.#emulateUnlink(control)) return;
    this.#checkRoom(isSend(control));
    this.#wrote(this.#compactSize(control) || this.#encoder.write(control));
  }

  call(from: Pid, to: Pid | NamedTarget, request: OutgoingRequest): void {
    if (this.#compact === undefined || this.#endReason !== undefined) return;
    this.#checkRoom(true);
    this.#wrote(this.#compact.encoder.call(from, to, request));
  }

  answer(number: number, reply: unknown): void {
    if (this.#compact === undefined || this.#endReason !== undefined) return;
    this.#checkRoom(true);
    this.#wrote(this.#compact.encoder.answer(number, reply));
  }

  calleeGone(number: number, reason: unknown): void {
    if (this.#compact === undefined || this.#endReason !== undefined) return;
    this.#checkRoom(false);
    this.#wrote(this.#compact.encoder.calleeGone(number, reason));
  }

  givenUp(number: number): void {
    if (this.#compact === undefined || this.#endReason !== undefined) return;
    this.#checkRoom(false);
    this.#wrote(this.#compact.encoder.givenUp(number));
  }

  /** Runs `onRoom` once, from the event loop: when at most half of the bound is buffered, or the link has ended. */
  whenWritable(onRoom: () => void): void {
    this.#waiters.push(onRoom);
    if (this.#endReason !== undefined || this.#hasRoom()) this.#host.timers.defer(() => this.#wakeWaiters());
  }

  /** Sends what is queued, then ends the link. The owner is told from the event loop. */
  close(reason: string): void {
    if (this.#endReason !== undefined) return;
    this.#flush();
    this.#retire(reason);
    this.#socket.resume();
    this.#socket.destroySoon();
    const timer = this.#host.timers.after(lingerMs, () => this.#socket.destroy());
    this.#socket.once('close', () => timer.cancel());
    this.#host.timers.defer(() => this.#tellEnd());
  }

  /** Ends the link now and tells the owner before it returns: for when a newer connection takes its place. */
  replace(reason: string): void {
    this.#retire(reason);
    this.#socket.destroy();
    this.#tellEnd();
  }

  /** Ends the link at once; the owner is told from the event loop. */
  cut(reason: string): void {
    if (this.#endReason !== undefined) return;
    this.#retire(reason);
    this.#socket.destroy();
    this.#host.timers.defer(() => this.#tellEnd());
  }

  /** The size of the private frame that was written; 0 when there is none for the signal. */
  #compactSize(control: OutgoingControl): number {
    if (this.#compact === undefined) return 0;
    if (control.kind !== 'send' && control.kind !== 'send_named') return 0;
    return this.#compact.encoder.send(control);
  }

  #newCompact(options: { readonly dialect: 'typescript' | 'erlang' }): Compact | undefined {
    const { self, node, peer, inbound } = this.#options;
    if (!peer.compact || inbound.calls === undefined) return undefined;
    const identity = { name: node, creation: peer.creation };
    const receiver = compactReceiver(inbound, inbound.calls, this);
    return {
      encoder: new CompactEncoder(this.#writer, self, identity),
      decoder: new CompactDecoder({ ...options, self, peer: identity, receiver }),
    };
  }

  #wrote(bytes: number): void {
    this.#batchBytes += bytes;
    if (this.#batchBytes >= flushBytes) this.#flush();
    else this.#scheduleFlush();
  }

  #checkRoom(bounded: boolean): void {
    const buffered = this.bytesBuffered;
    if (buffered >= this.#limits.sendBufferBytesMax) this.#noRoom(bounded, buffered);
  }

  #noRoom(bounded: boolean, buffered: number): void {
    const limit = this.#limits.sendBufferBytesMax;
    if (bounded) {
      throw new DGenError('send_buffer_full', 'the link to a peer', {
        details: { node: this.peer.name, bytesBuffered: buffered, bytesMax: limit },
        maybeExecuted: false,
      });
    }
    // Losing a link or exit signal in silence would break what the peer relies on; losing the connection does not.
    if (buffered >= 2 * limit) this.cut('send buffer overflow');
  }

  /** Peers of old neither send nor expect acknowledgements: ours comes from here. True when there is nothing to send. */
  #emulateUnlink(control: OutgoingControl): boolean {
    if (control.kind === 'unlink') {
      const { from, to, id } = control;
      const ack = { kind: 'unlink_ack', from: to, to: from, id } as const;
      this.#host.timers.defer(() => this.#options.onControl(ack));
    }
    return control.kind === 'unlink_ack';
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    this.#host.timers.defer(this.#flushNow);
  }

  #flush(): void {
    this.#flushScheduled = false;
    if (this.#batchBytes === 0 || this.#endReason !== undefined) return;
    this.#batchBytes = 0;
    this.#wroteSinceTick = true;
    this.#silence.wrote();
    const chunks = this.#writer.take();
    const socket = this.#socket;
    const last = chunks.length - 1;
    if (last > 0) socket.cork();
    for (let index = 0; index < last; index++) socket.write(chunks[index] as Uint8Array);
    socket.write(chunks[last] as Uint8Array, this.#onWritten);
    if (last > 0) socket.uncork();
  }

  #onFrame(bytes: Uint8Array, start: number, end: number): void {
    if (this.#compact !== undefined && isCompact(bytes[start])) {
      this.#compact.decoder.read(bytes, start, end);
      return;
    }
    const control = this.#decoder.read(bytes, start, end);
    if (control !== undefined) this.#options.onControl(control);
  }

  /** The peer broke a rule, or a receiver of signals failed, which none may. */
  #breach(error: unknown): void {
    const code = error instanceof DGenError ? error.code : 'internal';
    const { name } = this.peer;
    this.#host.log.error({ code, peer: name, error }, 'distribution: connection cut');
    this.#end(`${code}: ${error instanceof Error ? error.message : String(error)}`);
  }

  #scheduleTick(): void {
    const quarter = this.#limits.netTickMs / 4;
    this.#tick = this.#host.timers.after(quarter, () => this.#onTick(), { background: true });
  }

  /**
   * Silence is counted in ticks, not in time: after a stall of this process one tick fires, then the input that has been
   * waiting is read, and the peer is not blamed for our own pause.
   */
  #onTick(): void {
    this.#silentTicks += 1;
    if (this.#silentTicks > 4) {
      this.#end('tick timeout');
      return;
    }
    if (!this.#wroteSinceTick && this.#socket.writableLength === 0) {
      this.#socket.write(new Uint8Array(4));
      this.#silence.wrote();
    }
    this.#wroteSinceTick = false;
    this.#scheduleTick();
  }

  #scheduleLook(encoder: CompactEncoder): void {
    this.#silence.limit(this.#options.silenceMs());
    const ms = this.#silence.everyMs;
    this.#nextLook = this.#host.timers.after(ms, () => this.#look(ms, encoder), { background: true });
  }

  #look(ms: number, encoder: CompactEncoder): void {
    const look = this.#silence.look(ms);
    if (look === 'lost') {
      this.#end('no sign of life');
      return;
    }
    if (look === 'ask') this.#wrote(encoder.ask());
    this.#wasFull = this.#socket.writableLength > 0;
    this.#scheduleLook(encoder);
  }

  #hasRoom(): boolean {
    return this.bytesBuffered <= this.#limits.sendBufferBytesMax / 2;
  }

  #wakeWaiters(): void {
    if (this.#endReason === undefined && !this.#hasRoom()) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }

  #end(reason: string): void {
    if (this.#endReason === undefined) {
      this.#retire(reason);
      this.#socket.destroy();
    }
    this.#tellEnd();
  }

  #retire(reason: string): void {
    this.#endReason ??= reason;
    this.#frames.stop();
    this.#tick?.cancel();
    this.#nextLook?.cancel();
    this.#socket.off('data', this.#onData);
  }

  #tellEnd(): void {
    if (this.#endTold) return;
    this.#endTold = true;
    this.#options.onEnd(this.#endReason ?? 'connection lost');
    this.#wakeWaiters();
  }
}

function isSend({ kind }: OutgoingControl): boolean {
  return kind === 'send' || kind === 'send_named' || kind === 'send_alias';
}
