// Any backend made reachable by TCP, by lines of JSON. In front of the memory database it is a networked store, so the
// conformance suite's cases about networks and servers run without any server of the system, and defects can be planted. In
// front of a store that a process can open only once, it is a way for a test to have a client in another process.
// `wire-backend.ts` is its client.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { rangeOfMutation, rangesMeet } from '../../src/storage/bytes.ts';
import type { Backend, KeyRange, StoreTransaction, Watch } from '../../src/storage/index.ts';
import { type Answer, decode, encode, LineReader, type Request, type WireCommit } from './wire-lines.ts';

const transactionMs = 5_000;
export class WireServer {
  readonly #connect: () => Backend;
  readonly #server: Server = createServer({ noDelay: true }, (socket) => this.#serve(socket));
  readonly #sockets: Set<Socket> = new Set();
  readonly #history: History = new History();
  #paused = false;
  #whenResumed: (() => void)[] = [];

  private constructor(connect: () => Backend) {
    this.#connect = connect;
  }

  /** `connect` gives a backend to each connection; with the connection it is closed. */
  static async start(connect: () => Backend): Promise<WireServer> {
    const server = new WireServer(connect);
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

  /** Forgets which commit changed what. */
  forget(): void {
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
    const session = new Session(this.#connect(), this.#history, (answer) => {
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
    for (const watch of this.#watches.values()) watch.cancel();
    for (const number of this.#transactions.keys()) void this.#end(number);
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
    const transaction = this.#transactions.get(number);
    this.#transactions.delete(number);
    // One that could not begin has told so where it was used.
    (await transaction?.catch(() => undefined))?.close();
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
