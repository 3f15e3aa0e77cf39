// `npm run move-store`: what it prints, and its exit codes. What a move does is tried elsewhere.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeHost, storeAt, transact } from '../../../src/index.ts';

function command(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['scripts/move-store.ts', ...args], { timeout: 20_000 }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

test('the command moves a store, takes a move back, and says what is wrong', {
  timeout: 60_000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'dgen-move-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [from, to] = ['old', 'new'].map((name) => `sqlite:${join(folder, name)}`) as [string, string];
  const store = await storeAt(from, nodeHost());
  await transact(store.tenant('a'), (tx) => tx.set(Uint8Array.of(1), Uint8Array.of(2)), { timeoutMs: 5_000 });
  await store.close();

  assert.match((await command('--help')).out, /--from ADDRESS/);
  assert.equal((await command('--from', from)).code, 2);
  assert.equal((await command('--nonsense')).code, 1);
  const nothing = await command('--from', from, '--to', to, '--abort');
  assert.deepEqual([nothing.code, nothing.out], [0, 'there was nothing to take back\n']);
  const impatient = await command('--from', from, '--to', to, '--timeout', '0');
  assert.deepEqual([impatient.code, /^bad_option: timeoutMs/.test(impatient.err)], [1, true]);
  const done = await command('--from', from, '--to', to);
  assert.deepEqual([done.code, /^moved 1 keys, /.test(done.out)], [0, true]);
  const late = await command('--from', from, '--to', to, '--abort');
  assert.deepEqual([late.code, /^store_moved: /.test(late.err)], [1, true]);
  const wrong = await command('--from', to, '--to', to);
  assert.deepEqual([wrong.code, /^bad_option: /.test(wrong.err)], [1, true]);
});
