// A port that was another node's may be ours by now: who dials that node reaches itself, which is no clash of names.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Address, createDistribution } from '../../../src/distribution/index.ts';
import { nodeHost } from '../../../src/host/index.ts';
import { createRuntime } from '../../../src/process/index.ts';
import { atom } from '../../../src/term/index.ts';

test('an old address that leads to the node itself is told as that', { timeout: 20_000 }, async () => {
  const said: string[] = [];
  const say = (level: string) => (_fields: object, message: string) => void said.push(`${level}: ${message}`);
  const log = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };
  const host = nodeHost({ log });
  const name = atom('a@127.0.0.1');
  const runtime = createRuntime({ name, creation: 7, host });
  let own: Address | undefined;
  const distribution = createDistribution({
    name,
    creation: 7,
    cookie: 'cookie',
    host,
    inbound: runtime.inbound,
    resolve: async () => (own === undefined ? [] : [own]),
  });
  try {
    own = await distribution.listen();
    assert.equal(await distribution.connect(atom('b@127.0.0.1')), false);
    const verdict = await distribution.probe(own, { node: atom('b@127.0.0.1'), creation: 1 });
    assert.equal(verdict, 'other');
  } finally {
    await distribution.close();
  }
  assert.deepEqual(
    said.filter((line) => line.startsWith('error')),
    [],
  );
  assert.ok(said.some((line) => line.includes('leads to this one')));
});
