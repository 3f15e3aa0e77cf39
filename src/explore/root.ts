// Leads a cluster, by its own prompt steps, to the place where an enumeration starts.
import type { Actions } from './actions.ts';
import type { Cluster } from './cluster.ts';
import { type Fault, faults, type RootStep } from './scope.ts';

const stepsMax = 5000;

/** What keeps the cluster from rest, or `null`. */
export function unrest(cluster: Cluster): string | null {
  const running = [...Array(cluster.count).keys()].filter((node) => cluster.local(node) !== 0);
  const states = running.map((node) => cluster.locals.look(cluster.local(node)));
  const heads = states.filter((state) => state.leader !== null);
  const [head] = heads;
  if (head?.leader == null || heads.length !== 1) return `${heads.length} members lead`;
  if (!head.leader.complete) return `the take-over of ${head.self} is not complete`;
  for (const { self, phase, follow, host, replica } of states) {
    // Who leaves waits until its names are let go of, which nobody does here.
    if (phase === 'draining' && host.hosted.size > 0) continue;
    if (phase !== 'active') return `${self} is ${phase}`;
    if (follow.leader !== head.self) return `${self} follows ${follow.leader}`;
    if (host.outbox.size > 0) return `requests of ${self} wait`;
    if (!head.leader.record.established.includes(self)) return `${self} is not established`;
    if (replica.version.n !== head.replica.version.n || replica.version.epoch !== head.replica.version.epoch)
      return `${self} is at another version than ${head.self}`;
    if ([...replica.entries.keys()].sort().join() !== [...head.replica.entries.keys()].sort().join())
      return `${self} has another table than ${head.self}`;
  }
  const { record, members } = cluster.stores.get(cluster.row[cluster.at.store] as number);
  if (record?.established.length !== running.length || members.length !== running.length)
    return `the store lists ${members.join(' ')} and ${record?.established.join(' ')}, ${running.length} run`;
  const { calls } = cluster.ghosts.get(cluster.row[cluster.at.ghost] as number);
  return calls.length === 0 ? null : `call ${calls[0]?.id} waits`;
}

/** The row of `cluster` is where the enumeration starts, and its budgets are those of the scope. */
export function prepare(cluster: Cluster, actions: Actions): void {
  const { scope } = cluster;
  for (const step of scope.root) take(cluster, actions, step);
  const left = faults.map((fault) => scope.faults[fault]?.times ?? 0);
  cluster.setEnv({ time: 0, left });
  if (cluster.broken !== null) throw new Error(`the root of ${scope.name}: ${cluster.broken.what}`);
}

function take(cluster: Cluster, actions: Actions, step: RootStep): void {
  if (step === 'settle') settle(cluster, actions);
  else if (step === 'instant') instant(actions);
  else if ('start' in step) cluster.start(cluster.names.indexOf(step.start));
  else if ('pass' in step) for (let time = 0; time < step.pass; time++) quantum(actions);
  else if ('ask' in step) cluster.ask(cluster.scope.ops.indexOf(step.ask));
  else {
    const [fault, ends]: [Fault, boolean] = 'end' in step ? [step.end, true] : [step.fault, false];
    const target = targetOf(cluster, fault, step.at);
    if (ends) actions.end(fault, target);
    else actions.begin(fault, target);
  }
}

function targetOf(cluster: Cluster, fault: Fault, at: string): number {
  if (!at.includes('>')) return cluster.names.indexOf(at);
  const index = cluster.scope.faults[fault]?.at?.indexOf(at) ?? -1;
  return index >= 0 ? index : cluster.links.findIndex(({ name }) => name === at);
}

function settle(cluster: Cluster, actions: Actions): void {
  for (let steps = 0; steps < stepsMax; steps++) {
    if (actions.atRest && unrest(cluster) === null) return;
    actions.do(actions.next());
  }
  throw new Error(`the root of ${cluster.scope.name} never settles: ${unrest(cluster)}`);
}

/** Time passes once, and everything that follows from it at this instant. */
export function quantum(actions: Actions): void {
  instant(actions);
  actions.do(actions.next());
  instant(actions);
}

function instant(actions: Actions): void {
  for (let steps = 0; !actions.atRest; steps++) {
    if (steps > stepsMax) throw new Error('steps without end at one instant');
    actions.do(actions.next());
  }
}
