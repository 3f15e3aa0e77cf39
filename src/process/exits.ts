// `exit(Pid, Reason)`: an exit signal that somebody sends on purpose, here or to another node.
import type { Pid } from '../term/pid.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Peers } from './peers.ts';
import type { ProcessTable } from './process-table.ts';
import type { ProcessRecord } from './record.ts';
import { sendReason } from './remote-reason.ts';

export class Exits {
  readonly #table: ProcessTable;
  readonly #lifecycle: Lifecycle;
  readonly #peers: Peers;

  constructor(table: ProcessTable, lifecycle: Lifecycle, peers: Peers) {
    this.#table = table;
    this.#lifecycle = lifecycle;
    this.#peers = peers;
  }

  /** Throws `mailbox_full` where the process traps it and has no room. The dead neither send nor get one. */
  exit(sender: ProcessRecord, to: Pid, reason: unknown): void {
    if (!sender.alive) return;
    if (this.#table.isLocal(to)) {
      const record = this.#table.get(to);
      if (record !== undefined) this.#lifecycle.exitLocal(record, sender.pid, reason);
      return;
    }
    sendReason(reason, (sent) => this.#peers.outbound?.exit2(sender.pid, to, sent));
  }
}
