// What a leader does with time: sessions, renewals, who counts, who goes, and leaving the office.
import type { Defect } from '../defects.ts';

const file = 'registry/protocol/heartbeat.ts';
const office = 'registry/protocol/office.ts';

export const membershipDefects: readonly Defect[] = [
  {
    name: 'sessions without authority',
    edits: [
      {
        file,
        find: 'if (peer.evicting || leader.stopped || !hasAuthority(s, now)) return;',
        replace: 'if (peer.evicting) return;',
      },
    ],
    protects: 'one-owner',
    finders: [
      { test: 'sim/counterexamples', name: '6. a session without authority: deposed B grants none, and' },
    ],
  },
  {
    name: 'sessions for those who are being evicted',
    edits: [
      {
        file,
        find: 'if (peer.evicting || leader.stopped || !hasAuthority(s, now)) return;',
        replace: 'if (leader.stopped || !hasAuthority(s, now)) return;',
      },
    ],
    protects: 'evicted',
    finders: [{ test: 'sim/guards-office', name: 'who is being evicted gets no session' }],
  },
  {
    name: 'an eviction that was sent is forgotten',
    edits: [{ file, find: 'if (peer !== undefined) peer.evicting = true;', replace: '' }],
    protects: 'evicted',
    finders: [{ test: 'sim/guards-office', name: 'who is being evicted gets no session' }],
  },
  {
    name: 'a leader grants itself a session without authority',
    edits: [{ file, find: 'if (hasAuthority(s, now)) extendSession', replace: 'extendSession' }],
    protects: 'one-owner',
    finders: [{ test: 'sim/outage', name: 'past the hold sessions lapse, and when the store is back' }],
  },
  {
    name: 'a leader grants itself a longer session',
    edits: [
      {
        file,
        find: 'now + shorten(s.config.durations.sessionMs, s.config.durations)',
        replace: 'now + s.config.durations.sessionMs',
      },
    ],
    protects: 'one-owner',
    finders: [{ test: 'sim/guards-authority', name: 'margins: a slow leader ends' }],
  },
  {
    name: 'a pause of the host does not delay eviction',
    edits: [{ file, find: 'peer.grantedAt = now;', replace: 'peer.grantedAt = now - 200;' }],
    protects: 'evicted',
    finders: [{ test: 'sim/basics', name: 'paused past its session, a member fences itself before' }],
  },
  {
    name: 'grants of sessions are not noted',
    edits: [{ file, find: 'peer.grantedAt = now;', replace: '' }],
    protects: 'evicted',
    finders: [{ test: 'sim/outage', name: 'past the tolerance names and processes stay, and the' }],
  },
  {
    name: 'sessions of former leaders are forgotten at once',
    edits: [
      {
        file,
        find: 'return sessionMayRun(c.s, leader, { grantedAt: leader.beganAt, now: c.now })',
        replace: 'return c.now < 0',
      },
    ],
    protects: 'one-owner',
    finders: [{ test: 'sim/review', name: '006: a leader with shorter sessions waits for those that' }],
  },
  {
    name: 'longer sessions of former leaders are kept in the record for ever',
    edits: [
      {
        file,
        find: 'return sessionMayRun(c.s, leader, { grantedAt: leader.beganAt, now: c.now })',
        replace: 'return c.now >= 0',
      },
    ],
    protects: 'at-rest',
    finders: [{ test: 'sim/review', name: '006: a third leader waits for them, too; in the end the' }],
  },
  {
    name: 'a leader without authority says that it serves',
    edits: [{ file, find: 'serving: hasAuthority(c.s, c.now),', replace: 'serving: true,' }],
    protects: 'at-rest',
    finders: [{ test: 'sim/guards-authority', name: 'a leader that may not decide is left' }],
  },
  {
    name: 'who hands over goes on deciding',
    edits: [
      {
        file,
        find: "depose(c, 'handed over: it does not reach the store');",
        replace: 'leader.stopped = false;',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'sim/basics', name: 'of the leader alone moves the office to a member that' }],
  },
  {
    name: 'who lost the store keeps the office',
    edits: [
      { file, find: 'if (message.reachesStore) considerHandOver', replace: 'if (now < 0) considerHandOver' },
    ],
    protects: 'at-rest',
    finders: [{ test: 'sim/guards-authority', name: 'who lost the store hands over' }],
  },
  {
    name: 'who resigns goes on deciding',
    edits: [{ file: office, find: 'leader.stopped = true; sendResignation', replace: 'sendResignation' }],
    protects: 'one-authority',
    finders: [{ test: 'sim/guards-authority', name: 'who stopped decides nothing' }],
  },
  {
    name: 'who leads while others stay takes everything along',
    edits: [
      {
        file: office,
        find: "const leaving = alone && s.phase === 'draining';",
        replace: "const leaving = s.phase === 'draining' || !alone;",
      },
    ],
    protects: 'kept',
    finders: [{ test: 'sim/counterexamples', name: 'a newcomer in office decides nothing before it counts' }],
  },
  {
    name: 'who leaves does not wait for its names to go',
    edits: [
      {
        file: 'registry/protocol/member.ts',
        find: "if (s.phase !== 'draining' || s.host.hosted.size > 0 || s.host.outbox.size > 0) return;",
        replace: "if (s.phase !== 'draining') return;",
      },
      {
        file,
        find: 'if (peer.goodbye && (c.s.replica.digests.get(peer.key)?.count ?? 0) === 0)',
        replace: 'if (peer.goodbye)',
      },
    ],
    protects: 'evicted',
    finders: [{ test: 'sim/basics', name: 'a drain takes no new names, waits for the old ones, and' }],
  },
  {
    name: 'a lonely leader never makes room',
    edits: [
      { file, find: 'leader.staysLonely = now >= leader.yieldUntil;', replace: 'leader.staysLonely = true;' },
    ],
    protects: 'at-rest',
    finders: [{ test: 'sim/incidents', name: '010: with the store it makes room for others, where it may' }],
  },
  {
    name: 'a lonely leader without the store stops for good',
    edits: [
      {
        file,
        find: 'if (!storeLeaseHolds(s, leader, now)) return false;',
        replace: 'if (!storeLeaseHolds(s, leader, now)) leader.stopped = true;',
      },
    ],
    protects: 'kept',
    finders: [{ test: 'sim/incidents', name: '010: a leader that reaches neither' }],
  },
  {
    name: 'a lonely leader never comes back',
    edits: [
      {
        file,
        find: 'leader.staysLonely = now >= leader.yieldUntil;',
        replace: 'leader.staysLonely = now < 0;',
      },
    ],
    protects: 'at-rest',
    finders: [{ test: 'sim/liveness', name: 'a leader whose peers all fell silent' }],
  },
  {
    name: 'a lonely leader strikes the silent off the list',
    edits: [{ file, find: '(judges && isSilent(c, leader, peer))', replace: 'isSilent(c, leader, peer)' }],
    protects: 'at-rest',
    finders: [{ test: 'sim/guards-office', name: 'a leader that has the store again' }],
  },
  {
    name: 'a leader that stood still takes the others for silent',
    edits: [
      { file, find: 'leader.graceUntil = c.now + patience;', replace: 'leader.graceUntil = -Infinity;' },
    ],
    protects: 'at-rest',
    finders: [{ test: 'sim/guards-office', name: 'a leader that stood still' }],
  },
  {
    name: 'members stop counting before the take-over is complete',
    edits: [
      {
        file,
        find: 'const removing = leader.complete ? mayLeave(c, leader, gone) : [];',
        replace: 'const removing = mayLeave(c, leader, gone);',
      },
      {
        file,
        find: 'return { adding: [], removing: [], removeMembers,',
        replace: 'return { adding: [], removing, removeMembers,',
      },
    ],
    protects: 'one-owner',
    finders: [{ test: 'sim/guards-office', name: 'who counts is not changed' }],
  },
  {
    name: 'members begin to count before the take-over is complete',
    edits: [
      {
        file,
        find: 'if (!leader.complete) return { adding:',
        replace: 'if (!leader.complete && c.now < 0) return { adding:',
      },
    ],
    protects: 'one-owner',
    finders: [{ test: 'sim/guards-office', name: 'a claimant that does not count' }],
  },
  {
    name: 'a member counts before it has the table',
    edits: [
      {
        file,
        find: 'return peer.synced && peer.acked >= leader.ownGrant && peer.acked >= 0 && peerSupports(c.s, peer, c.now);',
        replace: 'return peer.synced && peerSupports(c.s, peer, c.now);',
      },
    ],
    protects: 'one-owner',
    finders: [
      { test: 'sim/counterexamples', name: '3b. a joiner without a snapshot does not count, and does' },
    ],
  },
  {
    name: 'a member counts before it has what is hosted at the leader',
    edits: [
      {
        file,
        find: 'return peer.synced && peer.acked >= leader.ownGrant && peer.acked >= 0 &&',
        replace: 'return peer.synced && peer.acked >= 0 &&',
      },
    ],
    protects: 'one-owner',
    finders: [{ test: 'sim/guards-office', name: 'a member counts when it has' }],
  },
  {
    name: 'a member counts that does not support',
    edits: [
      {
        file,
        find: 'peer.acked >= 0 && peerSupports(c.s, peer, c.now);',
        replace: 'peer.acked >= 0;',
      },
    ],
    protects: 'at-rest',
    finders: [{ test: 'sim/guards-office', name: 'a member that does not support' }],
  },
  {
    name: 'who is being evicted or leaves begins to count again',
    edits: [
      {
        file,
        find: 'if (leader.record.established.includes(peer.key) || peer.evicting || peer.goodbye || c.s.dead.has(peer.key))',
        replace: 'if (leader.record.established.includes(peer.key))',
      },
    ],
    protects: 'at-rest',
    finders: [{ test: 'sim/guards-office', name: 'a member that died before it counted' }],
  },
  {
    name: 'the holder of the only copy stops counting',
    edits: [{ file, find: 'return covered ? leaving : [];', replace: 'return covered ? leaving : leaving;' }],
    protects: 'one-owner',
    finders: [{ test: 'sim/counterexamples', name: '3a.' }],
  },
  {
    name: 'the silent count for ever',
    edits: [
      {
        file,
        find: 'return peer.goodbye || (judges && isSilent(c, leader, peer));',
        replace: 'return peer.goodbye;',
      },
    ],
    protects: 'at-rest',
    finders: [{ test: 'sim/guards-office', name: 'the silent stop counting' }],
  },
  {
    name: 'the dead wait for their sessions to lapse',
    edits: [
      {
        file,
        find: 'if (peer.evicting || c.s.dead.has(peer.key)) return true;',
        replace: 'if (peer.evicting) return true;',
      },
    ],
    protects: 'at-rest',
    finders: [{ test: 'sim/basics', name: 'many die at once: their records go a few with each write,' }],
  },
  {
    name: 'who said goodbye loses its record while it counts',
    edits: [
      {
        file,
        find: 'return !leader.record.established.includes(of.key) || of.removing.includes(of.key);',
        replace: 'return true;',
      },
    ],
    protects: 'at-rest',
    finders: [{ test: 'sim/guards-office', name: 'who said goodbye stays for as long' }],
  },
  {
    name: 'grants to oneself stay when the office is lost',
    edits: [{ file: office, find: 'revertOwnGrants(c, leader);', replace: '' }],
    protects: 'consistent',
    finders: [{ test: 'sim/guards-office', name: 'what a leader granted itself' }],
  },
];
