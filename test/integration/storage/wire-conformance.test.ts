// A small networked store passes the whole suite: so the cases about networks and servers are themselves tried, on every
// machine, and without any server of the system.
import { test } from 'node:test';
import { nodeHost } from '../../../src/host/index.ts';
import { conformance } from '../../../src/storage/conformance/index.ts';
import { wireTarget } from '../../support/wire-target.ts';

const lacks = { dropNotifications: 'its notifications are no hints: a lost one means a lost connection' };

for (const { name, skip, run } of conformance({ host: nodeHost(), create: () => wireTarget(), lacks })) {
  test(`wire: ${name}`, { skip, timeout: 60_000 }, run);
}
