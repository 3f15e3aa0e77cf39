// What a registry keeps in the store, read by clients that spare themselves what has not changed: whatever others wrote
// meanwhile, and whatever became of it, they see what somebody sees who reads everything.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type SimulatedHost, simulatedHost } from '../../src/host/index.ts';
import { Coordination, type MemberInfo } from '../../src/registry/coordination.ts';
import { deleteRegistry } from '../../src/registry/deletion.ts';
import type { LeaderRecord, StoreOp, StoreOutcome, StoreView } from '../../src/registry/protocol/types.ts';
import { keyOf, MemoryDatabase, type MemoryFault, openStore, type Tenant } from '../../src/storage/index.ts';

const durations = { leaseMs: 1, sessionMs: 3, toleranceMs: 9, holdMs: 9, clockRateBound: 0 };
const never = new AbortController().signal;
const nothing: StoreView = { record: null, members: [] };
const members = ['a@h#1', 'b@h#2', 'c@h#3', 'd@h#4'] as const;

function infoOf(member: string): MemberInfo {
  const [node = ''] = member.split('#');
  const own = { creation: 1, generation: 1, address: null, machineId: 'm', unprovenFormers: [] };
  return { member, node, ...own };
}

interface Client {
  readonly coordination: Coordination;
  readonly tenant: Tenant;
  /** What goes wrong with its next commit. */
  fault: MemoryFault | undefined;
  /** Of everything else. */
  delayMs: () => number;
}

class Bench {
  readonly host: SimulatedHost;
  readonly #database: MemoryDatabase;

  constructor(seed = 1) {
    this.host = simulatedHost({ seed });
    this.#database = new MemoryDatabase(this.host);
  }

  async client(): Promise<Client> {
    let client: Client | undefined;
    const backend = this.#database.connect({
      fault: (operation) => {
        const delayMs = client?.delayMs() ?? 0;
        return operation === 'commit' ? (client?.fault ?? { delayMs }) : { delayMs };
      },
    });
    const store = await this.host.runUntil(openStore(backend, { host: this.host }));
    const tenant = store.tenant('default');
    client = {
      coordination: new Coordination(tenant, { root: 'r', timeoutMs: 1_000 }),
      tenant,
      fault: undefined,
      delayMs: () => 0,
    };
    return client;
  }

  run({ coordination }: Client, op: StoreOp): Promise<StoreOutcome> {
    return this.host.runUntil(coordination.run(op, infoOf(op.kind === 'join' ? op.member : 'x@h#0'), never));
  }

  /** By force; what becomes of it is as open as of any commit. */
  startDelete({ tenant }: Client): Promise<unknown> {
    const options = { force: true, timeoutMs: 30 };
    const deletion = deleteRegistry({ root: 'r', what: 'r', space: tenant, options });
    return deletion.catch((error: unknown) => error);
  }

  async view(client: Client): Promise<StoreView> {
    const outcome = await this.run(client, { kind: 'read' });
    assert.ok('view' in outcome);
    return outcome.view;
  }
}

type Step =
  | { readonly do: 'join'; readonly client: number; readonly member: number; readonly fault: number }
  | {
      readonly do: 'write';
      readonly client: number;
      readonly established: readonly number[];
      readonly removed: readonly number[];
      readonly checksMembers: boolean;
      readonly fault: number;
    }
  | { readonly do: 'delete'; readonly client: number; readonly fault: number }
  | { readonly do: 'read'; readonly client: number };

const faults: readonly (MemoryFault | undefined)[] = [
  undefined,
  undefined,
  { kind: 'unavailable' },
  { kind: 'request_lost' },
  { kind: 'reply_lost' },
  { kind: 'late', delayMs: 40 },
];

const client = fc.nat({ max: 2 });
const fault = fc.nat({ max: faults.length - 1 });
const some = fc.uniqueArray(fc.nat({ max: members.length - 1 }));
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant('join' as const), client, member: fc.nat({ max: 3 }), fault }),
    fc.record({
      do: fc.constant('write' as const),
      client,
      established: some,
      removed: some,
      checksMembers: fc.boolean(),
      fault,
    }),
    fc.record({ do: fc.constant('delete' as const), client, fault }),
    fc.record({ do: fc.constant('read' as const), client }),
  ),
  { minLength: 1, maxLength: 25 },
);

const named = (numbers: readonly number[]): string[] => numbers.map((number) => members[number] ?? '');

function opOf(step: Exclude<Step, { do: 'read' | 'delete' }>, view: StoreView): StoreOp {
  if (step.do === 'join') return { kind: 'join', member: members[step.member] ?? '' };
  const record: LeaderRecord = {
    epoch: 1,
    leader: members[0],
    contested: false,
    renewals: (view.record?.renewals ?? 0) + 1,
    durations,
    established: named(step.established),
  };
  const expectMembers = step.checksMembers ? view.members : null;
  return { kind: 'write', expect: view.record, record, removeMembers: named(step.removed), expectMembers };
}

/** Looks, joins, writes and deletions of three clients at once, each operation as slow as it likes. */
async function allAtOnce(seed: number): Promise<void> {
  const bench = new Bench(seed);
  const { host } = bench;
  const draw = (below: number) => host.random.uint32() % below;
  const clients = [await bench.client(), await bench.client(), await bench.client()];
  const work = clients.flatMap((one) => {
    one.delayMs = () => draw(15);
    const look = async () => {
      for (let i = 0; i < 20; i++) {
        (await one.coordination.watchMembers(never)).cancel();
        await new Promise<void>((resolve) => void host.timers.after(draw(10), resolve));
      }
    };
    const change = async () => {
      let view = nothing;
      for (let i = 0; i < 12; i++) {
        one.fault = draw(4) === 0 ? faults[draw(faults.length)] : undefined;
        const draws = { client: 0, fault: 0, member: draw(4), checksMembers: draw(2) === 0 };
        const lists = { established: [draw(4)], removed: draw(3) === 0 ? [draw(4)] : [] };
        const kind = (['join', 'write', 'write', 'delete'] as const)[draw(4)];
        if (kind === 'delete') await bench.startDelete(one);
        else {
          const op = opOf({ do: kind ?? 'join', ...draws, ...lists }, view);
          const own = infoOf(op.kind === 'join' ? op.member : 'x@h#0');
          const outcome = await one.coordination.run(op, own, never);
          if ('view' in outcome) view = outcome.view;
        }
      }
    };
    return [look(), change()];
  });
  await host.runUntil(Promise.all(work), 600_000);
  await host.runFor(1_000);
  for (const one of clients) [one.fault, one.delayMs] = [undefined, () => 0];
  const whole = await bench.view(await bench.client());
  for (const one of clients) {
    assert.deepEqual(await bench.view(one), whole, `seed ${seed}`);
    assert.deepEqual([...one.coordination.infos.keys()].sort(), whole.members, `seed ${seed}`);
  }
}

describe('the records of a registry', () => {
  test('are seen alike by who has copies and by who reads everything', { timeout: 60_000 }, () =>
    fc.assert(
      fc.asyncProperty(steps, async (script) => {
        const bench = new Bench();
        const clients = [await bench.client(), await bench.client(), await bench.client()] as const;
        for (const step of script) {
          const one = clients[step.client] as Client;
          const seen = await bench.view(one);
          if (step.do !== 'read') {
            one.fault = faults[step.fault];
            if (step.do === 'delete') await bench.host.runUntil(bench.startDelete(one));
            else await bench.run(one, opOf(step, seen));
            one.fault = undefined;
          }
          // A late commit may strike between two steps, or during one.
          await bench.host.runFor(step.client * 15);
          const whole = await bench.view(await bench.client());
          assert.deepEqual(await bench.view(one), whole);
          assert.deepEqual([...one.coordination.infos.keys()].sort(), whole.members);
        }
        for (const one of clients)
          assert.deepEqual(await bench.view(one), await bench.view(await bench.client()));
      }),
      { numRuns: 150 },
    ),
  );

  test('are seen alike, and who they are, however looks and changes overtake each other', {
    timeout: 60_000,
  }, async () => {
    for (let seed = 1; seed <= 100; seed++) await allAtOnce(seed);
  });

  test('of two writers that expect the same one is refused', async () => {
    const bench = new Bench();
    const [a, b] = [await bench.client(), await bench.client()];
    await bench.run(a, { kind: 'join', member: members[0] });
    const view = await bench.view(b);
    const write = (established: readonly number[]): StoreOp =>
      opOf({ do: 'write', client: 0, established, removed: [], checksMembers: true, fault: 0 }, view);
    assert.equal((await bench.run(a, write([0]))).status, 'committed');
    const refused = await bench.run(b, write([0, 1]));
    assert.equal(refused.status, 'conflict');
    assert.deepEqual('view' in refused && refused.view, await bench.view(a));
  });

  test('a member that joined meanwhile refuses who expects the members of before', async () => {
    const bench = new Bench();
    const [a, b] = [await bench.client(), await bench.client()];
    await bench.run(a, { kind: 'join', member: members[0] });
    const view = await bench.view(a);
    await bench.run(b, { kind: 'join', member: members[1] });
    const step = { do: 'write' as const, client: 0, established: [0], removed: [], fault: 0 };
    assert.equal((await bench.run(a, opOf({ ...step, checksMembers: true }, view))).status, 'conflict');
    assert.equal((await bench.run(a, opOf({ ...step, checksMembers: false }, view))).status, 'committed');
  });

  test('who was slow is refused for what changed between reading and committing', async () => {
    const changes: readonly StoreOp[] = [
      { kind: 'join', member: members[1] },
      opOf({ do: 'write', client: 0, established: [1], removed: [], checksMembers: true, fault: 0 }, nothing),
    ];
    for (const change of changes) {
      const bench = new Bench();
      const [a, b] = [await bench.client(), await bench.client()];
      const step = { do: 'write' as const, client: 0, established: [0], removed: [], fault: 0 };
      a.fault = { delayMs: 50 };
      const op = opOf({ ...step, checksMembers: true }, nothing);
      const slow = a.coordination.run(op, infoOf(members[0]), never);
      assert.equal((await bench.run(b, change)).status, 'committed');
      assert.equal((await bench.host.runUntil(slow)).status, 'conflict');
    }
  });

  test('a list that does not belong to its record is refused', async () => {
    const bench = new Bench();
    const [a, b] = [await bench.client(), await bench.client()];
    const view = await bench.view(a);
    const step = { do: 'write' as const, client: 0, established: [0], removed: [], fault: 0 };
    await bench.run(a, opOf({ ...step, checksMembers: false }, view));
    const tx = await a.tenant.begin({ timeoutMs: 1_000 });
    const value = new TextEncoder().encode('{"stamp":"other","established":[]}');
    await tx.commit({
      reads: [],
      writes: [{ type: 'set', key: keyOf('registry', 'r', 'established'), value }],
    });
    const outcome = await bench.run(b, { kind: 'read' });
    assert.notEqual(outcome.status, 'committed');
    assert.equal((b.coordination.failure as { code?: string }).code, 'store_not_ours');
  });
});
