// Exit signals and death. Dying is a fixed sequence over parts that each own something of the process: the calls fail
// first, names go before anybody is told, links come last. A death may cause others through links; they queue up, so
// that a chain of a million linked processes does not need a stack of that depth.
import type { Pid } from '../term/pid.ts';
import type { Delivery } from './delivery.ts';
import { mailboxIsFull } from './delivery.ts';
import { Exit } from './messages.ts';
import type { ProcessTable } from './process-table.ts';
import { Queue } from './queue.ts';
import { kill, killed, mailboxFull, normal } from './reasons.ts';
import type { ProcessRecord } from './record.ts';

/** Ends what one part holds of a process. Must not throw and must run no code of a user. */
export type Burial = (record: ProcessRecord, reason: unknown) => void;

export class Lifecycle {
  readonly #table: ProcessTable;
  readonly #delivery: Delivery;
  #burials: readonly Burial[] = [];
  readonly #dead = new Queue<ProcessRecord>();
  #burying = false;

  constructor(table: ProcessTable, delivery: Delivery) {
    this.#table = table;
    this.#delivery = delivery;
  }

  /** In the order in which they run. */
  setBurials(burials: readonly Burial[]): void {
    this.#burials = burials;
  }

  /** A link to `from` broke. */
  linkBroke(record: ProcessRecord, from: Pid, reason: unknown): void {
    if (!record.alive) return;
    if (record.trapExit) this.#delivery.deliverSignal(record, new Exit(from, reason));
    else if (reason !== normal) this.die(record, reason);
  }

  /** `exit(Pid, Reason)` of a process of this node. Throws `mailbox_full` where the signal is trapped. */
  exitLocal(record: ProcessRecord, from: Pid, reason: unknown): void {
    if (!this.#exit2(record, from, reason)) throw mailboxIsFull(record);
  }

  /** The same from a peer: a process with a full mailbox is killed instead. */
  exitFromPeer(record: ProcessRecord, from: Pid, reason: unknown): void {
    if (!this.#exit2(record, from, reason)) this.die(record, mailboxFull);
  }

  deliverFromPeer(record: ProcessRecord, message: unknown): void {
    if (!this.#delivery.tryDeliver(record, message)) this.die(record, mailboxFull);
  }

  /** Ends the process now: whatever its code still does has no effect. */
  die(record: ProcessRecord, reason: unknown): void {
    if (!record.alive) return;
    record.alive = false;
    record.exitReason = reason;
    this.#table.delete(record);
    this.#dead.push(record);
    if (this.#burying) return;
    this.#burying = true;
    while (this.#dead.size > 0) this.#bury(this.#dead.shift() as ProcessRecord);
    this.#burying = false;
  }

  #bury(record: ProcessRecord): void {
    for (const burial of this.#burials) burial(record, record.exitReason);
    record.mailbox.clear();
    record.controller?.abort(record.exitReason);
  }

  /** False when the process traps the signal and its mailbox is full. */
  #exit2(record: ProcessRecord, from: Pid, reason: unknown): boolean {
    if (!record.alive) return true;
    if (reason === kill) this.die(record, killed);
    else if (record.trapExit) return this.#delivery.tryDeliver(record, new Exit(from, reason));
    else if (reason !== normal || record.pid.equals(from)) this.die(record, reason);
    return true;
  }
}
