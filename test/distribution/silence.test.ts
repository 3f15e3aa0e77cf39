// A peer is blamed for silence only when it was asked and gave no sign of life for as long as it may; and a node that does not
// answer a knock is knocked at again, without waiting for the kernel.
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { createDistribution } from '../../src/distribution/index.ts';
import { Silence } from '../../src/distribution/silence.ts';
import type { ByteStream, Transport } from '../../src/distribution/transport.ts';
import { simulatedHost } from '../../src/host/index.ts';
import { createRuntime } from '../../src/process/index.ts';
import { atom } from '../../src/term/index.ts';

/** With a limit of 1,600 ms. */
function watch(): Silence {
  const silence = new Silence();
  silence.limit(1_600);
  return silence;
}

/** Looks every 100 ms until something is due; how many there were. */
function looksUntilDue(silence: Silence): readonly [string, number] {
  for (let looks = 1; looks <= 100; looks++) {
    const look = silence.look(100);
    if (look !== 'fine') return [look, looks];
  }
  return ['fine', 100];
}

test('a peer that nothing was written to since it spoke may be silent for ever', () => {
  const silence = watch();
  assert.deepEqual(looksUntilDue(silence), ['fine', 100]);
  silence.wrote();
  silence.heard();
  assert.deepEqual(looksUntilDue(silence), ['fine', 100]);
});

test('a peer that does not answer is asked soon, and lost when it was asked longer ago than the limit', () => {
  const silence = watch();
  looksUntilDue(silence);
  silence.wrote();
  assert.deepEqual(looksUntilDue(silence), ['ask', 2]);
  silence.wrote();
  assert.deepEqual(looksUntilDue(silence), ['lost', 17]);
});

test('any byte ends the wait, and it begins anew with the next write', () => {
  const silence = watch();
  silence.wrote();
  assert.deepEqual(looksUntilDue(silence), ['ask', 2]);
  for (let looks = 0; looks < 15; looks++) assert.equal(silence.look(100), 'fine');
  silence.heard();
  assert.deepEqual(looksUntilDue(silence), ['fine', 100]);
  silence.wrote();
  assert.deepEqual(looksUntilDue(silence), ['ask', 2]);
});

test('without a limit a peer is asked, and never lost; a limit stays when the peer is no member any more', () => {
  const silence = new Silence();
  assert.equal(silence.everyMs, 1_000);
  silence.wrote();
  assert.deepEqual(looksUntilDue(silence), ['ask', 11]);
  assert.deepEqual(looksUntilDue(silence), ['fine', 100]);
  silence.limit(1_600);
  assert.deepEqual(looksUntilDue(silence), ['lost', 1]);
  silence.heard();
  silence.wrote();
  silence.limit(Number.POSITIVE_INFINITY);
  assert.deepEqual(looksUntilDue(silence), ['ask', 2]);
  assert.deepEqual(looksUntilDue(silence), ['lost', 17]);
});

test('looks are a sixteenth of the limit apart, within bounds', () => {
  const silence = watch();
  assert.equal(silence.everyMs, 100);
  silence.limit(60_000);
  assert.equal(silence.everyMs, 1_000);
  silence.limit(10);
  assert.equal(silence.everyMs, 20);
});

/** Where nobody answers. */
class Unanswered extends EventEmitter {
  readonly writableLength = 0;
  destroyed = false;
  destroy(): this {
    this.destroyed = true;
    return this;
  }
}

test('a node that does not answer is knocked at every 2 s, until the attempt is over', async () => {
  const host = simulatedHost();
  const knocks: { readonly at: number; readonly stream: Unanswered }[] = [];
  const transport: Transport = {
    dial: () => {
      const stream = new Unanswered();
      knocks.push({ at: host.clock.now(), stream });
      return stream as unknown as ByteStream;
    },
    listen: () => Promise.reject(new Error('not asked for')),
  };
  const distribution = createDistribution({
    name: atom('a@t'),
    creation: 1,
    cookie: 'c',
    host,
    transport,
    inbound: createRuntime({ name: atom('a@t'), creation: 1, host }).inbound,
    resolve: async () => [{ host: 'there', port: 1 }],
  });
  let connected: boolean | undefined;
  void distribution.connect(atom('b@t')).then((value) => {
    connected = value;
  });
  await host.runFor(6_900);
  assert.deepEqual(
    knocks.map(({ at }) => at),
    [0, 2_000, 4_000, 6_000],
  );
  assert.deepEqual(
    knocks.map(({ stream }) => stream.destroyed),
    [true, true, true, false],
    'one at a time',
  );
  assert.equal(connected, undefined);
  await host.runFor(200);
  assert.equal(connected, false);
  assert.ok(knocks.every(({ stream }) => stream.destroyed));
  void distribution.close();
  await host.runFor(1_000);
});
