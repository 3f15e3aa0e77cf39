// A member under a leader: promises, support, sessions, and fencing itself.
import type { Defect } from '../defects.ts';

const file = 'registry/protocol/follow.ts';
const member = 'registry/protocol/member.ts';

export const followDefects: readonly Defect[] = [
  {
    name: 'support while a claim is open',
    edits: [{ file, find: '|| openClaimEpoch(c) > 0) return;', replace: ') return;' }],
    protects: 'one-authority',
    finders: [
      { test: 'sim/counterexamples', name: '5. a late claim: nobody is supported until its fate is' },
      { explore: 'two-late-claim' },
    ],
  },
  {
    name: 'a promise below the own open claim',
    edits: [{ file, find: 'if (message.epoch < openClaimEpoch(c)) return;', replace: '' }],
    protects: 'one-authority',
    finders: [{ test: 'sim/guards-authority', name: 'no promise below a claim' }],
  },
  {
    name: 'a promise of a lower epoch',
    edits: [
      {
        file,
        find: "if (s.phase === 'fenced' || s.phase === 'left' || s.phase === 'idle') return;",
        replace: 'if (message.epoch < follow.promised) promise(c, from, message.epoch);',
      },
    ],
    protects: 'one-owner',
    finders: [{ test: 'sim/guards-authority', name: 'no promise of a lower epoch' }],
  },
  {
    name: 'a leader that others left behind goes on',
    edits: [
      { file, find: "if (s.leader !== null) depose(c, 'promised a higher epoch');", replace: '' },
      { file, find: "depose(c, 'a member promised a higher epoch');", replace: 's.follow.serving = false;' },
    ],
    protects: 'one-authority',
    finders: [{ test: 'sim/guards-authority', name: 'who promises a higher epoch leads no more' }],
  },
  {
    name: 'support for the own lease alone',
    edits: [{ file, find: 'support(c, message.record.durations.leaseMs);', replace: 'support(c, 0);' }],
    protects: 'one-authority',
    finders: [{ test: 'sim/guards-authority', name: 'support of a member with a shorter lease' }],
  },
  {
    name: 'a leader that does not serve is supported by those who reach the store',
    edits: [{ file, find: 'else if (storeAnswers(c)) return;', replace: '' }],
    protects: 'at-rest',
    finders: [{ test: 'sim/guards-authority', name: 'a leader that may not decide is left' }],
  },
  {
    name: 'a session counts from its grant',
    edits: [
      {
        file,
        find: 'sentAt + shorten(follow.sessionMs,',
        replace: 'c.now + shorten(follow.sessionMs,',
      },
    ],
    protects: 'evicted',
    finders: [{ test: 'sim/guards-authority', name: 'margins: a session counts' }],
  },
  {
    name: 'a session longer than the leader says',
    edits: [
      {
        file,
        find: 'shorten(follow.sessionMs, slower(',
        replace: 'shorten(s.config.durations.sessionMs, slower(',
      },
    ],
    protects: 'evicted',
    finders: [{ test: 'sim/incidents', name: '011: a member with shorter durations stays under a leader' }],
  },
  {
    name: 'a session no longer than the own one',
    edits: [
      {
        file,
        find: 'if (first) resendAll(c);',
        replace:
          'if (first) resendAll(c);\n  follow.sessionUntil = Math.min(follow.sessionUntil ?? 0, sentAt + s.config.durations.sessionMs);',
      },
    ],
    protects: 'kept',
    finders: [{ test: 'sim/incidents', name: '011: a member with shorter' }],
  },
  {
    name: 'what a former leader said on leaving ends support',
    edits: [
      {
        file,
        find: 'const { follow } = c.s; if (message.epoch !== follow.promised || from !== follow.leader) return;',
        replace: 'const { follow } = c.s;',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'sim/guards-authority', name: 'what a former leader said on leaving' }],
  },
  {
    name: 'that its leader has stopped does not end support',
    edits: [
      {
        file,
        find: 'follow.decidesUntil = Infinity; follow.supportUntil = -Infinity;',
        replace: 'follow.decidesUntil = Infinity;\n  follow.resignedEpoch = 0;',
      },
    ],
    protects: 'at-rest',
    finders: [{ test: 'sim/guards-authority', name: 'a leader that stopped for good is followed' }],
  },
  {
    name: 'the word of former leaders is obeyed',
    edits: [
      {
        file: member,
        find: 'if (message.epoch === c.s.follow.promised && from === c.s.follow.leader) take(c, message);',
        replace: 'if (from !== c.s.self || c.s.leader !== null) take(c, message);',
      },
    ],
    protects: 'kept',
    finders: [{ test: 'sim/guards-host', name: 'an answer of a former leader' }],
  },
  {
    name: 'the stream of former leaders is applied',
    edits: [
      {
        file: 'registry/protocol/catchup.ts',
        find: 'return c.s.leader === null && epoch === c.s.follow.promised && from === c.s.follow.leader;',
        replace: "return c.s.leader === null && epoch > 0 && from !== '';",
      },
    ],
    protects: 'snapshots',
    finders: [{ test: 'sim/guards-host', name: 'the table of a former leader' }],
  },
  {
    name: 'a paused member does not look at its session',
    edits: [
      {
        file: member,
        find: "if (s.phase !== 'fenced' && s.follow.sessionUntil !== null && now >= s.follow.sessionUntil) fence(c);",
        replace: '',
      },
    ],
    protects: 'one-owner',
    finders: [
      { test: 'sim/counterexamples', name: '7. a late eviction: the incarnation that it names never' },
    ],
  },
  {
    name: 'a member acts before it looks at its session',
    edits: [
      {
        file: member,
        find: "if (s.phase !== 'fenced' && s.follow.sessionUntil !== null && now >= s.follow.sessionUntil) fence(c);",
        replace: '',
      },
      {
        file: member,
        find: 'dispatch(c, event); settle(c);',
        replace:
          "dispatch(c, event);\n  settle(c);\n  if (s.phase !== 'fenced' && s.follow.sessionUntil !== null && now >= s.follow.sessionUntil) fence(c);",
      },
    ],
    protects: 'one-owner',
    finders: [{ test: 'sim/guards-host', name: 'a member that was paused past' }],
  },
  {
    name: 'a fenced member goes on',
    edits: [
      {
        file: member,
        find: "event.type !== 'provenDead' && event.type !== 'store' ) return refuseAll(c, event);",
        replace:
          "event.type !== 'provenDead' &&\n    event.type !== 'store' &&\n    now < 0\n  )\n    return refuseAll(c, event);",
      },
    ],
    protects: 'one-owner',
    finders: [{ test: 'sim/guards-host', name: 'a member that is fenced takes nothing' }],
  },
  {
    name: 'a fenced member keeps its processes',
    edits: [
      {
        file: member,
        find: "c.out.push({ type: 'fence', pids });",
        replace: "c.out.push({ type: 'fence', pids: [] });",
      },
    ],
    protects: 'one-owner',
    finders: [{ test: 'sim/basics', name: 'paused past its session, a member fences itself before' }],
  },
  {
    name: 'a fenced member answers nobody',
    edits: [
      {
        file: member,
        find: "answerAll(c, { code: 'fenced', why: 'the session of this member lapsed' });",
        replace: '',
      },
    ],
    protects: 'answers',
    finders: [{ test: 'sim/guards-host', name: 'a member that is fenced takes nothing' }],
  },
  {
    name: 'a fenced member returns as what it was',
    edits: [
      {
        file: member,
        find: 'createMember(s.config, memberKey(nodeOf(s.self), incarnation));',
        replace: "createMember(s.config, incarnation === '' ? memberKey('', '') : s.self);",
      },
      { file: member, find: 'fresh.dead.set(s.self, c.now);', replace: '' },
    ],
    protects: 'one-owner',
    finders: [{ test: 'sim/counterexamples', name: '4. an evicted claimant: who stopped counting does not' }],
  },
  {
    name: 'messages to a former incarnation are taken',
    edits: [{ file: member, find: 'if (event.to === c.s.self && !c.s.dead', replace: 'if (!c.s.dead' }],
    protects: 'one-owner',
    finders: [{ test: 'sim/guards-host', name: 'what was said to a former incarnation' }],
  },
  {
    name: 'who was evicted does not notice',
    edits: [
      {
        file: member,
        find: 'if (s.follow.goodbye) leave(c); else fence(c); return true;',
        replace: 'if (s.follow.goodbye) leave(c);\n  return s.follow.goodbye;',
      },
    ],
    protects: 'at-rest',
    finders: [{ test: 'sim/guards-office', name: 'who was evicted without a session' }],
  },
  {
    name: 'goodbye with a claim open',
    edits: [{ file: member, find: 'if (openClaimEpoch(c) > 0) return;', replace: '' }],
    protects: 'one-authority',
    finders: [
      { test: 'sim/counterexamples', name: 'an open claim is not forgotten because the record reads' },
    ],
  },
  {
    name: 'a proof of death does not end support',
    edits: [
      { file: member, find: 's.follow.supportUntil = -Infinity;', replace: '' },
      { file: 'registry/protocol/claims.ts', find: 's.dead.has(record.leader) ||', replace: '' },
    ],
    protects: 'at-rest',
    finders: [{ test: 'sim/basics', name: 'by proof of death it is immediate, and names on living' }],
  },
];
