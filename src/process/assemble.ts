// Makes the parts of a runtime and ties the few knots between them: the scheduler runs what the executor runs, answers may
// loop back as signals, and a death goes through every part that holds something of the process.
import { Aliases } from './aliases.ts';
import { Calls } from './calls.ts';
import { Deadlines } from './deadlines.ts';
import { Delivery } from './delivery.ts';
import { Executor } from './executor.ts';
import { Exits } from './exits.ts';
import { InboundSignals } from './inbound-signals.ts';
import { Lifecycle } from './lifecycle.ts';
import type { RuntimeLimits } from './limits.ts';
import { Links } from './links.ts';
import { Monitors } from './monitors.ts';
import { Names } from './names.ts';
import type { RuntimeParts } from './parts.ts';
import { Peers } from './peers.ts';
import { ProcessHandle } from './process-handle.ts';
import { IDS, ProcessTable } from './process-table.ts';
import { ProcessRecord } from './record.ts';
import { References } from './references.ts';
import { RemoteAnswers } from './remote-answers.ts';
import { Router } from './router.ts';
import { Scheduler } from './scheduler.ts';
import { SendAfterTimers } from './send-after.ts';
import { Spawner } from './spawner.ts';
import type { Runtime } from './types.ts';

export function assemble(runtime: Runtime, limits: RuntimeLimits): RuntimeParts {
  const tables = makeTables(runtime, limits);
  // Signals may come home by way of another node.
  tables.peers.of(runtime.name).kind = 'typescript';
  const engine = makeEngine(runtime, tables.table);
  const messaging = makeMessaging(runtime, limits, { ...tables, ...engine });
  const inbound: InboundSignals = new InboundSignals({ ...messaging, log: runtime.host.log });
  messaging.answers.loopback = (alias, message) => inbound.onSendAlias(alias, message);
  const spawner = new Spawner({
    ...messaging,
    mailboxMessagesMax: limits.mailboxMessagesMax,
    handleOf: (record) => new ProcessHandle(record, runtime, parts),
  });
  const exits = new Exits(tables.table, engine.lifecycle, tables.peers);
  const client = newClient(tables.table);
  const parts: RuntimeParts = {
    ...messaging,
    limits,
    inbound,
    spawner,
    exits,
    client,
    downWaits: new Set(),
  };
  buryThrough(parts);
  return parts;
}

type Tables = ReturnType<typeof makeTables>;
type Engine = ReturnType<typeof makeEngine>;

/** What is known: processes, names, peers, what waits. */
function makeTables({ name, creation, host }: Runtime, limits: RuntimeLimits) {
  const references = new References(name, creation, host.random);
  return {
    references,
    table: new ProcessTable(name, creation, { max: limits.processesMax, ids: IDS }),
    names: new Names(),
    aliases: new Aliases(references),
    deadlines: new Deadlines(host),
    peers: new Peers(),
  };
}

/** What runs: messages go in, code runs, processes end. */
function makeEngine({ host }: Runtime, table: ProcessTable) {
  const scheduler: Scheduler = new Scheduler(host, (record) => executor.run(record));
  const delivery = new Delivery(scheduler);
  const lifecycle = new Lifecycle(table, delivery);
  const executor = new Executor(lifecycle, host.log, (record) => scheduler.wake(record));
  return { scheduler, delivery, lifecycle };
}

/** What processes do to each other. */
function makeMessaging(runtime: Runtime, limits: RuntimeLimits, ground: Tables & Engine) {
  const { host } = runtime;
  const { table, lifecycle, peers } = ground;
  const router = new Router({ ...ground, runtime });
  return {
    ...ground,
    router,
    links: new Links(table, lifecycle, peers),
    monitors: new Monitors(ground),
    calls: new Calls({ ...ground, host, router, pendingMax: limits.pendingCallsMax }),
    timers: new SendAfterTimers({ ...ground, router, log: host.log, timersMax: limits.timersMax }),
    answers: new RemoteAnswers(peers, { waitingMax: limits.repliesWaitingMax, log: host.log }),
  };
}

/** Outside of the table: signals for it find nobody, as they should. */
function newClient(table: ProcessTable): ProcessRecord {
  return new ProcessRecord(
    table.newPid(),
    { kind: 'main', main: () => undefined },
    { label: 'code outside of any process', mailboxMax: 0 },
  );
}

/** Who waits for the process learns first; names are free before anybody is told; links come last. */
function buryThrough({ lifecycle, calls, timers, aliases, names, monitors, links }: RuntimeParts): void {
  lifecycle.setBurials([
    (record, reason) => calls.bury(record, reason),
    (record) => record.receiver?.processDied(),
    (record) => timers.bury(record),
    (record) => aliases.bury(record),
    (record) => names.bury(record),
    (record, reason) => monitors.bury(record, reason),
    (record, reason) => links.bury(record, reason),
  ]);
}
