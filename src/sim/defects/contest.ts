// Authority with all but one of three and more: the quota, and the contest of who claims on the strength of a lapse.
import type { Defect } from '../defects.ts';

const file = 'registry/protocol/contest.ts';
const authority = 'registry/protocol/authority.ts';
const tests = 'sim/contest';

export const contestDefects: readonly Defect[] = [
  {
    name: 'a contested office is used at once',
    edits: [{ file: authority, find: 'return !leader.contested && (', replace: 'return (' }],
    protects: 'one-authority',
    finders: [{ test: tests, name: 'who claims alone decides nothing' }],
  },
  {
    name: 'two of three may be missing without the store',
    edits: [{ file: authority, find: '? 1 : 0)', replace: '? 2 : 0)' }],
    protects: 'one-authority',
    finders: [{ test: tests, name: 'the contest is over when another' }],
  },
  {
    name: 'an undecided change of the list counts one way',
    edits: [
      {
        file: authority,
        find: 'return reachesQuota(s, leader, { list: changed, now });',
        replace: 'return true;',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: tests, name: 'while a change of the list is undecided' }],
  },
  {
    name: 'who said goodbye to an earlier leader is free',
    edits: [
      { file, find: 'follow.goodbye ? Infinity : follow.supportUntil', replace: 'follow.supportUntil' },
    ],
    protects: 'one-authority',
    finders: [{ test: tests, name: 'a member that has said goodbye' }],
  },
  {
    name: 'who promises is free at once',
    edits: [
      {
        file,
        find: 'return c.now >= c.s.follow.owedUntil;',
        replace: 'return c.s.follow.owedUntil < Infinity;',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: tests, name: 'the contest is over when another' }],
  },
  {
    name: 'what is owed to the leader before last is forgotten',
    edits: [
      {
        file,
        find: 'follow.owedUntil = Math.max(follow.owedUntil, follow.goodbye ? Infinity : follow.supportUntil);',
        replace: 'follow.owedUntil = follow.goodbye ? Infinity : follow.supportUntil;',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: tests, name: 'what is owed to the leader before last' }],
  },
  {
    name: 'sessions that were granted during a contest are forgotten',
    edits: [{ file, find: 'for (const peer of leader.peers.values()) peer.grantedAt = c.now;', replace: '' }],
    protects: 'evicted',
    finders: [{ test: tests, name: 'what the earlier leader granted' }],
  },
  {
    name: 'the next claim ends the contest',
    edits: [{ file, find: 'return old.contested || (', replace: 'return (' }],
    protects: 'one-authority',
    finders: [{ test: tests, name: 'who claims after the death' }],
  },
  {
    name: 'a contested leader does not look at the store',
    edits: [{ file: 'registry/protocol/heartbeat.ts', find: 'lookOut(c); return;', replace: 'return;' }],
    protects: 'at-rest',
    finders: [{ test: 'sim/guards-office', name: 'who has a contested office' }],
  },
  {
    name: 'a contest has no end by time',
    edits: [
      {
        file,
        find: 'if (c.now >= leader.beganAt + lengthen(longest.holdMs, longest)) return true;',
        replace: '',
      },
    ],
    protects: 'at-rest',
    finders: [{ test: 'sim/liveness', name: 'one of three left' }],
  },
  {
    name: 'a contested claim forgets the hold of the earlier leader',
    edits: [
      {
        file: 'registry/protocol/claims.ts',
        find: 'Math.max(own.holdMs, by.contested ? (before?.holdMs ?? 0) : 0)',
        replace: 'own.holdMs',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: tests, name: 'a contest waits for the hold' }],
  },
  {
    name: 'support lasts as long as the record in the store says',
    edits: [
      {
        file: 'registry/protocol/follow.ts',
        find: 'support(c, message.record.durations.leaseMs);',
        replace: 'support(c, s.store.view?.record?.durations.leaseMs ?? 0);',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: tests, name: 'support lasts as long as' }],
  },
  {
    name: 'who says goodbye is never free',
    edits: [
      {
        file,
        find: 'return c.now >= c.s.follow.owedUntil;',
        replace: 'return !c.s.follow.goodbye && c.now >= c.s.follow.owedUntil;',
      },
    ],
    protects: 'at-rest',
    finders: [{ test: tests, name: 'a goodbye to the contested leader' }],
  },
  {
    name: 'who stood back yields again',
    edits: [
      {
        file: 'registry/protocol/heartbeat.ts',
        find: 'if (now >= leader.beganAt + durations.leaseMs) leader.staysLonely = false;',
        replace: 'leader.staysLonely = false;',
      },
    ],
    protects: 'at-rest',
    finders: [{ test: 'sim/liveness', name: 'partitions of which none is better' }],
  },
  {
    name: 'a take-over waits for members that came after the claim',
    edits: [
      {
        file: 'registry/protocol/takeover.ts',
        find: 'peer.fresh || namesAreKnown(c, leader, peer.key)',
        replace: 'namesAreKnown(c, leader, peer.key)',
      },
    ],
    protects: 'at-rest',
    finders: [{ test: 'sim/liveness', name: 'two members cut off with the leader' }],
  },
];
