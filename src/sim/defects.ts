// Guards of the protocol, each with the edit that takes it out. `node scripts/plant.ts` runs the simulator on a copy of
// the sources with one edit at a time: a checker that has never failed proves nothing. Production code knows nothing of it.

export interface Defect {
  readonly name: string;
  /** Under src/registry/protocol/. */
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly find: string;
  readonly replace: string;
}

export const defects: readonly Defect[] = [
  {
    name: 'no wait for a second holder',
    file: 'authority.ts',
    find: 'if (copies.length > 0) return Math.max(...copies);',
    replace: 'if (copies.length > 0) return leader.n;',
  },
  {
    name: 'sessions without authority',
    file: 'heartbeat.ts',
    find: 'if (peer.evicting || leader.stopped || !hasAuthority(s, now)) return;',
    replace: 'if (peer.evicting) return;',
  },
  {
    name: 'verdicts on what is not committed',
    file: 'decide.ts',
    find: 'if (leader.uncommitted.has(what.key)) return false;',
    replace: '',
  },
  {
    name: 'no comparison of digests with a host that promised',
    file: 'takeover.ts',
    find: 'if (ours.count === theirs.count && ours.low === theirs.low && ours.high === theirs.high)',
    replace: 'if (ours.count >= 0)',
  },
  {
    name: 'support while a claim is open',
    file: 'follow.ts',
    find: '|| openClaimEpoch(c) > 0) return;',
    replace: ') return;',
  },
  {
    name: 'requests of other epochs are taken',
    file: 'decide.ts',
    find: 'if (leader === null || message.epoch !== leader.epoch) return;\n  const peer',
    replace: 'if (leader === null) return;\n  const peer',
  },
  {
    name: 'the word of former leaders is obeyed',
    file: 'member.ts',
    find: 'if (message.epoch === c.s.follow.promised && from === c.s.follow.leader) take(c, message);',
    replace: 'if (from !== c.s.self || c.s.leader !== null) take(c, message);',
  },
  {
    name: 'anybody claims on lapse',
    file: 'claims.ts',
    find: 'return record.established.includes(s.self) && still',
    replace: 'return still',
  },
  {
    name: 'claims while the own support runs',
    file: 'claims.ts',
    find: 'if (now < s.follow.supportUntil) return false;',
    replace: '',
  },
  {
    name: 'a paused member does not look at its session',
    file: 'member.ts',
    find: "if (s.phase !== 'fenced' && s.follow.sessionUntil !== null && now >= s.follow.sessionUntil) fence(c);",
    replace: '',
  },
  {
    name: 'all the dead support',
    file: 'authority.ts',
    find: 'leader.deadSupport.has(who.member)',
    replace: 's.dead.has(who.member)',
  },
  {
    name: 'names of the missing are taken as known',
    file: 'takeover.ts',
    find: 'if (peer?.promised == null) return false;',
    replace: 'if (peer?.promised == null) continue;',
  },
  {
    name: 'names of the missing are served',
    file: 'decide.ts',
    find: 'if (entry !== undefined && leader.reserved.has(entry.host)) return false;',
    replace:
      'if (entry !== undefined && leader.reserved.has(entry.host)) removeEntry(c.s.replica, what.key, entry.token);',
  },
  {
    name: 'hearsay overrides a promise',
    file: 'takeover.ts',
    find: 'if (leader.peers.get(pulled.host)?.promised === null) {',
    replace: 'if (leader.peers.has(pulled.host)) {',
  },
  {
    name: 'a claim that reads back as absent is forgotten',
    file: 'store-client.ts',
    find: 'if (undecided === null || sameRecord(record, undecided.op.expect)) return [];',
    replace: 'if (undecided === null) return [];',
  },
  {
    name: 'eviction after a lease instead of a session',
    file: 'authority.ts',
    find: 'lengthen(durations.sessionMs, durations);',
    replace: 'lengthen(durations.leaseMs, durations);',
  },
  {
    name: 'requests without a session',
    file: 'host.ts',
    find: 'if (follow.sessionUntil === null) return;',
    replace: '',
  },
  {
    name: 'grants that are given back are acknowledged',
    file: 'host.ts',
    find: 'if (entry.token.epoch === c.s.follow.promised) c.s.host.givenBack.set(seq, entry.token.n);',
    replace: 'if (seq === 0) return;',
  },
  {
    name: 'a transfer revives what ended',
    file: 'host.ts',
    find: 'if (ended !== undefined && compareVersions(entry.token, ended) <= 0) return;',
    replace: '',
  },
  {
    name: 'a leader decides before it is established',
    file: 'authority.ts',
    find: 'const counts = leader.complete && leader.record.established.includes(s.self);',
    replace: 'const counts = leader.complete;',
  },
  {
    name: 'who hands over goes on deciding',
    file: 'heartbeat.ts',
    find: "depose(c, 'handed over: it does not reach the store');",
    replace: 'leader.stopped = false;',
  },
  {
    name: 'goodbye with a claim open',
    file: 'member.ts',
    find: 'if (openClaimEpoch(c) > 0) return;',
    replace: '',
  },
  {
    name: 'a pause of the host does not delay eviction',
    file: 'heartbeat.ts',
    find: 'peer.grantedAt = now;',
    replace: 'peer.grantedAt = now - 200;',
  },
  {
    name: 'waiting ignores the clock rates',
    file: 'authority.ts',
    find: 'return ms * (1 + durations.clockRateBound);',
    replace: 'return ms * (1 - durations.clockRateBound);',
  },
  {
    name: 'newcomers do not wait while sessions are held',
    file: 'claims.ts',
    find: 'if (still >= lengthen(durations.holdMs, durations)) return true;',
    replace: 'if (still >= lengthen(durations.toleranceMs, durations)) return true;',
  },
  {
    name: 'sessions are held without end',
    file: 'authority.ts',
    find: 'if (now >= leader.renewedAt + shorten(s.config.durations.holdMs, s.config.durations)) return false;',
    replace: '',
  },
  {
    name: 'a leader decides for as long as it holds sessions',
    file: 'authority.ts',
    find: 'return counts && decidesMsLeft(s, leader, now) > 0 && hasAuthority(s, now);',
    replace: 'return counts && hasAuthority(s, now);',
  },
  {
    name: 'a claim forgets the longer sessions of its predecessor',
    file: 'claims.ts',
    find: 'sessionMs: Math.max(own.sessionMs, old?.durations.sessionMs ?? 0)',
    replace: 'sessionMs: own.sessionMs',
  },
  {
    name: 'sessions of former leaders are forgotten at once',
    file: 'heartbeat.ts',
    find: 'return sessionMayRun(c.s, leader, { grantedAt: leader.claimedAt, now: c.now })',
    replace: 'return c.now < 0',
  },
  {
    name: 'a claimant waits by its own durations alone',
    file: 'claims.ts',
    find: 'const durations = slower(s.config.durations, record.durations);',
    replace: 'const durations = s.config.durations;',
  },
  {
    name: 'support for the own lease alone',
    file: 'follow.ts',
    find: 'support(c, s.store.view?.record?.durations.leaseMs ?? 0);',
    replace: 'support(c, 0);',
  },
  {
    name: 'a session longer than the leader says',
    file: 'follow.ts',
    find: 'shorten(follow.sessionMs, slower(',
    replace: 'shorten(s.config.durations.sessionMs, slower(',
  },
  {
    name: 'a leader stops for want of support without the store',
    file: 'heartbeat.ts',
    find: '!leader.staysLonely && storeLeaseHolds(s, leader, now);',
    replace: '!leader.staysLonely;',
  },
  {
    name: 'a session no longer than the own one',
    file: 'follow.ts',
    find: 'if (first) resendAll(c);',
    replace:
      'if (first) resendAll(c);\n  follow.sessionUntil = Math.min(follow.sessionUntil ?? 0, sentAt + s.config.durations.sessionMs);',
  },
  {
    name: 'the stream goes on during a transfer',
    file: 'catchup.ts',
    find: '|| s.pulls.has(from)) return;',
    replace: ') return;',
  },
];
