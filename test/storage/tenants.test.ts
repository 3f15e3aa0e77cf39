// Tenants share a store and nothing in it: whatever bytes a name or a key is made of, no key of one is a key of another,
// and no range of one reaches into another. Checked on random pairs, and on the ones that look most alike.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { hasCode } from '../../src/errors/error.ts';
import { simulatedHost } from '../../src/host/index.ts';
import {
  allKeys,
  type Bytes,
  keyOf,
  MemoryDatabase,
  openStore,
  prefixRange,
  type Tenant,
} from '../../src/storage/index.ts';

const alike = [
  'a',
  'ab',
  'a\u0000',
  'a\u0000b',
  'a\u0001',
  'a\u0000\u0001',
  '\u0000',
  '\u0001',
  '\u00ff',
  '\uffff',
];
const bytesAlike = [[0], [1], [255], [0, 1], [0, 255], [1, 97, 0, 1], [97], [98, 0, 1], [255, 255]];
const name = fc.oneof(
  fc.constantFrom(...alike),
  fc.string({
    unit: fc.constantFrom('\u0000', '\u0001', 'a', '\u00ff', '\u{10ffff}'),
    minLength: 1,
    maxLength: 5,
  }),
);
const key = fc.oneof(
  fc.constantFrom(...bytesAlike).map((bytes) => Uint8Array.from(bytes)),
  fc.uint8Array({ minLength: 1, maxLength: 4 }).map((bytes) => Uint8Array.from(bytes)),
  fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => keyOf(...parts)),
);

async function newStore() {
  const host = simulatedHost();
  return openStore(new MemoryDatabase(host).connect(), { host });
}

async function put(tenant: Tenant, at: Bytes, value: number): Promise<void> {
  const tx = await tenant.begin({ timeoutMs: 1_000 });
  await tx.commit({ reads: [], writes: [{ type: 'set', key: at, value: Uint8Array.of(value) }] });
}

async function content(tenant: Tenant): Promise<string[]> {
  const tx = await tenant.begin({ timeoutMs: 1_000 });
  const { items } = await tx.getRange(allKeys(), { limit: 1_000 });
  tx.close();
  return items.map(([at, value]) => `${at.join()}=${value.join()}`);
}

describe('tenants', () => {
  test('see their own keys only, whatever the names and keys are made of', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(name, { minLength: 2, maxLength: 4 }),
        fc.array(key, { minLength: 1, maxLength: 6 }),
        async (names, keys) => {
          const store = await newStore();
          const tenants = names.map((one) => store.tenant(one));
          for (const [index, tenant] of tenants.entries())
            for (const at of keys) await put(tenant, at, index);
          const expected = (index: number) =>
            [...new Set(keys.map((at) => Buffer.from(at).toString('hex')))]
              .sort()
              .map((hex) => `${[...Buffer.from(hex, 'hex')].join()}=${index}`);
          for (const [index, tenant] of tenants.entries())
            assert.deepEqual(await content(tenant), expected(index));
          // Everything of the first goes; the others keep all of theirs.
          const tx = await (tenants[0] as Tenant).begin({ timeoutMs: 1_000 });
          await tx.commit({ reads: [], writes: [{ type: 'clearRange', ...allKeys() }] });
          for (const [index, tenant] of tenants.entries())
            assert.deepEqual(await content(tenant), index === 0 ? [] : expected(index));
        },
      ),
      { numRuns: 200 },
    );
  });

  test('do not conflict, and do not wake the watches of each other', async () => {
    const store = await newStore();
    for (const [first, second] of alike.flatMap((one) => alike.map((other) => [one, other] as const))) {
      if (first === second) continue;
      const [a, b] = [store.tenant(first), store.tenant(second)];
      let woken = false;
      const watch = a.watch(allKeys());
      void watch.changed.then(() => {
        woken = true;
      });
      const tx = await a.begin({ timeoutMs: 1_000 });
      await tx.getRange(allKeys(), { limit: 10 });
      for (const bytes of bytesAlike) await put(b, Uint8Array.from(bytes), 1);
      assert.ok(!woken, `${JSON.stringify(second)} woke ${JSON.stringify(first)}`);
      await tx.commit({ reads: [allKeys()], writes: [] });
      watch.cancel();
    }
  });

  test('the registries of one tenant are ranges that do not meet', () => {
    fc.assert(
      fc.property(name, name, key, (one, other, at) => {
        fc.pre(one !== other);
        const { begin, end } = prefixRange('registry', one);
        const foreign = Buffer.concat([keyOf('registry', other), at]);
        assert.ok(Buffer.compare(foreign, begin) < 0 || Buffer.compare(foreign, end) >= 0);
      }),
    );
  });

  test('names that are no text are refused', async () => {
    const store = await newStore();
    for (const bad of ['', '\ud800', 'x'.repeat(129), 'ü'.repeat(65), undefined, 5, Uint8Array.of(97)])
      assert.throws(
        () => store.tenant(bad as string),
        (error) => hasCode(error, 'bad_option'),
      );
    assert.equal(store.tenant('x'.repeat(128)).name.length, 128);
  });
});
