// The watches of a store, over one watch of its whole content at the server. One is enough, since a store is touched seldom
// by its nature, and its state is one number: the revision from which on nothing has been delivered yet. After a cut the next
// stream begins with that revision, so nothing is missed; if etcd has forgotten it, every watch fires. The number is moved by
// delivered events only, and not by what the reply to the creation says, for that comes before the backlog.
//
// A watch that is armed counts what is newer than every answer known at that moment. Before the first answer there is nothing
// to count from: such a watch fires as soon as the stream is there.
import { DGenError } from '../../errors/error.ts';
import type { Host, TimerHandle } from '../../host/ports.ts';
import { compareBytes } from '../bytes.ts';
import { Lifetime } from '../lifetime.ts';
import type { KeyRange, Watch } from '../port.ts';
import type { WatchStream } from './channel.ts';
import type { Cluster } from './cluster.ts';
import type { Connection } from './connection.ts';
import { type RpcError, refusalIn } from './errors.ts';
import type { Layout } from './layout.ts';
import type { WatchReply } from './messages.ts';

export interface WatcherOptions {
  readonly cluster: Cluster;
  readonly layout: Layout;
  readonly host: Host;
  /** How long the stream stays without a watch; default 10000. */
  readonly lingerMs?: number;
}

interface Entry {
  readonly range: KeyRange;
  /** Commits up to this revision came before the watch; undefined: it is not known which did. */
  readonly base: bigint | undefined;
  readonly fire: () => void;
}

const lingerMsDefault = 10_000;
/** Between attempts to get a stream; it grows from the first to the second. */
const pauseMsMin = 10;
const pauseMsMax = 500;
/** A user without permission to watch has to look by himself, so often. */
const deniedMs = 1_000;
/** For one attempt to find a member. */
const connectMs = 30_000;

export class Watcher {
  readonly #options: WatcherOptions;
  readonly #entries: Set<Entry> = new Set();
  /** The first revision that is not delivered yet; undefined while no stream is wanted. */
  #from: bigint | undefined;
  #stream: WatchStream | undefined;
  #life: Lifetime | undefined;
  #linger: TimerHandle | undefined;
  #pause: TimerHandle | undefined;
  #pauseMs = pauseMsMin;
  #closed = false;

  constructor(options: WatcherOptions) {
    this.#options = options;
  }

  watch(range: KeyRange): Watch {
    let resolve: () => void = () => undefined;
    const changed = new Promise<void>((done) => {
      resolve = done;
    });
    const cancel = (): void => {
      if (this.#entries.delete(entry)) this.#lingerWhenIdle();
      resolve();
    };
    const base = this.#options.cluster.revision;
    const entry: Entry = { range, base, fire: cancel };
    this.#entries.add(entry);
    if (this.#closed) cancel();
    else this.#want(base);
    return { changed, cancel };
  }

  /** Fires all. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#fireAll();
    this.#stop();
  }

  #want(base: bigint | undefined): void {
    this.#linger?.cancel();
    this.#linger = undefined;
    if (base !== undefined) this.#from ??= base + 1n;
    const isComing = this.#stream !== undefined || this.#life !== undefined || this.#pause !== undefined;
    if (!isComing) void this.#attach();
  }

  #lingerWhenIdle(): void {
    if (this.#entries.size > 0 || this.#closed || this.#linger !== undefined) return;
    const { host, lingerMs = lingerMsDefault } = this.#options;
    this.#linger = host.timers.after(lingerMs, () => this.#stop(), { background: true });
  }

  #stop(): void {
    this.#linger?.cancel();
    this.#pause?.cancel();
    this.#life?.end(stopped());
    this.#stream?.cancel();
    this.#linger = this.#pause = this.#life = this.#stream = this.#from = undefined;
  }

  /** Gets a stream, now or later. Never rejects. */
  async #attach(): Promise<void> {
    const { cluster, host } = this.#options;
    const life = new Lifetime({ timers: host.timers, timeoutMs: connectMs, what: 'watch' });
    this.#life = life;
    try {
      const connection = await cluster.connection(life);
      if (this.#life === life) this.#open(connection);
    } catch (error) {
      if (this.#life === life) this.#retry(error);
    } finally {
      life.end(stopped());
      if (this.#life === life) this.#life = undefined;
    }
  }

  #open(connection: Connection): void {
    const { cluster, layout } = this.#options;
    this.#from ??= (cluster.revision ?? 0n) + 1n;
    const stream = connection.watch({
      reply: (reply) => this.#heard(reply, { connection, stream }),
      ended: () => {
        if (this.#stream === stream) this.#again();
      },
    });
    this.#stream = stream;
    const { begin: key, end } = layout.content;
    const start = String(this.#from);
    stream.send({ create_request: { key, range_end: end, start_revision: start, fragment: true } });
  }

  #heard(reply: WatchReply, at: { readonly connection: Connection; readonly stream: WatchStream }): void {
    if (this.#stream !== at.stream) return;
    if (reply.canceled) {
      at.stream.cancel();
      this.#cancelled(reply, at.connection);
      return;
    }
    if (reply.created) {
      this.#pauseMs = pauseMsMin;
      for (const entry of [...this.#entries]) if (entry.base === undefined) entry.fire();
    }
    this.#deliver(reply);
  }

  #deliver({ events, fragment }: WatchReply): void {
    let newest = 0n;
    for (const { kv } of events) {
      if (kv === null) continue;
      const revision = BigInt(kv.mod_revision);
      if (revision > newest) newest = revision;
      this.#fire(revision, this.#options.layout.keyAt(kv.key));
    }
    if (!fragment && this.#from !== undefined && newest >= this.#from) this.#from = newest + 1n;
  }

  #fire(revision: bigint, key: Uint8Array): void {
    for (const entry of [...this.#entries]) {
      const { base, range } = entry;
      const isNew = base === undefined || revision > base;
      if (isNew && compareBytes(range.begin, key) <= 0 && compareBytes(key, range.end) < 0) entry.fire();
    }
  }

  #cancelled({ compact_revision, cancel_reason }: WatchReply, connection: Connection): void {
    const oldest = BigInt(compact_revision);
    if (oldest > 0n) {
      // What lies before is forgotten. Whoever waits now may have missed it; whoever comes later waits for something newer.
      this.#from = oldest;
      this.#fireAll();
      this.#again();
      return;
    }
    const refusal = refusalIn(cancel_reason);
    if (refusal?.code === 'store_fatal' || refusal?.remedy === 'token') void this.#denied(connection);
    else this.#again();
  }

  /** The token may be old, which old servers do not tell from a missing permission. */
  async #denied(connection: Connection): Promise<void> {
    const { host } = this.#options;
    this.#stream = undefined;
    const life = new Lifetime({ timers: host.timers, timeoutMs: connectMs, what: 'watch' });
    this.#life = life;
    await connection.renewToken(life).catch((error: RpcError) => error);
    life.end(stopped());
    if (this.#life !== life) return;
    this.#life = undefined;
    this.#fireAll();
    this.#later(deniedMs);
  }

  /** The stream is over, and a new one is due. */
  #again(): void {
    this.#stream = undefined;
    this.#retry(undefined);
  }

  /** Whoever waits shall see for himself why there is no store, if there is none for good. */
  #retry(error: unknown): void {
    if ((error as { code?: unknown } | undefined)?.code === 'store_fatal') {
      this.#fireAll();
      this.#later(deniedMs);
      return;
    }
    this.#later(Math.random() * this.#pauseMs);
    this.#pauseMs = Math.min(pauseMsMax, this.#pauseMs * 2);
  }

  #later(ms: number): void {
    if (this.#closed || this.#entries.size + (this.#linger === undefined ? 0 : 1) === 0) return;
    this.#pause?.cancel();
    this.#pause = this.#options.host.timers.after(
      ms,
      () => {
        this.#pause = undefined;
        void this.#attach();
      },
      { background: true },
    );
  }

  #fireAll(): void {
    for (const entry of [...this.#entries]) entry.fire();
  }
}

function stopped(): DGenError {
  return new DGenError('closed', 'watch');
}
