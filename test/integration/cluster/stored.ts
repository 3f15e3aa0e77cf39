// What stands in the store of a cluster, read past all its nodes.
import assert from 'node:assert/strict';
import { nodeHost, storeAt } from '../../../src/index.ts';
import { Coordination } from '../../../src/registry/coordination.ts';
import type { StoreView } from '../../../src/registry/protocol/types.ts';
import { type Cluster, eventually } from './cluster.ts';

/** What the store holds of the registry. */
export async function stored(cluster: Cluster): Promise<StoreView> {
  const store = await storeAt(cluster.store, nodeHost());
  try {
    const coordination = new Coordination(store.tenant('default'), { root: 'games', timeoutMs: 2_000 });
    const nobody = {
      member: 'nobody@nowhere#0',
      node: 'nobody@nowhere',
      creation: 1,
      generation: 1,
      address: null,
      machineId: '',
      unprovenFormers: [],
    };
    const outcome = await coordination.run({ kind: 'read' }, nobody, new AbortController().signal);
    assert.ok('view' in outcome);
    return outcome.view;
  } finally {
    await store.close();
  }
}

/** Resolves when so many members count: only then may one of them follow a leader that says no more. */
export async function allCount(cluster: Cluster, members: number): Promise<void> {
  await eventually(`${members} members count`, async () =>
    (await stored(cluster)).record?.established.length === members ? true : undefined,
  );
}
