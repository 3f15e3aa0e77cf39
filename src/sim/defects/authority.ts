// Who may decide, and how long rights last: margins of leases, support of all, second holders.
import type { Defect } from '../defects.ts';

const file = 'registry/protocol/authority.ts';
const heartbeat = 'registry/protocol/heartbeat.ts';

export const authorityDefects: readonly Defect[] = [
  {
    name: 'holders count in full',
    edits: [{ file, find: 'return ms * (1 - durations.clockRateBound);', replace: 'return ms;' }],
    protects: 'one-authority',
    finders: [{ test: 'sim/guards-authority', name: 'margins: a slow leader ends' }],
  },
  {
    name: 'waiting ignores the clock rates',
    edits: [
      {
        file,
        find: 'return ms * (1 + durations.clockRateBound);',
        replace: 'return ms * (1 - durations.clockRateBound);',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'sim/guards-authority', name: 'margins: a slow leader ends' }],
  },
  {
    name: 'who stopped keeps its authority',
    edits: [{ file, find: 'if (leader === null || leader.stopped ||', replace: 'if (leader === null ||' }],
    protects: 'one-authority',
    finders: [{ test: 'sim/guards-authority', name: 'who stopped decides nothing' }],
  },
  {
    name: 'the store lease does not end',
    edits: [
      {
        file,
        find: 'return !leader.contested && (storeLeaseHolds(s, leader, now) || quotaHolds(s, leader, now));',
        replace: 'return !leader.contested;',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'sim/guards-authority', name: 'margins: a slow leader ends' }],
  },
  {
    name: 'support is not asked for',
    edits: [
      {
        file,
        find: 'if (!reachesQuota(s, leader, { list: record.established, now })) return false;',
        replace: '',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'sim/guards-authority', name: 'margins: a slow leader ends' }],
  },
  {
    name: 'the support of a silent member does not end',
    edits: [
      {
        file,
        find: 'return now < peer.supportAt + shorten(s.config.durations.leaseMs, s.config.durations);',
        replace: 'return now >= peer.supportAt;',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'sim/guards-office', name: 'a member that does not support does not count' }],
  },
  {
    name: 'who is being added need not support',
    edits: [
      {
        file,
        find: '!removing.includes(member)), ...adding];',
        replace: '!removing.includes(member))];',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'sim/guards-authority', name: 'who may already count must support' }],
  },
  {
    name: 'all the dead support',
    edits: [{ file, find: 'leader.deadSupport.has(who.member)', replace: 's.dead.has(who.member)' }],
    protects: 'one-authority',
    finders: [{ test: 'sim/incidents', name: '001: who claimed unseen' }],
  },
  {
    name: 'the dead who had claimed support',
    edits: [
      {
        file: 'registry/protocol/member.ts',
        find: 'if (peer !== undefined && peerSupports(s, peer, c.now)) s.leader?.deadSupport',
        replace: 'if (peer !== undefined) s.leader?.deadSupport',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'sim/incidents', name: '001: who claimed unseen' }],
  },
  {
    name: 'none of the dead supports',
    edits: [
      {
        file: 'registry/protocol/member.ts',
        find: 's.leader?.deadSupport.add(member);',
        replace: 's.leader?.deadSupport.delete(member);',
      },
    ],
    protects: 'at-rest',
    finders: [{ test: 'sim/guards-authority', name: 'who died while it supported' }],
  },
  {
    name: 'who died after the claim was sent supports',
    edits: [
      {
        file: 'registry/protocol/office.ts',
        find: 'if (since < office.sentAt) leader.deadSupport',
        replace: 'if (since <= now) leader.deadSupport',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'sim/guards-authority', name: 'who died after the claim was sent' }],
  },
  {
    name: 'who said goodbye must still support',
    edits: [
      {
        file,
        find: 'return peer !== undefined && (peer.goodbye || peerSupports(s, peer, who.now));',
        replace: 'return peer !== undefined && peerSupports(s, peer, who.now);',
      },
    ],
    protects: 'at-rest',
    finders: [{ test: 'sim/guards-authority', name: 'who said goodbye supports for good' }],
  },
  {
    name: 'sessions are held without end',
    edits: [
      {
        file,
        find: 'if (now >= leader.renewedAt + shorten(s.config.durations.holdMs, s.config.durations)) return false;',
        replace: '',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'sim/outage', name: 'past the hold sessions lapse, and when the store is back' }],
  },
  {
    name: 'a leader decides for as long as it holds sessions',
    edits: [
      {
        file,
        find: 'return counts && decidesMsLeft(s, leader, now) > 0 && hasAuthority(s, now);',
        replace: 'return counts && hasAuthority(s, now);',
      },
    ],
    protects: 'use',
    finders: [{ test: 'sim/outage', name: 'a process that exits while nothing is decided frees its' }],
  },
  {
    name: 'a leader decides without authority',
    edits: [
      {
        file,
        find: 'return counts && decidesMsLeft(s, leader, now) > 0 && hasAuthority(s, now);',
        replace: 'return counts && decidesMsLeft(s, leader, now) > 0;',
      },
    ],
    protects: 'one-owner',
    finders: [{ test: 'sim/guards-authority', name: 'without authority not even an absence' }],
  },
  {
    name: 'a leader decides before it is established',
    edits: [
      {
        file,
        find: 'const counts = leader.complete && leader.record.established.includes(s.self);',
        replace: 'const counts = leader.complete;',
      },
    ],
    protects: 'one-owner',
    finders: [{ test: 'sim/counterexamples', name: 'a newcomer in office decides nothing before it counts' }],
  },
  {
    name: 'a leader decides before its take-over is complete',
    edits: [
      {
        file,
        find: 'const counts = leader.complete && leader.record.established.includes(s.self);',
        replace: 'const counts = leader.record.established.includes(s.self);',
      },
    ],
    protects: 'one-owner',
    finders: [{ test: 'sim/guards-office', name: 'no take-over is complete while the word of a host that' }],
  },
  {
    name: 'no wait for a second holder',
    edits: [
      {
        file,
        find: 'if (copies.length > 0) return Math.max(...copies);',
        replace: 'if (copies.length > 0) return leader.n;',
      },
    ],
    protects: 'kept',
    finders: [
      { test: 'sim/guards-office', name: 'what a leader granted itself without a second copy is gone' },
    ],
  },
  {
    name: 'a leader is its own second holder',
    edits: [
      {
        file,
        find: '.filter((member) => member !== self && !leader.removing.includes(member));',
        replace: '.filter((member) => !leader.removing.includes(member));',
      },
    ],
    protects: 'kept',
    finders: [
      { test: 'sim/guards-office', name: 'who is being evicted gets no session, whatever it answers,' },
    ],
  },
  {
    name: 'who is being removed is a second holder',
    edits: [
      {
        file,
        find: '.filter((member) => member !== self && !leader.removing.includes(member));',
        replace: '.filter((member) => member !== self);',
      },
    ],
    protects: 'kept',
    finders: [{ test: 'sim/guards-office', name: 'who may count no more holds' }],
  },
  {
    name: 'no second holder is needed while the last one is being removed',
    edits: [{ file, find: 'if (leader.removing.length > 0) return -1;', replace: '' }],
    protects: 'kept',
    finders: [{ test: 'sim/guards-office', name: 'a name of the leader waits while it is open' }],
  },
  {
    name: 'no second holder is needed while the first one is being added',
    edits: [{ file, find: 'if (leader.adding.length > 0)', replace: 'if (s.phase === "idle")' }],
    protects: 'kept',
    finders: [{ test: 'sim/guards-office', name: 'a name of the leader waits for the one' }],
  },
  {
    name: 'undecided changes of the established are not remembered',
    edits: [
      { file: heartbeat, find: 'leader.adding = changes.adding;', replace: 'leader.adding = [];' },
      { file: heartbeat, find: 'leader.removing = changes.removing;', replace: 'leader.removing = [];' },
      {
        file: heartbeat,
        find: 'established: [...kept, ...leader.adding],',
        replace:
          'established: [...kept.filter((member) => !planChanges(c, leader).removing.includes(member)), ...planChanges(c, leader).adding],',
      },
    ],
    protects: 'kept',
    finders: [{ test: 'sim/guards-authority', name: 'who may already count must support' }],
  },
  {
    name: 'eviction after a lease instead of a session',
    edits: [
      {
        file,
        find: 'lengthen(durations.sessionMs, durations);',
        replace: 'lengthen(durations.leaseMs, durations);',
      },
    ],
    protects: 'evicted',
    finders: [{ test: 'sim/liveness', name: 'a silent follower: of three nobody waits but for its names;' }],
  },
  {
    name: 'eviction ignores the clock rates',
    edits: [{ file, find: 'lengthen(durations.sessionMs, durations);', replace: 'durations.sessionMs;' }],
    protects: 'evicted',
    finders: [{ test: 'sim/guards-authority', name: 'margins: a slow member has fenced itself' }],
  },
  {
    name: 'eviction by the own durations alone',
    edits: [
      {
        file,
        find: 'const durations = slower(s.config.durations, leader.record.durations);',
        replace: 'const durations = s.config.durations;',
      },
    ],
    protects: 'evicted',
    finders: [{ test: 'sim/review', name: '006: a leader with shorter sessions waits for those that' }],
  },
  {
    name: 'the store lease counts from the answer',
    edits: [
      {
        file: heartbeat,
        find: 'leader.renewedAt = Math.max(leader.renewedAt, settled.sentAt);',
        replace: 'leader.renewedAt = c.now;',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'sim/guards-authority', name: 'the store lease counts from the sending of a renewal' }],
  },
  {
    name: 'the store lease of a claim counts from its answer',
    edits: [
      { file: 'registry/protocol/office.ts', find: 'renewedAt: office.sentAt,', replace: 'renewedAt: now,' },
    ],
    protects: 'one-authority',
    finders: [{ test: 'sim/guards-authority', name: 'the store lease of a claim counts' }],
  },
  {
    name: 'support counts from the answer',
    edits: [
      {
        file: heartbeat,
        find: 'peer.supportAt = Math.max(peer.supportAt, sentAt);',
        replace: 'peer.supportAt = now;',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'sim/guards-authority', name: 'support counts from the sending' }],
  },
];
