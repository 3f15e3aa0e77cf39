// The options of a store in etcd, checked once: what is wrong with them is said before anything is contacted, and without the
// password.
import { readFileSync } from 'node:fs';
import { DGenError } from '../../errors/error.ts';

export interface EtcdTlsOptions {
  /** Certificates of the authorities to trust: PEM, or the path of a PEM file. Default: those that Node.js trusts. */
  readonly ca?: string | Uint8Array;
  /** The certificate of this client, where the server asks for one, PEM or a path; with `key`. */
  readonly cert?: string | Uint8Array;
  /** Its private key. */
  readonly key?: string | Uint8Array;
  /** The name that the server's certificate has to show. Default: the host of the endpoint. */
  readonly serverName?: string;
}

export interface EtcdOptions {
  /** `host:port` of members of one cluster, at least one; without a port 2379. One is used at a time, the next when it fails. */
  readonly endpoints: readonly string[];
  /**
   * All keys of this store begin with it and a slash: text of 1 to 64 bytes without a slash at its end. Stores share nothing
   * unless the prefix of one is that of another, or that of another, a slash and more. Default `dgen`.
   */
  readonly prefix?: string;
  /** With `password`; default: none, or the name in the client's certificate. */
  readonly username?: string;
  readonly password?: string;
  /** Default: no encryption. `{}`: encrypted, with the authorities that Node.js trusts. */
  readonly tls?: EtcdTlsOptions;
  /**
   * Milliseconds that an endpoint may take for a connection, for an answer, and for a sign of life, before the next one is tried. Default
   * 2000; 100 to 60000.
   */
  readonly endpointTimeoutMs?: number;
}

export interface TlsMaterial {
  readonly ca: Buffer | null;
  readonly cert: Buffer | null;
  readonly key: Buffer | null;
  readonly serverName: string | undefined;
}

export interface CheckedOptions {
  readonly endpoints: readonly string[];
  readonly prefix: string;
  readonly credentials: { readonly name: string; readonly password: string } | undefined;
  readonly tls: TlsMaterial | undefined;
  readonly endpointTimeoutMs: number;
}

const defaultPort = 2379;
const prefixBytesMax = 64;
const endpointsMax = 64;

/** Throws `bad_option`; also for a file of certificates that cannot be read. */
export function checkOptions(options: EtcdOptions): CheckedOptions {
  return {
    endpoints: checkEndpoints(options.endpoints),
    prefix: checkPrefix(options.prefix ?? 'dgen'),
    credentials: checkCredentials(options.username, options.password),
    tls: options.tls === undefined ? undefined : checkTls(options.tls),
    endpointTimeoutMs: checkTimeout(options.endpointTimeoutMs ?? 2_000),
  };
}

function checkEndpoints(endpoints: unknown): readonly string[] {
  if (!Array.isArray(endpoints) || endpoints.length === 0 || endpoints.length > endpointsMax) {
    throw bad('endpoints', `an array of 1 to ${endpointsMax}`, typeof endpoints);
  }
  return [...new Set(endpoints.map(checkEndpoint))];
}

function checkEndpoint(endpoint: unknown): string {
  const match = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/.exec(String(endpoint));
  const port = Number(match?.[2] ?? defaultPort);
  if (match === null || port < 1 || port > 65_535)
    throw bad(
      'endpoint',
      'host:port; in an address, what has a special meaning is percent-encoded',
      'something else',
    );
  return `${match[1]}:${port}`;
}

function checkPrefix(prefix: unknown): string {
  const valid = typeof prefix === 'string' && prefix !== '' && !prefix.endsWith('/');
  if (!valid || /\p{Surrogate}|\p{Cc}/u.test(prefix) || Buffer.byteLength(prefix) > prefixBytesMax) {
    throw bad('prefix', `text of 1 to ${prefixBytesMax} bytes without a slash at its end`, String(prefix));
  }
  return prefix;
}

function checkCredentials(name: unknown, password: unknown): CheckedOptions['credentials'] {
  if (name === undefined && password === undefined) return undefined;
  if (typeof name !== 'string' || name === '' || typeof password !== 'string') {
    throw bad('username and password', 'both', 'one of them, or no text');
  }
  return { name, password };
}

function checkTls(tls: EtcdTlsOptions): TlsMaterial {
  const { ca, cert, key, serverName } = tls;
  if ((cert === undefined) !== (key === undefined)) throw bad('tls', 'cert and key together', 'one of them');
  return { ca: pem('tls.ca', ca), cert: pem('tls.cert', cert), key: pem('tls.key', key), serverName };
}

/** The bytes of a PEM text; what does not look like one is the path of a file. */
function pem(name: string, value: string | Uint8Array | undefined): Buffer | null {
  if (value === undefined) return null;
  if (typeof value !== 'string') return Buffer.from(value);
  if (value.includes('-----BEGIN')) return Buffer.from(value);
  try {
    return readFileSync(value);
  } catch (error) {
    throw bad(name, 'PEM, or the path of a readable file', String(error));
  }
}

function checkTimeout(ms: unknown): number {
  if (typeof ms === 'number' && ms >= 100 && ms <= 60_000) return ms;
  throw bad('endpointTimeoutMs', '100 to 60000', String(ms));
}

function bad(name: string, expected: string, got: string): DGenError {
  return new DGenError('bad_option', name, { expected, got });
}
