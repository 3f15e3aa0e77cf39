// After `close` nothing is left: a program that has closed its store ends by itself, also when the other side has fallen silent.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import type { EtcdOptions } from '../../src/storage/etcd/index.ts';
import { certificateAuthority } from '../support/certificates.ts';
import { EtcdServer } from '../support/etcd-server.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

/** Far below what a system waits for a peer that says nothing. */
const exitMs = 3_000;

interface Plan {
  readonly options: EtcdOptions;
  readonly plan?: 'use' | 'unreachable';
  /** When the program has done its work and is about to close. */
  readonly before?: () => void;
}

async function exits(t: TestContext, { options, plan = 'use', before }: Plan): Promise<void> {
  const child = fork('test/etcd/client.child.ts', [JSON.stringify(options), plan], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  t.after(() => child.kill('SIGKILL'));
  await once(child, 'message');
  if (plan === 'unreachable') await new Promise((resolve) => setTimeout(resolve, 300));
  before?.();
  child.send('go');
  const started = performance.now();
  const [code] = await once(child, 'exit', { signal: AbortSignal.timeout(20_000) });
  assert.equal(code, 0);
  const ms = performance.now() - started;
  assert.ok(ms < exitMs, `the program ended after ${ms} ms`);
}

test('a program that has closed its store ends by itself', { timeout: 100_000 }, async (t) => {
  const server = await EtcdServer.start();
  const proxy = await TcpProxy.start({ port: server.port });
  t.after(() => Promise.all([server.dispose(), proxy.close()]));
  const endpoints = [`127.0.0.1:${proxy.port}`];
  await t.test('in good order', (sub) => exits(sub, { options: { endpoints } }));
  await t.test('when the link has fallen silent', async (sub) => {
    await exits(sub, { options: { endpoints }, before: () => proxy.silence() });
  });
  await t.test('when the server stands still', async (sub) => {
    await exits(sub, { options: { endpoints }, before: () => server.members[0]?.pause() });
    server.members[0]?.resume();
  });
  await t.test('while a connection is being made', async (sub) => {
    proxy.door('silent');
    await exits(sub, { options: { endpoints }, plan: 'unreachable' });
  });
  await t.test('while there is nobody', async (sub) => {
    await exits(sub, { options: { endpoints: ['127.0.0.1:1'] }, plan: 'unreachable' });
  });
});

test('the same over TLS', { timeout: 60_000 }, async (t) => {
  const authority = certificateAuthority();
  const server = await EtcdServer.start({ tls: { ca: authority.ca, ...authority.issue('server') } });
  const proxy = await TcpProxy.start({ port: server.port });
  t.after(() => Promise.all([server.dispose(), proxy.close()]));
  const tls = { ca: authority.ca, ...authority.issue('client') };
  const options = { endpoints: [`127.0.0.1:${proxy.port}`], tls };
  await t.test('in good order', (sub) => exits(sub, { options }));
  await t.test('when the link has fallen silent', (sub) =>
    exits(sub, { options, before: () => proxy.silence() }),
  );
  await t.test('while hands are being shaken', async (sub) => {
    proxy.door('silent');
    await exits(sub, { options, plan: 'unreachable' });
  });
});
