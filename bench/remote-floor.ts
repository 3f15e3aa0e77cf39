// The least that a call between two operating-system processes can cost: a message with a 4-byte length, echoed over
// loopback TCP, the writes of one turn of the event loop coalesced. No encoding, no processes, no time-outs.
import { connect, createServer, type Server, type Socket } from 'node:net';

const headBytes = 4;
const bodyBytes = 32;

/** Sends a message and resolves when its echo is back. */
export interface RawEcho {
  call(): Promise<void>;
  close(): void;
}

/** Echoes on a free loopback port. */
export async function serveRawEcho(): Promise<{ server: Server; port: number }> {
  const server = createServer({ noDelay: true }, (socket) => {
    const writer = new CoalescingWriter(socket);
    const reader = new LengthReader((frame) => writer.write(frame));
    socket.on('data', (chunk) => reader.push(chunk));
    socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { server, port: address.port };
}

export async function openRawEcho(port: number): Promise<RawEcho> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  const waiting: (() => void)[] = [];
  let answered = 0;
  const writer = new CoalescingWriter(socket);
  const reader = new LengthReader(() => {
    waiting[answered++]?.();
    if (answered === waiting.length) {
      waiting.length = 0;
      answered = 0;
    }
  });
  socket.on('data', (chunk) => reader.push(chunk));
  return {
    call: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        const frame = Buffer.allocUnsafe(headBytes + bodyBytes).fill(7);
        frame.writeUInt32BE(bodyBytes);
        writer.write(frame);
      }),
    close: () => void socket.destroy(),
  };
}

/** Gathers the writes of one turn into one system call, by Node's own means. */
class CoalescingWriter {
  readonly #socket: Socket;
  #corked = false;
  readonly #uncork = (): void => {
    this.#corked = false;
    this.#socket.uncork();
  };

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  write(frame: Uint8Array): void {
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      setImmediate(this.#uncork);
    }
    this.#socket.write(frame);
  }
}

/** Hands out frames, length included. */
class LengthReader {
  readonly #onFrame: (frame: Buffer) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(onFrame: (frame: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  push(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let offset = 0;
    while (bytes.length - offset >= headBytes) {
      const end = offset + headBytes + bytes.readUInt32BE(offset);
      if (end > bytes.length) break;
      this.#onFrame(bytes.subarray(offset, end));
      offset = end;
    }
    this.#rest = bytes.subarray(offset);
  }
}
