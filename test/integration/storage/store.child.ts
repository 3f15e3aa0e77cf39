// A process that opens SQLite files on demand and makes each reachable over TCP: the other process of a test. It ends with
// its parent.
import type { Backend } from '../../../src/storage/index.ts';
import { openSqlite, type SqliteOptions } from '../../../src/storage/sqlite/index.ts';
import { WireServer } from '../../support/wire-server.ts';

export interface OpenRequest {
  readonly number: number;
  /** Undefined: close what was opened under this number. */
  readonly open?: Pick<SqliteOptions, 'path' | 'driver'>;
}

export interface OpenAnswer {
  readonly number: number;
  /** Of the server; undefined after closing. */
  readonly port?: number;
  readonly error?: string;
}

interface Opened {
  readonly backend: Backend;
  readonly server: WireServer;
}

const opened = new Map<number, Opened>();

async function open(number: number, options: NonNullable<OpenRequest['open']>): Promise<number> {
  const backend = await openSqlite(options);
  // The connections of the server share one client: a process can have no more.
  const server = await WireServer.start(() => ({
    description: backend.description,
    begin: (wait) => backend.begin(wait),
    watch: (range) => backend.watch(range),
    close: () => Promise.resolve(),
  }));
  opened.set(number, { backend, server });
  return server.port;
}

async function close(number: number): Promise<undefined> {
  const { backend, server } = opened.get(number) ?? {};
  opened.delete(number);
  await server?.close();
  await backend?.close();
}

process.on('message', (request: OpenRequest) => {
  const { number, open: options } = request;
  const done = options === undefined ? close(number) : open(number, options);
  done.then(
    (port) => process.send?.({ number, ...(port !== undefined && { port }) } satisfies OpenAnswer),
    (error: unknown) => process.send?.({ number, error: String(error) } satisfies OpenAnswer),
  );
});
process.on('disconnect', () => process.exit());
process.send?.({ ready: true });
