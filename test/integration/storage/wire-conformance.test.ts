// A small networked store passes the whole suite: so the cases about networks and servers are themselves tried, on every
// machine, and without any server of the system.
import { nodeHost } from '../../../src/host/index.ts';
import { conformanceTests } from '../../support/conformance-tests.ts';
import { wireTarget } from '../../support/wire-target.ts';

const lacks = { dropNotifications: 'its notifications are no hints: a lost one means a lost connection' };

conformanceTests({
  host: nodeHost(),
  create: () => wireTarget(),
  lacks,
  prefix: 'wire: ',
  timeoutMs: 60_000,
});
