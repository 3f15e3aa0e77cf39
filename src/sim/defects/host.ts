// The host: what is recorded there, what ends there, and what is told to its clients.
import type { Defect } from '../defects.ts';

const file = 'registry/protocol/host.ts';

export const hostDefects: readonly Defect[] = [
  {
    name: 'requests without a session',
    edits: [{ file, find: 'if (follow.sessionUntil === null) return;', replace: '' }],
    protects: 'one-owner',
    finders: [{ test: 'sim/incidents', name: '003:' }],
  },
  {
    name: 'grants that nobody wants any more are recorded',
    edits: [
      {
        file,
        find: 'if (wanted === undefined || !wants(wanted, entry)) {',
        replace: 'if (wanted === undefined) {',
      },
    ],
    protects: 'answers',
    finders: [{ test: 'sim/basics', name: 'a registration that was given up is given back, and was' }],
  },
  {
    name: 'grants to oneself that nobody wants any more are recorded',
    edits: [
      {
        file,
        find: 'if (wanted !== undefined && wants(wanted, entry)) {',
        replace: 'if (wanted !== undefined) {',
      },
    ],
    protects: 'answers',
    finders: [{ test: 'sim/guards-host', name: 'a grant to the leader that nobody' }],
  },
  {
    name: 'what is held is given back when it is granted once more',
    edits: [
      {
        file,
        find: 'if (held !== undefined && sameVersion(held.token, entry.token) && isHosted(c, held)) return;',
        replace: '',
      },
    ],
    protects: 'kept',
    finders: [{ test: 'sim/guards-host', name: 'a grant that comes by a transfer' }],
  },
  {
    name: 'a transfer revives what ended',
    edits: [
      {
        file,
        find: 'if (ended !== undefined && compareVersions(entry.token, ended) <= 0) return;',
        replace: '',
      },
    ],
    protects: 'tokens',
    finders: [{ test: 'sim/incidents', name: '005:' }],
  },
  {
    name: 'a transfer forgets what ended meanwhile',
    edits: [
      {
        file,
        find: "if (request.type === 'remove') for (const { key } of request.items) kept.add(key);",
        replace: "if (request.type === 'nothing') break;",
      },
    ],
    protects: 'tokens',
    finders: [{ test: 'sim/review', name: '007:' }],
  },
  {
    name: 'what ended is forgotten with the answer, even during a transfer',
    edits: [
      {
        file,
        find: "if (one.request.type === 'remove' && c.s.pulls.size === 0)",
        replace: "if (one.request.type === 'remove')",
      },
    ],
    protects: 'tokens',
    finders: [{ test: 'sim/guards-host', name: 'what ended is remembered until' }],
  },
  {
    name: 'requests are sent once',
    edits: [
      {
        file,
        find: 'if (host.outbox.size > 0 && c.now - host.sentAt >= patience) {',
        replace: 'if (host.outbox.size < 0) {',
      },
    ],
    protects: 'at-rest',
    finders: [{ test: 'sim/incidents', name: '004: an unregistration is taken once, however often it' }],
  },
  {
    name: 'a host lets go whatever the token',
    edits: [
      {
        file,
        find: 'if (entry !== undefined && isHosted(c, entry) && sameVersion(entry.token, token)) removeOwn',
        replace: 'if (entry !== undefined && isHosted(c, entry) && token.n >= 0) removeOwn',
      },
    ],
    protects: 'kept',
    finders: [{ test: 'sim/guards-host', name: 'a drop that comes twice' }],
  },
  {
    name: 'a process that exits leaves its requests behind',
    edits: [
      {
        file,
        find: "if (one.request.type === 'register' && one.request.pid.equals(pid)) withdraw",
        replace: "if (one.request.type === 'register' && c.now < 0) withdraw",
      },
    ],
    protects: 'consistent',
    finders: [{ test: 'sim/guards-host', name: 'a process that exits while it waits' }],
  },
  {
    name: 'what is unregistered elsewhere stays in sight',
    edits: [
      { file, find: 'if (entry !== undefined) s.host.hidden.set(event.key, entry.token);', replace: '' },
    ],
    protects: 'use',
    finders: [{ test: 'sim/basics', name: 'a third node unregisters: gone for itself at once, for' }],
  },
  {
    name: 'what was hidden stays hidden for the next registration',
    edits: [
      {
        file,
        find: 'if (entry === undefined || !sameVersion(entry.token, token)) c.s.host.hidden.delete(key);',
        replace: 'if (entry === undefined || token.n < 0) c.s.host.hidden.delete(key);',
      },
    ],
    protects: 'snapshots',
    finders: [{ test: 'sim/guards-host', name: 'a name that was unregistered elsewhere' }],
  },
  {
    name: 'who leaves takes new names',
    edits: [
      { file, find: "if (phase === 'draining' || phase === 'left') {", replace: "if (phase === 'left') {" },
    ],
    protects: 'use',
    finders: [{ test: 'sim/basics', name: 'a drain takes no new names, waits for the old ones, and' }],
  },
  {
    name: 'requests of clients without a limit',
    edits: [
      {
        file,
        find: 'if (s.host.outbox.size + s.host.asks.size >= s.config.requestsMax) {',
        replace: 'if (s.host.outbox.size < 0) {',
      },
    ],
    protects: 'use',
    finders: [{ test: 'sim/guards-host', name: 'more than may wait' }],
  },
  {
    name: 'an unregistration that was given up is said not to have happened',
    edits: [
      {
        file,
        find: "maybeExecuted: one.sent && request.type === 'unregister' });",
        replace: 'maybeExecuted: false });',
      },
    ],
    protects: 'kept',
    finders: [{ test: 'sim/guards-host', name: 'an unregistration that was given up' }],
  },
];
