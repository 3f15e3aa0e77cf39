// What a runtime is made of. The parts know of each other only what their constructors ask for; this is for those two
// that stand in front of them all, the runtime and the handle of a process.
import type { Aliases } from './aliases.ts';
import type { Calls } from './calls.ts';
import type { Deadlines } from './deadlines.ts';
import type { Exits } from './exits.ts';
import type { InboundSignals } from './inbound-signals.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { RuntimeLimits } from './limits.ts';
import type { Links } from './links.ts';
import type { Monitors } from './monitors.ts';
import type { Names } from './names.ts';
import type { Peers } from './peers.ts';
import type { ProcessTable } from './process-table.ts';
import type { ProcessRecord } from './record.ts';
import type { References } from './references.ts';
import type { Router } from './router.ts';
import type { SendAfterTimers } from './send-after.ts';
import type { Spawner } from './spawner.ts';
import type { DownWait } from './when-down.ts';

export interface RuntimeParts {
  readonly limits: RuntimeLimits;
  readonly table: ProcessTable;
  readonly names: Names;
  readonly aliases: Aliases;
  readonly references: References;
  readonly deadlines: Deadlines;
  readonly peers: Peers;
  readonly lifecycle: Lifecycle;
  readonly exits: Exits;
  readonly links: Links;
  readonly monitors: Monitors;
  readonly router: Router;
  readonly calls: Calls;
  readonly timers: SendAfterTimers;
  readonly spawner: Spawner;
  readonly inbound: InboundSignals;
  /** Stands for code outside of any process; it is not in the table, receives nothing and cannot be killed. */
  readonly client: ProcessRecord;
  /** Waits for the end of a process, by code outside of any. */
  readonly downWaits: Set<DownWait>;
}
