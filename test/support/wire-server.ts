// A store that is reached by TCP, for tests of the conformance suite itself: the memory database behind lines of JSON.
// It exists so that the cases about networks and servers run without any server of the system, and so that a defect can be
// planted on either side. `wire-backend.ts` is its client.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Host } from '../../src/host/ports.ts';
import { rangeOfMutation, rangesMeet } from '../../src/storage/bytes.ts';
import {
  type Backend,
  type KeyRange,
  MemoryDatabase,
  type StoreTransaction,
  type Watch,
} from '../../src/storage/index.ts';
import { type Answer, decode, encode, LineReader, type Request, type WireCommit } from './wire-lines.ts';

const transactionMs = 5_000;
/** Commits that make the memory database forget all earlier ones. */
const commitsToForget = 21_000;

export class WireServer {
  readonly #database: MemoryDatabase;
  readonly #server: Server = createServer({ noDelay: true }, (socket) => this.#serve(socket));
  readonly #sockets: Set<Socket> = new Set();
  readonly #history: History = new History();
  #paused = false;
  #whenResumed: (() => void)[] = [];

  private constructor(host: Host) {
    this.#database = new MemoryDatabase(host);
  }

  static async start(host: Host): Promise<WireServer> {
    const server = new WireServer(host);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Drops all connections and whatever was under way; what is committed stays. */
  async restart(): Promise<void> {
    const { port } = this;
    await this.#stop();
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    for (const go of this.#whenResumed.splice(0)) go();
  }

  /** Forgets all history. */
  async compact(): Promise<void> {
    const client = this.#database.connect();
    for (let i = 0; i < commitsToForget; i++) {
      const tx = await client.begin({ timeoutMs: transactionMs });
      await tx.commit({ reads: [], writes: [{ type: 'clear', key: Uint8Array.of(0) }] });
    }
    await client.close();
    this.#history.forget();
  }

  async close(): Promise<void> {
    this.resume();
    await this.#stop();
  }

  async #stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await closed;
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    const session = new Session(this.#database.connect(), this.#history, (answer) => {
      if (!socket.destroyed) socket.write(encode({ ...answer, version: this.#history.version }));
    });
    const lines = new LineReader((line) => void this.#handle(session, decode(line) as Request));
    socket.on('data', (chunk: Buffer) => lines.read(chunk));
    // Its end is told by `close`, whatever the reason.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      session.close();
    });
  }

  async #handle(session: Session, request: Request): Promise<void> {
    while (this.#paused) await new Promise<void>((resolve) => this.#whenResumed.push(resolve));
    await session.handle(request);
  }
}

/** What one connection holds: its transactions and watches end with it. */
class Session {
  readonly #client: Backend;
  readonly #history: History;
  readonly #answer: (answer: SessionAnswer) => void;
  readonly #transactions: Map<number, Promise<StoreTransaction>> = new Map();
  readonly #watches: Map<number, Watch> = new Map();

  constructor(client: Backend, history: History, answer: (answer: SessionAnswer) => void) {
    this.#client = client;
    this.#history = history;
    this.#answer = answer;
  }

  close(): void {
    void this.#client.close();
  }

  async handle(request: Request): Promise<void> {
    const { number } = request;
    try {
      this.#answer({ number, result: await this.#result(request) });
    } catch (error) {
      this.#answer({ number, error: String((error as { code?: unknown }).code ?? error) });
    }
  }

  async #result(request: Request): Promise<unknown> {
    switch (request.type) {
      case 'ping':
        return 'pong';
      case 'get':
        return (await this.#transaction(request.transaction)).get(request.key);
      case 'range':
        return (await this.#transaction(request.transaction)).getRange(request.range, request.options);
      case 'commit':
        return this.#commit(request);
      case 'end':
        return this.#end(request.transaction);
      case 'watch':
        return this.#watch(request);
      case 'cancel':
        return this.#watches.get(request.watch)?.cancel();
    }
  }

  /** Begins with its first use; that of a connection which is gone is not there. */
  #transaction(number: number): Promise<StoreTransaction> {
    const known = this.#transactions.get(number) ?? this.#client.begin({ timeoutMs: transactionMs });
    this.#transactions.set(number, known);
    return known;
  }

  async #commit({ transaction, commit }: WireCommit): Promise<unknown> {
    const tx = await this.#transaction(transaction);
    this.#transactions.delete(transaction);
    const result = await tx.commit(commit);
    if (result.applied === 'now') this.#history.add(commit.writes.map(rangeOfMutation));
    return result;
  }

  async #end(number: number): Promise<void> {
    (await this.#transactions.get(number))?.close();
    this.#transactions.delete(number);
  }

  #watch({ watch, range, since }: Extract<Request, { type: 'watch' }>): void {
    const handle = this.#client.watch(range);
    if (this.#history.touched(range, since)) handle.cancel();
    this.#watches.set(watch, handle);
    void handle.changed.then(() => {
      this.#watches.delete(watch);
      this.#answer({ fired: watch });
    });
  }
}

type SessionAnswer = Answer extends infer T ? (T extends unknown ? Omit<T, 'version'> : never) : never;

/** What each commit changed. Every answer tells its length, so a watch can begin where its client stood when it was made. */
class History {
  #changes: (readonly KeyRange[])[] = [];
  #forgotten = 0;

  get version(): number {
    return this.#forgotten + this.#changes.length;
  }

  add(ranges: readonly KeyRange[]): void {
    this.#changes.push(ranges);
  }

  forget(): void {
    this.#forgotten = this.version;
    this.#changes = [];
  }

  /** Whether a commit after `since` changed the range, or may have. */
  touched(range: KeyRange, since: number): boolean {
    if (since < this.#forgotten) return true;
    const changes = this.#changes.slice(since - this.#forgotten);
    return changes.some((ranges) => ranges.some((changed) => rangesMeet(changed, range)));
  }
}
