// A real pgbouncer in front of a test's PostgreSQL server, in the server's directory and under its user.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, otherUser, type PostgresServer } from './postgres-server.ts';

export interface Bouncer {
  readonly port: number;
  stop(): Promise<void>;
}

export interface BouncerOptions {
  readonly mode: 'session' | 'transaction' | 'statement';
  /** Connections to the server per database and user. Default 20. */
  readonly poolSize?: number;
  /** Take the servers of the pool in turn, not the one used last. */
  readonly roundRobin?: boolean;
}

export async function startBouncer(server: PostgresServer, options: BouncerOptions): Promise<Bouncer> {
  const { mode, poolSize = 20, roundRobin = false } = options;
  const port = await freePort();
  const name = `bouncer-${port}`;
  server.write(`${name}.users`, `"${server.user}" "${server.password.replaceAll('"', '""')}"\n`);
  const settings = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    auth_type: 'scram-sha-256',
    auth_file: join(server.directory, `${name}.users`),
    pool_mode: mode,
    default_pool_size: poolSize,
    server_round_robin: roundRobin ? 1 : 0,
    logfile: '',
  };
  const lines = Object.entries(settings).map(([key, value]) => `${key} = ${value}`);
  const databases = `[databases]\n* = host=127.0.0.1 port=${server.port}\n`;
  server.write(`${name}.ini`, `${databases}[pgbouncer]\n${lines.join('\n')}\n`);
  const log = openSync(join(server.directory, `${name}.log`), 'a', 0o600);
  const child = spawn('/usr/sbin/pgbouncer', [join(server.directory, `${name}.ini`)], {
    ...otherUser(),
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const kill = (): void => void child.kill('SIGKILL');
  process.on('exit', kill);
  await listening(port, child);
  return {
    port,
    async stop() {
      process.off('exit', kill);
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

async function listening(port: number, child: ChildProcess): Promise<void> {
  const end = performance.now() + 10_000;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`pgbouncer ended with ${child.exitCode}`);
    const socket = connect(port, '127.0.0.1');
    const answers = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (answers) return;
    if (performance.now() > end) throw new Error('pgbouncer does not listen');
    await sleep(20);
  }
}
