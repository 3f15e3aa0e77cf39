// SQLite runs the same cases as the reference, with both libraries; test/integration/storage does so with two processes.
import { describe } from 'node:test';
import { nodeHost } from '../../src/host/index.ts';
import { conformanceTests } from '../support/conformance-tests.ts';
import { driverNames, sqliteTarget } from '../support/sqlite-target.ts';

const host = nodeHost();
const lacks = {
  link: 'no network lies between a process and its file',
  restart: 'there is no server; processes that are killed have tests of their own',
  pause: 'there is no server',
  dropNotifications: 'a process rings for others only; tried with a second process',
};

for (const driver of driverNames) {
  describe(`sqlite with ${driver}`, () => {
    conformanceTests({ host, create: () => sqliteTarget(driver), lacks, timeoutMs: 30_000 });
  });
}
