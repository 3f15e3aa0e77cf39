// What drivers of networked stores have really done wrong, planted into the wire store: the cases about networks find each.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nodeHost } from '../../../src/host/index.ts';
import { conformance } from '../../../src/storage/conformance/index.ts';
import { failureOf } from '../../support/conformance-failure.ts';
import type { WireDefect } from '../../support/wire-backend.ts';
import { wireTarget } from '../../support/wire-target.ts';

const defects: Readonly<Record<WireDefect, RegExp>> = {
  'retries by itself': /wire: the reply is lost .* without an id/,
  'takes a lost reply for a refusal': /wire: the reply is lost/,
  'forgets its watches': /watch: a change (after a cut|while)/,
  'does not look back': /watch: a change while the client is disconnected/,
  'watches only when connected': /watch: one that begins while/,
  'has no ping': /watch: a change while the link is half open|outage: without a way/,
  'has no deadline': /wire: a deadline that passes|wire: an abort/,
  'closes politely': /outage: a client can be closed/,
};
const lacks = { dropNotifications: 'of no importance to these defects' };
const hangMs = 20_000;

describe('each planted defect', { concurrency: true }, () => {
  for (const [defect, cases] of Object.entries(defects) as [WireDefect, RegExp][]) {
    test(`a driver that ${defect} does not pass`, { timeout: 90_000 }, async (t) => {
      const all = conformance({ host: nodeHost(), create: () => wireTarget(defect), lacks });
      const meant = all.filter(({ name }) => cases.test(name));
      assert.ok(meant.length > 0, 'no such case');
      const failures = await Promise.all(meant.map((one) => failureOf(one, hangMs)));
      t.diagnostic(failures.map((failure) => failure?.split('\n')[0] ?? 'passed').join(' | '));
      assert.ok(failures.some((failure) => failure !== undefined));
    });
  }
});
