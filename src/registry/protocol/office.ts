// Taking and leaving the office. A leader that is deposed, or resigns, is a plain member again in the same step; what
// it had granted to itself without a second copy becomes a request again.
import { oweSupport, settleContest } from './contest.ts';
import { rebase, revertOwnGrants } from './host.ts';
import { type Context, createPeer, type LeaderState, send } from './state.ts';
import { askStore, repeatUndecided, type Settled, storeIdle } from './store-client.ts';
import { advanceTakeover } from './takeover.ts';
import type { LeaderRecord, MemberKey } from './types.ts';

export interface Office {
  readonly record: LeaderRecord;
  /** When the claim was sent: the store lease counts from here. */
  readonly sentAt: number;
  readonly members: readonly MemberKey[];
  /** The leader whose lapse was the reason to claim. */
  readonly silent: MemberKey | null;
  readonly staysLonely: boolean;
}

export function becomeLeader(c: Context, office: Office): void {
  const { s, now } = c;
  const leader = createLeader(office, now);
  s.leader = leader;
  // Who was dead before the claim was sent cannot claim against the record that it made.
  for (const [member, since] of s.dead) if (since < office.sentAt) leader.deadSupport.add(member);
  oweSupport(c);
  s.follow.promised = office.record.epoch;
  s.follow.leader = s.self;
  s.follow.adopted = false;
  s.follow.claimAt = Infinity;
  s.pulls.clear();
  s.served.clear();
  const self = addPeer(c, leader, { key: s.self, fresh: false });
  self.promised = { version: s.replica.version, count: 0, low: 0, high: 0 };
  self.synced = true;
  for (const key of office.members) if (key !== s.self) addPeer(c, leader, { key, fresh: false });
  rebase(c);
  settleContest(c, leader);
  advanceTakeover(c);
}

function createLeader(office: Office, now: number): LeaderState {
  return {
    epoch: office.record.epoch,
    silent: office.silent,
    renewedAt: office.sentAt,
    beganAt: now,
    contested: office.record.contested,
    record: office.record,
    adding: [],
    removing: [],
    peers: new Map(),
    complete: false,
    reserved: new Set(),
    log: { base: 0, ops: [] },
    n: 0,
    ownGrant: 0,
    uncommitted: new Map(),
    parked: new Map(),
    parkedCount: 0,
    leaving: new Map(),
    dropsAskedAt: -Infinity,
    yieldUntil: -Infinity,
    tickedAt: now,
    graceUntil: -Infinity,
    deadSupport: new Set(),
    staysLonely: office.staysLonely,
    stopped: false,
    wasServing: false,
  };
}

/** A member that this leader has seen recorded. A session granted by a former leader was granted before now: that leader's authority had ended. */
export function addPeer(
  c: Context,
  leader: LeaderState,
  of: { key: MemberKey; fresh: boolean },
): ReturnType<typeof createPeer> {
  const { key, fresh } = of;
  const peer = createPeer(key, c.now, fresh);
  leader.peers.set(key, peer);
  return peer;
}

/** The office is lost. Who was granted nothing asks again. */
export function depose(c: Context, _why: string): void {
  const { s } = c;
  const leader = s.leader;
  if (leader === null) return;
  revertOwnGrants(c, leader);
  if (leader.yieldUntil !== -Infinity) s.follow.stoodBack = true;
  s.leader = null;
  s.pulls.clear();
  s.served.clear();
  if (s.follow.leader === s.self) s.follow.leader = null;
  s.follow.serving = false;
  s.follow.decidesUntil = Infinity;
  // What stands in the replica of a leader that never completed is not a version of its epoch.
  s.follow.adopted = false;
}

/** Stops deciding at once, and for good; the store is told as soon as it can be. */
export function resign(c: Context): void {
  const leader = c.s.leader;
  if (leader === null) return;
  leader.stopped = true;
  sendResignation(c, leader);
}

export function sendResignation(c: Context, leader: LeaderState): void {
  const { s } = c;
  if (!storeIdle(c)) return;
  if (s.store.undecided !== null) {
    if (c.now - s.store.askedAt >= s.config.durations.leaseMs / 20) repeatUndecided(c);
    return;
  }
  const alone = [...leader.peers.keys()].every((key) => key === s.self || s.dead.has(key));
  const leaving = alone && s.phase === 'draining';
  askStore(c, 'resign', {
    kind: 'write',
    expect: leader.record,
    record: {
      ...leader.record,
      leader: null,
      renewals: leader.record.renewals + 1,
      contested: leader.contested,
      established: leaving ? [] : leader.record.established,
    },
    removeMembers: leaving ? [s.self, ...s.dead.keys()].slice(0, s.config.removalsMax) : [],
    expectMembers: leaving ? (s.store.view?.members ?? null) : null,
  });
}

export function onResignSettled(c: Context, settled: Settled): void {
  const { s } = c;
  const leader = s.leader;
  if (leader === null || settled.op.kind !== 'write') return;
  if (!settled.applied) return;
  for (const peer of leader.peers.values())
    if (peer.key !== s.self) send(c, peer.key, { type: 'resigned', epoch: leader.epoch });
  const gone = settled.op.removeMembers.includes(s.self);
  depose(c, 'resigned');
  s.follow.resignedEpoch = settled.op.record.epoch;
  if (gone) {
    s.phase = 'left';
    c.out.push({ type: 'left' });
  }
}
