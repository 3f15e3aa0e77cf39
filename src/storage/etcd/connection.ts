// A connection to one member, from the moment it is known to be of use until it is left. It sends calls, sees to the token, and
// judges whether the member is alive: while anything is under way it is asked for its status each second, and is lost
// when it says nothing at all for too long. (HTTP/2 pings would do the same, but a server punishes them when they come more often
// than every 5 seconds, and they tell nothing of leader and alarms.)
//
// A connection that should not be used any more is retired: calls under way may end, watches move. One that is lost is
// closed: calls under way fail at once, and what they wanted is unknown.
import { DGenError } from '../../errors/error.ts';
import type { Host, TimerHandle } from '../../host/ports.ts';
import { Lifetime } from '../lifetime.ts';
import { Channel, type ChannelOptions, type WatchListener, type WatchStream } from './channel.ts';
import { isAnswer, isDenied, isOutOfSpace, RpcError, refusalOf } from './errors.ts';
import type { Header, Method, Methods, StatusReply } from './messages.ts';
import type { CheckedOptions } from './options.ts';

export interface ConnectionOptions extends ChannelOptions {
  readonly host: Pick<Host, 'clock' | 'timers'>;
  readonly credentials: CheckedOptions['credentials'];
  /** For an answer, and for a sign of life. */
  readonly timeoutMs: number;
  /** A key that the user may read. */
  readonly probe: Uint8Array;
  /** Called once when it is not to be used any more. */
  readonly retired: (connection: Connection) => void;
}

/** How often a member in use is asked for its status. */
const statusMs = 1_000;
/** The same while there is nothing but watches, so that many clients at rest are no load; calls have their own deadlines. */
const idleStatusMs = 3_000;
/** A member that has let so much time pass without any answer to a caller is left, even if the caller did not wait longer. */
const patienceMs = 1_000;
const probeLeaseSeconds = 60;
const oldestVersion = { major: 3, minor: 4 };

export class Connection {
  readonly endpoint: string;
  /** Who the member belongs to, and the newest revision that it had when the connection was made. */
  identity: { readonly cluster: string; readonly revision: bigint } = { cluster: '', revision: 0n };
  readonly #options: ConnectionOptions;
  readonly #channel: Channel;
  readonly #pending: Set<(error: RpcError) => void> = new Set();
  readonly #watches: Set<WatchListener> = new Set();
  #outOfSpace = false;
  /** The last sign of life, and the last answer to a caller. */
  #heardAt = 0;
  #answeredAt = 0;
  #status: TimerHandle | undefined;
  #tokens = 0;
  #renewing: Promise<void> | undefined;
  #state: 'opening' | 'open' | 'retired' | 'closed' = 'opening';

  /** Rejects with `RpcError`, `DGenError` for a member that is of no use, or the lifetime's reason. */
  static async open(options: ConnectionOptions, lifetime: Lifetime): Promise<Connection> {
    const connection = new Connection(options);
    try {
      await connection.#establish(lifetime);
      return connection;
    } catch (error) {
      connection.close('it was never opened');
      throw lifetime.reason ?? error;
    }
  }

  private constructor(options: ConnectionOptions) {
    this.endpoint = options.endpoint;
    this.#options = options;
    this.#channel = new Channel(options);
  }

  /** Whether the server's quota is used up, so that it takes no writes. Rejects as `call`. */
  async isOutOfSpace(lifetime: Lifetime): Promise<boolean> {
    if (!this.#outOfSpace) return false;
    try {
      // The smallest thing that a full server refuses, and nothing that anybody sees.
      await this.call('LeaseGrant', { TTL: probeLeaseSeconds }, lifetime);
      this.#outOfSpace = false;
    } catch (error) {
      if (!isOutOfSpace(error)) throw error;
    }
    return this.#outOfSpace;
  }

  /**
   * Sends a request once, and once more with a new token if the server refused the old one. Rejects with `RpcError` only,
   * also when the lifetime ends: its `sent` tells whether the server may have got the request.
   */
  async call<M extends Method>(
    method: M,
    request: Methods[M]['request'],
    lifetime: Lifetime,
  ): Promise<Methods[M]['reply']> {
    const tokens = this.#tokens;
    try {
      return await this.#send(method, request, lifetime);
    } catch (error) {
      if (isOutOfSpace(error)) this.#outOfSpace = true;
      if (refusalOf(error)?.remedy !== 'token' || this.#options.credentials === undefined) throw error;
    }
    if (tokens === this.#tokens) await this.renewToken(lifetime);
    return this.#send(method, request, lifetime);
  }

  watch(listener: WatchListener): WatchStream {
    const own: WatchListener = {
      reply: (reply) => {
        this.#heardAt = this.#options.host.clock.now();
        listener.reply(reply);
      },
      ended: (error) => {
        if (this.#watches.delete(own)) listener.ended(error);
      },
    };
    const stream = this.#channel.watch(own);
    this.#watches.add(own);
    this.#askLater();
    return {
      send: (request) => stream.send(request),
      cancel: () => {
        this.#watches.delete(own);
        stream.cancel();
        this.#closeWhenIdle();
      },
    };
  }

  /** Gets a new token. Rejects with `RpcError`: nothing was sent but that. */
  async renewToken(lifetime: Lifetime): Promise<void> {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined;
    });
    try {
      await lifetime.race(this.#renewing);
    } catch (error) {
      if (refusalOf(error) !== undefined) throw error;
      throw new RpcError('no new token', { sent: false, cause: error });
    }
  }

  /** Not to be used any more; calls under way may end. */
  retire(reason: string): void {
    if (this.#state !== 'open') return;
    this.#state = 'retired';
    this.#endWatches(reason);
    this.#options.retired(this);
    this.#closeWhenIdle();
  }

  /** Calls under way fail at once. Idempotent. */
  close(reason: string): void {
    if (this.#state === 'closed') return;
    const wasOpen = this.#state === 'open';
    this.#state = 'closed';
    if (wasOpen) this.#options.retired(this);
    this.#status?.cancel();
    for (const fail of [...this.#pending]) fail(new RpcError(`connection closed: ${reason}`));
    this.#endWatches(reason);
    this.#channel.close();
  }

  async #establish(lifetime: Lifetime): Promise<void> {
    if (this.#options.credentials !== undefined) await this.#authenticate(lifetime);
    const { cluster_id: cluster = '', revision = '0' } = (await this.#look(lifetime)) ?? {};
    this.identity = { cluster, revision: BigInt(revision) };
    this.#state = 'open';
    this.#channel.whenLost(() => this.retire('the connection was lost'));
    if (!this.#channel.ready) throw new RpcError('the connection was lost');
  }

  /** For all who wait for it, so it has a time of its own. */
  async #renew(): Promise<void> {
    const { host, timeoutMs } = this.#options;
    const lifetime = new Lifetime({ timers: host.timers, timeoutMs, what: 'token' });
    try {
      await this.#authenticate(lifetime);
    } finally {
      lifetime.end(new DGenError('closed', 'token'));
    }
  }

  /** Whether the member is of use. Some releases of 3.5 tell their status to root only; these are new enough. */
  async #look(lifetime: Lifetime): Promise<Header | null> {
    try {
      const status = await this.#send('Status', {}, lifetime);
      checkVersion(status.version);
      if (status.leader === '0') throw new RpcError('the member knows of no leader');
      if (status.isLearner) throw new RpcError('the member is a learner');
      this.#note(status);
      return status.header;
    } catch (error) {
      if (!isDenied(error)) throw error;
      return (await this.#send('Range', { key: this.#options.probe, keys_only: true }, lifetime)).header;
    }
  }

  async #authenticate(lifetime: Lifetime): Promise<void> {
    const { credentials } = this.#options;
    if (credentials === undefined) return;
    try {
      const { token } = await this.#send('Authenticate', credentials, lifetime);
      this.#channel.token = token;
    } catch (error) {
      if (!(error instanceof RpcError) || !error.message.includes('authentication is not enabled'))
        throw error;
      this.#channel.token = undefined;
    }
    this.#tokens += 1;
  }

  #send<M extends Method>(
    method: M,
    request: Methods[M]['request'],
    lifetime: Lifetime,
  ): Promise<Methods[M]['reply']> {
    const { host, timeoutMs } = this.#options;
    return new Promise((resolve, reject) => {
      if (lifetime.reason !== undefined) throw new RpcError('the wait has ended', { sent: false });
      // A channel without a connection would make one, and keep the request until then.
      if (this.#state !== 'opening' && !this.#channel.ready)
        throw new RpcError('not connected', { sent: false });
      const call = this.#channel.call(method, request);
      const startedAt = host.clock.now();
      const fail = (error: RpcError): void => {
        settle();
        call.cancel();
        reject(error);
        this.#judgeSilence(startedAt);
      };
      const stopWaiting = lifetime.whenEnded(() => fail(new RpcError('the wait has ended')));
      const deadline = this.#afterSilence(timeoutMs, () =>
        fail(new RpcError(`no answer to ${method} within ${timeoutMs} ms`)),
      );
      const settle = (): void => {
        this.#pending.delete(fail);
        stopWaiting();
        deadline.cancel();
        this.#closeWhenIdle();
      };
      this.#pending.add(fail);
      this.#askLater();
      call.reply.then(
        (reply) => {
          if (!this.#pending.has(fail)) return;
          this.#answered();
          settle();
          resolve(reply);
        },
        (error: RpcError) => {
          if (!this.#pending.has(fail)) return;
          if (isAnswer(error)) this.#answered();
          settle();
          reject(error);
        },
      );
    });
  }

  #answered(): void {
    this.#answeredAt = this.#options.host.clock.now();
    this.#heardAt = this.#answeredAt;
  }

  /** A member may be alive and yet of no use, cut off from the others or with a disk that stands still. */
  #judgeSilence(startedAt: number): void {
    const waitedMs = this.#options.host.clock.now() - startedAt;
    if (waitedMs >= Math.min(patienceMs, this.#options.timeoutMs) && this.#answeredAt < startedAt) {
      this.retire('it did not answer in time');
    }
  }

  /** Asks for the status from time to time while anything is under way. */
  #askLater(): void {
    if (this.#status !== undefined || this.#state === 'closed' || this.#state === 'opening') return;
    const ms = this.#pending.size > 0 ? statusMs : idleStatusMs;
    this.#status = this.#options.host.timers.after(ms, () => this.#ask(), { background: true });
  }

  #ask(): void {
    this.#status = undefined;
    if (this.#pending.size + this.#watches.size === 0) return;
    const { host, timeoutMs } = this.#options;
    const askedAt = host.clock.now();
    const call = this.#channel.call('Status', {});
    const deadline = this.#afterSilence(timeoutMs, () => {
      call.cancel();
      if (this.#heardAt < askedAt) this.close(`no sign of life for ${timeoutMs} ms`);
    });
    this.#status = deadline;
    call.reply
      .then(
        (status) => this.#note(status),
        (error: unknown) => this.#noteFailure(error),
      )
      .finally(() => {
        deadline.cancel();
        this.#status = undefined;
        this.#askLater();
      });
  }

  #note({ errors, leader }: StatusReply): void {
    this.#heardAt = this.#options.host.clock.now();
    if (errors.some((text) => text.includes('NOSPACE'))) this.#outOfSpace = true;
    if (leader === '0') this.retire('the member knows of no leader');
  }

  #noteFailure(error: unknown): void {
    if (!isAnswer(error)) return;
    this.#heardAt = this.#options.host.clock.now();
    if (refusalOf(error)?.remedy === 'endpoint') this.retire(String(error));
  }

  /** Calls back after `ms`, and after the input that has come meanwhile: the event loop may have been the one that was silent. */
  #afterSilence(ms: number, callback: () => void): TimerHandle {
    const { timers } = this.#options.host;
    let cancelled = false;
    const timer = timers.after(ms, () => timers.defer(() => timers.defer(() => cancelled || callback())), {
      background: true,
    });
    return {
      cancel() {
        cancelled = true;
        timer.cancel();
      },
    };
  }

  #closeWhenIdle(): void {
    if (this.#state === 'retired' && this.#pending.size === 0) this.close('it was left');
  }

  #endWatches(reason: string): void {
    for (const watch of [...this.#watches]) watch.ended(new RpcError(reason));
  }
}

function checkVersion(version: string): void {
  const [, major = '', minor = ''] = /^(\d+)\.(\d+)\./.exec(version) ?? [];
  const newer = Number(major) > oldestVersion.major;
  if (newer || (Number(major) === oldestVersion.major && Number(minor) >= oldestVersion.minor)) return;
  const expected = `${oldestVersion.major}.${oldestVersion.minor} or newer`;
  throw new DGenError('store_fatal', 'etcd server', { expected, got: version });
}
