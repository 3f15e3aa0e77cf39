// What answers of the store prove, and what they do not.
import type { Defect } from '../defects.ts';

const file = 'registry/protocol/store-client.ts';

export const storeDefects: readonly Defect[] = [
  {
    name: 'a claim that reads back as absent is forgotten',
    edits: [
      {
        file,
        find: 'if (undecided === null || sameRecord(record, undecided.op.expect)) return [];',
        replace: 'if (undecided === null) return [];',
      },
    ],
    protects: 'one-authority',
    finders: [
      { test: 'sim/counterexamples', name: 'an open claim is not forgotten because the record reads' },
    ],
  },
  {
    name: 'a write without an answer counts as not applied',
    edits: [
      {
        file,
        find: "if (status === 'unavailable') return settleUnapplied",
        replace: 'return settleUnapplied',
      },
    ],
    protects: 'one-authority',
    finders: [
      { test: 'sim/counterexamples', name: 'an open claim is not forgotten because the record reads' },
    ],
  },
  {
    name: 'a write without an answer counts as applied',
    edits: [
      {
        file,
        find: "if (status === 'unavailable') return settleUnapplied(c, inflight);",
        replace:
          "if (status === 'unavailable') return settleUnapplied(c, inflight);\n  return [{ purpose: inflight.purpose, op: inflight.op, sentAt: inflight.sentAt, applied: true }];",
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'sim/review', name: '008: a leader that leaves repeats a resignation without an' }],
  },
  {
    name: 'a write that was not tried counts as applied',
    edits: [
      {
        file,
        find: 'sentAt: inflight.sentAt, applied: false }];',
        replace: 'sentAt: inflight.sentAt, applied: true }];',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'sim/outage', name: 'a process that exits while nothing is decided frees its' }],
  },
  {
    name: 'a repetition that was not tried settles the first attempt',
    edits: [
      {
        file,
        find: 'if (c.s.store.undecided !== null) return [];',
        replace: 'c.s.store.undecided = null;',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'sim/guards-authority', name: 'a repetition that was not tried' }],
  },
  {
    name: 'answers to a former incarnation count',
    edits: [
      {
        file,
        find: 'if (inflight === null || inflight.id !== id) return [];',
        replace: 'if (inflight === null) return [];',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'sim/guards-authority', name: 'an answer to the operation of a former incarnation' }],
  },
  {
    name: 'a record that moves does not restart the wait',
    edits: [
      {
        file,
        find: 'if (store.view === null || !sameRecord(old, view.record)) store.movedAt = c.now;',
        replace: 'if (store.view === null) store.movedAt = c.now;',
      },
    ],
    protects: 'one-authority',
    finders: [
      { test: 'sim/counterexamples', name: '5. a late claim: nobody is supported until its fate is' },
    ],
  },
  {
    name: 'a claim is repeated with the members of then',
    edits: [
      {
        file,
        find: 'op.expectMembers === null ? null : (view?.members ?? op.expectMembers);',
        replace: 'view === null ? null : op.expectMembers;',
      },
    ],
    protects: 'at-rest',
    finders: [{ test: 'sim/review', name: '008: an open claim' }],
  },
  {
    name: 'who resigns repeats nothing',
    edits: [
      {
        file: 'registry/protocol/office.ts',
        find: 'if (c.now - s.store.askedAt >= s.config.durations.leaseMs / 20) repeatUndecided(c);',
        replace: 'if (c.now < 0) repeatUndecided(c);',
      },
    ],
    protects: 'at-rest',
    finders: [{ test: 'sim/review', name: '008: a leader that leaves' }],
  },
  {
    name: 'a renewal beside an open one',
    edits: [
      {
        file: 'registry/protocol/heartbeat.ts',
        find: 'if (s.store.undecided !== null) {',
        replace: 'if (now < 0) {',
      },
    ],
    protects: 'kept',
    finders: [{ test: 'sim/guards-authority', name: 'an open write that changes who counts' }],
  },
  {
    name: 'a renewal that was refused counts',
    edits: [
      {
        file: 'registry/protocol/heartbeat.ts',
        find: 'if (!settled.applied) { onRefused(c, leader);',
        replace: 'if (c.now < 0) { onRefused(c, leader);',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'sim/outage', name: 'a process that exits while nothing is decided frees its' }],
  },
];
