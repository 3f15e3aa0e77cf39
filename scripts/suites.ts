// Which test files belong to which suite. `fast` needs nothing but the packages of the lock file; each other suite is
// one folder under test/ that needs software of the system, and says which.

import { faultsLack } from './faults-needs.ts';
import { postgresBinaries } from './postgres-binaries.ts';

export interface SystemSuite {
  readonly folder: string;
  /** A program that must be there: on the path, unless `find` says where else. */
  readonly needs: string;
  /** The directory of the program; undefined when it is missing. */
  readonly find?: () => string | undefined;
  /** Instead of looking for one program: why the suite cannot run here; undefined when it can. */
  readonly lack?: () => string | undefined;
  /** What to tell somebody who lacks it. */
  readonly install: string;
  /** What may be said on the command line: `--seed 7` is `FAULTS_SEED=7` for the tests of `faults`. */
  readonly options?: readonly string[];
  /** What its tests note is worth reading when all is well, too. */
  readonly showOutput?: boolean;
  /** How long a file may take, where the usual time is not enough. */
  readonly fileTimeoutMs?: (options: Readonly<Record<string, string>>) => number;
}

export const systemSuites: Readonly<Record<string, SystemSuite>> = {
  erlang: { folder: 'test/erlang', needs: 'erl', install: 'apt-get install erlang-base' },
  etcd: { folder: 'test/etcd', needs: 'etcd', install: 'apt-get install etcd-server' },
  postgres: {
    folder: 'test/postgres',
    needs: 'initdb',
    find: postgresBinaries,
    install: 'apt-get install postgresql pgbouncer',
  },
  faults: {
    folder: 'test/faults',
    needs: 'ip',
    lack: faultsLack,
    install: 'as root, apt-get install iproute2 nftables etcd-server',
    showOutput: true,
    options: ['minutes', 'seed', 'store', 'fault'],
    fileTimeoutMs: ({ minutes = '0' }) => 400_000 + 2 * 60_000 * Number(minutes),
  },
};

/** The layers that also run on the oldest supported Node. */
export const coreFolders: readonly string[] = [
  'test/errors',
  'test/term',
  'test/process',
  'test/otp',
  'test/distribution',
  'test/registry',
  'test/storage',
];

const isTest = (file: string): boolean => file.endsWith('.test.ts');
/** These belong to `npm run check`. */
const isTidy = (file: string): boolean => /^test\/tidy[\w-]*\.test\.ts$/.test(file);
const isUnder = (file: string, folder: string): boolean => file.startsWith(`${folder}/`);

/** `all` are paths from the root. Unknown suites have no files. */
export function filesOfSuite(suite: string, all: readonly string[]): string[] {
  const tests = all.filter(isTest);
  if (suite === 'fast') return tests.filter((file) => !isSystem(file) && !isTidy(file));
  if (suite === 'node20') return tests.filter(isCore);
  const folder = systemSuites[suite]?.folder;
  return folder === undefined ? [] : tests.filter((file) => isUnder(file, folder));
}

const isSystem = (file: string): boolean => Object.values(systemSuites).some((s) => isUnder(file, s.folder));

/** Node 20 has no SQLite of its own; that store's tests run with the fast suite. */
const isCore = (file: string): boolean =>
  coreFolders.some((folder) => isUnder(file, folder)) && !file.includes('sqlite');
