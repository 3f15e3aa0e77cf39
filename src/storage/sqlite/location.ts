// Which file, and whether it may be used at all: a regular file, or none yet, in a directory that exists, on a file system
// with real locks, and open only once in this process. POSIX locks belong to the process and are dropped when any
// descriptor of the file is closed, so two owners in one process would take away each other's locks unnoticed. For the
// same reason nothing here ever opens the database file or its companions; `stat` is harmless.
import { realpathSync, statfsSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { DGenError } from '../../errors/error.ts';

/** Numbers of `statfs` on Linux whose locks or shared memory cannot be trusted between processes. */
const networkFileSystems: Readonly<Record<number, string>> = {
  26985: 'nfs',
  20859: 'smb',
  4283649346: 'cifs',
  4266872130: 'smb2',
  1702057286: 'fuse',
  1397113167: 'afs',
  1937076805: 'coda',
  12805120: 'ceph',
  1196443219: 'gpfs',
  198183888: 'lustre',
  2020557398: 'vboxsf',
  16914839: '9p',
};

/** The name of a network file system by its `statfs` type, or undefined. */
export function networkFileSystem(type: number): string | undefined {
  return networkFileSystems[type >>> 0];
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
