// Messages to come: each has a reference to cancel it by and dies with the process that set it.
import { DGenError } from '../errors/error.ts';
import type { Log } from '../host/ports.ts';
import type { Ref } from '../term/ref.ts';
import { Deadline, type Deadlines } from './deadlines.ts';
import type { Delivery } from './delivery.ts';
import type { ProcessRecord } from './record.ts';
import type { References } from './references.ts';
import type { Router } from './router.ts';
import type { Destination } from './types.ts';

interface Delayed {
  readonly to: Destination;
  readonly message: unknown;
}

export interface TimerParts {
  readonly deadlines: Deadlines;
  readonly references: References;
  readonly router: Router;
  readonly delivery: Delivery;
  readonly log: Log;
  readonly timersMax: number;
}

export class SendAfterTimer extends Deadline {
  readonly number: number;
  readonly owner: ProcessRecord;
  readonly #fire: () => void;

  constructor(number: number, owner: ProcessRecord, fire: () => void) {
    super();
    this.number = number;
    this.owner = owner;
    this.#fire = fire;
  }

  expire(): void {
    this.#fire();
  }
}

export class SendAfterTimers {
  readonly #parts: TimerParts;
  readonly #timers = new Map<number, SendAfterTimer>();

  constructor(parts: TimerParts) {
    this.#parts = parts;
  }

  /** Throws `badarg` for a delay that is no number from 0 up, `system_limit` at the limit. */
  create(owner: ProcessRecord, delayMs: number, what: Delayed): Ref {
    if (!(delayMs >= 0)) {
      throw new DGenError('badarg', 'a delay', { expected: 'milliseconds, 0 or more', got: String(delayMs) });
    }
    const number = this.#parts.references.nextNumber();
    if (owner.alive) this.#set(new SendAfterTimer(number, owner, () => this.#fire(number, what)), delayMs);
    return this.#parts.references.refOf(number);
  }

  /** True if the timer had not fired. */
  cancel(ref: Ref): boolean {
    const number = this.#parts.references.numberOf(ref);
    const timer = number === undefined ? undefined : this.#timers.get(number);
    if (timer === undefined) return false;
    this.#drop(timer);
    return true;
  }

  bury(record: ProcessRecord): void {
    if (record.timers === undefined) return;
    for (const timer of [...record.timers]) this.#drop(timer);
  }

  #set(timer: SendAfterTimer, delayMs: number): void {
    const { timersMax } = this.#parts;
    if (this.#timers.size >= timersMax) {
      throw new DGenError('system_limit', 'too many timers', { details: { timersMax } });
    }
    this.#timers.set(timer.number, timer);
    timer.owner.timers ??= new Set();
    timer.owner.timers.add(timer);
    this.#parts.deadlines.add(timer, delayMs);
  }

  #fire(number: number, { to, message }: Delayed): void {
    const timer = this.#timers.get(number);
    if (timer === undefined) return;
    this.#drop(timer);
    try {
      // A process cannot lose its own ticks to a full mailbox: each takes one place, and it asked for it.
      if (this.#parts.router.resolve(to) === timer.owner)
        this.#parts.delivery.deliverSignal(timer.owner, message);
      else this.#parts.router.send(timer.owner, to, message);
    } catch (error) {
      this.#parts.log.warn({ error, owner: String(timer.owner) }, 'the message of a timer was dropped');
    }
  }

  #drop(timer: SendAfterTimer): void {
    this.#timers.delete(timer.number);
    timer.owner.timers?.delete(timer);
    this.#parts.deadlines.remove(timer);
  }
}
