// What a node is told when it starts, and the check of it.
import { DGenError } from '../errors/error.ts';
import type { Log } from '../host/index.ts';
import type { Store } from '../storage/index.ts';

export interface NodeOptions {
  /** `name@host`; the host part is what other nodes of the cluster know this machine by. Unique in the tenant. Without an `@`, `@127.0.0.1` is added. */
  readonly name: string;
  /** An address as `storeAt` takes it, such as `sqlite:PATH`, or an open store, which stays open when the node closes. */
  readonly store: string | Store;
  /** Nodes of one tenant of one store form a cluster. Default `default`. */
  readonly tenant?: string;
  /** Where to listen; default `127.0.0.1` and a free port. Beyond loopback a `cookie` must be given. `false`: not at all; then this node can only call others. */
  readonly listen?: { readonly host?: string; readonly port?: number; readonly advertise?: string } | false;
  /** The shared secret of the cluster; default: a random one that the store keeps. */
  readonly cookie?: string;
  /** A pino-shaped logger; default: silence. */
  readonly log?: Log;
}

const optionNames = ['name', 'store', 'tenant', 'listen', 'cookie', 'log'];

/** Throws `bad_option`. */
export function checkNodeOptions(options: NodeOptions): void {
  for (const key of Object.keys(options)) {
    if (!optionNames.includes(key))
      throw new DGenError('bad_option', `node option ${key}`, { expected: optionNames.join(', ') });
  }
  if (typeof options.name !== 'string' || !/^[\w.-]{1,64}(@[\w.:-]{1,128})?$/.test(options.name)) {
    throw new DGenError('bad_option', 'node name', {
      expected: 'name or name@host',
      got: String(options.name),
    });
  }
  const { store } = options;
  if (typeof store !== 'string' && typeof store?.tenant !== 'function') {
    throw new DGenError('bad_option', 'node option store', {
      expected: 'an address or an open store',
      got: typeof store,
    });
  }
}
