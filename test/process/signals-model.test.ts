// Random links, unlinks, monitors and exits over two nodes, against a model that knows nothing of nodes, signals or
// acknowledgements: a set of pairs. Signals may be held back to cross; the model is asked only when all is quiet, for
// what must be true then whatever the order was.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  isDownMessage,
  isExitMessage,
  kill,
  killed,
  type LocalRuntime,
  noconnection,
  type Process,
} from '../../src/process/index.ts';
import type { Pid, Ref } from '../../src/term/index.ts';
import { joinedRuntimes } from '../support/joined-runtimes.ts';
import { checkClean, startRecorder } from './support.ts';

const PROCESSES = 4;
const index = fc.nat({ max: PROCESSES - 1 });
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('link' as const), one: index, other: index }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('unlink' as const), one: index, other: index }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('monitor' as const), one: index, other: index }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('demonitor' as const), one: index, other: index }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('kill' as const), one: index, other: index }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('hold' as const), one: index, other: index }) },
);

interface Actor {
  readonly runtime: LocalRuntime;
  readonly pid: Pid;
  readonly messages: unknown[];
  readonly run: <T>(code: (self: Process) => T) => Promise<T>;
  alive: boolean;
  readonly monitors: Map<string, { ref: Ref; other: number }>;
}

test('links and monitors over two nodes do what a set of pairs does', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.boolean(), async (steps, crossing) => {
      const { host, network, a, b } = joinedRuntimes();
      const actors = Array.from({ length: PROCESSES }, (_, each): Actor => {
        const runtime = each % 2 === 0 ? a : b;
        return { runtime, ...startRecorder(runtime, { trap: true }), alive: true, monitors: new Map() };
      });
      const actor = (each: number): Actor => actors[each] as Actor;
      const linked = new Set<string>();
      const pair = (one: number, other: number): string => [one, other].sort().join(' ');
      await host.settle();
      for (const { do: what, one, other } of steps) {
        const [self, target] = [actor(one), actor(other)];
        if (!self.alive || one === other) continue;
        if (what === 'hold') {
          if (!crossing) continue;
          network.hold(a, b);
          network.hold(b, a);
          continue;
        }
        await host.runUntil(act(what, self, { target, other }));
        if (what === 'link' && target.alive) linked.add(pair(one, other));
        // Who unlinks from the dead has heard of the death already.
        if (what === 'unlink' && target.alive) linked.delete(pair(one, other));
        if (what === 'kill') self.alive = false;
        // Without holding, every step has come to rest before the next.
        if (!crossing) await host.settle();
      }
      network.release(a, b);
      network.release(b, a);
      await host.settle();
      for (const each of actors) checkMonitors(each, actors);
      if (!crossing) checkExits(actors, linked);
      network.disconnect(a, b);
      await host.settle();
      checkLinksLeft(actors, crossing ? undefined : linked);
      await checkClean(host, [a, b]);
    }),
    { numRuns: 300 },
  );
});

async function act(what: string, self: Actor, to: { target: Actor; other: number }): Promise<void> {
  const { target, other } = to;
  if (what === 'kill') self.runtime.exit(self.pid, kill);
  if (what === 'link') await self.run((process) => process.link(target.pid));
  if (what === 'unlink') await self.run((process) => process.unlink(target.pid));
  if (what === 'monitor') {
    const ref = await self.run((process) => process.monitor(target.pid));
    self.monitors.set(ref.key, { ref, other });
  }
  const first = [...self.monitors.values()].find((monitor) => monitor.other === other);
  if (what !== 'demonitor' || first === undefined) return;
  const heard = downsOf(self).has(first.ref.key);
  await self.run((process) => process.demonitor(first.ref));
  if (!heard) self.monitors.delete(first.ref.key);
}

function downsOf(actor: Actor): Map<string, number> {
  const downs = new Map<string, number>();
  for (const down of actor.messages.filter(isDownMessage)) {
    downs.set(down.ref.key, (downs.get(down.ref.key) ?? 0) + 1);
  }
  return downs;
}

/** Exactly one message for each monitor of a dead process, none for the others. */
function checkMonitors(owner: Actor, actors: readonly Actor[]): void {
  if (!owner.alive) return;
  const downs = downsOf(owner);
  for (const [key, { other }] of owner.monitors) {
    assert.equal(
      downs.get(key) ?? 0,
      actors[other]?.alive ? 0 : 1,
      'one down for the dead, none for the living',
    );
    downs.delete(key);
  }
  assert.equal(downs.size, 0, 'no down that nobody waits for');
}

/** A living process has heard of the death of exactly those it was linked to. */
function checkExits(actors: readonly Actor[], linked: ReadonlySet<string>): void {
  for (const [one, owner] of actors.entries()) {
    if (!owner.alive) continue;
    for (const [other, target] of actors.entries()) {
      if (target.alive || one === other) continue;
      const heard = owner.messages.filter(isExitMessage).filter((exit) => exit.from.equals(target.pid));
      assert.equal(
        heard.filter((exit) => exit.reason === killed).length,
        linked.has([one, other].sort().join(' ')) ? 1 : 0,
      );
    }
  }
}

/** The connection is gone now: of two living processes on two nodes either both have heard of it, or none; as the model says, where it can say. */
function checkLinksLeft(actors: readonly Actor[], linked: ReadonlySet<string> | undefined): void {
  for (const [one, owner] of actors.entries()) {
    for (const [other, target] of actors.entries()) {
      if (!owner.alive || !target.alive || owner.runtime === target.runtime) continue;
      const heard = countLost(owner, target);
      assert.equal(heard, countLost(target, owner), 'a link has two ends');
      assert.ok(heard <= 1, 'a link breaks once');
      if (linked !== undefined) assert.equal(heard, linked.has([one, other].sort().join(' ')) ? 1 : 0);
    }
  }
}

function countLost(owner: Actor, target: Actor): number {
  const exits = owner.messages.filter(isExitMessage).filter((exit) => exit.from.equals(target.pid));
  return exits.filter((exit) => exit.reason === noconnection).length;
}
