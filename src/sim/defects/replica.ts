// Versions, digests, the stream, transfers and what a follower does with them.
import type { Defect } from '../defects.ts';

const catchup = 'registry/protocol/catchup.ts';
const pull = 'registry/protocol/pull.ts';
const replicate = 'registry/protocol/replicate.ts';
const replica = 'registry/protocol/replica.ts';
const version = 'registry/protocol/version.ts';

export const replicaDefects: readonly Defect[] = [
  {
    name: 'versions without an epoch',
    edits: [
      {
        file: version,
        find: 'return a.epoch === b.epoch ? a.n - b.n : a.epoch - b.epoch;',
        replace: 'return a.n - b.n;',
      },
    ],
    protects: 'tokens',
    finders: [{ test: 'sim/basics', name: 'a resignation hands over at once' }],
  },
  {
    name: 'equal numbers of two epochs are one version',
    edits: [
      { file: version, find: 'return a.epoch === b.epoch && a.n === b.n;', replace: 'return a.n === b.n;' },
    ],
    protects: 'kept',
    finders: [{ test: 'sim/review', name: '006: a leader with shorter sessions waits for those that' }],
  },
  {
    name: 'tokens without an epoch',
    edits: [
      {
        file: 'registry/protocol/decide.ts',
        find: 'token: { epoch: leader.epoch, n: leader.n + 1 },',
        replace: 'token: { epoch: 1, n: leader.n + 1 },',
      },
    ],
    protects: 'tokens',
    finders: [{ test: 'sim/review', name: '006: a leader with shorter sessions waits for those that' }],
  },
  {
    name: 'digests do not see tokens',
    edits: [
      {
        file: replica,
        find: 'const low = mix(first ^ Math.imul(entry.token.n, 0x85ebca6b) ^ Math.imul(entry.token.epoch, 0xc2b2ae35));',
        replace: 'const low = mix(first);',
      },
      {
        file: replica,
        find: 'const high = mix(hashKey(entry.key, low) ^ entry.token.n);',
        replace: 'const high = mix(hashKey(entry.key, low));',
      },
    ],
    protects: 'snapshots',
    finders: [{ test: 'sim/guards-replica', name: 'equal numbers of names' }],
  },
  {
    name: 'digests forget to subtract',
    edits: [
      {
        file: replica,
        find: 'digest.lanes[slot] = ((digest.lanes[slot] ?? 0) + sign * low) | 0;',
        replace: 'digest.lanes[slot] = ((digest.lanes[slot] ?? 0) + low) | 0;',
      },
    ],
    protects: 'at-rest',
    finders: [{ test: 'sim/guards-replica', name: 'a question that comes twice' }],
  },
  {
    name: 'a follower adopts without comparing',
    edits: [
      {
        file: catchup,
        find: 'if (totalsMatch(c, message, gone.length)) {',
        replace: 'if (gone.length >= 0) {',
      },
    ],
    protects: 'snapshots',
    finders: [{ test: 'sim/basics', name: 'a joiner gets one transfer and then counts' }],
  },
  {
    name: 'a gap in the stream is not noticed',
    edits: [
      {
        file: catchup,
        find: 'if (compareVersions(message.previous, at) > 0) {',
        replace: 'if (message.previous.n < 0) {',
      },
    ],
    protects: 'snapshots',
    finders: [{ test: 'sim/guards-replica', name: 'a gap in the stream' }],
  },
  {
    name: 'what comes twice is applied twice',
    edits: [
      {
        file: catchup,
        find: 'if (compareVersions(message.version, at) <= 0) {',
        replace: 'if (message.version.n < 0) {',
      },
      { file: catchup, find: 'const known = at.n - message.previous.n;', replace: 'const known = 0;' },
    ],
    protects: 'snapshots',
    finders: [{ test: 'sim/guards-replica', name: 'a stream that comes twice' }],
  },
  {
    name: 'the stream goes on during a transfer',
    edits: [{ file: catchup, find: '|| s.pulls.has(from)) return;', replace: ') return;' }],
    protects: 'tokens',
    finders: [{ test: 'sim/guards-replica', name: 'a stream that comes during a transfer' }],
  },
  {
    name: 'a transfer empties the table first',
    edits: [
      {
        file: catchup,
        find: "} else startPull(c, { source: from, purpose: 'catchup',",
        replace:
          "} else {\n    for (const host of [...s.replica.digests.keys()]) if (host !== s.self) dropHost(s.replica, host);\n    startPull(c, { source: from, purpose: 'catchup',",
      },
      {
        file: catchup,
        find: 'scope: null, epoch: message.epoch });',
        replace: 'scope: null, epoch: message.epoch });\n  }',
      },
    ],
    protects: 'snapshots',
    finders: [{ test: 'sim/guards-replica', name: 'the table stays as it was' }],
  },
  {
    name: 'grants that are given back are acknowledged',
    edits: [
      {
        file: 'registry/protocol/host.ts',
        find: 'if (entry.token.epoch === c.s.follow.promised) c.s.host.givenBack.set(seq, entry.token.n);',
        replace: 'if (seq === 0) return;',
      },
    ],
    protects: 'verdicts',
    finders: [{ test: 'sim/basics', name: 'a registration that was given up is given back, and was' }],
  },
  {
    name: 'two snapshots in one transfer',
    edits: [
      {
        file: pull,
        find: 'if (fixed !== undefined && fixed.epoch === message.epoch && fixed.id >= message.id) return;',
        replace: '',
      },
    ],
    protects: 'snapshots',
    finders: [{ test: 'sim/guards-replica', name: 'a question that comes twice' }],
  },
  {
    name: 'parts of a transfer are taken in any order',
    edits: [
      {
        file: pull,
        find: 'pull.epoch !== message.epoch || pull.part !== message.part )',
        replace: 'pull.epoch !== message.epoch\n  )',
      },
    ],
    protects: 'snapshots',
    finders: [{ test: 'sim/guards-replica', name: 'a part that comes twice' }],
  },
  {
    name: 'answers to former transfers are taken',
    edits: [
      {
        file: pull,
        find: 'pull === undefined || pull.id !== message.id ||',
        replace: 'pull === undefined ||',
      },
    ],
    protects: 'snapshots',
    finders: [{ test: 'sim/guards-replica', name: 'the answer to a former question' }],
  },
  {
    name: 'the tail of the log is longer than the log',
    edits: [
      { file: replicate, find: 'if (peer.sent < leader.log.base) {', replace: 'if (peer.sent < 0) {' },
      {
        file: replicate,
        find: 'after.n >= leader.log.base && after.n <= leader.n',
        replace: 'after.n <= leader.n',
      },
    ],
    protects: 'snapshots',
    finders: [{ test: 'sim/review', name: '007: what ends while a transfer is under way stays ended' }],
  },
  {
    name: 'the stream ignores the window',
    edits: [
      {
        file: replicate,
        find: 'const room = c.s.config.windowOpsMax - (peer.sent - Math.max(peer.acked, 0));',
        replace: 'const room = leader.n;',
      },
    ],
    protects: 'use',
    finders: [{ test: 'sim/guards-replica', name: 'the stream to a follower' }],
  },
  {
    name: 'acknowledgements of another epoch count',
    edits: [
      {
        file: replicate,
        find: '|| version.epoch !== leader.epoch || version.n > leader.n) return;',
        replace: ') return;',
      },
    ],
    protects: 'verdicts',
    finders: [{ test: 'sim/guards-replica', name: 'an acknowledgement of a former epoch' }],
  },
  {
    name: 'any acknowledgement commits all grants',
    edits: [{ file: replicate, find: 'if (grant.n > to.n) break;', replace: '' }],
    protects: 'verdicts',
    finders: [{ test: 'sim/basics', name: 'a registration that was given up is given back, and was' }],
  },
  {
    name: 'the acknowledgement of a former grant commits the next one',
    edits: [
      {
        file: replicate,
        find: 'if (leader.uncommitted.get(grant.key) === grant.n) leader',
        replace: 'leader',
      },
    ],
    protects: 'verdicts',
    finders: [{ test: 'sim/guards-host', name: 'a grant counts when its own host' }],
  },
];
