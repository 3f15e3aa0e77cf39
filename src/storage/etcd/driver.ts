// The two gRPC packages, which are optional peers: loaded when the first store of this kind is opened, and once for each
// process. Nothing here knows what is said over a channel.
import type * as Grpc from '@grpc/grpc-js';
import type * as ProtoLoader from '@grpc/proto-loader';
import { DGenError } from '../../errors/error.ts';
import { description, type Method, services } from './messages.ts';

export type GrpcPackage = typeof Grpc;

/** How a method is called: its path, and what turns messages into bytes and back. */
export interface MethodDefinition {
  readonly path: string;
  readonly requestSerialize: (message: object) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => object;
}

export interface Driver {
  readonly grpc: GrpcPackage;
  readonly methods: Readonly<Record<Method | 'Watch', MethodDefinition>>;
}

const packages = ['@grpc/grpc-js', '@grpc/proto-loader'] as const;

let loaded: Promise<Driver> | undefined;

/** Rejects with `store_fatal` when a package is missing. */
export function loadDriver(): Promise<Driver> {
  loaded ??= load().catch((error: unknown) => {
    loaded = undefined;
    throw error;
  });
  return loaded;
}

async function load(): Promise<Driver> {
  try {
    const [grpc, loader] = await Promise.all([import('@grpc/grpc-js'), import('@grpc/proto-loader')]);
    return { grpc, methods: defineMethods(loader) };
  } catch (error) {
    throw missing(error);
  }
}

function missing(cause: unknown): DGenError {
  const got = cause instanceof Error ? cause.message : String(cause);
  const expected = `npm install ${packages.join(' ')}`;
  return new DGenError('store_fatal', 'the etcd store needs two packages', { expected, got, cause });
}

function defineMethods(loader: typeof ProtoLoader): Driver['methods'] {
  const definition = loader.fromJSON(description as Parameters<typeof loader.fromJSON>[0], {
    longs: String,
    enums: String,
    defaults: true,
  });
  const entries = Object.entries(services).map(([method, service]) => {
    const methods = definition[service] as unknown as Readonly<Record<string, MethodDefinition>>;
    return [method, methods[method]];
  });
  return Object.fromEntries(entries) as Driver['methods'];
}
