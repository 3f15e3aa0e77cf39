// Ends a server in order: its `terminate` runs. By the message of OTP's `sys` protocol, so the same function ends servers
// of Erlang and Elixir nodes, and their `GenServer.stop` ends ours.
import { DGenError } from '../errors/error.ts';
import { isDownMessage } from '../process/messages.ts';
import { noproc } from '../process/reasons.ts';
import type { Destination, Process, Runtime, ViaName, WaitOptions } from '../process/types.ts';
import { Atom, atom } from '../term/atom.ts';
import { Pid } from '../term/pid.ts';
import { Ref } from '../term/ref.ts';
import { tuple } from '../term/tuple.ts';
import { exitReason } from './reasons.ts';

export interface StopOptions extends WaitOptions {
  /** Default: the atom `normal`. The strings `normal` and `shutdown` stand for the atoms. */
  readonly reason?: unknown;
}

/**
 * Asks the server to end and waits until it has. It handles the messages before this one first. Resolves with the reason that it
 * ended with, which is another one when something else ended it; with the atom `noproc` when nothing ran there, so a second stop is no mistake.
 *
 * Rejects with `timeout` after `timeoutMs` (default 5000) or with `aborted`: the request stays with the server. Also with `badarg` for a
 * reference as destination, `closed`, and `system_limit`, because the wait is a process of its own.
 */
export async function stop(
  runtime: Runtime,
  server: Destination,
  options: StopOptions = {},
): Promise<unknown> {
  const target = resolveTarget(runtime, server);
  if (target === undefined || hasEnded(runtime, target)) return noproc;
  return new Promise((resolve, reject) => {
    const client = runtime.spawn((self) => stopFrom(self, target, options).then(resolve, reject), {
      label: 'stop',
    });
    // A client that is ended by the closing of the node leaves no promise open.
    runtime
      .whenDown(client, { timeoutMs: Number.POSITIVE_INFINITY })
      .then(() => reject(new DGenError('closed', 'the node was closed during a stop')), reject);
  });
}

type Target = Exclude<Destination, ViaName | Ref>;

async function stopFrom(self: Process, target: Target, options: StopOptions): Promise<unknown> {
  const ref = self.monitor(target);
  const request = tuple(atom('terminate'), exitReason(options.reason ?? 'normal'));
  self.send(target, tuple(atom('system'), tuple(self.self, ref), request));
  const isEnd = (message: unknown): boolean => isDownMessage(message) && message.ref.equals(ref);
  const { timeoutMs = 5000, signal } = options;
  const down = await self.receive<{ reason: unknown }>(isEnd, {
    timeoutMs,
    ...(signal === undefined ? {} : { signal }),
  });
  return down.reason;
}

function hasEnded(runtime: Runtime, target: Target): boolean {
  return target instanceof Pid && target.node === runtime.name && !runtime.isAlive(target);
}

function resolveTarget(runtime: Runtime, server: Destination): Target | undefined {
  if (typeof server === 'string' || server instanceof Atom) return runtime.whereis(server);
  if (server instanceof Pid) return server;
  if (server instanceof Ref)
    throw new DGenError('badarg', 'stop', { expected: 'a pid or a name', got: 'a reference' });
  return 'via' in server ? server.via.whereisName(runtime, server.name) : server;
}
