// Real etcd for one test file: one member or three, on loopback, on free ports, with data directories of their own that are
// removed with them. Members can be stopped, killed, frozen and started again.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const startMs = 30_000;
const answerMs = 10_000;

export interface EtcdTls {
  /** PEM. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export interface EtcdServerOptions {
  /** Members. Default 1. */
  readonly size?: 1 | 3;
  /** Of the server; clients have to show a certificate of the same authority. */
  readonly tls?: EtcdTls;
  /** Further arguments of each member. */
  readonly args?: readonly string[];
}

export class EtcdServer {
  readonly members: readonly EtcdMember[];
  readonly #directory: string;
  readonly #onExit = (): void => this.#removeNow();

  private constructor(directory: string, members: readonly EtcdMember[]) {
    this.#directory = directory;
    this.members = members;
    process.on('exit', this.#onExit);
  }

  /** New and empty, and answering. */
  static async start(options: EtcdServerOptions = {}): Promise<EtcdServer> {
    const { size = 1, tls, args = [] } = options;
    const directory = mkdtempSync(join(tmpdir(), 'dgen-etcd-'));
    const ports = await freePorts(size * 3);
    const peers = Array.from({ length: size }, (_, i) => `m${i}=http://127.0.0.1:${ports[i * 3 + 1]}`).join();
    const members = Array.from({ length: size }, (_, i) => {
      const [port = 0, peerPort = 0, healthPort = 0] = ports.slice(i * 3, i * 3 + 3);
      const place = join(directory, `m${i}`);
      mkdirSync(place);
      const common = ['--initial-cluster', peers, '--initial-cluster-token', directory, ...args];
      return new EtcdMember({
        name: `m${i}`,
        directory: place,
        port,
        peerPort,
        healthPort,
        tls,
        args: common,
      });
    });
    const server = new EtcdServer(directory, members);
    try {
      await Promise.all(members.map((member) => member.up()));
      return server;
    } catch (error) {
      await server.dispose();
      throw error;
    }
  }

  /** Of the first member. */
  get port(): number {
    return (this.members[0] as EtcdMember).port;
  }

  get endpoints(): readonly string[] {
    return this.members.map(({ port }) => `127.0.0.1:${port}`);
  }

  /** The member that leads. */
  async leader(): Promise<EtcdMember> {
    for (;;) {
      for (const member of this.members) {
        if (!member.running) continue;
        const status = await member.ask<{ leader?: string; header: { member_id: string } }>(
          'maintenance/status',
        );
        if (status.leader !== undefined && status.leader === status.header.member_id) return member;
      }
      await sleep(50);
    }
  }

  /** Forgets all revisions before the newest one. */
  async compact(): Promise<void> {
    const member = this.members.find(({ running }) => running) as EtcdMember;
    const { header } = await member.ask<{ header: { revision: string } }>('kv/range', { key: 'eA==' });
    await member.ask('kv/compaction', { revision: header.revision, physical: true });
  }

  async dispose(): Promise<void> {
    process.off('exit', this.#onExit);
    await Promise.all(this.members.map((member) => member.kill()));
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 5 });
  }

  #removeNow(): void {
    for (const member of this.members) member.signal('SIGKILL');
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

interface MemberParts {
  readonly name: string;
  readonly directory: string;
  readonly port: number;
  readonly peerPort: number;
  readonly healthPort: number;
  readonly tls: EtcdTls | undefined;
  readonly args: readonly string[];
}

export class EtcdMember {
  readonly port: number;
  readonly #parts: MemberParts;
  #process: ChildProcess | undefined;

  constructor(parts: MemberParts) {
    this.port = parts.port;
    this.#parts = parts;
  }

  get dataDirectory(): string {
    return join(this.#parts.directory, 'data');
  }

  get running(): boolean {
    return (
      this.#process !== undefined && this.#process.exitCode === null && this.#process.signalCode === null
    );
  }

  /** Starts it, with what is on its disk, and waits until it answers: with others, until there is a leader. */
  async up(): Promise<void> {
    this.launch();
    await this.healthy();
  }

  /** Starts it, and waits for nothing. */
  launch(): void {
    const { directory } = this.#parts;
    const log = openSync(join(directory, 'log'), 'a');
    const environment = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !name.startsWith('ETCD')),
    );
    this.#process = spawn('etcd', this.#arguments(), { stdio: ['ignore', log, log], env: environment });
    closeSync(log);
  }

  async healthy(): Promise<void> {
    const endsAt = Date.now() + startMs;
    for (;;) {
      const answer = await this.#http('GET', '/health').catch(() => '');
      if (/"health":\s*"true"/.test(answer)) return;
      if (!this.running || Date.now() > endsAt) throw new Error(`etcd does not answer: ${this.#log()}`);
      await sleep(20);
    }
  }

  /** In good order. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** As a failing machine would. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Connections stay, nothing is answered. */
  pause(): void {
    this.signal('SIGSTOP');
  }

  resume(): void {
    this.signal('SIGCONT');
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) this.#process?.kill(signal);
  }

  /** Asks the JSON gateway of a member without TLS. Rejects with what it says when it refuses. */
  async ask<T = unknown>(path: string, body: object = {}, token?: string): Promise<T> {
    const response = await fetch(`http://127.0.0.1:${this.port}/v3/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: token === undefined ? {} : { authorization: token },
      signal: AbortSignal.timeout(answerMs),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${text}`);
    return JSON.parse(text) as T;
  }

  /** A number that the member tells of itself; undefined when it does not. */
  async metric(name: string): Promise<number | undefined> {
    const [, value] = new RegExp(`^${name} (\\S+)$`, 'm').exec(await this.#http('GET', '/metrics')) ?? [];
    return value === undefined ? undefined : Number(value);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child === undefined || !this.running) return;
    const gone = once(child, 'exit');
    child.kill('SIGCONT');
    child.kill(signal);
    await gone;
  }

  #arguments(): readonly string[] {
    const { name, port, peerPort, healthPort, tls, args } = this.#parts;
    const client = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
    const peer = `http://127.0.0.1:${peerPort}`;
    return [
      ...['--name', name, '--data-dir', this.dataDirectory, '--logger', 'zap', '--log-level', 'warn'],
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
      ...['--listen-metrics-urls', `http://127.0.0.1:${healthPort}`, '--initial-cluster-state', 'new'],
      ...['--heartbeat-interval', '50', '--election-timeout', '500'],
      ...(tls === undefined ? [] : this.#tlsArguments(tls)),
      ...args,
    ];
  }

  #tlsArguments(tls: EtcdTls): readonly string[] {
    const file = (name: keyof EtcdTls): string => {
      const path = join(this.#parts.directory, `${name}.pem`);
      writeFileSync(path, tls[name]);
      return path;
    };
    const own = ['--cert-file', file('cert'), '--key-file', file('key')];
    return [...own, '--client-cert-auth', '--trusted-ca-file', file('ca')];
  }

  #http(method: string, path: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const { healthPort: port } = this.#parts;
      const request = httpRequest({ port, host: '127.0.0.1', path, method, agent: false, timeout: 1_000 });
      request.on('response', (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => {
          text += chunk.toString();
        });
        response.on('end', () => resolve(text));
        response.on('error', reject);
      });
      request.on('timeout', () => request.destroy(new Error('no answer')));
      request.on('error', reject);
      request.end();
    });
  }

  #log(): string {
    return readFileSync(join(this.#parts.directory, 'log'), 'utf8').slice(-2_000);
  }
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  await Promise.all(
    servers.map((server) => {
      server.listen(0, '127.0.0.1');
      return once(server, 'listening');
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(
    servers.map((server) => {
      server.close();
      return once(server, 'close');
    }),
  );
  return ports;
}
