// I6 over a whole run: all calls of all clients with their intervals and answers, as a history that the checker of
// linearizability takes, and that `--history` writes to a file.
import { judgeHistory, type Operation } from '../../invariants/linearize.ts';
import { tellOperation } from '../../invariants/tell.ts';
import type { Call, Cluster, SimProcess } from '../cluster.ts';
import type { Ledger } from './registrations.ts';

/** States for each name. Most need some hundred; one name of 50 runs needs more than this, and is left undecided. */
const stepsMax = 4_000;

/**
 * Every call of the run and every exit, in the order of their beginnings. A client makes one call after the other: each node has
 * as many of them as it had calls at once. A name that is a number is told as `#1`.
 */
export function historyOf(cluster: Cluster, ledger: Ledger): Operation[] {
  const clients = new Map<string, number[]>();
  const history: Operation[] = [];
  const mayHold = new Map<SimProcess, Set<string>>();
  for (const call of cluster.calls.values()) {
    const operation = operationOf(call, clientOf(call, clients));
    history.push(operation);
    if (call.process === null || call.type !== 'register' || operation.result === 'taken') continue;
    mayHold.set(call.process, (mayHold.get(call.process) ?? new Set()).add(operation.name));
  }
  for (const [process, names] of mayHold) {
    const start = Math.min(process.endedAt, ledger.lapses.get(process) ?? Infinity);
    if (start === Infinity) continue;
    const of = { client: process.node, type: 'exit', process: process.pid.key } as const;
    for (const name of names) history.push({ ...of, name, start, end: Infinity, result: 'unknown' });
  }
  return history.sort((a, b) => a.start - b.start);
}

/** Judges the whole run. Returns how many names had no verdict within the bound. */
export function checkHistory(cluster: Cluster, ledger: Ledger): number {
  const { unexplained, undecided } = judgeHistory(historyOf(cluster, ledger), stepsMax);
  if (unexplained !== undefined) {
    const { name, holder, stuck } = unexplained;
    const told = stuck.map(tellOperation).join('; ');
    cluster.watch.broken(
      'linearizable',
      `${name}, held by ${holder ?? 'nobody'}: none can follow of ${told}`,
    );
  }
  return undecided.length;
}

/** The first client of the node that waits for nothing. */
function clientOf(call: Call, clients: Map<string, number[]>): string {
  const lanes = clients.get(call.node) ?? [];
  clients.set(call.node, lanes);
  const free = lanes.findIndex((until) => until < call.invokedAt);
  const lane = free < 0 ? lanes.length : free;
  lanes[lane] = isAnswered(call) ? call.answeredAt : Infinity;
  return `${call.node}/${lane}`;
}

function isAnswered({ result }: Call): boolean {
  return result !== null && (result.type !== 'error' || !result.maybeExecuted);
}

function operationOf(call: Call, client: string): Operation {
  const { type, process, result } = call;
  const name = typeof call.key === 'number' ? `#${call.key}` : call.key;
  const of = {
    client,
    name,
    type,
    start: call.invokedAt,
    end: isAnswered(call) ? call.answeredAt : Infinity,
    ...(process === null ? {} : { process: process.pid.key }),
  };
  switch (result?.type) {
    case 'taken':
    case 'found':
      return { ...of, result: result.type, holder: result.pid.key };
    case 'registered':
    case 'done':
    case 'absent':
      return { ...of, result: result.type };
    default:
      return { ...of, result: isAnswered(call) ? 'failed' : 'unknown' };
  }
}
