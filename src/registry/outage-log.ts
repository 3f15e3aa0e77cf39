// Tells the log how long the leader has been without the store, long before that costs anything: when its lease has
// run out, when half of the tolerance is gone, when nine tenths are, and when it may decide no more.
import type { Log } from '../host/ports.ts';
import { decidesMsLeft } from './protocol/authority.ts';
import type { MemberState } from './protocol/state.ts';

/** Shares of the tolerance that are left when the log is told, from the first warning to the last. */
const shares = [1, 0.5, 0.1, 0] as const;

export class OutageLog {
  readonly #log: Log;
  /** How many of the shares were told of. */
  #told = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Called at every step; says something at most once for each share, and once when the store is back. */
  note(state: MemberState, now: number): void {
    const { leader } = state;
    if (leader === null) {
      this.#told = 0;
      return;
    }
    const msLeft = decidesMsLeft(state, leader, now);
    const { toleranceMs } = state.config.durations;
    const due = msLeft === Infinity ? 0 : shares.filter((share) => msLeft <= share * toleranceMs).length;
    if (due > this.#told) this.#warn(state.self, msLeft);
    else if (due === 0 && this.#told > 0)
      this.#log.info({ member: state.self }, 'registry: the store is back');
    this.#told = due === 0 ? 0 : Math.max(due, this.#told);
  }

  #warn(member: string, msLeft: number): void {
    if (msLeft > 0) {
      this.#log.warn(
        { member, decidesMsLeft: Math.round(msLeft) },
        'registry: the leader is without the store',
      );
    } else {
      this.#log.error(
        { member },
        'registry: the store has been away for longer than the tolerance; what is registered stays, requests are refused',
      );
    }
  }
}
