// Everything at once, for a while: three members behind proxies that cut and fall silent, members killed and frozen, clients that
// count together. In the end the count is what was acknowledged, plus at most what was left unknown.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { transact } from '../../src/storage/index.ts';
import { type EtcdMember, EtcdServer } from '../support/etcd-server.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { countAt, key, newPrefix, open, within } from './support.ts';

const durationMs = Number(process.env.DGEN_ETCD_CHAOS_MS ?? 15_000);
const clients = 4;
const workersPerClient = 3;

test('counts exactly while members die, freeze, and links break', {
  timeout: durationMs + 90_000,
}, async (t) => {
  const server = await EtcdServer.start({ size: 3 });
  const proxies = await Promise.all(server.members.map(({ port }) => TcpProxy.start({ port })));
  t.after(async () => {
    await Promise.all(proxies.map((proxy) => proxy.close()));
    await server.dispose();
  });
  const prefix = newPrefix();
  const endpoints = proxies.map(({ port }) => `127.0.0.1:${port}`);
  const opened = await Promise.all(Array.from({ length: clients }, () => open(t, { endpoints, prefix })));
  const { tenant: direct } = await open(t, { endpoints: server.endpoints, prefix });
  const endsAt = Date.now() + durationMs;
  const tally = { acknowledged: 0, unknown: 0, refused: 0, watched: 0 };

  const work = opened.flatMap(({ tenant }, client) =>
    Array.from({ length: workersPerClient }, async (_, worker) => {
      for (let n = 0; Date.now() < endsAt; n++) {
        const name = key('done', `${client}.${worker}.${n}`);
        const counting = transact(
          tenant,
          async (tx) => {
            if (worker === 0) tx.add(key('n'), 1n);
            else tx.set(key('m'), next(await tx.get(key('m'))));
            if (n > 0) tx.clear(key('done', `${client}.${worker}.${n - 1}`));
            tx.set(name, new Uint8Array(0));
          },
          { timeoutMs: 8_000 },
        );
        await counting.then(
          () => {
            tally.acknowledged += 1;
          },
          (error: { code?: string; maybeExecuted?: boolean }) => {
            assert.ok(['timeout', 'store_commit_unknown'].includes(String(error.code)), String(error));
            if (error.maybeExecuted) tally.unknown += 1;
            else tally.refused += 1;
          },
        );
      }
    }),
  );
  const watching = opened.map(async ({ tenant }) => {
    while (Date.now() < endsAt) {
      const watch = tenant.watch({ begin: key('m'), end: key('o') });
      await Promise.race([watch.changed, sleep(3_000)]);
      watch.cancel();
      tally.watched += 1;
    }
  });
  await disturb(server, proxies, endsAt);
  await within(30_000, 'the end of the work', Promise.all([...work, ...watching]));
  const counted = (await countAt(direct, 'n')) + (await countAt(direct, 'm'));
  t.diagnostic(JSON.stringify({ ...tally, counted }));
  assert.ok(counted >= tally.acknowledged, `${counted} < ${tally.acknowledged}: an acknowledged one is lost`);
  assert.ok(
    counted <= tally.acknowledged + tally.unknown,
    `${counted} > ${tally.acknowledged} + ${tally.unknown}`,
  );
  assert.ok(tally.acknowledged > 20, `only ${tally.acknowledged}`);
});

/** One member at a time is hurt, and healed again before the next one. */
async function disturb({ members }: EtcdServer, proxies: readonly TcpProxy[], endsAt: number): Promise<void> {
  for (let round = 0; Date.now() < endsAt; round++) {
    const i = Math.floor(Math.random() * members.length);
    const [member, proxy] = [members[i] as EtcdMember, proxies[i] as TcpProxy];
    switch (round % 4) {
      case 0:
        await member.kill();
        await sleep(Math.random() * 500);
        await member.up();
        break;
      case 1:
        member.pause();
        await sleep(500 + Math.random() * 1_500);
        member.resume();
        break;
      case 2:
        proxy.door('silent');
        proxy.silence();
        await sleep(500 + Math.random() * 1_500);
        proxy.door('open');
        break;
      default:
        for (let cuts = 0; cuts < 30; cuts++) {
          for (const each of proxies) each.cut();
          await sleep(Math.random() * 60);
        }
    }
  }
}

function next(value: Uint8Array | undefined): Uint8Array {
  const bytes = value?.slice() ?? new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, view.getBigUint64(0, true) + 1n, true);
  return bytes;
}
