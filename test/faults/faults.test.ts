// Real processes on machines of their own, a real store, and everything that can happen to them, once each at least, in an
// order that the seed draws; clients work all the while. After each fault the cluster has to serve again, everywhere; in the end all that
// was written down is judged. docs/FAULTS.md says how to run it for longer.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../../src/host/seeded-random.ts';
import { durations, type Fault, faults, type Stage, together } from './faults.ts';
import { Fleet, type Seat } from './fleet.ts';
import { nowMs } from './journal.ts';
import { evidenceIn, judge, witnessFile } from './judge.ts';
import { Network, namespaces } from './network.ts';
import { optionsFrom } from './options.ts';
import { openFaultyStore, type StoreKind, storeMachine } from './stores.ts';

/** Two nodes on one machine: between those a death can be proven, between others not. */
const seats: readonly Seat[] = [
  { node: 'a', machine: 'm1' },
  { node: 'b', machine: 'm2' },
  { node: 'c', machine: 'm3' },
  { node: 'd', machine: 'm3' },
];
const delayMs = 200;
/** Time for the clients between two faults. */
const betweenMs = 100;
/** Within this all serve again after a fault. */
const recoveryMs = 30_000;
/** One of the faults is there to cause it. */
const expectedAlarm = /^registry: the store has been away for longer than the tolerance;/;
const options = optionsFrom(process.env);

for (const kind of options.stores) {
  test(`faults on ${kind}`, { timeout: options.minutes * 60_000 + 400_000 }, async () => {
    console.log(`${kind}: seed ${options.seed}; again with --store ${kind} --seed ${options.seed}`);
    const folder = mkdtempSync(join(tmpdir(), 'dgen-faults-'));
    const forget = (): void => rmSync(folder, { recursive: true, force: true });
    process.on('exit', forget);
    try {
      await runOn(kind, folder);
    } catch (error) {
      process.off('exit', forget);
      console.log(`what was written down is in ${folder}`);
      throw error;
    }
    process.off('exit', forget);
    forget();
    assert.deepEqual(
      namespaces().filter((name) => name.includes(`${process.pid}-`)),
      [],
    );
    assert.ok(!existsSync(folder));
  });
}

async function runOn(kind: StoreKind, folder: string): Promise<void> {
  const machines = [
    ...new Set(seats.map(({ machine }) => machine)),
    ...(kind === 'sqlite' ? [] : [storeMachine]),
  ];
  await using stack = new AsyncDisposableStack();
  const network = await Network.create(machines, delayMs);
  stack.defer(() => network.remove());
  const store = await openFaultyStore(kind, folder, network);
  stack.defer(() => store.dispose());
  const plan = {
    store: store.address,
    cookie: 'of these tests',
    options: durations,
    folder,
    witness: join(folder, witnessFile),
  };
  const fleet = new Fleet({ network, seats, plan });
  stack.defer(() => fleet.dispose());
  const [first, ...rest] = seats.map(({ node }) => node);
  await fleet.start(first as string);
  await Promise.all(rest.map((node) => fleet.start(node)));
  await recovered(fleet, 0);
  await fleet.work();
  await perform({ fleet, network, store, random: seededRandom(options.seed), seats });
  await fleet.rest();
  await recovered(fleet, -1);
  const fences = fleet.all.reduce((sum, member) => sum + member.fences, 0);
  await fleet.close();
  const alarms = fleet.all.flatMap((member) => member.alarms);
  assert.deepEqual(
    alarms.filter((what) => !expectedAlarm.test(what)),
    [],
  );
  console.log(`${kind}: ${fleet.all.length} processes in all, ${fences} sessions lapsed`);
  report(folder);
}

async function perform(stage: Stage): Promise<void> {
  const endsAt = nowMs() + options.minutes * 60_000;
  let done = 0;
  for (const fault of plannedFor(stage, () => nowMs() > endsAt)) {
    const from = nowMs();
    await fault.run(stage);
    const healedAt = nowMs();
    await recovered(stage.fleet, ++done, fault.recoversWithinMs);
    const [lasted, took] = [healedAt - from, nowMs() - healedAt].map((ms) => ms.toFixed(0));
    console.log(`${fault.name}: ${lasted} ms; all serve ${took} ms later`);
    await sleep(betweenMs);
  }
}

/** Every fault once in a random order, then a pair at a time until it is over, one at least. */
function* plannedFor({ store, random }: Stage, over: () => boolean): Generator<Fault> {
  const possible = faults.filter(
    ({ name, needsServer }) => name.includes(options.fault) && (store.isServer || needsServer !== true),
  );
  assert.ok(possible.length > 0, `there is no fault ${options.fault}`);
  const any = (of: readonly Fault[]): Fault => of[random.uint32() % of.length] as Fault;
  const waiting = [...possible];
  while (waiting.length > 0) yield waiting.splice(random.uint32() % waiting.length, 1)[0] as Fault;
  do yield together(any(possible), any(possible));
  while (!over());
}

/** Every node serves under one leader, every node can register, and every node can call what every other one registered. */
async function recovered(fleet: Fleet, round: number, withinMs: number = recoveryMs): Promise<void> {
  const endsAt = nowMs() + withinMs;
  const until = async (what: string, holds: () => Promise<string>): Promise<void> => {
    for (;;) {
      const lacking = await holds().catch((error: Error) => error.message);
      if (lacking === '') return;
      assert.ok(nowMs() < endsAt, `${what}, not within ${withinMs} ms after the fault: ${lacking}`);
      await sleep(20);
    }
  };
  await until('all serve', async () => {
    const statuses = await fleet.statuses();
    const [first] = statuses;
    const well = statuses.every(
      ({ phase, serving, established, leader, epoch }) =>
        phase === 'active' && serving && established && leader === first?.leader && epoch === first?.epoch,
    );
    return well && statuses.length === seats.length ? '' : JSON.stringify(statuses);
  });
  const nameOf = (node: string): string => `proof-${round}-${node}`;
  for (const member of fleet.members)
    await until(`${member.node} registers`, async () => {
      await member.order({ do: 'keep', name: nameOf(member.node), timeoutMs: 2_000 });
      return '';
    });
  const names = seats.map(({ node }) => nameOf(node));
  for (const member of fleet.members)
    await until(`${member.node} calls`, async () =>
      (await member.order<string[]>({ do: 'call', names })).join(),
    );
  for (const member of fleet.members) await member.order({ do: 'release', name: nameOf(member.node) });
}

function report(folder: string): void {
  const verdict = judge(evidenceIn(folder));
  const { owners, writes, lateWrites, longestStallMs } = verdict;
  console.log(`calls: ${JSON.stringify(verdict.calls)}`);
  console.log(`refusals: ${JSON.stringify(verdict.refusals)}`);
  console.log(
    `witness: ${owners} owners, ${writes} writes, ${lateWrites} late; longest standstill ${longestStallMs.toFixed(0)} ms`,
  );
  assert.deepEqual(verdict.violations, []);
  if (options.fault === '') assert.ok(owners > 50 && writes > 200, 'there was hardly any load');
}
