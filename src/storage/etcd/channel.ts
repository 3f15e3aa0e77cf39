// One gRPC channel to one endpoint. The packages can do much by themselves, which is not wanted here: they repeat calls,
// reconnect in silence and with pauses of minutes, share connections between channels, and use a proxy of the
// environment. All of that is off, so a call is sent once or not at all, and a channel that has lost its connection is
// thrown away by its owner.
import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import type * as Grpc from '@grpc/grpc-js';
import type { Driver, GrpcPackage } from './driver.ts';
import { RpcError } from './errors.ts';
import type { Method, Methods, WatchReply, WatchRequest } from './messages.ts';
import type { TlsMaterial } from './options.ts';
import { OwnedSockets } from './sockets.ts';

export interface ChannelOptions {
  readonly driver: Driver;
  /** `host:port`. */
  readonly endpoint: string;
  readonly tls: TlsMaterial | undefined;
}

/** A call that is under way. */
export interface Call<Reply> {
  /** Rejects with `RpcError` only. */
  readonly reply: Promise<Reply>;
  /** Gives it up: `reply` rejects, and the server may stop working on it. Idempotent. */
  cancel(): void;
}

export interface WatchListener {
  reply(reply: WatchReply): void;
  /** Once, and nothing after it. Not after `cancel`. */
  ended(error: RpcError): void;
}

export interface WatchStream {
  send(request: WatchRequest): void;
  /** Idempotent. Nothing is told any more. */
  cancel(): void;
}

/** Pages end long before it. */
const receiveBytesMax = 67_108_864;

export class Channel {
  readonly #driver: Driver;
  readonly #client: Grpc.Client;
  readonly #sockets: OwnedSockets = new OwnedSockets();
  /** Without a token: whoever asks for one must not show an old one. */
  readonly #anonymous: Grpc.Metadata;
  #metadata: Grpc.Metadata;

  constructor({ driver, endpoint, tls }: ChannelOptions) {
    this.#driver = driver;
    this.#client = new driver.grpc.Client(`dns:${endpoint}`, credentials(driver.grpc, endpoint, tls), {
      'grpc.enable_retries': 0,
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_http_proxy': 0,
      'grpc.service_config_disable_resolution': 1,
      'grpc.enable_channelz': 0,
      'grpc.max_receive_message_length': receiveBytesMax,
      'grpc.ssl_target_name_override': nameToAskFor(hostToVerify(endpoint, tls)),
    });
    this.#anonymous = this.#newMetadata(undefined);
    this.#metadata = this.#anonymous;
  }

  /** Of all further calls; undefined: none. */
  set token(token: string | undefined) {
    this.#metadata = this.#newMetadata(token);
  }

  /** Whether there is a connection at this moment. */
  get ready(): boolean {
    const { connectivityState } = this.#driver.grpc;
    return this.#client.getChannel().getConnectivityState(false) === connectivityState.READY;
  }

  /** Calls `lost` once when the connection that is there now is not any more. */
  whenLost(lost: () => void): void {
    const { READY } = this.#driver.grpc.connectivityState;
    this.#client.getChannel().watchConnectivityState(READY, Number.POSITIVE_INFINITY, lost);
  }

  /** Sends a request; the first one makes the connection. */
  call<M extends Method>(method: M, request: Methods[M]['request']): Call<Methods[M]['reply']> {
    const { path, requestSerialize, responseDeserialize } = this.#driver.methods[method];
    let call: Grpc.ClientUnaryCall | undefined;
    const reply = new Promise<Methods[M]['reply']>((resolve, reject) => {
      const settle = (error: Grpc.ServiceError | null, value?: object): void => {
        if (error !== null) reject(rpcError(error));
        else resolve(value as Methods[M]['reply']);
      };
      try {
        call = this.#sockets.run(() =>
          this.#client.makeUnaryRequest(
            path,
            requestSerialize,
            responseDeserialize,
            request,
            method === 'Authenticate' ? this.#anonymous : this.#metadata,
            settle,
          ),
        );
      } catch (error) {
        reject(rpcError(error));
      }
    });
    return { reply, cancel: () => call?.cancel() };
  }

  watch(listener: WatchListener): WatchStream {
    const { path, requestSerialize, responseDeserialize } = this.#driver.methods.Watch;
    const stream = this.#sockets.run(() =>
      this.#client.makeBidiStreamRequest<object, object>(
        path,
        requestSerialize,
        responseDeserialize,
        this.#metadata,
      ),
    );
    let over = false;
    const ended = (error: RpcError): void => {
      if (over) return;
      over = true;
      listener.ended(error);
    };
    stream.on('data', (reply: WatchReply) => {
      if (!over) listener.reply(reply);
    });
    stream.on('error', (error: unknown) => ended(rpcError(error)));
    stream.on('end', () => ended(new RpcError('the server ended the watch')));
    return {
      send: (request) => void stream.write(request),
      cancel() {
        over = true;
        stream.cancel();
      },
    };
  }

  /** Ends the connection at once. What is still under way fails. Idempotent. */
  close(): void {
    this.#client.close();
    this.#sockets.end();
  }

  #newMetadata(token: string | undefined): Grpc.Metadata {
    const metadata = new this.#driver.grpc.Metadata();
    // A member that knows of no leader refuses at once, and ends its watches, instead of standing still.
    metadata.set('hasleader', 'true');
    if (token !== undefined) metadata.set('token', token);
    return metadata;
  }
}

function credentials(
  grpc: GrpcPackage,
  endpoint: string,
  tls: TlsMaterial | undefined,
): Grpc.ChannelCredentials {
  if (tls === undefined) return grpc.credentials.createInsecure();
  const host = hostToVerify(endpoint, tls);
  return grpc.credentials.createSsl(tls.ca, tls.key, tls.cert, {
    checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate as never),
  });
}

/** The name or address that the server's certificate has to show. */
function hostToVerify(endpoint: string, tls: TlsMaterial | undefined): string {
  return tls?.serverName ?? endpoint.slice(0, endpoint.lastIndexOf(':')).replace(/[[\]]/g, '');
}

/** The greeting of TLS takes no addresses, and the package would put one there: then any name will do. */
function nameToAskFor(host: string): string {
  return isIP(host) === 0 ? host : 'etcd';
}

function rpcError(error: unknown): RpcError {
  const { details } = (error ?? {}) as { details?: unknown };
  const text = typeof details === 'string' && details !== '' ? details : String(error);
  const tidy = text
    .replace(/Resolution note:\s*$/, '')
    .replace(/\s+/g, ' ')
    .trim();
  return new RpcError(tidy);
}
