// Movers and those who take moves back, all at once, into two targets, under clients that count, while any operation may be lost,
// late or refused. At no instant are two stores in use, and every increment counts once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DGenError, hasCode } from '../../src/errors/error.ts';
import { abortMove, moveStore } from '../../src/node/move-store.ts';
import {
  type FaultSource,
  MemoryDatabase,
  type MemoryFault,
  movingStore,
  type Store,
} from '../../src/storage/index.ts';
import { counterIn, increment, Pair, recordOf } from './move-support.ts';

const seeds = 120;

test('whatever order they come in, one store at most is in use, and what is acknowledged is in it', {
  timeout: 120_000,
}, async () => {
  const seen = { moves: 0, aborts: 0 };
  for (let seed = 1; seed <= seeds; seed++) {
    const { completed, takenBack } = await storm(seed);
    seen.moves += completed;
    seen.aborts += takenBack;
  }
  assert.ok(seen.moves > seeds / 4 && seen.aborts > seeds / 4, JSON.stringify(seen));
});

class Storm {
  readonly pair: Pair;
  readonly databases: readonly MemoryDatabase[];
  on = true;
  readonly #seed: number;

  constructor(pair: Pair, seed: number) {
    this.pair = pair;
    this.#seed = seed;
    this.databases = [pair.old, pair.next, new MemoryDatabase(pair.host)];
  }

  draw(below: number): number {
    return this.pair.host.random.uint32() % below;
  }

  readonly fault: FaultSource = (operation): MemoryFault | undefined => {
    if (!this.on) return undefined;
    const kinds = ['unavailable', 'request_lost', 'reply_lost', 'late'] as const;
    const kind = kinds[this.draw(4 * kinds.length)];
    // Now and then somebody stands still for long.
    const delayMs = this.draw(20) === 0 ? this.draw(1_500) : this.draw(20);
    if (kind === undefined || operation === 'watch') return { delayMs };
    return { kind, delayMs };
  };

  connect(index: number) {
    return (this.databases[index] as MemoryDatabase).connect({ fault: this.fault });
  }

  /** The invariant: at every instant. */
  async check(): Promise<void> {
    const records = await Promise.all(this.databases.map(recordOf));
    const inUse = records.filter((record) => /^dgen 1$|^dgen 1 open/.test(record));
    assert.ok(inUse.length <= 1, `seed ${this.#seed}: in use at once: ${records.join(' | ')}`);
  }
}

async function storm(seed: number): Promise<{ completed: number; takenBack: number }> {
  const pair = await Pair.filled(3, seed);
  const { host } = pair;
  const storm = new Storm(pair, seed);
  const stores: Store[] = [];
  for (const target of [1, 1, 2]) {
    storm.on = false;
    stores.push(await host.runUntil(movingStore(storm.connect(0), storm.connect(target), { host })));
    storm.on = true;
  }
  let [completed, takenBack, acknowledged, doubtful] = [0, 0, 0, 0];
  const expected = (error: unknown): void => {
    assert.ok(error instanceof DGenError, String(error));
    assert.ok(error.code !== 'store_fatal' && error.code !== 'store_invalid', `seed ${seed}: ${error}`);
  };
  const mover = async (target: number) => {
    await host.runFor(0);
    const move = moveStore(storm.connect(0), storm.connect(target), {
      host,
      timeoutMs: 4_000 + storm.draw(20_000),
    });
    await move.then(() => (completed += 1), expected);
  };
  const taker = async (target: number) => {
    const taken = abortMove(storm.connect(0), storm.connect(target), { host, timeoutMs: 20_000 });
    await taken.then((was) => (takenBack += was ? 1 : 0), expected);
  };
  const work = stores.flatMap((store) =>
    [0, 1].map(async () => {
      for (let i = 0; i < 6; i++) {
        const done = await increment(store.tenant('a'), 20_000).catch((error: unknown) => error);
        if (typeof done === 'number') acknowledged += 1;
        else if (hasCode(done, 'store_commit_unknown')) doubtful += 1;
        else expected(done);
      }
    }),
  );
  const errands: Promise<void>[] = [];
  for (let step = 0; step < 200; step++) {
    if (step < 120 && storm.draw(8) === 0) errands.push(mover(storm.draw(4) === 0 ? 2 : 1));
    if (step < 120 && storm.draw(10) === 0) errands.push(taker(storm.draw(4) === 0 ? 2 : 1));
    await host.runFor(storm.draw(200));
    await storm.check();
  }
  await host.runUntil(Promise.all([...errands, ...work]), 1_200_000);
  await host.runFor(10_000);
  await storm.check();
  storm.on = false;
  await settle(storm, { acknowledged, doubtful, seed });
  for (const store of stores) await store.close();
  await host.runFor(10_000);
  assert.equal(host.timersPending, 0, `seed ${seed}: timers are left`);
  return { completed, takenBack };
}

/** Takes up, or takes back, whatever was left, and counts. */
async function settle(
  storm: Storm,
  expected: { acknowledged: number; doubtful: number; seed: number },
): Promise<void> {
  const { pair, databases } = storm;
  const { host } = pair;
  if (/moved/.test(await recordOf(pair.old))) {
    for (const target of [1, 2]) {
      const back = abortMove(storm.connect(0), storm.connect(target), { host });
      await host.runUntil(back.catch(() => false));
    }
  }
  await storm.check();
  const records = await Promise.all(databases.map(recordOf));
  const index = records.findIndex((record) => /^dgen 1$|^dgen 1 open/.test(record));
  assert.ok(index >= 0, `seed ${expected.seed}: nothing is in use: ${records.join(' | ')}`);
  const count = await counterIn(await pair.plain(databases[index] as MemoryDatabase), 'a');
  const { acknowledged, doubtful } = expected;
  assert.ok(
    count >= acknowledged && count <= acknowledged + doubtful,
    `seed ${expected.seed}: ${count}, acknowledged ${acknowledged}, in doubt ${doubtful}`,
  );
}
