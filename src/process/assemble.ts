// Makes the parts of a runtime and ties the few knots between them: the scheduler runs what the executor runs, deaths go
// through every part that holds something of a process.

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
import { ProcessTable } from './process-table.ts';
import { ProcessRecord } from './record.ts';
import { References } from './references.ts';
import { RemoteAnswers } from './remote-answers.ts';
import { Router } from './router.ts';
import { Scheduler } from './scheduler.ts';
import { SendAfterTimers } from './send-after.ts';
import { Spawner } from './spawner.ts';
import type { Runtime } from './types.ts';

export function assemble(runtime: Runtime, limits: RuntimeLimits): RuntimeParts {
  const { host } = runtime;
  const { log } = host;
  const table = new ProcessTable(runtime.name, runtime.creation, limits.processesMax);
  const names = new Names();
  const references = new References(runtime.name, runtime.creation, host.random);
  const aliases = new Aliases(references);
  const deadlines = new Deadlines(host);
  const peers = new Peers();
  const scheduler: Scheduler = new Scheduler(host, (record) => executor.run(record));
  const delivery = new Delivery(scheduler);
  const lifecycle = new Lifecycle(table, delivery);
  const executor = new Executor(lifecycle, log, (record) => scheduler.wake(record));
  const links = new Links(table, lifecycle, peers);
  const monitors = new Monitors({ table, names, references, delivery, peers });
  const router = new Router({ table, names, aliases, delivery, peers, runtime });
  const calls = new Calls({
    host,
    router,
    delivery,
    deadlines,
    references,
    peers,
    pendingMax: limits.pendingCallsMax,
  });
  const timers = new SendAfterTimers({
    deadlines,
    references,
    router,
    delivery,
    log,
    timersMax: limits.timersMax,
  });
  const answers = new RemoteAnswers(peers, {
    waitingMax: limits.repliesWaitingMax,
    log,
    loopback: (alias, message) => inbound.onSendAlias(alias, message),
  });
  const inbound: InboundSignals = new InboundSignals({
    table,
    names,
    aliases,
    references,
    lifecycle,
    links,
    monitors,
    calls,
    answers,
    peers,
    log,
  });
  const spawner = new Spawner({
    table,
    names,
    links,
    monitors,
    scheduler,
    mailboxMessagesMax: limits.mailboxMessagesMax,
    handleOf: (record) => new ProcessHandle(record, runtime, parts),
  });
  const client = newClient(table);
  const exits = new Exits(table, lifecycle, peers);
  const parts: RuntimeParts = {
    limits,
    table,
    names,
    aliases,
    references,
    deadlines,
    peers,
    lifecycle,
    exits,
    links,
    monitors,
    router,
    calls,
    timers,
    spawner,
    inbound,
    client,
  };
  lifecycle.setBurials([
    (record, reason) => calls.bury(record, reason),
    (record) => record.receiver?.processDied(),
    (record) => timers.bury(record),
    (record) => aliases.bury(record),
    (record) => names.bury(record),
    (record, reason) => monitors.bury(record, reason),
    (record, reason) => links.bury(record, reason),
  ]);
  return parts;
}

/** Outside of the table: signals for it find nobody, as they should. */
function newClient(table: ProcessTable): ProcessRecord {
  return new ProcessRecord(
    table.newPid(),
    { kind: 'main', main: () => undefined },
    { label: 'code outside of any process', mailboxMax: 0 },
  );
}
