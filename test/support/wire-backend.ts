// The client of `wire-server.ts`: one connection for everything, made again when it is lost; a ping finds out when nobody
// answers any more. Defects that real drivers have had can be switched on, to see that the conformance suite finds them.
import { connect, type Socket } from 'node:net';
import type { ErrorCode } from '../../src/errors/codes.ts';
import { DGenError } from '../../src/errors/error.ts';
import { nodeHost } from '../../src/host/index.ts';
import type {
  Backend,
  Bytes,
  Commit,
  CommitResult,
  KeyRange,
  RangeOptions,
  RangePage,
  StoreTransaction,
  WaitOptions,
  Watch,
} from '../../src/storage/index.ts';
import { Lifetime } from '../../src/storage/lifetime.ts';
import { type Answer, decode, encode, LineReader, type Request } from './wire-lines.ts';

export type WireDefect =
  /** The driver sends a commit again when its connection was lost. */
  | 'retries by itself'
  /** A lost connection is taken for a proof that nothing was applied. */
  | 'takes a lost reply for a refusal'
  /** Watches end with their connection. */
  | 'forgets its watches'
  /** Watches are set up again, but what changed in between is not looked for. */
  | 'does not look back'
  /** A watch that begins without a connection is not set up later. */
  | 'watches only when connected'
  /** Nothing is noticed on a connection where nothing is said. */
  | 'has no ping'
  /** A commit waits for its answer for ever. */
  | 'has no deadline'
  /** Closing waits for answers. */
  | 'closes politely';

const pingMs = 250;
const answerMs = 2_000;
const reconnectMs = 30;

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

interface LineListener {
  /** The newest version that the server has told of. */
  version(version: number): void;
  fired(watch: number): void;
  lost(): void;
}

/** One connection: numbered requests and their answers. */
class Line {
  readonly #socket: Socket;
  readonly #waiting: Map<number, Waiting> = new Map();
  readonly #listener: LineListener;
  #next = 0;
  closed = false;

  constructor(socket: Socket, listener: LineListener) {
    this.#socket = socket;
    this.#listener = listener;
    const lines = new LineReader((line) => this.#heard(decode(line) as Answer));
    socket.on('data', (chunk: Buffer) => lines.read(chunk));
    // Told by `close`.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed = true;
      for (const { reject } of this.#waiting.values())
        reject(new DGenError('store_unavailable', 'connection lost'));
      this.#waiting.clear();
      listener.lost();
    });
  }

  ask(request: RequestBody): Promise<unknown> {
    const number = this.#next++;
    return new Promise((resolve, reject) => {
      if (this.closed) {
        reject(new DGenError('store_unavailable', 'connection lost'));
        return;
      }
      this.#waiting.set(number, { resolve, reject });
      this.#socket.write(encode({ ...request, number }));
    });
  }

  end(): void {
    this.#socket.destroy();
  }

  #heard(answer: Answer): void {
    this.#listener.version(answer.version);
    if ('fired' in answer) {
      this.#listener.fired(answer.fired);
      return;
    }
    const waiting = this.#waiting.get(answer.number);
    this.#waiting.delete(answer.number);
    if ('error' in answer) waiting?.reject(new DGenError(answer.error as ErrorCode, 'server'));
    else waiting?.resolve(answer.result);
  }
}

type WithoutNumber<T> = T extends unknown ? Omit<T, 'number'> : never;
type RequestBody = WithoutNumber<Request>;

interface WatchEntry {
  readonly range: KeyRange;
  /** A version that the server had before the call: what came later fires. */
  readonly since: number;
  readonly fire: () => void;
}

export class WireBackend implements Backend {
  readonly description: string = 'wire';
  readonly #port: number;
  readonly #defect: WireDefect | undefined;
  readonly #lifetimes: Set<Lifetime> = new Set();
  readonly #watches: Map<number, WatchEntry> = new Map();
  #line: Line | undefined;
  #connecting: Socket | undefined;
  #timers: Set<NodeJS.Timeout> = new Set();
  #numbers = 0;
  #version = 0;
  #closed = false;

  private constructor(port: number, defect: WireDefect | undefined) {
    this.#port = port;
    this.#defect = defect;
  }

  static async open(port: number, defect?: WireDefect): Promise<WireBackend> {
    const backend = new WireBackend(port, defect);
    backend.#connect();
    await backend.#firstLine();
    return backend;
  }

  async begin(options: WaitOptions): Promise<StoreTransaction> {
    if (this.#closed) throw closedError();
    const lifetime = new Lifetime({ ...options, timers: nodeHost().timers, what: 'wire transaction' });
    lifetime.check();
    this.#lifetimes.add(lifetime);
    lifetime.whenEnded(() => this.#lifetimes.delete(lifetime));
    const defect = this.#defect;
    const line = () => this.line(lifetime);
    return new WireTransaction({ line, lifetime, number: this.#numbers++, defect });
  }

  /** Without a version there is nothing that a watch could begin at. */
  async #firstLine(): Promise<void> {
    const lifetime = new Lifetime({
      timers: nodeHost().timers,
      timeoutMs: 5_000,
      what: 'opening the wire store',
    });
    try {
      await this.line(lifetime);
    } finally {
      lifetime.end(closedError());
    }
  }

  /** The connection, as soon as there is one. */
  async line(lifetime: Lifetime): Promise<Line> {
    while (this.#line === undefined) await lifetime.sleep(5);
    return this.#line;
  }

  watch(range: KeyRange): Watch {
    const number = this.#numbers++;
    let resolve: () => void = () => undefined;
    const changed = new Promise<void>((done) => {
      resolve = done;
    });
    const cancel = (): void => {
      this.#watches.delete(number);
      this.#tell({ type: 'cancel', watch: number });
      resolve();
    };
    const since = this.#version;
    if (this.#closed) resolve();
    else if (this.#line !== undefined || this.#defect !== 'watches only when connected') {
      this.#watches.set(number, { range, since, fire: cancel });
      this.#tell({ type: 'watch', watch: number, range, since });
    }
    return { changed, cancel };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#defect === 'closes politely') await this.#line?.ask({ type: 'ping' });
    for (const lifetime of [...this.#lifetimes]) lifetime.end(closedError());
    for (const { fire } of [...this.#watches.values()]) fire();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#connecting?.destroy();
    this.#line?.end();
  }

  #tell(request: RequestBody): void {
    // A lost connection is dealt with where it is noticed.
    void this.#line?.ask(request).catch(() => undefined);
  }

  #later(ms: number, action: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (!this.#closed) action();
    }, ms);
    this.#timers.add(timer);
  }

  #connect(): void {
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
    this.#connecting = socket;
    const line = new Line(socket, {
      version: (version) => {
        this.#version = version;
      },
      fired: (watch) => this.#watches.get(watch)?.fire(),
      lost: () => this.#lost(),
    });
    socket.once('connect', () => void this.#greet(line));
  }

  /** A connection counts once the server has answered on it. */
  async #greet(line: Line): Promise<void> {
    if (!(await this.#answers(line))) return;
    this.#line = line;
    for (const [watch, { range, since }] of [...this.#watches]) {
      const from = this.#defect === 'does not look back' ? this.#version : since;
      this.#tell({ type: 'watch', watch, range, since: from });
    }
    this.#later(pingMs, () => void this.#ping(line));
  }

  async #ping(line: Line): Promise<void> {
    if (this.#defect === 'has no ping' || !(await this.#answers(line))) return;
    this.#later(pingMs, () => void this.#ping(line));
  }

  async #answers(line: Line): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), this.#defect === 'has no ping' ? 1e6 : answerMs);
      timer.unref();
    });
    const pong = line.ask({ type: 'ping' }).then(
      () => true,
      () => false,
    );
    const answered = await Promise.race([pong, tooLate]);
    clearTimeout(timer);
    if (!answered) line.end();
    return answered && !line.closed;
  }

  #lost(): void {
    this.#line = undefined;
    if (this.#defect === 'forgets its watches') this.#watches.clear();
    if (!this.#closed) this.#later(reconnectMs, () => this.#connect());
  }
}

interface TransactionParts {
  readonly line: () => Promise<Line>;
  readonly lifetime: Lifetime;
  readonly number: number;
  readonly defect: WireDefect | undefined;
}

/** Belongs to the connection of its first read: with it the snapshot is lost. */
class WireTransaction implements StoreTransaction {
  readonly #parts: TransactionParts;
  #line: Promise<Line> | undefined;

  constructor(parts: TransactionParts) {
    this.#parts = parts;
    parts.lifetime.whenEnded(() => {
      void this.#line
        ?.then((line) => line.ask({ type: 'end', transaction: parts.number }))
        .catch(() => undefined);
    });
  }

  get(key: Bytes): Promise<Bytes | undefined> {
    return this.#ask({ type: 'get', transaction: this.#parts.number, key }) as Promise<Bytes | undefined>;
  }

  getRange(range: KeyRange, options: RangeOptions): Promise<RangePage> {
    const request = { type: 'range', transaction: this.#parts.number, range, options } as const;
    return this.#ask(request) as Promise<RangePage>;
  }

  async commit(commit: Commit): Promise<CommitResult> {
    const { lifetime, number, defect } = this.#parts;
    lifetime.check();
    const request = { type: 'commit', transaction: number, commit } as const;
    try {
      this.#line ??= this.#parts.line();
      const line = await lifetime.race(this.#line);
      if (line.closed) throw new DGenError('store_unavailable', 'connection lost');
      const answer = line.ask(request).catch(async (error: unknown) => {
        if (defect !== 'retries by itself' || !line.closed) throw error;
        return (await this.#parts.line()).ask(request);
      });
      const result = await (defect === 'has no deadline' ? answer : lifetime.race(answer)).catch(
        (error: unknown) => {
          throw this.#afterSending(error, line);
        },
      );
      return result as CommitResult;
    } finally {
      this.close();
    }
  }

  close(): void {
    this.#parts.lifetime.end(closedError());
  }

  #afterSending(error: unknown, line: Line): unknown {
    const { lifetime, defect } = this.#parts;
    const unanswered = error === lifetime.reason || line.closed;
    if (!unanswered || defect === 'takes a lost reply for a refusal') return error;
    return new DGenError('store_commit_unknown', 'wire', { cause: error });
  }

  async #ask(request: RequestBody): Promise<unknown> {
    const { lifetime } = this.#parts;
    lifetime.check();
    this.#line ??= this.#parts.line();
    const line = await lifetime.race(this.#line);
    return lifetime.race(line.ask(request));
  }
}

function closedError(): DGenError {
  return new DGenError('closed', 'wire store');
}
