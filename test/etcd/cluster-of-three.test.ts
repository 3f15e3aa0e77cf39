// A cluster of real processes on three etcd members: one may be lost at any time, and the loss of two is an outage.
import { describe, type TestContext, test } from 'node:test';
import { type FaultyStore, lossUnderLoad, storeFaults } from '../integration/cluster/store-faults.ts';
import { EtcdServer } from '../support/etcd-server.ts';

async function three(t: TestContext): Promise<EtcdServer> {
  const server = await EtcdServer.start({ size: 3 });
  t.after(() => server.dispose());
  return server;
}

const addressOf = (server: EtcdServer): string => `etcd://${server.endpoints.join()}`;

/** Loses its leader and one more, which is the quorum. */
async function quorum(t: TestContext): Promise<FaultyStore> {
  const server = await three(t);
  let lost: EtcdServer['members'] = [];
  return {
    address: addressOf(server),
    takeAway: async () => {
      const leader = await server.leader();
      const other = server.members.find((member) => member !== leader);
      lost = [leader, ...(other === undefined ? [] : [other])];
      await Promise.all(lost.map((member) => member.kill()));
    },
    bringBack: async () => {
      await Promise.all(lost.map((member) => member.up()));
      // It answers again once there is a leader, which the others may hear of later.
      await Promise.all(server.members.map((member) => member.healthy()));
    },
  };
}

storeFaults({ name: 'etcd that loses its quorum', create: quorum, longMs: 6_000 });

describe('etcd that loses one of three beneath a cluster', () => {
  test('its leader is killed, again and again: no call fails, the lease of our leader goes on', {
    timeout: 90_000,
  }, async (t) => {
    const server = await three(t);
    await lossUnderLoad(t, addressOf(server), async () => {
      const leader = await server.leader();
      await leader.kill();
      return () => leader.up();
    });
  });

  test('its leader is frozen, again and again', { timeout: 90_000 }, async (t) => {
    const server = await three(t);
    await lossUnderLoad(t, addressOf(server), async () => {
      const leader = await server.leader();
      leader.pause();
      return async () => {
        leader.resume();
        await leader.healthy();
      };
    });
  });
});
