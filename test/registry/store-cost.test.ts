// What a registry costs its store, in counts: the same at rest for any number of names and members, nothing for a
// registration, and of a change no more than a few operations of each member. Time is simulated.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Counts, operationsOf } from '../../bench/store-cost/counting-backend.ts';
import { SimulatedCluster } from '../../bench/store-cost/simulated-cluster.ts';

const timeout = 60_000;
const restMs = 60_000;
/** The default lease is 5 s, and renewed every third of it. */
const renewalsMax = restMs / (5_000 / 3) + 1;
/** Of one renewal: leader record, stamp of the members, format of the store; one commit. */
const perRenewalMax = 4;
/** Bytes of one renewal, read or written: a record and short keys. */
const bytesPerRenewalMax = 500;
const sizes = [1, 3, 10, 30] as const;

function isRenewalsOnly(counts: Counts): void {
  assert.ok(counts.commits > 0 && counts.commits <= renewalsMax, `${counts.commits} commits`);
  assert.ok(operationsOf(counts) <= perRenewalMax * counts.commits, `${JSON.stringify(counts)}`);
  assert.ok(counts.bytesRead <= bytesPerRenewalMax * counts.commits, `${counts.bytesRead} bytes read`);
  assert.ok(
    counts.bytesWritten <= bytesPerRenewalMax * counts.commits,
    `${counts.bytesWritten} bytes written`,
  );
  assert.deepEqual(
    [counts.getRanges, counts.emptyCommits, counts.failedCommits, counts.watchesArmed, counts.watchFires],
    [0, 0, 0, 0, 0],
  );
}

describe('what the store is asked', () => {
  test('at rest is one renewal after the other, for any number of members', { timeout }, async () => {
    for (const members of sizes) {
      const cluster = await SimulatedCluster.of({ members });
      const probes = cluster.probes;
      isRenewalsOnly(await cluster.during(restMs));
      assert.equal(cluster.probes, probes, 'nobody asks for anybody at rest');
    }
  });

  test('at rest is the same with many names as with none, and so is what stands there', {
    timeout,
  }, async () => {
    const [empty, full] = [
      await SimulatedCluster.of({ members: 3 }),
      await SimulatedCluster.of({ members: 3 }),
    ];
    const before = await full.stored();
    const filling = await full.during(0, () => full.register(20_000));
    isRenewalsOnly(filling);
    await empty.host.runFor(full.host.clock.now() - empty.host.clock.now());
    assert.equal(full.namesEverywhere, 20_000);
    assert.deepEqual(await full.during(restMs), await empty.during(restMs));
    const after = await full.stored();
    assert.equal(after.keys, before.keys);
    // The number of renewals has one digit more.
    assert.ok(after.bytes <= before.bytes + 2, `${before.bytes} bytes became ${after.bytes}`);
    assert.deepEqual(after, await empty.stored());
  });

  test('when one joins or leaves is a few operations of each, and silence afterwards', {
    timeout,
  }, async () => {
    for (const members of [3, 10, 30]) {
      const cluster = await SimulatedCluster.of({ members });
      const settled = cluster.probes;
      for (const change of [() => cluster.join(), () => cluster.kill(cluster.leader)]) {
        const counts = await cluster.during(restMs / 2, change);
        const ofRenewals = (perRenewalMax * renewalsMax) / 2;
        const each = (operationsOf(counts) - ofRenewals) / members;
        assert.ok(each <= 20, `${each} operations of each of ${members}`);
        assert.ok(counts.commits <= renewalsMax / 2 + 10, `${counts.commits} commits`);
        await cluster.rest();
        isRenewalsOnly(await cluster.during(restMs));
      }
      const probes = cluster.probes - settled;
      assert.ok(probes <= 8 * members, `${probes} addresses asked by ${members}`);
    }
  });

  test('where nothing proves the leader dead grows with the members, until one follows it', {
    timeout,
  }, async () => {
    const cluster = await SimulatedCluster.of({ members: 10, oneMachine: false });
    const counts = await cluster.during(restMs, () => cluster.kill(cluster.leader));
    // From L/3 after the last sign until L (1 + r), every L/10.
    const looksOfEach = 10;
    const each = (operationsOf(counts) - perRenewalMax * renewalsMax) / 9;
    assert.ok(each <= looksOfEach * 4, `${each} operations of each`);
    isRenewalsOnly(await cluster.during(restMs));
  });

  test('by a cluster in motion is bounded: electors do not look at every change', { timeout }, async () => {
    const cluster = await SimulatedCluster.of({ members: 30 });
    const startedAt = cluster.host.clock.now();
    const counts = await cluster.during(0, async () => {
      for (let joined = 0; joined < 20; joined++) await cluster.join();
    });
    const seconds = (cluster.host.clock.now() - startedAt) / 1_000;
    // A hundred looks a second of all, one of each newcomer at once, and one that was due.
    const looksMax = 100 * seconds + 20 * 4 + 50;
    assert.ok(counts.getRanges <= looksMax, `${counts.getRanges} looks in ${seconds} s`);
  });
});
