// The gRPC packages are optional: who uses another store needs none of them, and who lacks them is told what to install.
import assert from 'node:assert/strict';
import { registerHooks } from 'node:module';
import { test } from 'node:test';
import { nodeHost } from '../../../src/host/index.ts';
import { storeAt } from '../../../src/node/open-store.ts';

test('without the gRPC packages the error says what to install', async () => {
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      if (!specifier.startsWith('@grpc/')) return next(specifier, context);
      throw Object.assign(new Error(`Cannot find package '${specifier}'`), { code: 'ERR_MODULE_NOT_FOUND' });
    },
  });
  const host = nodeHost();
  try {
    const opening = storeAt('etcd://user:secret@127.0.0.1:1', host);
    await assert.rejects(opening, (error: Error & { code?: string }) => {
      assert.equal(error.code, 'store_fatal');
      assert.match(error.message, /npm install @grpc\/grpc-js @grpc\/proto-loader/);
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
    const store = await storeAt('memory:packages', host);
    await store.close();
  } finally {
    hooks.deregister();
  }
  await assert.rejects(
    storeAt('etcd+tls://user:secret@127.0.0.1:1', host),
    (error: Error & { code?: string }) => {
      assert.equal(error.code, 'bad_option');
      assert.doesNotMatch(error.message, /secret/);
      return true;
    },
  );
});
