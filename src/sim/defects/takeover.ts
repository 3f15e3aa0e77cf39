// What a new leader must know before it decides.
import type { Defect } from '../defects.ts';

const file = 'registry/protocol/takeover.ts';

export const takeoverDefects: readonly Defect[] = [
  {
    name: 'no comparison of digests with a host that promised',
    edits: [
      {
        file,
        find: 'if (ours.count === theirs.count && ours.low === theirs.low && ours.high === theirs.high)',
        replace: 'if (ours.count >= 0)',
      },
    ],
    protects: 'kept',
    finders: [{ test: 'sim/basics', name: 'a host that promised is the truth: what it ended unseen is' }],
  },
  {
    name: 'hosts that promised are compared by the number of their names alone',
    edits: [
      {
        file,
        find: 'if (ours.count === theirs.count && ours.low === theirs.low && ours.high === theirs.high)',
        replace: 'if (ours.count === theirs.count)',
      },
    ],
    protects: 'kept',
    finders: [{ test: 'sim/guards-replica', name: 'equal numbers of names' }],
  },
  {
    name: 'names of the missing are taken as known',
    edits: [
      {
        file,
        find: 'if (peer?.promised == null) return false;',
        replace: 'if (peer?.promised == null) continue;',
      },
    ],
    protects: 'one-owner',
    finders: [
      { test: 'sim/counterexamples', name: '1. both holders gone' },
      { explore: 'three-both-holders' },
    ],
  },
  {
    name: 'another incarnation is taken for the witness',
    edits: [
      {
        file,
        find: 'const peer = leader.peers.get(member); if (peer?.promised == null) return false;',
        replace:
          "const named = (one: Peer): boolean => one.key.split('#')[0] === member.split('#')[0];\n    const peer = [...leader.peers.values()].find((one) => one.promised !== null && named(one));\n    if (peer?.promised == null) return false;",
      },
    ],
    protects: 'one-owner',
    finders: [{ test: 'sim/guards-office', name: '2. the promise of another' }],
  },
  {
    name: 'who alone counted left nothing behind',
    edits: [
      {
        file,
        find: '// Nobody but the host itself counted: it held its names alone. if (freshest?.promised == null) return false;',
        replace: 'if (freshest?.promised == null) return true;',
      },
    ],
    protects: 'one-owner',
    finders: [{ test: 'sim/incidents', name: '002: a claimant is no witness of names that it never held' }],
  },
  {
    name: 'any witness will do',
    edits: [
      {
        file,
        find: 'if (freshest?.promised == null || compareVersions(peer.promised.version, freshest.promised.version) > 0)',
        replace: 'if (freshest?.promised == null)',
      },
    ],
    protects: 'one-owner',
    finders: [{ test: 'sim/guards-office', name: 'of several witnesses' }],
  },
  {
    name: 'the own table is fresh enough',
    edits: [
      {
        file,
        find: 'if (compareVersions(freshest.promised.version, c.s.replica.version) <= 0) return true;',
        replace: 'if (freshest.key !== host) return true;',
      },
    ],
    protects: 'one-owner',
    finders: [
      { test: 'sim/counterexamples', name: 'what a witness says of a host does not count once the host' },
    ],
  },
  {
    name: 'complete while a host that promised has not been heard',
    edits: [
      {
        file,
        find: 'missing.every((peer) => peer.promised === null && known(peer))',
        replace: 'missing.every((peer) => peer.promised !== null || known(peer))',
      },
    ],
    protects: 'one-owner',
    finders: [{ test: 'sim/guards-office', name: 'no take-over is complete' }],
  },
  {
    name: 'names of the missing are not reserved',
    edits: [{ file, find: 'for (const peer of missing) leader.reserved.add(peer.key);', replace: '' }],
    protects: 'verdicts',
    finders: [{ test: 'sim/basics', name: 'by lapse it takes about a lease; no session lapses, names' }],
  },
  {
    name: 'names of the missing are served',
    edits: [
      {
        file: 'registry/protocol/decide.ts',
        find: 'if (entry !== undefined && leader.reserved.has(entry.host)) return false;',
        replace:
          'if (entry !== undefined && leader.reserved.has(entry.host)) removeEntry(c.s.replica, what.key, entry.token);',
      },
    ],
    protects: 'one-owner',
    finders: [{ test: 'sim/basics', name: 'by lapse it takes about a lease; no session lapses, names' }],
  },
  {
    name: 'names of the evicted stay',
    edits: [
      {
        file,
        find: 'if (known && !c.s.dead.has(host)) continue;',
        replace: 'if (known || !c.s.dead.has(host)) continue;',
      },
    ],
    protects: 'at-rest',
    finders: [{ test: 'sim/basics', name: 'by proof of death it is immediate, and names on living' }],
  },
  {
    name: 'hearsay overrides a promise',
    edits: [
      {
        file,
        find: 'if (leader.peers.get(pulled.host)?.promised === null) {',
        replace: 'if (leader.peers.has(pulled.host)) {',
      },
    ],
    protects: 'one-owner',
    finders: [
      { test: 'sim/counterexamples', name: 'what a witness says of a host does not count once the host' },
    ],
  },
  {
    name: 'hearsay counts as a claim of the host',
    edits: [
      {
        file,
        find: 'takeIn(c, leader, { entry, hearsay: true });',
        replace: 'takeIn(c, leader, { entry, hearsay: false });',
      },
      {
        file,
        find: 'const spoken = leader.peers.get(holder.host)?.synced === true;',
        replace: 'const spoken = true;',
      },
    ],
    protects: 'answers',
    finders: [{ test: 'sim/review', name: '009: an answer that was overtaken takes no name away' }],
  },
  {
    name: 'an answer that was overtaken takes names away',
    edits: [
      {
        file,
        find: "if (c.s.pulls.get(peer.key)?.purpose === 'truth') c.s.pulls.delete(peer.key);",
        replace: '',
      },
      {
        file,
        find: 'if (leader === null || peer === undefined || peer.synced) return;',
        replace: 'if (leader === null || peer === undefined) return;',
      },
    ],
    protects: 'kept',
    finders: [{ test: 'sim/review', name: '009:' }],
  },
  {
    name: 'half a take-over is passed on',
    edits: [
      {
        file: 'registry/protocol/heartbeat.ts',
        find: 'if (leader.complete && peer.synced && peer.sent < 0 &&',
        replace: 'if (peer.synced && peer.sent < 0 &&',
      },
    ],
    protects: 'one-owner',
    finders: [
      { test: 'sim/counterexamples', name: '9. half a take-over is not passed on: nothing is streamed' },
    ],
  },
];
