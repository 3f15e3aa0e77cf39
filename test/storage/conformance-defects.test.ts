// Whoever trusts a suite has to see it fail: each planted defect makes at least one case fail, and without one all pass.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nodeHost } from '../../src/host/index.ts';
import { type ConformanceTarget, conformance } from '../../src/storage/conformance/index.ts';
import { MemoryDatabase } from '../../src/storage/index.ts';
import { failureOf } from '../support/conformance-failure.ts';
import { type Defect, defects, type Shared } from './defective-backends.ts';

const host = nodeHost();
const none = 'of no importance to these defects';
const lacks = {
  link: none,
  restart: none,
  pause: none,
  compact: none,
  dropNotifications: none,
  connect: none,
};
/** A defective backend may also never answer. */
const hangMs = 7_000;

async function defective({ wrap }: Defect): Promise<ConformanceTarget> {
  const database = new MemoryDatabase(host);
  const shared: Shared = { markers: new Map(), stale: undefined };
  const [backend, other] = [wrap(database.connect(), shared), wrap(database.connect(), shared)];
  return {
    backend,
    other,
    async dispose() {
      await backend.close();
      await other.close();
    },
  };
}

describe('each planted defect', { concurrency: true }, () => {
  for (const defect of defects) {
    test(`a backend that ${defect.name} does not pass`, { timeout: 60_000 }, async (t) => {
      const cases = conformance({ host, create: () => defective(defect), lacks });
      const meant = cases.filter(({ name, skip }) => skip === undefined && defect.cases.test(name));
      assert.ok(meant.length > 0, 'no such case');
      const failures: string[] = [];
      for (const one of meant) {
        const failure = await failureOf(one, hangMs);
        if (failure !== undefined) failures.push(`${one.name}: ${failure.split('\n')[0]}`);
      }
      t.diagnostic(failures.join(' | '));
      assert.ok(failures.length > 0, `not found by: ${meant.map(({ name }) => name).join(', ')}`);
    });
  }
});

test('what a target neither provides nor explains fails the cases that need it', async () => {
  const create = () => defective({ name: '', cases: /./, wrap: (client) => client });
  const cases = conformance({ host, create });
  const needing = cases.find(({ name }) => name.startsWith('wire:')) ?? assert.fail('no case about wires');
  assert.equal(needing.skip, undefined);
  await assert.rejects(needing.run(), /no link/);
  assert.throws(() => conformance({ host, create, lacks: { link: '' } }), /a reason is empty/);
  assert.throws(() => conformance({ host, create, skip: { 'no such': 'x' } }), /no such case/);
  const [skipped] = conformance({ host, create, lacks: { link: 'a reason' } }).filter(
    ({ skip }) => skip !== undefined,
  );
  assert.equal(skipped?.skip, 'needs link: a reason');
});
