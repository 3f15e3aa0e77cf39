// Around the protocol: the driver, the records in the store, what arrives from outside, and the stores themselves.
import type { Defect } from '../defects.ts';

const coordination = 'registry/coordination.ts';
const driver = 'registry/driver.ts';

export const surfaceDefects: readonly Defect[] = [
  {
    name: 'the driver fences without ending processes',
    edits: [{ file: driver, find: 'this.#end(pids); const left', replace: 'const left' }],
    protects: 'one-owner',
    finders: [{ test: 'registry/guards', name: 'a driver that finds the session lapsed' }],
  },
  {
    name: 'the driver lets messages in before it looks at the session',
    edits: [
      {
        file: driver,
        find: 'if (sessionUntil !== null && this.#host.clock.now() >= sessionUntil)',
        replace: 'if (sessionUntil === Infinity)',
      },
    ],
    protects: 'one-owner',
    finders: [{ test: 'registry/guards', name: 'a driver that finds the session lapsed' }],
  },
  {
    name: 'the driver does not tell of exits',
    edits: [
      {
        file: driver,
        find: "(pid) => this.dispatch({ type: 'exited', pid })",
        replace: '(pid) => void pid',
      },
    ],
    protects: 'at-rest',
    finders: [{ test: 'integration/registry/surface', name: 'frees all names of a process that exits' }],
  },
  {
    name: 'who was registered is not watched any more',
    edits: [
      {
        file: 'registry/process-watches.ts',
        find: 'if (watched.pending > 0 || holds()) return;',
        replace: 'if (watched.pending > 0) return;',
      },
    ],
    protects: 'at-rest',
    finders: [{ test: 'integration/registry/surface', name: 'frees all names of a process that exits' }],
  },
  {
    name: 'a write does not look at the record',
    edits: [
      {
        file: coordination,
        find: "if (!sameStamp(view.record, op.expect)) return { status: 'conflict', view };",
        replace: '',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'registry/coordination', name: 'of two writers' }],
  },
  {
    name: 'a write does not look at the members',
    edits: [
      {
        file: coordination,
        find: "if (op.expectMembers !== null && op.expectMembers.join() !== view.members.join()) return { status: 'conflict', view };",
        replace: '',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'registry/coordination', name: 'a member that joined meanwhile' }],
  },
  {
    name: 'a write does not rest on the record that it read',
    edits: [
      {
        file: coordination,
        find: 'const reads = [rangeOfKey(this.#leaderKey())];',
        replace: 'const reads = [];',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'registry/coordination', name: 'who was slow is refused' }],
  },
  {
    name: 'copies of lists are never read again',
    edits: [
      {
        file: 'registry/stamped-copy.ts',
        find: 'return stamp === this.#stamp ? this.#value : undefined;',
        replace: 'return stamp === "" ? undefined : this.#value;',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'registry/coordination', name: 'are seen alike by who has copies' }],
  },
  {
    name: 'a list of other times is believed',
    edits: [
      { file: coordination, find: 'if (found === stamp && isList) return', replace: 'if (isList) return' },
    ],
    protects: 'use',
    finders: [{ test: 'registry/coordination', name: 'a list that does not belong' }],
  },
  {
    name: 'a commit without an answer is told as one that was not tried',
    edits: [
      {
        file: coordination,
        find: "return mayBeApplied(error) ? { status: 'unknown' } : { status: 'unavailable' };",
        replace: "return { status: 'unavailable' };",
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'registry/guards', name: 'a commit without an answer' }],
  },
  {
    name: 'numbers of messages are not checked',
    edits: [
      {
        file: 'registry/wire.ts',
        find: 'return Number.isSafeInteger(value) && (value as number) >= 0;',
        replace: 'return value !== undefined;',
      },
    ],
    protects: 'use',
    finders: [{ test: 'registry/guards', name: 'a message with numbers that are none' }],
  },
  {
    name: 'bytes that have not arrived are read',
    edits: [
      {
        file: 'term/byte-reader.ts',
        find: 'if (this.at + count > this.end) throw this.truncated(count);',
        replace: 'if (count < 0) throw this.truncated(count);',
      },
    ],
    protects: 'use',
    finders: [{ test: 'term/malformed', name: 'a term cut short anywhere' }],
  },
  {
    name: 'bytes behind a term are ignored',
    edits: [
      {
        file: 'term/byte-reader.ts',
        find: 'if (this.at !== this.end) throw',
        replace: 'if (this.at > this.end) throw',
      },
    ],
    protects: 'use',
    finders: [{ test: 'term/malformed', name: 'a term cut short anywhere' }],
  },
  {
    name: 'any cookie will do',
    edits: [
      {
        file: 'distribution/protocol/handshake-messages.ts',
        find: 'if (left.length !== right.length) return false;',
        replace: 'if (left.length === right.length) return true;',
      },
    ],
    protects: 'use',
    finders: [{ test: 'distribution/handshake', name: 'a wrong cookie is seen' }],
  },
  {
    name: 'pids of the dead are given again',
    edits: [
      {
        file: 'process/process-table.ts',
        find: 'this.#serial = (this.#serial + 1) % SERIALS;',
        replace: 'this.#serial = this.#serial % SERIALS;',
      },
    ],
    protects: 'use',
    finders: [{ test: 'process/process-table', name: '' }],
  },
  {
    name: 'a transaction that is tried again gets another id',
    edits: [
      {
        file: 'storage/transact.ts',
        find: 'const id = this.#id;',
        replace: 'const id = this.#hasOwnId ? this.#space.host.random.bytes(16) : this.#id;',
      },
    ],
    protects: 'use',
    finders: [{ test: 'storage/transact', name: 'a late commit is shut out' }],
  },
  {
    name: 'a store does not look for conflicts',
    edits: [
      {
        file: 'storage/memory-database.ts',
        find: 'if (snapshot !== undefined) this.#checkReads(commit.reads, snapshot.version);',
        replace: '',
      },
    ],
    protects: 'one-authority',
    finders: [{ test: 'registry/coordination', name: 'who was slow is refused' }],
  },
  {
    name: 'a move takes its target back from an operator',
    edits: [
      {
        file: 'storage/move.ts',
        find: 'if (hasLostTarget(look.standing, move)) this.#take(tx, look, move);',
        replace: 'if (!hasArrived(look.standing, move)) this.#take(tx, look, move);',
      },
    ],
    protects: 'use',
    finders: [{ test: 'storage/move-races', name: '' }],
  },
  {
    name: 'an id that was shut out is taken for applied',
    edits: [
      {
        file: 'storage/prefixed.ts',
        find: 'if (!isShutOut || this.#check === undefined) return result;',
        replace: 'if (isShutOut || this.#check !== undefined) return result;',
      },
    ],
    protects: 'use',
    finders: [{ test: 'storage/move-races', name: 'an id that was shut out' }],
  },
  {
    name: 'each start of a registry counts for itself',
    edits: [
      {
        file: 'registry/generations.ts',
        find: 'const generation = (counts.get(registry) ?? 0) + 1;',
        replace: 'const generation = 1;',
      },
    ],
    protects: 'at-rest',
    finders: [{ test: 'integration/registry/started-again', name: '' }],
  },
  {
    name: 'what may have been done is told by a code that denies it',
    edits: [
      {
        file: 'registry/results.ts',
        find: "if (result.maybeExecuted && !maybeExecuted) return new DGenError('unknown_outcome', why);",
        replace: '',
      },
    ],
    protects: 'use',
    finders: [{ test: 'registry/results', name: '' }],
  },
];
