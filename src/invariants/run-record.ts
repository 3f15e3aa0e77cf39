// What real processes write down for the judge, each for itself: plain data, so a line of JSON will do. All moments are
// milliseconds of one monotonic clock, which all processes of a machine share. Who writes of what it does writes before it
// does it; who writes of what it saw writes after; so every moment errs to the same side, and the judge needs no clock.
import type { Operation } from './linearize.ts';

/** One process of the operating system from its start to its end, by any name that is not used twice. */
export type Life = string;

/** A call of a client, with its answer. `end` is infinite where none came, or one that says nothing. */
export interface OperationRecord extends Operation {
  readonly kind: 'operation';
  readonly type: 'register' | 'unregister' | 'read';
  readonly life: Life;
  /** Of `registered`, `taken` and `found`, as `epoch.n`, where it was written down. */
  readonly token?: string;
  /** No answer came as long as anybody wrote. */
  readonly pending?: boolean;
}

export type RunRecord =
  | OperationRecord
  /** A process (of the runtime) is about to be ended on purpose. */
  | { readonly kind: 'ending'; readonly life: Life; readonly process: string; readonly at: number }
  /** It has ended. `fenced`: because the session lapsed. */
  | {
      readonly kind: 'ended';
      readonly life: Life;
      readonly process: string;
      readonly at: number;
      readonly fenced?: boolean;
    }
  /** The member counted its session to last until then, when it wrote this. */
  | { readonly kind: 'session'; readonly life: Life; readonly at: number; readonly until: number }
  /** SIGKILL is about to be sent. */
  | { readonly kind: 'killing'; readonly life: Life; readonly at: number }
  /** Nothing ran there, for it was frozen, or did not get a core; until its death where `to` is infinite. */
  | { readonly kind: 'still'; readonly life: Life; readonly from: number; readonly to: number }
  /** What a snapshot read showed; without `holder`: nothing. */
  | {
      readonly kind: 'snapshot';
      readonly life: Life;
      readonly at: number;
      readonly name: string;
      readonly holder?: string;
      readonly token?: string;
      /** The incarnation that was read, and the version of its replica, where they are known. */
      readonly member?: string;
      readonly version?: string;
    }
  /** A write to a system that compares tokens; the order of these records is the order there. */
  | {
      readonly kind: 'write';
      readonly life: Life;
      readonly at: number;
      readonly name: string;
      readonly token: string;
      /** What that system said; without it only the order is judged. */
      readonly accepted?: boolean;
    };

export type RecordOf<K extends RunRecord['kind']> = Extract<RunRecord, { kind: K }>;
