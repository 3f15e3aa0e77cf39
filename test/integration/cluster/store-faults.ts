// What every store has to survive beneath a cluster of real processes: killed and restarted under load, away for long,
// away for too long. What the clients wrote down goes to the judge of runs; no process may be harmed.
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { judgeRun } from '../../../src/invariants/judge-run.ts';
import type { ChurnOrder, ChurnReport } from './churn.ts';
import { Cluster, eventually, grantsIn, leaderOf, namesOf, type RemoteNode, showExactly } from './cluster.ts';
import { nowMs } from './orders.ts';
import { allCount } from './stored.ts';

/** A store that a test can take away. */
export interface FaultyStore {
  /** As `Node.start` takes it. */
  readonly address: string;
  /** Takes the store away at once, as hard as it can be: a server is killed with SIGKILL. */
  takeAway(): Promise<void>;
  /** Resolves when the store answers again, with all that it had acknowledged. */
  bringBack(): Promise<void>;
}

export interface StoreFaultsOptions {
  readonly name: string;
  create(t: TestContext): Promise<FaultyStore>;
  /** How long the store is away in the case of a long outage. */
  readonly longMs: number;
}

const perNode = 10;
const leaseMs = 600;
const sessionMs = 3 * leaseMs;

/** Names that all clients want, so that each has a history. */
const contested: ChurnOrder = {
  names: namesOf('contested-', 40),
  clients: 4,
  timeoutMs: 10_000,
  pauseMs: 15,
};

interface Standing {
  readonly cluster: Cluster;
  readonly nodes: RemoteNode[];
  /** Registered before anything happens, and kept. */
  readonly kept: readonly string[];
  readonly members: readonly string[];
}

async function stand(t: TestContext, store: FaultyStore, more: object = {}): Promise<Standing> {
  const cluster = new Cluster(t, { leaseMs, sessionMs, ...more }, store.address);
  const nodes = await cluster.startAll('a', 'b', 'c');
  for (const node of nodes) grantsIn(await node.register(namesOf(`${node.name}-`, perNode)));
  await leaderOf(nodes);
  await allCount(cluster, 3);
  const members = await Promise.all(nodes.map(async (node) => (await node.status()).member));
  return { cluster, nodes, kept: nodes.flatMap((node) => namesOf(`${node.name}-`, perNode)), members };
}

/** Nobody was fenced, no process ended, all is still found and answers. */
async function checkUnharmed({ nodes, kept, members }: Standing): Promise<void> {
  for (const [index, node] of nodes.entries()) {
    assert.equal((await node.status()).member, members[index], `${node.name} was fenced`);
    for (const { name, reason } of await node.owners())
      assert.equal(reason, null, `${name} ended: ${reason}`);
    const answers = await node.order<{ status: string }[]>({ do: 'call', names: kept });
    assert.ok(answers.every(({ status }) => status === 'answer'));
  }
}

/** Ends the load and judges it. */
async function judge(t: TestContext, nodes: readonly RemoteNode[]): Promise<readonly ChurnReport[]> {
  const reports = await Promise.all(nodes.map((node) => node.endChurn()));
  const verdict = judgeRun(reports.flatMap((report) => report.records));
  assert.deepEqual(verdict.violations, []);
  assert.deepEqual(verdict.undecided, []);
  const answered = reports.reduce((sum, report) => sum + report.answered, 0);
  const slowestMs = Math.max(...reports.map((report) => report.slowestMs));
  t.diagnostic(
    `${answered} calls answered, slowest ${slowestMs.toFixed(0)} ms; ${verdict.operations} on record`,
  );
  assert.ok(answered > 100, 'there was no load');
  return reports;
}

function failuresOf(reports: readonly ChurnReport[]): object {
  return Object.assign({}, ...reports.map((report) => report.failures));
}

/** Registers anew at every member within two seconds. */
async function checkRecovered(t: TestContext, nodes: readonly RemoteNode[]): Promise<string[]> {
  const from = nowMs();
  const fresh = nodes.map((node) => `back-${node.name}`);
  const outcomes = await Promise.all(
    nodes.map((node, index) => node.register([fresh[index] as string], { timeoutMs: 2_000 })),
  );
  grantsIn(outcomes.flat());
  t.diagnostic(`registered at every member ${(nowMs() - from).toFixed(0)} ms after the store was back`);
  return fresh;
}

async function restartUnderLoad(t: TestContext, store: FaultyStore): Promise<void> {
  const standing = await stand(t, store);
  const { nodes, kept } = standing;
  await Promise.all(nodes.map((node) => node.churn(contested)));
  for (const awayMs of [0, 300, 1_200, 2_500]) {
    await sleep(700);
    await store.takeAway();
    await sleep(awayMs);
    await store.bringBack();
  }
  await sleep(1_500);
  assert.deepEqual(failuresOf(await judge(t, nodes)), {});
  await checkUnharmed(standing);
  await freeContested(nodes);
  await showExactly(nodes, kept);
  await admitNewcomer(standing);
}

/**
 * Under load the store loses something, for times up to four leases, again and again. `lose` resolves with what undoes it. No call
 * fails and no process is harmed, whether the store as a whole was away or not.
 */
export async function lossUnderLoad(
  t: TestContext,
  address: string,
  lose: () => Promise<() => Promise<void>>,
): Promise<void> {
  const nothing = async (): Promise<void> => undefined;
  const standing = await stand(t, { address, takeAway: nothing, bringBack: nothing });
  const { nodes, kept } = standing;
  await Promise.all(nodes.map((node) => node.churn(contested)));
  for (const lostMs of [200, 1_000, 2_500]) {
    await sleep(1_000);
    const undo = await lose();
    await sleep(lostMs);
    await undo();
  }
  await sleep(1_500);
  assert.deepEqual(failuresOf(await judge(t, nodes)), {});
  await checkUnharmed(standing);
  await checkRecovered(t, nodes);
  await freeContested(nodes);
  await showExactly(nodes, [...kept, ...nodes.map((node) => `back-${node.name}`)]);
  await admitNewcomer(standing);
}

/** What the load has left behind. */
async function freeContested(nodes: readonly RemoteNode[]): Promise<void> {
  for (const node of nodes) await node.order({ do: 'unregister', names: contested.names });
}

/** The store is in use again: a newcomer gets in, and counts. */
async function admitNewcomer({ cluster }: Standing): Promise<void> {
  const late = await cluster.start('d');
  grantsIn(await late.register(['late']));
  await allCount(cluster, 4);
}

async function longOutage(t: TestContext, store: FaultyStore, longMs: number): Promise<void> {
  // Long beside any pause of a busy machine: the leader is to stay the same.
  const standing = await stand(t, store, { leaseMs: 1_500, sessionMs: 4_500 });
  const { nodes, kept } = standing;
  const leader = await leaderOf(nodes);
  const { epoch } = await leader.status();
  await Promise.all(nodes.map((node) => node.churn(contested)));
  await store.takeAway();
  const from = nowMs();
  while (nowMs() < from + longMs) {
    for (const node of nodes) {
      assert.ok((await node.lookup(kept)).every((pid) => pid !== null));
      const answers = await node.order<{ status: string }[]>({ do: 'call', names: kept });
      assert.deepEqual(
        answers.filter(({ status }) => status !== 'answer'),
        [],
      );
    }
    await sleep(200);
  }
  assert.deepEqual(failuresOf(await judge(t, nodes)), {});
  await store.bringBack();
  const fresh = await checkRecovered(t, nodes);
  await checkUnharmed(standing);
  await freeContested(nodes);
  await showExactly(nodes, [...kept, ...fresh]);
  assert.equal((await leader.status()).epoch, epoch, 'the leader was replaced');
  await admitNewcomer(standing);
}

async function outagePastTolerance(t: TestContext, store: FaultyStore): Promise<void> {
  const storeOutageToleranceMs = 3 * leaseMs;
  const standing = await stand(t, store, { storeOutageToleranceMs });
  const { nodes, kept } = standing;
  const leader = await leaderOf(nodes);
  await Promise.all(nodes.map((node) => node.churn({ ...contested, timeoutMs: 400 })));
  await store.takeAway();
  const from = nowMs();
  await eventually('nobody decides any more', async () =>
    (await leader.status()).storeOutageMsLeft === 0 ? true : undefined,
  );
  // Far past the tolerance, and past every session that was granted within it.
  while (nowMs() < from + storeOutageToleranceMs + 3 * sessionMs) {
    for (const node of nodes) {
      const [refused] = await node.register([`late-${node.name}`], { timeoutMs: 300 });
      assert.equal(refused?.status === 'failed' ? refused.code : refused?.status, 'unavailable');
    }
  }
  await checkUnharmed(standing);
  await store.bringBack();
  const fresh = await checkRecovered(t, nodes);
  const failures = failuresOf(await judge(t, nodes));
  for (const code of Object.keys(failures)) assert.match(code, /^(unavailable|timeout|unknown_outcome)$/);
  await checkUnharmed(standing);
  await freeContested(nodes);
  await showExactly(nodes, [...kept, ...fresh]);
  for (const node of nodes) assert.equal((await node.status()).storeOutageMsLeft, undefined);
}

export function storeFaults({ name, create, longMs }: StoreFaultsOptions): void {
  describe(`${name} beneath a cluster`, () => {
    test(
      'it is killed and restarted under load: no call fails, no process is harmed',
      {
        timeout: 60_000,
      },
      async (t) => restartUnderLoad(t, await create(t)),
    );

    test(
      `it is away for ${longMs / 1_000} s: no lookup, call or registration fails`,
      {
        timeout: 60_000 + longMs,
      },
      async (t) => longOutage(t, await create(t), longMs),
    );

    test(
      'it is away past the tolerance: refusals are coded, nothing is lost, and it goes on when it is back',
      {
        timeout: 60_000,
      },
      async (t) => outagePastTolerance(t, await create(t)),
    );
  });
}
