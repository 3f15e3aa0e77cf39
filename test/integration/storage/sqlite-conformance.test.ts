// SQLite with the second client in another process: the same cases, and the one about a ring that nobody hears.
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, renameSync } from 'node:fs';
import { after, before, describe } from 'node:test';
import { fileURLToPath } from 'node:url';
import { nodeHost } from '../../../src/host/index.ts';
import type { ConformanceTarget } from '../../../src/storage/conformance/index.ts';
import { conformanceTests } from '../../support/conformance-tests.ts';
import { type DriverName, driverNames, sqliteTarget } from '../../support/sqlite-target.ts';
import { WireBackend } from '../../support/wire-backend.ts';
import type { OpenAnswer, OpenRequest } from './store.child.ts';

const program = fileURLToPath(new URL('./store.child.ts', import.meta.url));
const lacks = {
  link: 'no network lies between a process and its file',
  restart: 'there is no server; processes that are killed have tests of their own',
  pause: 'there is no server',
};

let child: ChildProcess;
let numbers = 0;

before(async () => {
  child = fork(program, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  await once(child, 'message');
});

after(() => void child.kill('SIGKILL'));

async function ask(request: OpenRequest): Promise<OpenAnswer> {
  child.send(request);
  for (;;) {
    const [answer] = (await once(child, 'message')) as [OpenAnswer];
    if (answer.number !== request.number) continue;
    assert.equal(answer.error, undefined);
    return answer;
  }
}

/** The files that this process and the child have open, each on its own. */
async function target(driver: DriverName): Promise<ConformanceTarget> {
  const own = await sqliteTarget(driver);
  const number = numbers++;
  const { port } = await ask({ number, open: { path: own.path, driver } });
  const other = await WireBackend.open(port ?? 0);
  return {
    ...own,
    other,
    dropNotifications: async () => hideBell(own.path),
    async dispose() {
      await other.close();
      await ask({ number });
      await own.dispose();
    },
  };
}

/** Who rings now rings a file that nobody will watch. */
function hideBell(path: string): void {
  renameSync(`${path}-bell`, `${path}-hidden`);
  mkdirSync(`${path}-bell`);
}

for (const driver of driverNames) {
  describe(`sqlite with ${driver}, in two processes`, () => {
    conformanceTests({ host: nodeHost(), create: () => target(driver), lacks, timeoutMs: 60_000 });
  });
}
