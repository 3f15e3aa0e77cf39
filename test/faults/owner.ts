// A process that somebody registers. Under a guarded name it writes to the witness from the moment at which it has the name
// until it ends, as an owner would write to a system outside.
import type { Witness } from '../../demo/witness.ts';
import { type Behaviour, type FencingToken, isCallMessage, type Process } from '../../src/index.ts';
import { type JournalWriter, nowMs } from './journal.ts';

const actEveryMs = 40;
const act = 'act';

export interface OwnerPlan {
  readonly name: string;
  readonly guarded: boolean;
  readonly journal: JournalWriter;
  readonly witness: Witness;
}

export class Owner implements Behaviour {
  readonly #plan: OwnerPlan;
  /** Once it may write to the witness. */
  #token: FencingToken | undefined;
  #self: Process | undefined;

  constructor(plan: OwnerPlan) {
    this.#plan = plan;
  }

  init(self: Process): void {
    this.#self = self;
    // Runs within the end of the process, whatever ends it, and before anybody hears of that end.
    self.signal.addEventListener('abort', () => this.#ended(self), { once: true });
  }

  handle(message: unknown, self: Process): void {
    if (isCallMessage(message)) self.runtime.reply(message.from, self.self.key);
    else if (message === act) this.#act(self);
  }

  /** The registration was acknowledged. */
  granted(token: FencingToken): void {
    const self = this.#self;
    if (!this.#plan.guarded || self === undefined || !self.alive) return;
    this.#token = token;
    this.#plan.witness.append('acquired', this.#plan.name, token);
    self.sendAfter(actEveryMs, self.self, act);
  }

  #act(self: Process): void {
    if (this.#token === undefined) return;
    const counts = this.#plan.witness.append('served', this.#plan.name, this.#token);
    // As a system outside would make it: who was refused has lost the name and stops.
    if (!counts) self.exit('refused');
    self.sendAfter(actEveryMs, self.self, act);
  }

  #ended(self: Process): void {
    const { name, journal, witness } = this.#plan;
    if (this.#token !== undefined) witness.append('ended', name, this.#token);
    journal.write({
      fact: 'end',
      at: nowMs(),
      name,
      process: self.self.key,
      reason: String(self.signal.reason),
    });
  }
}
