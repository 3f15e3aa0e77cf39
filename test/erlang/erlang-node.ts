// Starts a real Erlang node and one of ours beside it. No port mapper: the Erlang node takes one port for every node, so
// both listen on the same port of different loopback addresses.
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  type Address,
  createDistribution,
  type Distribution,
  type DistributionLimits,
} from '../../src/distribution/index.ts';
import { nodeHost } from '../../src/host/index.ts';
import { createRuntime, isCallMessage, type LocalRuntime } from '../../src/process/index.ts';
import { type Atom, atom } from '../../src/term/index.ts';

const cookie = 'dgen_test';
const erlangHost = '127.0.0.1';
const ownHost = '127.0.0.2';

export const erlangNode: Atom = atom(`beam@${erlangHost}`);
export const ownNode: Atom = atom(`typescript@${ownHost}`);
export const echo: { name: Atom; node: Atom } = { name: atom('echo'), node: erlangNode };

/** Why the tests cannot run here; false when they can, or must. */
export function skipReason(): string | false {
  try {
    execFileSync('erl', ['-noshell', '-eval', 'halt().'], { timeout: 20_000, stdio: 'ignore' });
    return false;
  } catch (error) {
    if (process.env.CI !== undefined) return false;
    return `no usable erl on the path: ${error instanceof Error ? error.message.split('\n')[0] : error}`;
  }
}

export class ErlangPair {
  readonly #folder: string;
  readonly #port: number;
  #beam: ChildProcess | undefined;
  #own: { runtime: LocalRuntime; distribution: Distribution } | undefined;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.#port = port;
  }

  static async start(limits: Partial<DistributionLimits> = {}): Promise<ErlangPair> {
    const folder = await mkdtemp(join(tmpdir(), 'dgen-erlang-'));
    const pair = new ErlangPair(folder, await freePort());
    try {
      const source = fileURLToPath(new URL('./dgen_echo.erl', import.meta.url));
      await promisify(execFile)('erlc', ['-o', folder, source], { timeout: 30_000 });
      await pair.startBeam();
      await pair.startOwn(1, limits);
      return pair;
    } catch (error) {
      await pair.close();
      throw error;
    }
  }

  get runtime(): LocalRuntime {
    if (this.#own === undefined) throw new Error('not started');
    return this.#own.runtime;
  }

  get distribution(): Distribution {
    if (this.#own === undefined) throw new Error('not started');
    return this.#own.distribution;
  }

  async startBeam(): Promise<void> {
    const args = ['-noshell', '-name', erlangNode.name, '-setcookie', cookie, '-pa', this.#folder];
    args.push('-start_epmd', 'false', '-erl_epmd_port', String(this.#port));
    args.push('-kernel', 'inet_dist_use_interface', '{127,0,0,1}', 'net_ticktime', '4');
    args.push('-eval', 'dgen_echo:start().');
    const beam = spawn('erl', args, {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, HOME: this.#folder },
    });
    this.#beam = beam;
    await new Promise<void>((resolve, reject) => {
      let output = '';
      const timer = setTimeout(() => reject(new Error(`the Erlang node did not start: ${output}`)), 20_000);
      const finish = (settle: () => void): void => {
        clearTimeout(timer);
        settle();
      };
      beam.stdout?.on('data', (chunk) => {
        output += chunk;
        if (output.includes('ready')) finish(resolve);
      });
      beam.once('exit', (code) =>
        finish(() => reject(new Error(`the Erlang node ended with ${code}: ${output}`))),
      );
    });
  }

  /** As `kill -9` does. */
  async killBeam(): Promise<void> {
    const beam = this.#beam;
    this.#beam = undefined;
    if (beam === undefined || beam.exitCode !== null) return;
    const gone = new Promise((resolve) => beam.once('exit', resolve));
    beam.kill('SIGKILL');
    await gone;
  }

  /** Our node with an echo server, and the process that `net_adm:ping` talks to. */
  async startOwn(creation: number, limits: Partial<DistributionLimits> = {}): Promise<void> {
    const identity = { name: ownNode, creation, host: nodeHost() };
    const runtime = createRuntime(identity);
    const beam: Address = { host: erlangHost, port: this.#port };
    const { inbound } = runtime;
    const resolve = async (): Promise<readonly Address[]> => [beam];
    const distribution = createDistribution({ ...identity, cookie, inbound, resolve, limits });
    runtime.attach(distribution);
    this.#own = { runtime, distribution };
    serve(runtime, 'echo', (request) => request);
    serve(runtime, 'net_kernel', () => atom('yes'));
    await distribution.listen({ host: ownHost, port: this.#port });
  }

  async stopOwn(): Promise<void> {
    const own = this.#own;
    this.#own = undefined;
    await own?.runtime.close();
    await own?.distribution.close();
  }

  async close(): Promise<void> {
    await this.stopOwn();
    await this.killBeam();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function serve(runtime: LocalRuntime, name: string, answer: (request: unknown) => unknown): void {
  const pid = runtime.spawnBehaviour({
    handle(message) {
      if (isCallMessage(message)) runtime.reply(message.from, answer(message.request));
    },
  });
  runtime.register(name, pid);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, erlangHost, resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
