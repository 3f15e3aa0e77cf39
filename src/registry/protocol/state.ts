// The whole state of one member: plain data that only `step` changes, so that an explorer can clone, fork and compare
// it. Each part belongs to the file that decides about it.
import type { Pid } from '../../term/pid.ts';
import type { Answer, Entry, Message, Op, Request } from './messages.ts';
import { createReplica, type Replica } from './replica.ts';
import type {
  Config,
  Effect,
  Instant,
  LeaderRecord,
  MemberKey,
  NameKey,
  StoreOp,
  StoreView,
} from './types.ts';
import type { Version } from './version.ts';

export interface MemberState {
  readonly config: Config;
  self: MemberKey;
  /** The incarnation before this one, ended by a fence. */
  former: MemberKey | null;
  /**
   * joining: no session yet. active: has a session and a complete replica. draining: takes no new names.
   * fenced: the session lapsed; waits for `restart`. left: the member record is gone for good.
   */
  phase: 'idle' | 'joining' | 'active' | 'draining' | 'fenced' | 'left';
  readonly store: StoreState;
  readonly follow: FollowState;
  replica: Replica;
  host: HostState;
  leader: LeaderState | null;
  /** Incarnations that this machine knows to run no more, and since when. */
  readonly dead: Map<MemberKey, Instant>;
  /** Transfers that this member asked for, by source. */
  readonly pulls: Map<MemberKey, Pull>;
  /** Transfers that others asked of it, by requester. */
  readonly served: Map<MemberKey, Served>;
  nextId: number;
  flushAsked: boolean;
}

export interface StoreState {
  view: StoreView | null;
  /** When the record that the view shows was first seen so: the wait of a claimant counts from here. */
  movedAt: Instant;
  /** When the store last answered with something certain. */
  answeredAt: Instant;
  askedAt: Instant;
  inflight: {
    readonly id: number;
    readonly op: StoreOp;
    readonly sentAt: Instant;
    readonly purpose: StorePurpose;
  } | null;
  /** A write whose outcome is unknown: it may still be applied until the record is seen to have moved on from `expect`. */
  undecided: { readonly op: WriteOp; readonly sentAt: Instant; readonly purpose: StorePurpose } | null;
  joined: boolean;
}

export type WriteOp = Extract<StoreOp, { kind: 'write' }>;
export type StorePurpose = 'read' | 'join' | 'claim' | 'renew' | 'resign';

export interface FollowState {
  /** The highest epoch taken or promised. Nothing of a lower one is obeyed. */
  promised: number;
  leader: MemberKey | null;
  supportUntil: Instant;
  /** Until when a leader of a lower epoch than the promised one may count on this member. */
  owedUntil: Instant;
  /** When a serving leader last spoke. */
  contactAt: Instant;
  serving: boolean;
  /** While the leader is without the store: until when it decides, by its word. `Infinity` otherwise. */
  decidesUntil: Instant;
  /** How long the sessions are that the leader grants, by its own word: who waits for their end knows that from the record. */
  sessionMs: number;
  /** Until when the names of this member are its own; `null` before the first grant. */
  sessionUntil: Instant | null;
  nonce: number;
  readonly nonces: Map<number, Instant>;
  /** The replica is complete in the promised epoch. */
  adopted: boolean;
  standBackUntil: Instant;
  /** It yielded the office for want of support, and no leader has taken over completely since: others fared no better. */
  stoodBack: boolean;
  /** Leaders that said they stopped for good, by epoch. */
  resignedEpoch: number;
  /** When to claim; `Infinity`: no reason to. */
  claimAt: Instant;
  helloAt: Instant;
  goodbye: boolean;
  resendAt: Instant;
}

export interface OutRequest {
  readonly seq: number;
  request: Request;
  /** The client's request, 0 where none waits. */
  id: number;
  /** Some leader may have it. */
  sent: boolean;
  /** How far the replica was when it was first asked. */
  readonly asOf: Version;
}

export interface HostState {
  /** The names of each local process, by the key of its pid. */
  readonly hosted: Map<string, { readonly pid: Pid; readonly names: Set<NameKey> }>;
  /** Requests not answered, in order of their numbers. */
  outbox: Map<number, OutRequest>;
  /** Client's id to the number of its request. */
  readonly seqOf: Map<number, number>;
  nextSeq: number;
  /** Requests up to this number have been sent in this epoch. */
  sentSeq: number;
  sentAt: Instant;
  /** Consistent reads, by client's id. */
  readonly asks: Map<number, { readonly key: NameKey; sentAt: Instant }>;
  /** Registrations that ended here, and that a transfer may still show: by name the token. */
  readonly ended: Map<NameKey, Version>;
  /** Grants that nobody here wanted any more, by the number of the request that gives them back: the n of the grant. */
  readonly givenBack: Map<number, number>;
  /** Unregistered here but hosted elsewhere: hidden from local lookups until the removal arrives. */
  readonly hidden: Map<NameKey, Version>;
}

export interface Peer {
  readonly key: MemberKey;
  /** What it said with its promise; `null` before it. */
  promised: {
    readonly version: Version;
    readonly count: number;
    readonly low: number;
    readonly high: number;
  } | null;
  /** It said that no leader of a lower epoch may count on it any more. */
  free: boolean;
  /** Its record is younger than the claim: no leader before this one knew of it, so it came without names. */
  readonly fresh: boolean;
  /** Its own word about its names is in our replica. */
  synced: boolean;
  followedAt: Instant;
  pingedAt: Instant;
  ping: number;
  readonly pings: Map<number, Instant>;
  /** Sending time of the last ping that it answered: its support counts from here. */
  supportAt: Instant;
  /** The last moment at which a session of it may have been granted. */
  grantedAt: Instant;
  /** Stream position sent, -1 until it was told to adopt. */
  sent: number;
  acked: number;
  adoptedAt: Instant;
  /** The next request expected from it. */
  expect: number;
  readonly answers: Map<number, Answer>;
  outAnswers: Answer[];
  /** Grants hosted there that it has not acknowledged, oldest first. */
  readonly uncommitted: { readonly n: number; readonly key: NameKey; readonly seq: number }[];
  /** A transaction that removes it was sent: it never gets a session again. */
  evicting: boolean;
  goodbye: boolean;
  /** Missing hosts whose names it, as the freshest witness, has told us. */
  missing: Set<MemberKey> | null;
}

export type Parked =
  | { readonly type: 'read'; readonly from: MemberKey; readonly id: number }
  | {
      readonly type: 'unregister';
      readonly from: MemberKey;
      readonly seq: number;
      readonly upTo: Version | null;
    }
  | {
      readonly type: 'register';
      readonly from: MemberKey;
      readonly seq: number;
      readonly request: Extract<Request, { type: 'register' }>;
    };

export interface Leaving {
  readonly from: MemberKey;
  readonly seq: number;
  readonly token: Version;
}

export interface LeaderState {
  readonly epoch: number;
  /** The leader before, where this one claimed because it was silent: it was waited for already. */
  readonly silent: MemberKey | null;
  /** Sending time of the last renewal (or claim) known to be committed. */
  renewedAt: Instant;
  /** Since when no earlier leader may have granted anything: the claim was certain, or, contested, the contest was over. */
  beganAt: Instant;
  /** An earlier leader may still decide without the store: no authority yet. */
  contested: boolean;
  record: LeaderRecord;
  /** Changes of `established` that were sent and are not decided. */
  adding: readonly MemberKey[];
  removing: readonly MemberKey[];
  readonly peers: Map<MemberKey, Peer>;
  /** The take-over is complete: decisions are made, the stream flows. */
  complete: boolean;
  /** Hosts that are missing, whose names are known: these names wait. */
  readonly reserved: Set<MemberKey>;
  readonly log: { base: number; ops: Op[] };
  /** n of the last version given out. */
  n: number;
  /** n of the last grant hosted here. */
  ownGrant: number;
  /** Grants without their second holder, by name: the n of the grant. */
  readonly uncommitted: Map<NameKey, number>;
  readonly parked: Map<NameKey, Parked[]>;
  parkedCount: number;
  /** Unregistrations that wait for the host to let go of the registration with that token. */
  readonly leaving: Map<NameKey, Leaving[]>;
  /** When the hosts of those were last asked to let go. */
  dropsAskedAt: Instant;
  /** Until when it lets its lease run out, for want of support; `-Infinity` while at least half of `established` supports. */
  yieldUntil: Instant;
  /** The last tick: a gap shows that this member itself stood still. */
  tickedAt: Instant;
  /** After that, nobody is taken for silent until then. */
  graceUntil: Instant;
  /** It yielded for want of support, now or before, and nobody fared better: it renews all the same. */
  staysLonely: boolean;
  /** Dead who can have claimed nothing since this leader's claim: they count as supporting, for good. */
  readonly deadSupport: Set<MemberKey>;
  /** Stopped deciding and granting, for good. */
  stopped: boolean;
  wasServing: boolean;
}

export interface Pull {
  readonly id: number;
  readonly epoch: number;
  readonly purpose: 'truth' | 'missing' | 'catchup';
  readonly scope: MemberKey | null;
  part: number;
  askedAt: Instant;
  /** How often this part was asked for. */
  tries: number;
  entries: Entry[];
  differing: readonly (readonly [MemberKey, readonly number[]])[];
}

export interface Served {
  readonly id: number;
  readonly epoch: number;
  readonly version: Version;
  readonly differing: readonly (readonly [MemberKey, readonly number[]])[];
  readonly entries: readonly Entry[];
}

/** One step: the state, the time, and what comes out. Messages to oneself are handled at the end of the same step. */
export interface Context {
  readonly s: MemberState;
  readonly now: Instant;
  readonly out: Effect[];
  readonly loop: Message[];
  /** What else has to happen in this step, in this order. */
  readonly todo: Todo[];
}

/** Work that one part finds and another does, later in the same step. */
export type Todo =
  | {
      readonly type: 'truth';
      readonly host: MemberKey;
      readonly stale: readonly Entry[];
      readonly entries: readonly Entry[];
    }
  | {
      readonly type: 'missing';
      readonly source: MemberKey;
      readonly host: MemberKey;
      readonly stale: readonly Entry[];
      readonly entries: readonly Entry[];
    }
  | { readonly type: 'caughtUp'; readonly transfer: CaughtUp }
  | { readonly type: 'serve'; readonly key: NameKey }
  | { readonly type: 'authority' };

/** Everything that differed from the leader. */
export interface CaughtUp {
  readonly stale: readonly Entry[];
  readonly differing: readonly (readonly [MemberKey, readonly number[]])[];
  readonly entries: readonly Entry[];
  readonly version: Version;
}

export function createMember(config: Config, self: MemberKey): MemberState {
  return {
    config,
    self,
    former: null,
    phase: 'idle',
    store: {
      view: null,
      movedAt: -Infinity,
      answeredAt: -Infinity,
      askedAt: -Infinity,
      inflight: null,
      undecided: null,
      joined: false,
    },
    follow: {
      promised: 0,
      leader: null,
      supportUntil: -Infinity,
      owedUntil: -Infinity,
      contactAt: -Infinity,
      serving: false,
      decidesUntil: Infinity,
      sessionMs: config.durations.sessionMs,
      sessionUntil: null,
      nonce: 0,
      nonces: new Map(),
      adopted: false,
      standBackUntil: -Infinity,
      stoodBack: false,
      resignedEpoch: 0,
      claimAt: Infinity,
      helloAt: -Infinity,
      goodbye: false,
      resendAt: -Infinity,
    },
    replica: createReplica(config.buckets),
    host: createHost(),
    leader: null,
    dead: new Map(),
    pulls: new Map(),
    served: new Map(),
    nextId: 1,
    flushAsked: false,
  };
}

function createHost(): HostState {
  return {
    hosted: new Map(),
    outbox: new Map(),
    seqOf: new Map(),
    nextSeq: 1,
    sentSeq: 0,
    sentAt: -Infinity,
    asks: new Map(),
    ended: new Map(),
    givenBack: new Map(),
    hidden: new Map(),
  };
}

export function createPeer(key: MemberKey, now: Instant, fresh: boolean): Peer {
  return {
    key,
    promised: null,
    free: false,
    fresh,
    synced: false,
    followedAt: -Infinity,
    pingedAt: -Infinity,
    ping: 0,
    pings: new Map(),
    supportAt: -Infinity,
    grantedAt: now,
    sent: -1,
    acked: -1,
    adoptedAt: -Infinity,
    expect: 1,
    answers: new Map(),
    outAnswers: [],
    uncommitted: [],
    evicting: false,
    goodbye: false,
    missing: null,
  };
}

export function send(c: Context, to: MemberKey, message: Message): void {
  if (to === c.s.self) c.loop.push(message);
  else c.out.push({ type: 'send', to, message });
}

export function flushSoon(c: Context): void {
  if (c.s.flushAsked) return;
  c.s.flushAsked = true;
  c.out.push({ type: 'flushSoon' });
}
