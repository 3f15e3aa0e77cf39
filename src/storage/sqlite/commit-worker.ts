// The program of the commit thread: it has the writing connection, and with it every flush of the disk and every
// checkpoint, so that these never stop the event loop of the program. Started by `commit-thread.ts`.
import { type MessagePort, workerData } from 'node:worker_threads';
import { DGenError } from '../../errors/error.ts';
import { nodeHost } from '../../host/node-host.ts';
import { Lifetime } from '../lifetime.ts';
import { CommitApplier } from './apply.ts';
import { Bell } from './bell.ts';
import {
  type CommitRequest,
  type CommitThreadData,
  type FromCommitThread,
  isWithdrawn,
  type SettledCommit,
  sentError,
  type ToCommitThread,
  take,
} from './commit-messages.ts';
import { Committer } from './committer.ts';
import { loadDriver, type SqliteConnection } from './driver.ts';
import { storeError } from './errors.ts';
import { checkIdentity } from './location.ts';
import { retryWhileBusy } from './retry.ts';
import { configure } from './schema.ts';

const { timers } = nodeHost();
const { port, data } = workerData as { readonly port: MessagePort; readonly data: CommitThreadData };
const settled: SettledCommit[] = [];

const say = (message: FromCommitThread): void => port.postMessage(message);

async function open(): Promise<SqliteConnection> {
  const { driver, file, synchronous } = data;
  const connection = (await loadDriver(driver)).open(file);
  configure(connection, synchronous);
  return connection;
}

/** The first statement after a crash may find another connection repairing the log. */
async function applierOf(connection: SqliteConnection): Promise<CommitApplier> {
  const lifetime = new Lifetime({ timers, timeoutMs: data.timeoutMs, what: 'opening the SQLite file' });
  try {
    return await retryWhileBusy(lifetime, () => new CommitApplier(connection));
  } finally {
    lifetime.end(new DGenError('closed', 'opening the SQLite file'));
  }
}

/** What is settled in one turn is told in one message. */
function settle(one: SettledCommit): void {
  if (settled.push(one) > 1) return;
  queueMicrotask(() => say({ type: 'settled', results: settled.splice(0) }));
}

function submit(committer: Committer, { number, commit, snapshot, word }: CommitRequest): void {
  committer.submit({
    commit,
    snapshot,
    isWithdrawn: () => isWithdrawn(word),
    take: () => take(word),
    resolve: (result) => settle({ number, result }),
    reject: (error) => settle({ number, error: sentError(storeError(error)) }),
  });
}

async function run(): Promise<void> {
  const connection = await open();
  const bell = new Bell(data.file);
  const committer = new Committer({
    connection,
    timers,
    applier: await applierOf(connection),
    checkFile: () => checkIdentity(data.file, data.identity),
    committed: () => {
      bell.ring();
      say({ type: 'changed' });
    },
  });
  port.on('message', (message: ToCommitThread) => {
    if (message.type === 'commit') {
      submit(committer, message);
      return;
    }
    bell.close();
    connection.close();
    port.close();
  });
  say({ type: 'ready' });
}

run().catch((error: unknown) => {
  say({ type: 'failed', error: sentError(storeError(error)) });
  port.close();
});
