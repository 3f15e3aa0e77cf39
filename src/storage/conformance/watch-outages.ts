// Watches while their way to the store is disturbed. A backend re-attaches them by itself, and whatever changed in the
// meantime fires them: a change may be told late or twice, but never not at all.
import { rangeOfKey } from '../bytes.ts';
import type { Watch } from '../port.ts';
import type { Bench, ConformanceCase, Remote } from './support.ts';
import {
  bytes,
  check,
  equal,
  fires,
  key,
  persist,
  reading,
  refusals,
  set,
  verdict,
  within,
  write,
} from './support.ts';

const restartMs = 20_000;
/** For a poll to find what no notification has told. */
const pollMs = 10_000;
/** For a watch to be in place wherever it has to be, before the disturbance. */
const settleMs = 150;

const names = ['a', 'm', 'z'] as const;
const at = (name: string) => key('watched', name);

/** Several at once, since a client may re-attach them one by one. */
function watchAll({ tenant }: Pick<Remote, 'tenant'>): readonly Watch[] {
  return names.map((name) => tenant.watch(rangeOfKey(at(name))));
}

/** Watches that are in place and have not fired for what came before them, as some may. */
async function quietWatches(bench: Bench, { tenant }: Pick<Remote, 'tenant'>): Promise<readonly Watch[]> {
  for (let tries = 0; tries < 20; tries++) {
    const watches = watchAll({ tenant });
    let fired = false;
    for (const { changed } of watches) {
      void changed.then(() => {
        fired = true;
      });
    }
    await bench.pause(settleMs);
    if (!fired) return watches;
    for (const watch of watches) watch.cancel();
  }
  throw new Error('watches fire again and again without a change');
}

/** By a client that nothing disturbs, one commit for each. */
async function changeAll(bench: Bench): Promise<void> {
  for (const name of names) await write(bench.other, set(at(name), bench.host.random.bytes(8)));
}

async function allFire(bench: Bench, watches: readonly Watch[], ms: number): Promise<void> {
  const fired = await Promise.all(watches.map((watch) => fires(bench, watch, ms)));
  check(
    !fired.includes(false),
    `silent for ${ms} ms: ${names.filter((_, i) => fired[i] === false).join(', ')}`,
  );
}

/** Watches, lets `disturb` come between them and a change, and expects them to fire. */
function missed(
  name: string,
  disturb: (bench: Bench, remote: Remote, change: () => Promise<void>) => Promise<void>,
): ConformanceCase {
  return {
    name: `watch: ${name}`,
    needs: ['link'],
    async run(bench) {
      const remote = await bench.remote();
      await changeAll(bench);
      const watches = await quietWatches(bench, remote);
      await disturb(bench, remote, () => changeAll(bench));
      await allFire(bench, watches, remote.recoveryMs);
    },
  };
}

export const watchOutageCases: readonly ConformanceCase[] = [
  missed('a change after a cut', async (_, { link }, change) => {
    link.cut();
    await change();
  }),
  missed('a change after five cuts in quick succession', async (bench, { link }, change) => {
    for (let i = 0; i < 5; i++) {
      link.cut();
      await bench.pause(15);
    }
    await change();
  }),
  missed('a change while the client is disconnected', async (bench, { link }, change) => {
    link.sever();
    await change();
    await bench.pause(300);
    link.heal();
  }),
  missed('a change while each new connection is cut after 10 ms', async (bench, { link }, change) => {
    link.cutEachAfter(10);
    link.cut();
    await change();
    await bench.pause(700);
    link.heal();
  }),
  missed(
    'a change while the link is half open, which nobody tells the client',
    async (bench, { link }, change) => {
      link.silence();
      await change();
      await bench.pause(100);
      link.heal();
    },
  ),
  {
    name: 'watch: one that begins while the client is disconnected',
    needs: ['link'],
    async run(bench) {
      const remote = await bench.remote();
      // It knows where the store stands, so that the watches do not fire for what it has not heard of yet.
      for (const watch of await quietWatches(bench, remote)) watch.cancel();
      remote.link.sever();
      await bench.pause(settleMs);
      const early = watchAll(remote);
      await changeAll(bench);
      remote.link.heal();
      await allFire(bench, early, remote.recoveryMs);
    },
  },
  {
    name: 'watch: one that is cancelled while the client is disconnected resolves',
    needs: ['link'],
    async run(bench) {
      const remote = await bench.remote();
      const watches = watchAll(remote);
      remote.link.silence();
      for (const watch of watches) watch.cancel();
      await within(bench, 1_000, Promise.all(watches.map(({ changed }) => changed)));
    },
  },
  {
    name: 'watch: a change after the death of the server, and one before',
    needs: ['restart'],
    async run(bench) {
      const { tenant, other, target } = bench;
      await target.restart?.();
      const watches = await quietWatches(bench, { tenant });
      await target.restart?.();
      await persist(bench, restartMs, () => write(other, ...names.map((name) => set(at(name), bytes(1)))));
      await allFire(bench, watches, restartMs);
      const before = await quietWatches(bench, { tenant });
      await persist(bench, restartMs, () => write(other, ...names.map((name) => set(at(name), bytes(2)))));
      await target.restart?.();
      await allFire(bench, before, restartMs);
    },
  },
  {
    name: 'watch: a change that the store has forgotten before the client came back',
    needs: ['link', 'compact'],
    async run(bench) {
      const remote = await bench.remote();
      await changeAll(bench);
      const watches = await quietWatches(bench, remote);
      remote.link.sever();
      await changeAll(bench);
      for (let i = 0; i < 5; i++) await write(bench.other, set(key('elsewhere'), bytes(i)));
      await bench.target.compact?.();
      remote.link.heal();
      await allFire(bench, watches, remote.recoveryMs);
    },
  },
  {
    name: 'watch: a change whose notification was lost is found all the same',
    needs: ['dropNotifications'],
    async run(bench) {
      check(
        bench.target.other !== undefined,
        'the target has no other client whose notifications could be lost',
      );
      await bench.target.dropNotifications?.();
      for (let round = 0; round < 2; round++) {
        const watches = await quietWatches(bench, bench);
        await changeAll(bench);
        await allFire(bench, watches, pollMs);
      }
    },
  },
  {
    name: 'isolation: a snapshot whose history the store forgets shows itself or is too old',
    needs: ['compact'],
    async run(bench) {
      const { tenant, other, target } = bench;
      await write(tenant, set(key('a'), bytes(1)), set(key('b'), bytes(1)));
      await reading(tenant, async (tx) => {
        equal(await tx.get(key('a')), bytes(1));
        await write(other, set(key('a'), bytes(2)), set(key('b'), bytes(2)));
        await target.compact?.();
        const read = tx.get(key('b')).then(
          (value) => value?.join(),
          (error: { code?: unknown }) => String(error.code),
        );
        check(['1', 'store_too_old'].includes((await read) ?? ''), `the snapshot shows ${await read}`);
        const request = { reads: [rangeOfKey(key('a'))], writes: [set(key('a'), bytes(3))] };
        const { ending } = await verdict(tx.commit(request));
        check(refusals.includes(ending), `a commit on what is gone: ${ending}`);
      });
      equal((await verdict(write(tenant, set(key('a'), bytes(4))))).ending, 'now');
    },
  },
];
