// Joins the checkers: tells each of them what it judges. A broken invariant ends the run with `Violation`.
import { type Check, type InvariantName, invariantOf, tellCheck } from '../invariants/catalogue.ts';
import type { Operation } from '../invariants/linearize.ts';
import type { Entry } from '../registry/protocol/messages.ts';
import type { Effect, Event, NameKey } from '../registry/protocol/types.ts';
import { checkHistory, historyOf } from './checkers/histories.ts';
import { Members } from './checkers/members.ts';
import { Owners } from './checkers/owners.ts';
import { Ledger, toldBy } from './checkers/registrations.ts';
import { Rest } from './checkers/rest.ts';
import { type Call, Cluster, type ClusterOptions, type SimNode, type SimProcess } from './cluster.ts';

/** An invariant does not hold: `invariant` is its name in the catalogue, or `harness`, where the simulator itself is wrong. */
export class Violation extends Error {
  readonly invariant: InvariantName | 'harness';
  readonly check: Check | 'harness';

  constructor(check: Check | 'harness', what: string) {
    super(`${check === 'harness' ? check : tellCheck(check)}: ${what}`);
    this.invariant = check === 'harness' ? check : invariantOf(check);
    this.check = check;
  }
}

export interface Judged {
  readonly cluster: Cluster;
  readonly ledger: Ledger;
  readonly rest: Rest;
  /** At the end of a run: I6 over all of it. Returns how many names were not decided within the bound of the search. */
  checkHistory(): number;
  /** All that clients asked and heard, until now. */
  history(): Operation[];
}

export function judgedCluster(options: ClusterOptions): Judged {
  const broken = (check: Check | 'harness', what: string): never => {
    throw new Violation(check, what);
  };
  const unready = (): never => broken('harness', 'a step before the checkers');
  const watch = { stepped: unready, replied: unready, stopped: unready, snapshotRead: unready, broken };
  const cluster = new Cluster(options, watch);
  const ledger = new Ledger(cluster);
  const owners = new Owners(cluster, ledger);
  const members = new Members(cluster);
  cluster.watch = {
    broken,
    stepped(node: SimNode, _event: Event, effects: readonly Effect[]): void {
      owners.stepped(node, effects);
      members.stepped(node);
    },
    replied: (_node, call) => judgeReply(call, { owners, ledger }),
    stopped: (node) => ledger.endAllOn(node),
    snapshotRead: (node: SimNode, key: NameKey, entry: Entry | undefined) =>
      members.snapshotRead(node, key, entry),
  };
  const rest = new Rest(cluster, ledger);
  return {
    cluster,
    ledger,
    rest,
    checkHistory: () => checkHistory(cluster, ledger),
    history: () => historyOf(cluster, ledger),
  };
}

function judgeReply(call: Call, by: { owners: Owners; ledger: Ledger }): void {
  const { result } = call;
  const { observer } = by.ledger;
  switch (result?.type) {
    case 'registered':
      by.owners.registered(call as Call & { readonly process: SimProcess }, result.token);
      return;
    case 'taken':
    case 'found':
      observer.named({ ...toldBy(call), holder: result.pid.key, token: result.token });
      return;
    case 'absent':
      observer.absent(toldBy(call));
      return;
    case 'done':
      observer.unregistered(toldBy(call));
      return;
    default:
  }
}
