// The member process of a registry, or its elector, crashes inside a healthy node: both start anew as another
// incarnation, what was registered through the old one ends, and the handle goes on working.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  Cluster,
  eventually,
  grantsIn,
  leaderOf,
  leaseMs,
  namesOf,
  type RemoteNode,
  showExactly,
} from './cluster.ts';
import { nowMs, type Order } from './orders.ts';
import { Witness } from './witness.ts';

const names = namesOf('room-', 20);

for (const crash of ['killMember', 'killElector'] as const) {
  for (const who of ['follower', 'leader'] as const) {
    test(`${crash} of a ${who}`, { timeout: 60_000 }, async (t) => {
      const cluster = new Cluster(t, { leaseMs, sessionMs: 30 * leaseMs });
      const nodes = await cluster.startAll('a', 'b', 'c');
      const leader = await leaderOf(nodes);
      const target = who === 'leader' ? leader : (nodes.find((node) => node !== leader) as RemoteNode);
      const others = nodes.filter((node) => node !== target) as [RemoteNode, RemoteNode];
      grantsIn(await target.register(names));
      grantsIn(await others[0].register(['elsewhere']));
      await showExactly(nodes, [...names, 'elsewhere']);
      const before = await target.status();
      const witness = new Witness();

      const seized = names.map((name) =>
        others[1].order<{ status: string; at: number }>({ do: 'seize', name, timeoutMs: 15_000 }),
      );
      const order: Order = { do: crash };
      const { at } = await target.order<{ at: number }>(order);
      const taken = await Promise.all(seized);
      assert.ok(taken.every(({ status }) => status === 'registered'));
      t.diagnostic(`names were free ${((taken[0]?.at ?? 0) - at).toFixed(0)} ms after the crash`);
      await eventually('a new incarnation', async () => {
        const { phase, member } = await target.status();
        return phase === 'active' && member !== before.member ? true : undefined;
      });
      for (const owner of await target.owners()) assert.match(owner.reason ?? 'lives', /fenced/);
      const from = nowMs();
      grantsIn(await target.register(['after-crash']));
      t.diagnostic(`the handle registered again within ${(nowMs() - from).toFixed(0)} ms`);
      await showExactly(nodes, [...names, 'elsewhere', 'after-crash']);
      await witness.collect(nodes);
      witness.judge();
      const members = await eventually('the old incarnation is gone', async () => {
        const status = await others[0].status();
        return status.members.length === 3 ? status.members : undefined;
      });
      assert.deepEqual([...new Set(members)].sort(), nodes.map((node) => node.nodeName).sort());
    });
  }
}
