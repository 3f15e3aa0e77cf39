// Watches: none of the changes after the call is missed, and nothing is left behind.
import { rangeOfKey } from '../bytes.ts';
import { allKeys, prefixRange } from '../keys.ts';
import type { Mutation } from '../port.ts';
import type { ConformanceCase } from './support.ts';
import { bytes, check, equal, fires, key, number, set, valueAt, write } from './support.ts';

/** Far beyond the slowest poll. */
const waitMs = 5_000;
const silenceMs = 60;

export const watchCases: readonly ConformanceCase[] = [
  {
    name: 'watch: fires for a commit of another client',
    async run(bench) {
      const watch = bench.tenant.watch(rangeOfKey(key('a')));
      await write(bench.other, set(key('a'), bytes(1)));
      check(await fires(bench, watch, waitMs), 'the watch is silent');
      equal(await valueAt(bench.tenant, key('a')), bytes(1));
    },
  },
  {
    name: 'watch: fires for a commit of its own client, whatever the form of the change',
    async run(bench) {
      const { tenant } = bench;
      await write(tenant, set(key('a', 'x'), bytes(1)), set(key('n'), number(1n)));
      const forms: readonly (readonly [Mutation, Uint8Array])[] = [
        [set(key('s'), bytes(1)), key('s')],
        [{ type: 'add', key: key('n'), value: number(1n) }, key('n')],
        [{ type: 'max', key: key('m'), value: bytes(1) }, key('m')],
        [{ type: 'clear', key: key('s') }, key('s')],
        [{ type: 'clearRange', ...prefixRange('a') }, key('a', 'x')],
      ];
      for (const [change, at] of forms) {
        const watch = tenant.watch(rangeOfKey(at));
        await write(tenant, change);
        check(await fires(bench, watch, waitMs), `silent after ${change.type}`);
      }
    },
  },
  {
    name: 'watch: a range fires for any key in it',
    async run(bench) {
      for (const name of ['a', 'm', 'z']) {
        const watch = bench.tenant.watch(prefixRange('range'));
        await write(bench.other, set(key('range', name), bytes(1)));
        check(await fires(bench, watch, waitMs), `silent after ${name}`);
      }
    },
  },
  {
    name: 'watch: is silent while other keys change',
    async run(bench) {
      const watch = bench.tenant.watch({ begin: bytes(5), end: bytes(6) });
      await write(bench.other, set(bytes(4, 255), bytes(1)), set(bytes(6), bytes(1)));
      await write(bench.tenant.store.tenant('stranger'), set(bytes(5), bytes(1)));
      check(!(await fires(bench, watch, silenceMs)), 'the watch fired');
      await write(bench.other, set(bytes(5), bytes(1)));
      check(await fires(bench, watch, waitMs), 'the watch is silent');
    },
  },
  {
    name: 'watch: misses no change that comes right after it, twenty times',
    async run(bench) {
      for (let i = 1; i <= 20; i++) {
        const watch = bench.tenant.watch(rangeOfKey(key('a')));
        const done = write(bench.other, set(key('a'), bytes(i)));
        check(await fires(bench, watch, waitMs), `silent in round ${i}`);
        await done;
      }
    },
  },
  {
    name: 'watch: cancelled, it resolves and stays harmless',
    async run(bench) {
      const watch = bench.tenant.watch(allKeys());
      watch.cancel();
      watch.cancel();
      await watch.changed;
      await write(bench.tenant, set(key('a'), bytes(1)));
    },
  },
  {
    name: 'watch: ten thousand that were cancelled cost nothing',
    async run(bench) {
      const { clock } = bench.host;
      for (let round = 0; round < 20; round++) {
        const watches = Array.from({ length: 500 }, () => bench.tenant.watch(rangeOfKey(key('a'))));
        for (const watch of watches) watch.cancel();
        await Promise.all(watches.map((watch) => watch.changed));
      }
      const watch = bench.tenant.watch(rangeOfKey(key('a')));
      const began = clock.now();
      await write(bench.other, set(key('a'), bytes(1)));
      check(await fires(bench, watch, waitMs), 'the watch is silent');
      check(clock.now() - began < waitMs, `a commit and its watch took ${clock.now() - began} ms`);
    },
  },
  {
    name: 'watch: a thousand of them fire, and each only for its key',
    async run(bench) {
      const at = (i: number) => key('w', String(i));
      const watches = Array.from({ length: 1000 }, (_, i) => bench.tenant.watch(rangeOfKey(at(i))));
      let fired = 0;
      for (const watch of watches) void watch.changed.then(() => fired++);
      await write(bench.other, ...Array.from({ length: 100 }, (_, i) => set(at(i * 10), bytes(1))));
      const due = watches.filter((_, i) => i % 10 === 0);
      for (const watch of due) check(await fires(bench, watch, waitMs), 'a watch is silent');
      await bench.pause(silenceMs);
      // One may fire for nothing now and then, but not all for each commit.
      check(fired >= 100 && fired < 500, `${fired} watches fired for 100 changes`);
      for (const watch of watches) watch.cancel();
      await Promise.all(watches.map((watch) => watch.changed));
    },
  },
];
