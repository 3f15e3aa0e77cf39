// The judge of ownership: from what every node notes about its own processes, was there ever a moment with two live
// owners of one name? And from what the owners did: did one that was replaced act after its successor?
import assert from 'node:assert/strict';
import type { RemoteNode } from './cluster.ts';
import { type Act, compareTokenTexts, type Owner } from './orders.ts';

/** A node that was killed, or frozen: what its owners could do ends there for a while, or for good. */
export interface Stillness {
  readonly node: string;
  readonly from: number;
  /** Infinity for a kill. */
  readonly to: number;
}

export interface Verdict {
  readonly owners: number;
  /** Acts of replaced owners after their successor's first, all in the turn in which their node thawed. */
  readonly lastInstantActs: number;
}

/** What a test has collected before a node was lost, and what the living nodes say at the end. */
export class Witness {
  readonly #owners: Map<string, Owner> = new Map();
  readonly #acts: Act[] = [];

  async collect(nodes: readonly RemoteNode[]): Promise<void> {
    for (const node of nodes) {
      for (const owner of await node.owners()) this.#owners.set(`${owner.name} ${owner.token}`, owner);
      this.#acts.push(...(await node.acts()));
      await node.order({ do: 'forgetHistory' });
    }
  }

  /** Fails when two owners of one name were alive at the same time, but for the time in which one of them stood still. */
  judge(stillnesses: readonly Stillness[] = []): Verdict {
    const byName = new Map<string, Owner[]>();
    for (const owner of this.#owners.values())
      byName.set(owner.name, [...(byName.get(owner.name) ?? []), owner]);
    for (const [name, owners] of byName) {
      owners.sort((a, b) => compareTokenTexts(a.token, b.token));
      for (const [index, later] of owners.entries()) {
        const earlier = owners[index - 1];
        if (earlier !== undefined) checkPair(name, { earlier, later, stillnesses });
      }
    }
    return { owners: this.#owners.size, lastInstantActs: this.#lastInstantActs(stillnesses) };
  }

  #lastInstantActs(stillnesses: readonly Stillness[]): number {
    const latest = new Map<string, Act>();
    const stale = new Map<string, number>();
    for (const act of this.#acts.sort((a, b) => a.at - b.at)) {
      const known = latest.get(act.name);
      if (known !== undefined && compareTokenTexts(act.token, known.token) < 0) {
        const thawed = stillnesses.some(({ to }) => act.at >= to && act.at < to + thawMs);
        assert.ok(thawed, `${act.name}: ${act.token} acted at ${act.at} after ${known.token} at ${known.at}`);
        const key = `${act.name} ${act.token}`;
        stale.set(key, (stale.get(key) ?? 0) + 1);
        assert.ok((stale.get(key) ?? 0) <= 1, `${key} acted more than once after its successor`);
      } else latest.set(act.name, act);
    }
    return [...stale.values()].reduce((sum, count) => sum + count, 0);
  }
}

/** A thawed node on a busy machine gets its first turn within this. */
const thawMs = 3_000;

function checkPair(
  name: string,
  of: { earlier: Owner; later: Owner; stillnesses: readonly Stillness[] },
): void {
  const { earlier, later, stillnesses } = of;
  assert.notEqual(earlier.token, later.token, `${name}: one token given twice`);
  const still = stillnesses.find(
    ({ node, from, to }) =>
      earlier.pid.endsWith(`@${node}`) && from < later.grantedAt && to > earlier.grantedAt,
  );
  const lost = still?.to === Number.POSITIVE_INFINITY;
  const endedAt = earlier.endedAt ?? (lost ? still.from : Number.POSITIVE_INFINITY);
  // While it stands still it does nothing; it must end in the turn in which it thaws.
  const thawedInTime = still !== undefined && endedAt <= still.to + thawMs;
  assert.ok(
    endedAt <= later.grantedAt || thawedInTime,
    `${name}: ${earlier.pid} (${earlier.token}) ended at ${endedAt}, ${later.pid} (${later.token}) was granted at ${later.grantedAt}`,
  );
}
