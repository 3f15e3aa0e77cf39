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
    edits: [{ file, find: 'return !follow.goodbye && c.now', replace: 'return c.now' }],
    protects: 'one-authority',
    finders: [{ test: tests, name: 'a member that has said goodbye' }],
  },
  {
    name: 'who promises is free at once',
    edits: [{ file, find: '&& c.now >= follow.owedUntil;', replace: ';' }],
    protects: 'one-authority',
    finders: [{ test: tests, name: 'the contest is over when another' }],
  },
  {
    name: 'what is owed to the leader before last is forgotten',
    edits: [
      {
        file,
        find: 'follow.owedUntil = Math.max(follow.owedUntil, follow.supportUntil);',
        replace: 'follow.owedUntil = follow.supportUntil;',
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
];
