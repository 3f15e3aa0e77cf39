// Commits as the parameters of `dgen_commit`, and rows as what the port returns. Everything is copied on the way in and
// on the way out, so no array is shared with anybody.
import { DGenError } from '../../errors/error.ts';
import { isEmptyRange } from '../bytes.ts';
import type { Bytes, Commit, CommitResult, Mutation, RangePage } from '../port.ts';
import type { Rows } from './connection.ts';

/** An array of `bytea` as PostgreSQL reads it: {"\\x00ff","\\x"}. */
function bytesArray(items: readonly Bytes[]): string {
  return `{${items.map((item) => `"\\\\x${bufferOf(item).toString('hex')}"`).join(',')}}`;
}

/** A view, not a copy. */
function bufferOf(bytes: Bytes): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

export function copyOf(bytes: Bytes): Buffer {
  return Buffer.from(bytes);
}

const none = new Uint8Array(0);

const second = (write: Mutation): Bytes => {
  if (write.type === 'clear') return none;
  return write.type === 'clearRange' ? write.end : write.value;
};

/** All parameters after the first, which says how long to wait. */
export function commitParameters(commit: Commit, snapshot: number | undefined): readonly unknown[] {
  const reads = snapshot === undefined ? [] : commit.reads.filter((range) => !isEmptyRange(range));
  return [
    snapshot ?? null,
    bytesArray(reads.map(({ begin }) => begin)),
    bytesArray(reads.map(({ end }) => end)),
    `{${commit.writes.map(({ type }) => type).join(',')}}`,
    bytesArray(commit.writes.map((write) => (write.type === 'clearRange' ? write.begin : write.key))),
    bytesArray(commit.writes.map(second)),
    commit.id === undefined ? null : copyOf(commit.id),
    commit.attempt ?? 0,
  ];
}

/** What came of a commit, and the version that it made or found. Throws `store_conflict` and `store_too_old`. */
export function commitResult(rows: Rows): { result: CommitResult; version: number } {
  const [status, detail] = rows[0] ?? [];
  const number = Number(detail);
  switch (status) {
    case 'now':
      return { result: { applied: 'now' }, version: number };
    case 'earlier':
      return { result: { applied: 'earlier', attempt: number }, version: 0 };
    case 'conflict':
      throw new DGenError('store_conflict', 'PostgreSQL store');
    case 'too_old':
      throw new DGenError('store_too_old', 'PostgreSQL store');
    default:
      throw new DGenError('store_fatal', 'answer of the PostgreSQL store', { got: String(status) });
  }
}

export interface SnapshotPage extends RangePage {
  readonly version: number;
}

/** The rows of `dgen_read`. */
export function pageOf(rows: Rows): SnapshotPage {
  const last = rows.at(-1);
  const items = rows.slice(0, -1).map(([key, value]) => [bytesOf(key), bytesOf(value)] as const);
  return { items, more: last?.[3] === 't', version: Number(last?.[2]) };
}

/** Of the form \\x00ff. A plain array of its own: small buffers share their memory with others. */
export function bytesOf(text: string | null | undefined): Bytes {
  if (text?.startsWith('\\x') !== true) {
    const expected = 'the server setting bytea_output = hex';
    throw new DGenError('store_fatal', 'answer of the PostgreSQL store', { expected });
  }
  return new Uint8Array(Buffer.from(text.slice(2), 'hex'));
}
