// The vocabulary of the protocol: who takes part, what stands in the store, what goes in (events) and what comes out
// (effects). Everything here is plain data. The words are those of docs/GLOSSARY.md.
import type { ErrorCode } from '../../errors/codes.ts';
import type { Pid } from '../../term/pid.ts';
import type { Message } from './messages.ts';
import type { Version } from './version.ts';

/** Milliseconds of this machine's monotonic clock. */
export type Instant = number;

/** One incarnation of one member: `node#incarnation`. A fenced or restarted member is another key. */
export type MemberKey = string;

export function memberKey(node: string, incarnation: string): MemberKey {
  return `${node}#${incarnation}`;
}

export function nodeOf(member: MemberKey): string {
  return member.slice(0, member.lastIndexOf('#'));
}

/** A name by value: see `termKey`. */
export type NameKey = string | number;

export interface Durations {
  /** L: how long the store lease of the leader and the support of a member last. */
  readonly leaseMs: number;
  /** S: how long a member may keep its names without hearing from a leader with authority. */
  readonly sessionMs: number;
  /** T: how long a leader whom all support may decide without the store. */
  readonly toleranceMs: number;
  /** H, at least T: how long a leader whom all support may renew sessions without the store. */
  readonly holdMs: number;
  /** Largest relative difference of any clock's rate from true time, for example 0.05. */
  readonly clockRateBound: number;
}

/** The leader record of one registry, as the store holds it. Every write raises `renewals`, which is never reset. */
export interface LeaderRecord {
  readonly epoch: number;
  readonly leader: MemberKey | null;
  readonly renewals: number;
  readonly durations: Durations;
  /** The leader has not shown yet that no earlier one decides without the store: see contest.ts. */
  readonly contested: boolean;
  /** The incarnations that count: for authority without the store, for claims on lapse, as second holders. */
  readonly established: readonly MemberKey[];
}

export interface StoreView {
  readonly record: LeaderRecord | null;
  /** Keys of the member records. */
  readonly members: readonly MemberKey[];
}

export type StoreOp =
  | { readonly kind: 'read' }
  /** Creates the member record of a fresh incarnation. Idempotent. */
  | { readonly kind: 'join'; readonly member: MemberKey }
  | {
      readonly kind: 'write';
      /** The record that the decision rests on, compared by (epoch, leader, renewals); `null`: there is none. */
      readonly expect: LeaderRecord | null;
      readonly record: LeaderRecord;
      readonly removeMembers: readonly MemberKey[];
      /** Also refuse when any member record changed since `expectMembers` was read. */
      readonly expectMembers: readonly MemberKey[] | null;
    };

/** `committed` and `conflict` carry what the store holds now; `unavailable`: nothing was applied; `unknown`: it may be, or may still become so. */
export type StoreOutcome =
  | { readonly status: 'committed' | 'conflict'; readonly view: StoreView }
  | { readonly status: 'unavailable' | 'unknown' };

export type Event =
  | { readonly type: 'start' }
  | { readonly type: 'tick' }
  /** Sends what the steps before have gathered; asked for by the effect `flushSoon`. */
  | { readonly type: 'flush' }
  | { readonly type: 'store'; readonly id: number; readonly outcome: StoreOutcome }
  | { readonly type: 'message'; readonly from: MemberKey; readonly to: MemberKey; readonly message: Message }
  /** This machine knows that the incarnation runs no more (docs/PROTOCOL.md, "Proven dead"). */
  | { readonly type: 'provenDead'; readonly member: MemberKey }
  | { readonly type: 'link'; readonly node: string; readonly up: boolean }
  | {
      readonly type: 'register';
      readonly id: number;
      readonly key: NameKey;
      readonly name: unknown;
      readonly pid: Pid;
      readonly metadata: unknown;
    }
  | { readonly type: 'unregister'; readonly id: number; readonly key: NameKey }
  | { readonly type: 'read'; readonly id: number; readonly key: NameKey }
  /** The caller waits no longer; answered by a last `reply`, unless one was given before. */
  | { readonly type: 'cancel'; readonly id: number }
  | { readonly type: 'exited'; readonly pid: Pid }
  /** Leave: no new names, resign, say goodbye; ends with the effect `left`. */
  | { readonly type: 'drain' }
  /** After `fence`: go on as a fresh incarnation. */
  | { readonly type: 'restart'; readonly incarnation: string };

export type Result =
  | { readonly type: 'registered'; readonly token: Version }
  | { readonly type: 'taken'; readonly pid: Pid; readonly token: Version }
  | { readonly type: 'done' }
  | { readonly type: 'found'; readonly pid: Pid; readonly token: Version; readonly metadata: unknown }
  | { readonly type: 'absent' }
  | {
      readonly type: 'error';
      readonly code: ErrorCode;
      readonly why: string;
      readonly maybeExecuted: boolean;
    };

export type Effect =
  | { readonly type: 'send'; readonly to: MemberKey; readonly message: Message }
  | { readonly type: 'store'; readonly id: number; readonly op: StoreOp }
  | { readonly type: 'reply'; readonly id: number; readonly result: Result }
  /** The session lapsed: end these processes with reason `fenced`, then send `restart`. */
  | { readonly type: 'fence'; readonly pids: readonly Pid[] }
  /** Two hosts claimed one name: this process loses it and ends. */
  | { readonly type: 'end'; readonly pid: Pid; readonly key: NameKey }
  | { readonly type: 'flushSoon' }
  /** Find out whether that incarnation still runs. */
  | { readonly type: 'suspect'; readonly member: MemberKey }
  | { readonly type: 'left' }
  /** Something that the protocol excludes was seen. */
  | { readonly type: 'alarm'; readonly what: string };

export interface Config {
  readonly durations: Durations;
  /** Buckets of the digests; equal on all members. */
  readonly buckets: number;
  /** Operations kept for followers that missed some. */
  readonly logOpsMax: number;
  /** Operations sent to one follower and not acknowledged. */
  readonly windowOpsMax: number;
  /** Entries in one part of a transfer. */
  readonly partEntriesMax: number;
  /** Member records that one write to the store takes away; more go with the next ones. */
  readonly removalsMax: number;
  /** Requests of this member's clients that wait. */
  readonly requestsMax: number;
  /** What a candidate waits for each one before it in rank. */
  readonly claimStaggerMs: number;
}
