// The options of the backend, from an address and from fields beside it. Whatever is wrong is said without repeating
// the address, since a password may stand in it.
import { readFileSync } from 'node:fs';
import { DGenError } from '../../errors/error.ts';

export interface PostgresOptions {
  /**
   * `postgres://user:password@host:port/database`, special characters percent-encoded; port 5432 if left out. Of one server,
   * the primary. After a `?` may follow, separated by `&`:
   * - `sslmode`: `disable` (default), `require` (encrypts, but anybody may be the server), `verify-ca`, `verify-full`;
   * - `sslrootcert`, `sslcert`, `sslkey`: PEM files, for the server's authority and for a certificate of the client's;
   * - `host`: a directory with the server's Unix socket;
   * - `application_name`, and the options `schema`, `connectionsMax` and `pollMs`, which count if they are not given beside it.
   */
  readonly url: string;
  /** Instead of the one in `url`; a function is asked at each connection. Default: the variable PGPASSWORD. */
  readonly password?: string | (() => string | Promise<string>);
  /** Instead of the `ssl…` parameters of `url`. The server's certificate is verified unless it is said otherwise. */
  readonly ssl?: PostgresTls;
  /** Of the tables; made if the role may do so. 1 to 40 of the characters a-z, 0-9 and _, no digit first. Default `dgen`. */
  readonly schema?: string;
  /** Connections of this client, 2 to 100: one hears of commits, the others work. Default 2. */
  readonly connectionsMax?: number;
  /**
   * Milliseconds without a notification after which a look is made for changes, while something is watched, 10 to 60000. Where
   * notifications do not arrive, as behind a pooler in transaction mode, looks are made ten times as often. Default 5000.
   */
  readonly pollMs?: number;
  /** Milliseconds for one attempt to connect, 100 to 60000. Default 3000. */
  readonly connectTimeoutMs?: number;
  /** Milliseconds without an answer after which a connection counts as dead, 100 to 60000. Default 3000. */
  readonly answerTimeoutMs?: number;
  /** Milliseconds for opening, 1 to 2147483647, in which a server that cannot be reached is tried again. Default 5000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** As of Node's `tls.connect`. */
export interface PostgresTls {
  readonly ca?: string | Uint8Array;
  readonly cert?: string | Uint8Array;
  readonly key?: string | Uint8Array;
  readonly passphrase?: string;
  /** False: whoever answers is taken for the server. Default true. */
  readonly rejectUnauthorized?: boolean;
}

export interface Settings {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly password: string | (() => string | undefined | Promise<string>);
  readonly ssl: (PostgresTls & { readonly checkServerIdentity?: () => undefined }) | false;
  readonly applicationName: string;
  readonly schema: string;
  readonly connectionsMax: number;
  readonly pollMs: number;
  readonly connectTimeoutMs: number;
  readonly answerTimeoutMs: number;
  readonly timeoutMs: number;
}

/** Throws `bad_option`, also for a file of `url` that cannot be read. */
export function settingsOf(options: PostgresOptions): Settings {
  const url = parseUrl(options.url);
  const parameters = parametersOf(url);
  const text = (name: string): string | undefined => parameters.get(name);
  const fromUrl = decodeURIComponent(url.password) || (() => process.env.PGPASSWORD);
  const schema = options.schema ?? text('schema') ?? 'dgen';
  if (!/^[a-z_][a-z0-9_]{0,39}$/.test(schema) || schema.startsWith('pg_')) {
    throw bad('schema', '1 to 40 of a-z, 0-9, _, no digit first, not pg_', schema);
  }
  const number = (name: string) => (parameters.has(name) ? Number(text(name)) : undefined);
  return {
    host: text('host') ?? url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 5432 : Number(url.port),
    user: decodeURIComponent(url.username),
    database: decodeURIComponent(url.pathname.slice(1)),
    password: options.password ?? fromUrl,
    ssl: options.ssl ?? tlsOf(parameters),
    applicationName: text('application_name') ?? 'dgen',
    schema,
    connectionsMax: integer(
      'connectionsMax',
      options.connectionsMax ?? number('connectionsMax') ?? 2,
      [2, 100],
    ),
    pollMs: integer('pollMs', options.pollMs ?? number('pollMs') ?? 5_000, [10, 60_000]),
    connectTimeoutMs: integer('connectTimeoutMs', options.connectTimeoutMs ?? 3_000, [100, 60_000]),
    answerTimeoutMs: integer('answerTimeoutMs', options.answerTimeoutMs ?? 3_000, [100, 60_000]),
    timeoutMs: integer('timeoutMs', options.timeoutMs ?? 5_000, [1, 2_147_483_647]),
  };
}

const parameterNames = [
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'host',
  'application_name',
  'schema',
  'connectionsMax',
  'pollMs',
];

function parseUrl(address: string): URL {
  const expected = 'postgres://user:password@host:port/database';
  if (!URL.canParse(address)) throw bad('url', expected, 'another form');
  const url = new URL(address);
  const known = url.protocol === 'postgres:' || url.protocol === 'postgresql:';
  if (!known || url.username === '' || url.hostname === '' || url.pathname.length < 2) {
    throw bad('url', expected, 'another form');
  }
  for (const part of [url.username, url.password, url.pathname]) {
    if (!isDecodable(part))
      throw bad('url', 'percent-encoded user, password and database', 'other text after a %');
  }
  return url;
}

function isDecodable(part: string): boolean {
  try {
    return decodeURIComponent(part) !== undefined;
  } catch {
    return false;
  }
}

function parametersOf(url: URL): ReadonlyMap<string, string> {
  for (const name of url.searchParams.keys()) {
    if (!parameterNames.includes(name)) throw bad('parameter of url', parameterNames.join(', '), name);
  }
  return new Map(url.searchParams);
}

function tlsOf(parameters: ReadonlyMap<string, string>): Settings['ssl'] {
  const mode = parameters.get('sslmode') ?? 'disable';
  const modes = ['disable', 'require', 'verify-ca', 'verify-full'];
  if (!modes.includes(mode)) throw bad('sslmode', modes.join(', '), mode);
  if (mode === 'disable') return false;
  const file = (name: string, field: string) =>
    parameters.has(name) ? { [field]: readFile(name, parameters.get(name) ?? '') } : {};
  const files = { ...file('sslrootcert', 'ca'), ...file('sslcert', 'cert'), ...file('sslkey', 'key') };
  if (mode === 'verify-full') return files;
  if (mode === 'require' && !parameters.has('sslrootcert')) return { ...files, rejectUnauthorized: false };
  return { ...files, checkServerIdentity: () => undefined };
}

function readFile(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw bad(name, 'a file that can be read', `${path}: ${(error as NodeJS.ErrnoException).code}`);
  }
}

function integer(name: string, value: number, [min, max]: readonly [number, number]): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw bad(name, `an integer from ${min} to ${max}`, String(value));
}

function bad(name: string, expected: string, got: string): DGenError {
  return new DGenError('bad_option', name, { expected, got });
}
