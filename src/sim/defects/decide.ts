// What the leader answers, and in which order.
import type { Defect } from '../defects.ts';

const file = 'registry/protocol/decide.ts';

export const decideDefects: readonly Defect[] = [
  {
    name: 'requests of other epochs are taken',
    edits: [
      {
        file,
        find: 'if (leader === null || message.epoch !== leader.epoch) return; const peer',
        replace: 'if (leader === null) return;\n  const peer',
      },
    ],
    protects: 'consistent',
    finders: [{ test: 'sim/basics', name: 'a request of a former epoch is not taken when its leader' }],
  },
  {
    name: 'a host is served before it was heard',
    edits: [
      {
        file,
        find: '!peer.synced || peer.evicting || !serving(c, leader)) return;',
        replace: 'peer.evicting || !serving(c, leader)) return;',
      },
      {
        file,
        find: 'if (peer?.synced &&',
        replace: 'if (peer &&',
      },
    ],
    protects: 'kept',
    finders: [{ test: 'sim/guards-office', name: 'a host that was missing' }],
  },
  {
    name: 'requests are taken out of order',
    edits: [
      {
        file,
        find: 'if (seq === peer.expect) { peer.expect++;',
        replace: 'if (seq >= peer.expect) {\n      peer.expect = seq + 1;',
      },
    ],
    protects: 'at-rest',
    finders: [{ test: 'sim/guards-host', name: 'requests are taken in the order' }],
  },
  {
    name: 'requests are taken twice',
    edits: [
      {
        file,
        find: 'if (seq === peer.expect) { peer.expect++;',
        replace: 'if (seq <= peer.expect) {\n      peer.expect = Math.max(peer.expect, seq + 1);',
      },
    ],
    protects: 'kept',
    finders: [{ test: 'sim/incidents', name: '004:' }],
  },
  {
    name: 'answers are forgotten before they have arrived',
    edits: [{ file, find: 'if (seq >= answered) return;', replace: 'if (answered < 0) return;' }],
    protects: 'at-rest',
    finders: [{ test: 'sim/incidents', name: '004: an unregistration is taken once, however often it' }],
  },
  {
    name: 'a removal is taken from whoever asks, whatever the token',
    edits: [
      {
        file,
        find: 'if (!own && (entry === undefined || entry.host !== what.peer.key || !sameVersion(entry.token, token))) {',
        replace: 'if (!own && entry === undefined) {',
      },
      {
        file,
        find: 'removeEntry(c.s.replica, key, token); unhide(c);',
        replace: 'removeEntry(c.s.replica, key, entry?.token ?? token);\n    unhide(c);',
      },
    ],
    protects: 'kept',
    finders: [{ test: 'sim/guards-host', name: 'the removal of a former registration' }],
  },
  {
    name: 'verdicts on what is not committed',
    edits: [{ file, find: 'if (leader.uncommitted.has(what.key)) return false;', replace: '' }],
    protects: 'verdicts',
    finders: [{ test: 'sim/basics', name: 'a registration that was given up is given back, and was' }],
  },
  {
    name: 'grants to oneself are committed at once',
    edits: [
      {
        file,
        find: 'leader.uncommitted.set(key, leader.n);',
        replace: 'if (to.from !== c.s.self) leader.uncommitted.set(key, leader.n);',
      },
    ],
    protects: 'verdicts',
    finders: [{ test: 'sim/basics', name: 'the leader keeps its own names only with a second holder,' }],
  },
  {
    name: 'a registration is answered before its host has recorded it',
    edits: [
      {
        file,
        find: 'leader.uncommitted.set(key, leader.n);',
        replace:
          "leader.uncommitted.set(key, leader.n);\n  answer(c, leader, { to: to.from, seq: to.seq, result: { type: 'registered', token: entry.token } });",
      },
    ],
    protects: 'one-owner',
    finders: [{ test: 'sim/basics', name: 'a registration that was given up' }],
  },
  {
    name: 'who waited is served without authority',
    edits: [
      {
        file,
        find: 'if (!serving(c, leader)) { // Authority',
        replace: 'if (!serving(c, leader) && c.now < 0) {\n    // Authority',
      },
    ],
    protects: 'one-owner',
    finders: [{ test: 'sim/guards-office', name: 'who waited is not served' }],
  },
  {
    name: 'who waited for authority is not noticed',
    edits: [{ file, find: 'leader.wasServing = false; return false;', replace: 'return false;' }],
    protects: 'at-rest',
    finders: [{ test: 'sim/guards-office', name: 'who waited is served when' }],
  },
  {
    name: 'consistent reads without authority',
    edits: [
      {
        file,
        find: 'if (leader === null || message.epoch !== leader.epoch || !serving(c, leader)) return;',
        replace: 'if (leader === null || message.epoch !== leader.epoch) return;',
      },
      {
        file,
        find: 'if (!serving(c, leader)) { // Authority',
        replace: "if (!serving(c, leader) && what.parked.type !== 'read') {\n    // Authority",
      },
    ],
    protects: 'consistent',
    finders: [{ test: 'sim/outage', name: 'within the tolerance everything goes on; past it requests' }],
  },
  {
    name: 'the holder that asks again is told taken',
    edits: [
      {
        file,
        find: 'const same = entry.pid.equals(request.pid) && entry.host === from;',
        replace: 'const same = entry.pid.equals(request.pid) && c.now < 0;',
      },
    ],
    protects: 'use',
    finders: [{ test: 'sim/guards-host', name: 'two calls of one process' }],
  },
  {
    name: 'the leader frees a name before its host has let go',
    edits: [
      {
        file,
        find: 'const others = leader.leaving.get(key) ?? [];',
        replace:
          "askHostToDrop(c, key, entry.token);\n  removeEntry(c.s.replica, key, entry.token);\n  appendOp(c, leader, { type: 'remove', key, token: entry.token });\n  const others = leader.leaving.get(key) ?? [];",
      },
    ],
    protects: 'one-owner',
    finders: [
      { test: 'sim/counterexamples', name: '8. a grant on an undecided removal: the name stays with its' },
      { explore: 'three-unregister' },
    ],
  },
  {
    name: 'an unregistration is answered before the host has let go',
    edits: [
      {
        file,
        find: 'const kept = asked.filter((one) => token !== undefined && sameVersion(one.token, token));',
        replace:
          'const kept = asked.filter((one) => token !== undefined && sameVersion(one.token, token) && c.now < 0);',
      },
    ],
    protects: 'consistent',
    finders: [
      { test: 'sim/counterexamples', name: '8. a grant on an undecided removal: the name stays with its' },
    ],
  },
  {
    name: 'hosts are asked once to let go',
    edits: [{ file: 'registry/protocol/heartbeat.ts', find: 'retryDrops(c, leader);', replace: '' }],
    protects: 'at-rest',
    finders: [
      { test: 'sim/counterexamples', name: '8. a grant on an undecided removal: the name stays with its' },
    ],
  },
  {
    name: 'waiting requests without a limit',
    edits: [
      {
        file,
        find: 'if (leader.parkedCount >= c.s.config.requestsMax) {',
        replace: 'if (leader.parkedCount < 0) {',
      },
    ],
    protects: 'use',
    finders: [{ test: 'sim/guards-host', name: 'more than may wait' }],
  },
];
