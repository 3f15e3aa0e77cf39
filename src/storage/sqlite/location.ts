// Which file, and whether it may be used at all: a regular file, or none yet, in a directory that exists, on a file system
// with real locks, and open only once in this process. POSIX locks belong to the process and are dropped when any
// descriptor of the file is closed, so two owners in one process would take away each other's locks unnoticed. For the
// same reason nothing here ever opens the database file or its companions; `stat` is harmless.
import { realpathSync, statfsSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { DGenError } from '../../errors/error.ts';

/**
 * Numbers of `statfs` on Linux whose locks or shared memory cannot be trusted between processes. What is behind `fuse` cannot be
 * told from its number: sshfs, s3fs and the folders that a virtual machine shares with its host are.
 */
const networkFileSystems: ReadonlyMap<number, string> = new Map([
  [0x6969, 'nfs'],
  [0x517b, 'smb'],
  [0xff534d42, 'cifs'],
  [0xfe534d42, 'smb2'],
  [0x65735546, 'fuse'],
  [0x01021997, '9p'],
  [0x5346414f, 'afs'],
  [0x6b414653, 'kafs'],
  [0x73757245, 'coda'],
  [0x564c, 'ncp'],
  [0x00c36400, 'ceph'],
  [0x47504653, 'gpfs'],
  [0x0bd00bd0, 'lustre'],
  [0x7461636f, 'ocfs2'],
  [0x01161970, 'gfs2'],
  [0x19830326, 'beegfs'],
  [0x20030528, 'orangefs'],
  [0x786f4256, 'vboxsf'],
  [0xbacbacbc, 'vmhgfs'],
  [0x7c7c6673, 'prl_fs'],
]);

/** The name of a network file system by its `statfs` type, or undefined. */
export function networkFileSystem(type: number): string | undefined {
  return networkFileSystems.get(type >>> 0);
}

/**
 * The real path of the database file. Throws `bad_option` for what is not a path, `store_fatal` for a place that cannot
 * hold it, with the reason.
 */
export function locate(path: unknown): string {
  if (typeof path !== 'string' || path === '' || path.startsWith(':') || path.startsWith('file:')) {
    throw new DGenError('bad_option', 'path', { expected: 'the path of a file', got: String(path) });
  }
  const absolute = resolve(path);
  const directory = realDirectory(dirname(absolute));
  const stat = statSync(absolute, { throwIfNoEntry: false });
  if (stat !== undefined && !stat.isFile()) {
    throw new DGenError('store_fatal', `${absolute} is not a regular file`);
  }
  const real = stat === undefined ? join(directory, basename(absolute)) : realpathSync(absolute);
  checkFileSystem(dirname(real));
  return real;
}

function realDirectory(directory: string): string {
  try {
    return realpathSync(directory);
  } catch (error) {
    throw unusable(`directory ${directory} cannot be used`, error);
  }
}

function checkFileSystem(directory: string): void {
  if (process.platform !== 'linux') return;
  const name = networkFileSystem(statfsSync(directory).type);
  if (name === undefined) return;
  const expected = 'a local file system, for SQLite needs its locks';
  throw new DGenError('store_fatal', directory, { expected, got: name });
}

function unusable(what: string, cause: unknown): DGenError {
  return new DGenError('store_fatal', what, { cause });
}

/** Device and file number: what a path means at this moment; undefined when there is no such file. */
export function fileIdentity(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stat === undefined ? undefined : `${stat.dev}:${stat.ino}`;
}

/**
 * Throws `store_fatal` unless the path still means the file of that identity. Somebody who moved or replaced it would
 * split the processes that have the old one from those that open the new.
 */
export function checkIdentity(path: string, identity: string | undefined): void {
  if (fileIdentity(path) === identity) return;
  throw new DGenError('store_fatal', 'SQLite file was moved, removed or replaced while in use');
}

/** Claims a file for one owner in this process. Shared with other copies of this library by a global symbol. */
export class FileClaim {
  readonly #keys: string[] = [];

  /** Throws `store_in_use`. */
  add(key: string): void {
    const claimed = claimedFiles();
    if (claimed.has(key)) {
      throw new DGenError('store_in_use', 'SQLite file', { expected: 'one owner for each process' });
    }
    claimed.add(key);
    this.#keys.push(key);
  }

  release(): void {
    for (const key of this.#keys.splice(0)) claimedFiles().delete(key);
  }
}

function claimedFiles(): Set<string> {
  const registry = globalThis as { [key: symbol]: Set<string> | undefined };
  const symbol = Symbol.for('dgen.sqlite.files');
  registry[symbol] ??= new Set();
  return registry[symbol];
}
