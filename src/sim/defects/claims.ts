// When a member may take the office, and what it takes over with it.
import type { Defect } from '../defects.ts';

const file = 'registry/protocol/claims.ts';

export const claimDefects: readonly Defect[] = [
  {
    name: 'anybody claims on lapse',
    edits: [{ file, find: 'return record.established.includes(s.self) && still', replace: 'return still' }],
    protects: 'one-authority',
    finders: [
      { test: 'sim/counterexamples', name: '4. an evicted claimant' },
      { explore: 'three-evicted-claimant' },
    ],
  },
  {
    name: 'claims while the own support runs',
    edits: [{ file, find: 'if (now < s.follow.supportUntil) return false;', replace: '' }],
    protects: 'one-authority',
    finders: [{ test: 'sim/guards-authority', name: 'a record that stands still is no reason' }],
  },
  {
    name: 'claims do not wait for the record to stand still',
    edits: [
      {
        file,
        find: '&& still >= lengthen(durations.leaseMs, durations);',
        replace: '&& still >= 0;',
      },
    ],
    protects: 'one-authority',
    finders: [
      { test: 'sim/guards-authority', name: 'a claimant with a shorter lease waits for that of the leader' },
    ],
  },
  {
    name: 'claims wait for a lease by their own clock',
    edits: [
      {
        file,
        find: '&& still >= lengthen(durations.leaseMs, durations);',
        replace: '&& still >= durations.leaseMs * (1 - durations.clockRateBound);',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'sim/guards-authority', name: 'margins: a fast reader waits out' }],
  },
  {
    name: 'newcomers do not wait while sessions are held',
    edits: [
      {
        file,
        find: 'return c.now - c.s.store.movedAt >= lengthen(durations.holdMs, durations);',
        replace: 'return c.now - c.s.store.movedAt >= lengthen(durations.toleranceMs, durations);',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'sim/incidents', name: '002: a claimant is no witness of names that it never held' }],
  },
  {
    name: 'newcomers wait for the hold by their own clock',
    edits: [
      {
        file,
        find: 'return c.now - c.s.store.movedAt >= lengthen(durations.holdMs, durations);',
        replace: 'return c.now - c.s.store.movedAt >= durations.holdMs * (1 - durations.clockRateBound);',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'sim/outage', name: 'a newcomer that reaches the store waits until the sessions' }],
  },
  {
    name: 'newcomers never take over by time',
    edits: [{ file, find: 'if (holdIsOver(c, record)) return true;', replace: '' }],
    protects: 'at-rest',
    finders: [{ test: 'sim/liveness', name: 'a total restart at new addresses: the hold, and a session;' }],
  },
  {
    name: 'a claimant waits by its own durations alone',
    edits: [
      {
        file,
        find: 'const durations = slower(s.config.durations, record.durations);',
        replace: 'const durations = s.config.durations;',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'sim/guards-authority', name: 'a claimant with a shorter lease' }],
  },
  {
    name: 'a leader that stopped once is taken for stopped ever after',
    edits: [
      {
        file,
        find: 'c.s.follow.resignedEpoch === record.epoch;',
        replace: 'c.s.follow.resignedEpoch > 0;',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'sim/guards-authority', name: 'that a leader of a former epoch stopped' }],
  },
  {
    name: 'that a leader is dead is no reason to claim',
    edits: [{ file, find: 's.dead.has(record.leader) ||', replace: '' }],
    protects: 'at-rest',
    finders: [{ test: 'sim/basics', name: 'by proof of death it is immediate, and names on living' }],
  },
  {
    name: 'who said goodbye claims',
    edits: [
      { file, find: "if (s.phase !== 'joining' && s.phase !== 'active') return false;", replace: '' },
      { file, find: 'if (s.follow.goodbye || now <', replace: 'if (now <' },
    ],
    protects: 'one-authority',
    finders: [{ test: 'sim/basics', name: 'a resignation hands over at once' }],
  },
  {
    name: 'a claimant counts by its claim',
    edits: [
      {
        file,
        find: 'established: established.length === 0 ? [s.self] : established,',
        replace: 'established: [...new Set([...established, s.self])],',
      },
    ],
    protects: 'one-owner',
    finders: [{ test: 'sim/incidents', name: '002:' }],
  },
  {
    name: 'a claim resets the renewals',
    edits: [{ file, find: 'renewals: (old?.renewals ?? 0) + 1,', replace: 'renewals: 1,' }],
    protects: 'one-authority',
    finders: [{ test: 'sim/basics', name: 'the last one to leave takes everything along' }],
  },
  {
    name: 'a claim keeps the epoch',
    edits: [
      {
        file,
        find: 'epoch: Math.max(old?.epoch ?? 0, s.follow.promised) + 1,',
        replace: 'epoch: Math.max(old?.epoch ?? 1, s.follow.promised),',
      },
    ],
    protects: 'tokens',
    finders: [{ test: 'sim/review', name: '008: an open claim is repeated with the members of now' }],
  },
  {
    name: 'a claim forgets the longer sessions of its predecessor',
    edits: [
      {
        file,
        find: 'sessionMs: Math.max(own.sessionMs, before?.sessionMs ?? 0)',
        replace: 'sessionMs: own.sessionMs',
      },
    ],
    protects: 'one-owner',
    finders: [{ test: 'sim/review', name: '006:' }],
  },
  {
    name: 'a claim that was overtaken gives the office',
    edits: [
      {
        file,
        find: 'if (record.epoch <= s.follow.promised || !sameRecord(s.store.view?.record ?? null, record)) return;',
        replace: '',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'sim/guards-authority', name: 'a claim that others have overtaken' }],
  },
  {
    name: 'a claim that was refused gives the office',
    edits: [
      { file, find: 'if (!settled.applied) return; // Applied once', replace: '// Applied once' },
      {
        file,
        find: 'if (record.epoch <= s.follow.promised || !sameRecord(s.store.view?.record ?? null, record)) return;',
        replace: 'if (record.epoch <= s.follow.promised) return;',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'sim/guards-authority', name: 'that a leader of a former epoch stopped' }],
  },
  {
    name: 'a claimant asks a failing store without pause',
    edits: [{ file, find: 'now + Math.max(delay, pauseMs(c))', replace: 'now + delay' }],
    protects: 'at-rest',
    finders: [{ test: 'sim/liveness', name: 'a claimant whose store fails' }],
  },
];
