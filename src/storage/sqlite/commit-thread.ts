// The commit thread as its client sees it. A flush of a busy disk was measured to take two hundred milliseconds, and all of
// a program's processes would stand still for it: so commits are applied elsewhere (`commit-worker.ts`). What is withdrawn in
// time was never applied; what was taken when its deadline passed is unknown.
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { DGenError } from '../../errors/error.ts';
import type { Lifetime } from '../lifetime.ts';
import type { Commit, CommitResult } from '../port.ts';
import {
  type CommitThreadData,
  type FromCommitThread,
  newWord,
  receivedError,
  type ToCommitThread,
  withdraw,
} from './commit-messages.ts';

/** The source has another ending than what is built from it, and a path in a string is not rewritten. */
const program: URL = new URL(
  `./commit-worker${/\.[jt]s$/.exec(import.meta.url)?.[0] ?? '.js'}`,
  import.meta.url,
);
/** For a flush that is under way; then the client is closed without it. */
const closeMs = 5_000;

interface Waiting {
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: unknown) => void;
  readonly stop: () => void;
}

export interface CommitThreadOptions extends CommitThreadData {
  /** Of the opening. */
  readonly lifetime: Lifetime;
  /** After each commit. */
  readonly committed: () => void;
}

export class CommitThread {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #committed: () => void;
  readonly #waiting: Map<number, Waiting> = new Map();
  readonly #exited: Promise<void>;
  #numbers = 0;
  #broken: DGenError | undefined;

  private constructor(worker: Worker, port: MessagePort, committed: () => void) {
    this.#worker = worker;
    this.#port = port;
    this.#committed = committed;
    this.#exited = new Promise((resolve) => worker.once('exit', () => resolve()));
  }

  /** Resolves when it can commit. Rejects with the errors of `openSqlite`. */
  static async start({ lifetime, committed, ...data }: CommitThreadOptions): Promise<CommitThread> {
    const { port1, port2 } = new MessageChannel();
    const worker = new Worker(program, { workerData: { port: port2, data }, transferList: [port2] });
    const thread = new CommitThread(worker, port1, committed);
    try {
      await lifetime.race(thread.#begin());
      return thread;
    } catch (error) {
      await thread.close();
      throw error;
    }
  }

  /** Rejects with the lifetime's reason if that ends before the commit is taken: nothing is applied then, ever. */
  submit(commit: Commit, snapshot: number | undefined, lifetime: Lifetime): Promise<CommitResult> {
    lifetime.check();
    if (this.#broken !== undefined) throw this.#broken;
    const number = this.#numbers++;
    const word = newWord();
    return new Promise<CommitResult>((resolve, reject) => {
      const stop = lifetime.whenEnded((reason) => {
        // The answer may be here already, and only wait for its turn.
        this.#drain();
        const waiting = this.#remove(number);
        if (waiting === undefined) return;
        const unknown = () => new DGenError('store_commit_unknown', 'SQLite commit', { cause: reason });
        waiting.reject(withdraw(word) ? reason : unknown());
      });
      this.#waiting.set(number, { resolve, reject, stop });
      this.#port.ref();
      this.#say({ type: 'commit', number, commit, snapshot, word });
    });
  }

  /** Lets a commit that is being applied end, for a while. Idempotent, never rejects. Resolves true if the file is closed. */
  async close(): Promise<boolean> {
    this.#say({ type: 'close' });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), closeMs);
    });
    const inTime = await Promise.race([this.#exited.then(() => true), late]);
    clearTimeout(timer);
    this.#port.close();
    if (!inTime) void this.#worker.terminate();
    return inTime;
  }

  /** Resolves when the thread has ended, and with it its locks. */
  get exited(): Promise<void> {
    return this.#exited;
  }

  #begin(): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.#port.on('message', (message: FromCommitThread) => {
        if (message.type === 'ready') {
          this.#worker.unref();
          this.#port.unref();
          resolve();
        } else if (message.type === 'failed') reject(receivedError(message.error));
        else this.#hear(message);
      });
      const ended = (cause?: unknown): void => {
        this.#break(new DGenError('store_fatal', 'the commit thread of the SQLite store ended', { cause }));
        reject(this.#broken);
      };
      this.#worker.once('error', ended);
      this.#worker.once('exit', () => ended());
    });
  }

  #say(message: ToCommitThread): void {
    this.#port.postMessage(message);
  }

  #drain(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#port) as { message: FromCommitThread } | undefined;
      if (received === undefined) return;
      this.#hear(received.message);
    }
  }

  #hear(message: FromCommitThread): void {
    if (message.type === 'changed') this.#committed();
    if (message.type !== 'settled') return;
    for (const one of message.results) {
      const waiting = this.#remove(one.number);
      if ('result' in one) waiting?.resolve(one.result);
      else waiting?.reject(receivedError(one.error));
    }
  }

  #remove(number: number): Waiting | undefined {
    const waiting = this.#waiting.get(number);
    waiting?.stop();
    this.#waiting.delete(number);
    if (this.#waiting.size === 0) this.#port.unref();
    return waiting;
  }

  /** Nobody answers any more. What was sent may have been applied. */
  #break(error: DGenError): void {
    this.#broken ??= error;
    for (const number of [...this.#waiting.keys()]) {
      this.#remove(number)?.reject(new DGenError('store_commit_unknown', 'SQLite commit', { cause: error }));
    }
  }
}
