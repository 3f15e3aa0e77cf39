// Puts messages into mailboxes. What this node's own code sends fails at the limit of the mailbox; what a peer sends
// there kills the process, because nobody is here to be told. The runtime's own messages (exit, down) are bounded by
// the links and monitors of the process itself and are never refused.
import { DGenError } from '../errors/error.ts';
import type { ProcessRecord } from './record.ts';
import type { Scheduler } from './scheduler.ts';

export class Delivery {
  readonly #scheduler: Scheduler;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** Throws `mailbox_full`. The dead receive nothing. */
  deliver(record: ProcessRecord, message: unknown): void {
    if (!record.alive) return;
    if (record.mailbox.size >= record.mailboxMax) throw mailboxIsFull(record);
    record.mailbox.push(message);
    this.#scheduler.wake(record);
  }

  /** False when the mailbox is full; nothing happened then. */
  tryDeliver(record: ProcessRecord, message: unknown): boolean {
    if (record.alive && record.mailbox.size >= record.mailboxMax) return false;
    this.deliverSignal(record, message);
    return true;
  }

  deliverSignal(record: ProcessRecord, message: unknown): void {
    if (!record.alive) return;
    record.mailbox.push(message);
    this.#scheduler.wake(record);
  }
}

export function mailboxIsFull(record: ProcessRecord): DGenError {
  return new DGenError('mailbox_full', `the mailbox of ${record} is full`, {
    details: { pid: record.pid, mailboxMessagesMax: record.mailboxMax },
  });
}
