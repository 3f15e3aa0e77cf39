// SQLite runs the same cases as the reference, with both libraries; test/integration/storage does so with two processes.
import { describe, test } from 'node:test';
import { nodeHost } from '../../src/host/index.ts';
import { conformance } from '../../src/storage/conformance/index.ts';
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
    for (const { name, skip, run } of conformance({ host, create: () => sqliteTarget(driver), lacks })) {
      test(name, { skip, timeout: 30_000 }, run);
    }
  });
}
