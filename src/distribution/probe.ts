// Who listens at an address? Asked once, of exactly that address, to prove that a node is dead: its port refuses, or
// another node, or a later start of the same one, has taken it over. Anything less is `unknown`, never `refused`.
import type { Log } from '../host/ports.ts';
import type { Atom } from '../term/atom.ts';
import { type DialRequest, type DialResult, dial } from './dialling.ts';

/**
 * `refused`: the machine answered that nobody listens there. `alive`: that node, in that start of it. `other`: a node of another name
 * or another creation. `unknown`: no answer in time, an unreachable machine, or something that is no node.
 */
export type ProbeVerdict = 'refused' | 'alive' | 'other' | 'unknown';

export interface ProbeExpectation {
  readonly node: Atom;
  readonly creation: number;
}

export interface ProbeOptions {
  /** Milliseconds for the whole probe; default 1,000. Then `unknown`. */
  readonly timeoutMs?: number;
  /** Aborting ends the probe with `unknown`. */
  readonly signal?: AbortSignal;
  /** Told who answered, when the verdict is `alive` or `other`. */
  readonly onIdentity?: (name: string, creation: number) => void;
}

export interface ProbeRequest extends ProbeOptions {
  readonly expected: ProbeExpectation;
  readonly dial: Omit<DialRequest, 'expected' | 'probe' | 'timeoutMs'>;
  readonly log: Log;
}

export function probeAddress(request: ProbeRequest): Promise<ProbeVerdict> {
  const { expected, signal, timeoutMs = 1_000 } = request;
  if (signal?.aborted === true) return Promise.resolve('unknown');
  return new Promise((resolve) => {
    const finish = (verdict: ProbeVerdict): void => {
      deadline.cancel();
      signal?.removeEventListener('abort', giveUp);
      resolve(verdict);
    };
    const giveUp = (): void => {
      cancel();
      finish('unknown');
    };
    const deadline = request.dial.timers.after(timeoutMs, giveUp);
    const full = { ...request.dial, expected: expected.node.name, probe: true, timeoutMs: timeoutMs + 1 };
    const cancel = dial(full, (result) => finish(verdictOf(result, request)));
    signal?.addEventListener('abort', giveUp, { once: true });
  });
}

function verdictOf(result: DialResult, request: ProbeRequest): ProbeVerdict {
  if (result.kind === 'unreachable') return result.refused ? 'refused' : 'unknown';
  if (result.kind !== 'identified') return 'unknown';
  const { node, creation } = request.expected;
  request.onIdentity?.(result.name, result.creation);
  if (result.name === node.name && result.creation === creation) return 'alive';
  const found = { name: result.name, creation: result.creation };
  request.log.info(
    { expected: { name: node.name, creation }, found },
    'distribution: another node at the address',
  );
  return 'other';
}
