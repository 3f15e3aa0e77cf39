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
  const frame = Buffer.alloc(headBytes + bodyBytes, 7);
  frame.writeUInt32BE(bodyBytes);
  return {
    call: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        writer.write(frame);
      }),
    close: () => void socket.destroy(),
  };
}

/** Copies frames into one chunk per turn. */
class CoalescingWriter {
  readonly #socket: Socket;
  #chunk: Buffer = Buffer.allocUnsafe(65_536);
  #from = 0;
  #to = 0;
  #scheduled = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  write(frame: Uint8Array): void {
    if (this.#to + frame.length > this.#chunk.length) this.#renew();
    this.#chunk.set(frame, this.#to);
    this.#to += frame.length;
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #renew(): void {
    this.#flush();
    this.#chunk = Buffer.allocUnsafe(65_536);
    this.#from = 0;
    this.#to = 0;
  }

  #flush(): void {
    if (this.#to > this.#from) this.#socket.write(this.#chunk.subarray(this.#from, this.#to));
    this.#from = this.#to;
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
