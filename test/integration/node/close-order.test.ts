// A node that leaves in good order: its names are free for others only when its processes are no more.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Node, type Pid, type Registry } from '../../../src/index.ts';

const names = Array.from({ length: 50 }, (_, index) => `name-${index}`);

async function until(holds: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!holds()) {
    assert.ok(performance.now() < deadline, `waited for ${what}`);
    await pause(1);
  }
}

/** Takes each name as soon as it is free, and says who still ran that had it before. */
async function inherit(name: string, heir: { node: Node; registry: Registry }, former: () => boolean) {
  const { node, registry } = heir;
  const pid = node.spawn(async (self) => void (await self.receive()));
  for (;;) {
    const answer = await registry.register(name, pid);
    if (answer.status === 'registered') return former();
    await pause(1);
  }
}

test('no name of a closing node has two live owners', { timeout: 30_000 }, async () => {
  const store = `memory:close-order-${process.pid}`;
  const leaving = await Node.start({ name: 'leaving', store });
  const staying = await Node.start({ name: 'staying', store });
  try {
    const mine = await leaving.registry('names');
    const registry = await staying.registry('names');
    const pids = new Map<string, Pid>();
    for (const name of names) {
      // Who traps exits takes its time: names must wait for it.
      const pid = leaving.spawn(async (self) => {
        self.trapExit(true);
        await self.receive();
        await pause(20);
      });
      pids.set(name, pid);
      assert.equal((await mine.register(name, pid)).status, 'registered');
    }
    await until(() => names.every((name) => registry.whereis(name) !== undefined), 'all names');
    const overlaps = names.map((name) =>
      inherit(name, { node: staying, registry }, () => leaving.runtime.isAlive(pids.get(name)!)),
    );
    await leaving.close();
    assert.deepEqual(
      (await Promise.all(overlaps)).filter((alive) => alive),
      [],
    );
  } finally {
    await leaving.close();
    await staying.close();
  }
});

test('a node that closes in good order has nothing to complain about', { timeout: 30_000 }, async () => {
  const said: string[] = [];
  const say = (_fields: object, message: string): void => void said.push(message);
  const quiet = (): void => undefined;
  const log = { debug: quiet, info: quiet, warn: say, error: say };
  const node = await Node.start({ name: 'quiet', store: `memory:close-quiet-${process.pid}`, log });
  const registry = await node.registry('names');
  const pid = node.spawn(async (self) => void (await self.receive()));
  assert.equal((await registry.register('x', pid)).status, 'registered');
  await node.close();
  assert.deepEqual(said, []);
});
