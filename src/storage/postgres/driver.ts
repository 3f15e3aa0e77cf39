// The package `pg`, an optional peer, as far as it is used here: one client is one connection with one statement at a time.
// It has no retry, no prepared statements and no pool of its own in this use.
import { DGenError } from '../../errors/error.ts';

/** A notice, or an error, of the server. */
export interface ServerMessage {
  readonly message: string;
  readonly routine?: string | undefined;
}

export interface PgClient {
  /** Of the server's process, as it was told at the start; a pooler tells something else. */
  readonly processID: number | null;
  readonly connection: { readonly stream: { destroy(): unknown } };
  connect(): Promise<unknown>;
  query(statement: {
    readonly text: string;
    readonly values: readonly unknown[];
    readonly rowMode: 'array';
  }): Promise<{ readonly rows: (string | null)[][] }>;
  end(): Promise<void>;
  ref(): void;
  unref(): void;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  on(event: 'notice', listener: (notice: ServerMessage) => void): unknown;
  on(event: 'notification', listener: (message: { readonly payload?: string }) => void): unknown;
}

export type PgClientClass = new (config: Readonly<Record<string, unknown>>) => PgClient;

/** Rejects with `store_fatal` when the package is not installed. */
export async function loadDriver(): Promise<PgClientClass> {
  try {
    const { Client } = await import('pg');
    return Client as unknown as PgClientClass;
  } catch (error) {
    throw notInstalled(error);
  }
}

function notInstalled(cause: unknown): DGenError {
  return new DGenError('store_fatal', 'no PostgreSQL client', {
    expected: 'the package pg (npm install pg)',
    cause,
  });
}
