// What members say to each other. Every message travels with the incarnations of sender and receiver, and is dropped
// where the receiver is another incarnation by now. Any message may be lost, also between two that arrive.
import type { Pid } from '../../term/pid.ts';
import type { Durations, LeaderRecord, MemberKey, NameKey, Result } from './types.ts';
import type { Version } from './version.ts';

/** One registration as it travels. `token` is also the version at which it was granted. */
export interface Entry {
  readonly key: NameKey;
  readonly name: unknown;
  readonly pid: Pid;
  readonly host: MemberKey;
  readonly token: Version;
  readonly metadata: unknown;
}

/** One step of the replicated order; the n of its version follows from its place in the stream. */
export type Op =
  /** `seq`: the request of the host that this grants. */
  | { readonly type: 'put'; readonly entry: Entry; readonly seq: number }
  | { readonly type: 'remove'; readonly key: NameKey; readonly token: Version }
  | { readonly type: 'dropHost'; readonly host: MemberKey };

export interface RemoveItem {
  readonly key: NameKey;
  readonly token: Version;
}

export type Request =
  | {
      readonly type: 'register';
      readonly key: NameKey;
      readonly name: unknown;
      readonly pid: Pid;
      readonly metadata: unknown;
    }
  | { readonly type: 'remove'; readonly items: readonly RemoveItem[] }
  /**
   * Of a name that is hosted elsewhere. Numbered like the others: taken twice it could end a later registration. Numbers
   * begin anew with each epoch, so one that a former leader may have taken ends nothing that was granted after `upTo`.
   */
  | { readonly type: 'unregister'; readonly key: NameKey; readonly upTo: Version | null }
  /** Holds the place of a request that was cancelled. */
  | { readonly type: 'nothing' };

export interface Answer {
  readonly seq: number;
  readonly result: Result;
}

/** Digest of one host's entries: for each bucket two sums of 32 bits. */
export type Digest = readonly number[];

export type Message =
  // leader → member
  | { readonly type: 'follow'; readonly epoch: number; readonly durations: Durations }
  | {
      readonly type: 'ping';
      readonly epoch: number;
      readonly ping: number;
      readonly serving: boolean;
      readonly head: Version;
      readonly expect: number;
      /** The leader record as the leader last committed it: followers count its age from here, without asking the store. */
      readonly record: LeaderRecord;
      /** The store lease ran out: the leader decides by the support of all, and looks for a member that reaches the store. */
      readonly storeless: boolean;
      /** While `storeless`: for how long the leader may still decide, 0 when it may no more. Otherwise 0. */
      readonly decidesMsLeft: number;
    }
  | { readonly type: 'grant'; readonly epoch: number; readonly nonce: number }
  | {
      readonly type: 'adopt';
      readonly epoch: number;
      readonly version: Version;
      readonly totals: readonly (readonly [MemberKey, number, number, number])[];
    }
  | {
      readonly type: 'stream';
      readonly epoch: number;
      readonly previous: Version;
      readonly version: Version;
      readonly ops: readonly Op[];
    }
  | { readonly type: 'answers'; readonly epoch: number; readonly answers: readonly Answer[] }
  | { readonly type: 'expect'; readonly epoch: number; readonly seq: number }
  | { readonly type: 'drop'; readonly epoch: number; readonly key: NameKey; readonly token: Version }
  /** Two hosts claimed the name, this one lost. */
  | { readonly type: 'lost'; readonly epoch: number; readonly key: NameKey; readonly token: Version }
  | { readonly type: 'result'; readonly epoch: number; readonly id: number; readonly result: Result }
  | { readonly type: 'resigned'; readonly epoch: number }
  | { readonly type: 'farewell'; readonly epoch: number }
  // member → leader
  /** `former`: the incarnation of the same node that fenced itself before this one. */
  | { readonly type: 'hello'; readonly former: MemberKey | null }
  | {
      readonly type: 'promise';
      readonly epoch: number;
      /** No leader of a lower epoch may count on this member any more. */
      readonly free: boolean;
      readonly version: Version;
      readonly count: number;
      readonly low: number;
      readonly high: number;
    }
  | {
      readonly type: 'pong';
      readonly epoch: number;
      readonly ping: number;
      readonly nonce: number;
      readonly answered: number;
      /** In answer to a leader without the store: this member reaches it. */
      readonly reachesStore: boolean;
    }
  | { readonly type: 'ack'; readonly epoch: number; readonly version: Version }
  | { readonly type: 'resend'; readonly epoch: number; readonly after: Version }
  | {
      readonly type: 'requests';
      readonly epoch: number;
      readonly first: number;
      readonly answered: number;
      readonly requests: readonly Request[];
    }
  | { readonly type: 'read'; readonly epoch: number; readonly id: number; readonly key: NameKey }
  | { readonly type: 'goodbye'; readonly epoch: number }
  // either way
  | { readonly type: 'stale'; readonly epoch: number }
  | {
      readonly type: 'pull';
      readonly epoch: number;
      readonly id: number;
      readonly part: number;
      readonly scope: MemberKey | null;
      readonly digests: readonly (readonly [MemberKey, Digest])[];
    }
  | {
      readonly type: 'pulled';
      readonly epoch: number;
      readonly id: number;
      readonly part: number;
      readonly last: boolean;
      readonly version: Version;
      /** With part 0: for each host in scope the buckets that differ. Hosts not named hold nothing there. */
      readonly differing: readonly (readonly [MemberKey, readonly number[]])[];
      readonly entries: readonly Entry[];
    };
