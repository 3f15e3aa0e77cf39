// Joins the checkers: tells each of them what it judges. A broken invariant ends the run with `Violation`.
import type { Effect, Event } from '../registry/protocol/types.ts';
import { History } from './checkers/history.ts';
import { Members } from './checkers/members.ts';
import { Owners } from './checkers/owners.ts';
import { Ledger } from './checkers/registrations.ts';
import { Rest } from './checkers/rest.ts';
import { type Call, Cluster, type ClusterOptions, type SimNode, type SimProcess } from './cluster.ts';

/** An invariant does not hold. `invariant` is its name in the file of its checker. */
export class Violation extends Error {
  readonly invariant: string;

  constructor(invariant: string, what: string) {
    super(`${invariant}: ${what}`);
    this.invariant = invariant;
  }
}

export interface Judged {
  readonly cluster: Cluster;
  readonly ledger: Ledger;
  readonly rest: Rest;
}

export function judgedCluster(options: ClusterOptions): Judged {
  const broken = (invariant: string, what: string): never => {
    throw new Violation(invariant, what);
  };
  const unready = (): never => broken('harness', 'a step before the checkers');
  const cluster = new Cluster(options, { stepped: unready, replied: unready, stopped: unready, broken });
  const ledger = new Ledger(cluster);
  const owners = new Owners(cluster, ledger);
  const history = new History(cluster, ledger);
  const members = new Members(cluster);
  cluster.watch = {
    broken,
    stepped(node: SimNode, _event: Event, effects: readonly Effect[]): void {
      owners.stepped(node, effects);
      members.stepped(node);
    },
    replied: (_node, call) => judgeReply(call, { owners, history }),
    stopped: (node) => ledger.endAllOn(node),
  };
  return { cluster, ledger, rest: new Rest(cluster, ledger) };
}

function judgeReply(call: Call, by: { owners: Owners; history: History }): void {
  const { result } = call;
  switch (result?.type) {
    case 'registered':
      by.owners.registered(call as Call & { readonly process: SimProcess }, result.token);
      return;
    case 'taken':
    case 'found':
      by.history.named(call, result);
      return;
    case 'absent':
      by.history.absent(call);
      return;
    case 'done':
      by.history.unregistered(call);
      return;
    default:
  }
}
