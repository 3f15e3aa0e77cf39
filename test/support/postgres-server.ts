// A real PostgreSQL server for one test file: on loopback, on a free port, in a directory of its own that is removed with
// it, as another user where the tests run as root. It can be stopped, killed, frozen and started again.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { postgresBinaries } from '../../scripts/postgres-binaries.ts';

const superuser = 'postgres';
/** With characters that an address has to encode. */
const password = 's€cret/?#@%';
const startMs = 30_000;

export interface ServerOptions {
  /** For postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Before the other lines of pg_hba.conf. */
  readonly hba?: readonly string[];
}

interface UserIds {
  readonly uid?: number;
  readonly gid?: number;
}

export class PostgresServer {
  readonly directory: string;
  readonly port: number;
  readonly #user: UserIds;
  readonly #onExit = (): void => this.#removeNow();
  #process: ChildProcess | undefined;

  private constructor(directory: string, port: number, user: UserIds) {
    this.directory = directory;
    this.port = port;
    this.#user = user;
    process.on('exit', this.#onExit);
  }

  /** A new, empty server that answers. */
  static async start(options: ServerOptions = {}): Promise<PostgresServer> {
    const server = await PostgresServer.prepare();
    try {
      const secret = join(server.directory, 'secret');
      server.write('secret', password);
      server.run('initdb', [
        '--no-sync',
        '-E',
        'UTF8',
        '--locale=C',
        '-U',
        superuser,
        '-A',
        'scram-sha-256',
        `--pwfile=${secret}`,
      ]);
      server.configure({ fsync: 'off', max_connections: '60', shared_buffers: '16MB', ...options.settings });
      const { hba = [] } = options;
      const standard = [
        'host all all 127.0.0.1/32 scram-sha-256',
        'host replication all 127.0.0.1/32 scram-sha-256',
      ];
      server.write('data/pg_hba.conf', [...hba, ...standard, ''].join('\n'));
      await server.up();
      return server;
    } catch (error) {
      await server.dispose();
      throw error;
    }
  }

  /** A directory, a port and a user, for a server that is made in another way. */
  static async prepare(): Promise<PostgresServer> {
    const directory = mkdtempSync(join(tmpdir(), 'dgen-postgres-'));
    const user = otherUser();
    if (user.uid !== undefined && user.gid !== undefined) chownSync(directory, user.uid, user.gid);
    return new PostgresServer(directory, await freePort(), user);
  }

  /** Of the superuser. */
  get user(): string {
    return superuser;
  }

  get password(): string {
    return password;
  }

  get data(): string {
    return join(this.directory, 'data');
  }

  /** Of the process that accepts connections. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  get running(): boolean {
    return (
      this.#process !== undefined && this.#process.exitCode === null && this.#process.signalCode === null
    );
  }

  /** An address as users write it. */
  url(
    options: { port?: number; user?: string; password?: string; database?: string; query?: string } = {},
  ): string {
    const { port = this.port, user = superuser, database = 'postgres', query = '' } = options;
    const secret = encodeURIComponent(options.password ?? password);
    return `postgres://${user}:${secret}@127.0.0.1:${port}/${database}${query}`;
  }

  configure(settings: Readonly<Record<string, string>>): void {
    const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`);
    appendFileSync(join(this.data, 'postgresql.conf'), lines.join(''));
  }

  /** A file in the directory that only the server's user can read. */
  write(path: string, content: string): void {
    const full = join(this.directory, path);
    writeFileSync(full, content);
    chmodSync(full, 0o600);
    if (this.#user.uid !== undefined && this.#user.gid !== undefined)
      chownSync(full, this.#user.uid, this.#user.gid);
  }

  /** Runs a program of the server on the data. */
  run(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): void {
    const path = join(binaries(), program);
    execFileSync(path, ['-D', this.data, ...args], {
      ...this.#user,
      stdio: 'pipe',
      env: { ...process.env, ...env },
    });
  }

  /** Starts it, and resolves when it answers. After a kill the old processes may still have to go. */
  async up(): Promise<void> {
    const end = performance.now() + startMs;
    for (;;) {
      if (!this.running) this.#spawn();
      try {
        await this.sql('SELECT 1');
        return;
      } catch (error) {
        if (performance.now() > end)
          throw new Error(`the server does not start: ${this.log().slice(-2_000)}`, { cause: error });
      }
      await sleep(20);
    }
  }

  /** `fast` ends all connections, `immediate` leaves the work to recovery. */
  async stop(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    await this.#end(mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
  }

  /** Kills every process of it at once. */
  async kill(): Promise<void> {
    for (const pid of [this.pid, ...this.#children()]) signal(pid, 'SIGKILL');
    await this.#end('SIGKILL');
  }

  /** Nothing is answered any more, while all connections stay. */
  pause(): void {
    for (const pid of [this.pid, ...this.#children()]) signal(pid, 'SIGSTOP');
  }

  resume(): void {
    for (const pid of [...this.#children(), this.pid]) signal(pid, 'SIGCONT');
  }

  async sql(text: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> {
    const client = await this.client();
    try {
      return (await client.query(text, [...values])).rows as Record<string, unknown>[];
    } finally {
      await client.end();
    }
  }

  /** A connection of the superuser's. */
  async client(): Promise<Client> {
    const client = new Client({
      connectionString: this.url(),
      connectionTimeoutMillis: 5_000,
      application_name: 'test',
    });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  log(): string {
    return readFileSync(join(this.directory, 'log'), 'utf8');
  }

  async dispose(): Promise<void> {
    this.resume();
    await this.#end('SIGQUIT');
    process.off('exit', this.#onExit);
    rmSync(this.directory, { recursive: true, force: true });
  }

  #spawn(): void {
    const log = openSync(join(this.directory, 'log'), 'a', 0o600);
    const args = ['-D', this.data, '-p', String(this.port), '-h', '127.0.0.1', '-k', this.directory];
    this.#process = spawn(join(binaries(), 'postgres'), args, { ...this.#user, stdio: ['ignore', log, log] });
    closeSync(log);
  }

  async #end(how: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child === undefined || !this.running) return;
    const gone = once(child, 'exit');
    child.kill(how);
    const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await gone;
    clearTimeout(late);
  }

  #children(): number[] {
    if (!this.running) return [];
    const text = readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, 'utf8');
    return text
      .trim()
      .split(' ')
      .filter((pid) => pid !== '')
      .map(Number);
  }

  #removeNow(): void {
    this.resume();
    this.#process?.kill('SIGQUIT');
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function binaries(): string {
  const found = postgresBinaries();
  if (found === undefined) throw new Error('no PostgreSQL server on this machine');
  return found;
}

/** The server refuses to run as root. */
export function otherUser(): UserIds {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

function signal(pid: number, name: NodeJS.Signals): void {
  if (pid === 0) return;
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
