// What links run over: ordered streams of bytes that are dialled or accepted. The sockets of `sockets.ts` in production;
// whoever composes a node may give another one. The interfaces ask for nothing but what `net.Socket` does, in its words.
import type { Address } from './options.ts';

/** One end of a stream. Bytes arrive as they were sent and in that order, in chunks of any size, or not at all any more. */
export interface ByteStream {
  /** `connect`: only of a dialled one; then it can be written to. */
  on(event: 'connect', listener: () => void): this;
  /** The chunk belongs to the listener. */
  on(event: 'data', listener: (chunk: Uint8Array) => void): this;
  /** `end`: the other side writes no more. `close`: the last event of all. */
  on(event: 'end' | 'close', listener: () => void): this;
  /** `close` follows. One that nobody listens to is a crash. */
  on(event: 'error', listener: (error: Error) => void): this;
  once(event: 'close', listener: () => void): this;
  off(event: 'connect' | 'end' | 'close', listener: () => void): this;
  off(event: 'data', listener: (chunk: Uint8Array) => void): this;
  off(event: 'error', listener: (error: Error) => void): this;
  /** Takes the chunk over until `written`, which runs when it has been handed to the system. */
  write(chunk: Uint8Array, written?: () => void): boolean;
  /** Until `uncork` what is written is gathered. */
  cork(): void;
  uncork(): void;
  /** Reads on, and drops what arrives where nobody listens for it. */
  resume(): this;
  /** Closes at once; what was not handed to the system is lost. Idempotent. */
  destroy(): this;
  /** Closes when everything written has been handed over. */
  destroySoon(): void;
  setNoDelay(on: boolean): this;
  /** Bytes that have not been handed to the system. */
  readonly writableLength: number;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

export interface ListenRequest {
  readonly host: string;
  /** 0: the system chooses. */
  readonly port: number;
  readonly onStream: (stream: ByteStream) => void;
  /** Accepting failed; it goes on. */
  readonly onError: (error: Error) => void;
}

export interface Listening {
  readonly port: number;
  /** Accepts nothing any more. Resolves when all accepted streams are closed, too. */
  close(): Promise<void>;
}

export interface Transport {
  /** Returns at once. `connect` follows, or `error`: one with code `ECONNREFUSED` when somebody is there and says that nobody listens. */
  dial(address: Address): ByteStream;
  /** Rejects with the system's error when the address cannot be had. */
  listen(request: ListenRequest): Promise<Listening>;
}
