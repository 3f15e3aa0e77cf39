// The stores beneath a run: a SQLite file that all nodes share, or a server on a machine of its own, which can be killed.
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { PostgresServer } from '../support/postgres-server.ts';
import type { Network } from './network.ts';

export const storeKinds = ['sqlite', 'etcd', 'postgres'] as const;
export type StoreKind = (typeof storeKinds)[number];

/** The machine of a store that is a server. */
export const storeMachine = 'store';
const startMs = 20_000;

export interface FaultyStore {
  /** As `Node.start` takes it. */
  readonly address: string;
  /** It is a server on `storeMachine`, so its network can be cut. */
  readonly isServer: boolean;
  /** As hard as it can be: a server is killed; of a file the lock is taken, so nobody can commit. */
  takeAway(): Promise<void>;
  /** Resolves when it answers again. */
  bringBack(): Promise<void>;
  dispose(): Promise<void>;
}

/** A new and empty one that answers; its files are in the folder. */
export function openFaultyStore(kind: StoreKind, folder: string, network: Network): Promise<FaultyStore> {
  if (kind === 'sqlite') return Promise.resolve(new SqliteFile(join(folder, 'store.sqlite')));
  return kind === 'etcd' ? Etcd.start(folder, network) : Postgres.start(network);
}

class SqliteFile implements FaultyStore {
  readonly address: string;
  readonly isServer = false;
  readonly #file: string;
  #lock: DatabaseSync | undefined;

  constructor(file: string) {
    this.#file = file;
    this.address = `sqlite:${file}`;
  }

  async takeAway(): Promise<void> {
    const lock = new DatabaseSync(this.#file, { timeout: 0 });
    for (;;) {
      try {
        lock.exec('BEGIN IMMEDIATE');
        this.#lock = lock;
        return;
      } catch (error) {
        if (!/locked/.test(String(error))) throw error;
        await sleep(2);
      }
    }
  }

  async bringBack(): Promise<void> {
    this.#lock?.close();
    this.#lock = undefined;
  }

  async dispose(): Promise<void> {
    await this.bringBack();
  }
}

/** A program on the machine of the store. */
class Server {
  readonly #command: readonly [string, ...string[]];
  readonly #log: string;
  #process: ChildProcess | undefined;

  constructor(command: readonly [string, ...string[]], log: string) {
    this.#command = command;
    this.#log = log;
  }

  get running(): boolean {
    const server = this.#process;
    return server !== undefined && server.exitCode === null && server.signalCode === null;
  }

  launch(): void {
    const [program, ...args] = this.#command;
    const log = openSync(this.#log, 'a');
    this.#process = spawn(program, args, { stdio: ['ignore', log, log] });
    closeSync(log);
  }

  async kill(): Promise<void> {
    if (!this.running || this.#process === undefined) return;
    const gone = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await gone;
  }

  failure(what: string): Error {
    return new Error(`${what}: ${readFileSync(this.#log, 'utf8').slice(-2_000)}`);
  }
}

/** Runs on the machine of the store until `url` says that etcd is healthy. */
const untilHealthy = `
  const [url, endsAt] = [process.argv[1], Date.now() + Number(process.argv[2])];
  const ask = () => fetch(url, { signal: AbortSignal.timeout(1000) }).then((answer) => answer.text());
  for (;;) {
    const text = await ask().catch((error) => String(error));
    if (/"health":\\s*"true"/.test(text)) process.exit(0);
    if (Date.now() > endsAt) throw new Error(text);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
`;

class Etcd implements FaultyStore {
  readonly address: string;
  readonly isServer = true;
  readonly #server: Server;
  readonly #network: Network;
  readonly #url: string;

  private constructor(folder: string, network: Network) {
    const host = network.addressOf(storeMachine);
    const [client, peer] = [`http://${host}:2379`, `http://${host}:2380`];
    const args = [
      ...['--name', 'store', '--data-dir', join(folder, 'etcd'), '--logger', 'zap', '--log-level', 'warn'],
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...[
        '--listen-peer-urls',
        peer,
        '--initial-advertise-peer-urls',
        peer,
        '--initial-cluster',
        `store=${peer}`,
      ],
    ];
    this.#server = new Server(network.on(storeMachine, 'etcd', ...args), join(folder, 'etcd.log'));
    this.#network = network;
    this.#url = `${client}/health`;
    this.address = `etcd://${host}:2379`;
  }

  static async start(folder: string, network: Network): Promise<FaultyStore> {
    const store = new Etcd(folder, network);
    await store.bringBack();
    return store;
  }

  takeAway(): Promise<void> {
    return this.#server.kill();
  }

  async bringBack(): Promise<void> {
    this.#server.launch();
    const probe = ['--input-type=module', '-e', untilHealthy, this.#url, String(startMs)];
    const [program, ...args] = this.#network.on(storeMachine, process.execPath, ...probe);
    const [code] = await once(spawn(program, args, { stdio: 'ignore' }), 'exit');
    if (code !== 0) throw this.#server.failure('etcd does not answer');
  }

  dispose(): Promise<void> {
    return this.#server.kill();
  }
}

const relayFile = fileURLToPath(new URL('./relay.child.ts', import.meta.url));

/** The server listens on a unix socket, and a relay on the machine of the store leads to it. */
class Postgres implements FaultyStore {
  readonly address: string;
  readonly isServer = true;
  readonly #server: PostgresServer;
  readonly #relay: ChildProcess;

  private constructor(address: string, server: PostgresServer, relay: ChildProcess) {
    this.address = address;
    this.#server = server;
    this.#relay = relay;
  }

  static async start(network: Network): Promise<FaultyStore> {
    const server = await PostgresServer.start({ hba: ['local all all scram-sha-256'] });
    const host = network.addressOf(storeMachine);
    const [execPath, ...execArgv] = network.on(storeMachine, process.execPath);
    const socket = join(server.directory, `.s.PGSQL.${server.port}`);
    const relay = fork(relayFile, [host, '5432', socket], { execPath, execArgv });
    await once(relay, 'message');
    const address = `postgres://${server.user}:${encodeURIComponent(server.password)}@${host}:5432/postgres`;
    return new Postgres(address, server, relay);
  }

  takeAway(): Promise<void> {
    return this.#server.kill();
  }

  bringBack(): Promise<void> {
    return this.#server.up();
  }

  async dispose(): Promise<void> {
    const gone = once(this.#relay, 'exit');
    this.#relay.kill('SIGKILL');
    await gone;
    await this.#server.dispose();
  }
}
