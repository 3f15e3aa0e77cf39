// Users, permissions, tokens and certificates.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeHost } from '../../src/host/index.ts';
import { storeAt } from '../../src/node/open-store.ts';
import { type EtcdOptions, openEtcd } from '../../src/storage/etcd/index.ts';
import { openStore } from '../../src/storage/index.ts';
import { type Authority, type Certificate, certificateAuthority } from '../support/certificates.ts';
import { type EtcdMember, EtcdServer } from '../support/etcd-server.ts';
import { countAt, countUp, ending, key, newPrefix, open, set, valueAt, within, write } from './support.ts';

const host = nodeHost();
let server: EtcdServer;
/** A token lives for a second in these tests, and the server looks each second. */
const expiryMs = 2_200;
const password = 's€cret/?#@%:';

describe('user and password', { timeout: 100_000 }, () => {
  const user = { username: 'dgen', password };

  before(async () => {
    server = await EtcdServer.start({ args: ['--auth-token-ttl', '1'] });
    await enableUsers(server.members[0] as EtcdMember);
  });
  after(() => server.dispose());

  const options = (more: Partial<EtcdOptions> = {}): EtcdOptions => ({
    endpoints: server.endpoints,
    prefix: 'allowed',
    ...user,
    ...more,
  });

  test('a user with readwrite on the prefix needs nothing else', async (t) => {
    const { tenant } = await open(t, options());
    const watch = tenant.watch({ begin: key('a'), end: key('b') });
    await countUp(tenant, 'a');
    await within(3_000, 'the watch', watch.changed);
    const tx = await tenant.begin({ timeoutMs: 3_000 });
    await tx.getRange({ begin: key('a'), end: key('z') }, { limit: 10 });
    const writes = [{ type: 'clearRange', begin: key('a'), end: key('b') }] as const;
    assert.equal((await tx.commit({ reads: [{ begin: key('a'), end: key('z') }], writes })).applied, 'now');
  });

  test('an address carries them', async () => {
    const secret = encodeURIComponent(password);
    const store = await storeAt(`etcd://dgen:${secret}@127.0.0.1:${server.port}/allowed`, host);
    assert.equal(await write(store.tenant('address'), set('a', 1)), 'now');
    assert.equal(store.description, 'etcd');
    await store.close();
  });

  test('a wrong password, none, and a foreign prefix are fatal, and no error shows a password', async () => {
    const wrong: readonly Partial<EtcdOptions>[] = [
      { password: `${password}!` },
      { username: 'nobody' },
      { prefix: 'forbidden' },
    ];
    for (const more of wrong) {
      const { code, error } = await ending(openStore(await openEtcd(options(more)), { host }));
      assert.equal(code, 'store_fatal', JSON.stringify(more));
      assert.doesNotMatch(`${error} ${(error as Error).stack} ${(error as Error).cause}`, /s€cret/);
    }
    const none = await openEtcd({ endpoints: server.endpoints, prefix: 'allowed' });
    assert.equal((await ending(openStore(none, { host }))).code, 'store_fatal');
  });

  test('an expired token is replaced, for reads, commits and watches', async (t) => {
    const { tenant } = await open(t, options());
    await sleep(expiryMs);
    assert.equal(await write(tenant, set('t', 7)), 'now');
    await sleep(expiryMs);
    assert.equal(await valueAt(tenant, 't'), 7);
    await sleep(expiryMs);
    const watch = tenant.watch({ begin: key('t'), end: key('u') });
    await sleep(300);
    await write(tenant, set('t', 9));
    await within(4_000, 'the watch', watch.changed);
    await sleep(expiryMs);
    await Promise.all(Array.from({ length: 20 }, () => countUp(tenant, 'many')));
    assert.equal(await countAt(tenant, 'many'), 20);
  });

  test('a restart of the server, which forgets its tokens, is nothing special', async (t) => {
    const { tenant } = await open(t, options());
    await countUp(tenant, 'r');
    await server.members[0]?.kill();
    await server.members[0]?.up();
    await countUp(tenant, 'r', 10_000);
    assert.equal(await countAt(tenant, 'r'), 2);
  });

  test('a change of permissions while in use is felt, and undone by its undoing', async (t) => {
    const { tenant } = await open(t, options());
    const member = server.members[0] as EtcdMember;
    const token = await rootToken(member);
    const role = { key: base64('allowed/'), range_end: base64('allowed0') };
    await member.ask('auth/role/revoke', { role: 'dgen', ...role }, token);
    assert.equal((await ending(write(tenant, set('p', 1)))).code, 'store_fatal');
    assert.equal((await ending(valueAt(tenant, 'p'))).code, 'store_fatal');
    const watch = tenant.watch({ begin: key('p'), end: key('q') });
    await member.ask('auth/role/grant', { name: 'dgen', perm: { permType: 'READWRITE', ...role } }, token);
    assert.equal(await write(tenant, set('p', 2)), 'now');
    await within(5_000, 'the watch', watch.changed);
  });

  test('users and passwords are taken where the server asks for none', async (t) => {
    const open_ = await EtcdServer.start();
    t.after(() => open_.dispose());
    const { tenant } = await open(t, options({ endpoints: open_.endpoints }));
    assert.equal(await write(tenant, set('a', 1)), 'now');
    await enableUsers(open_.members[0] as EtcdMember);
    assert.equal(await write(tenant, set('a', 2)), 'now');
  });
});

describe('TLS with certificates on both sides', { timeout: 60_000 }, () => {
  let authority: Authority;
  let client: Certificate;

  before(async () => {
    authority = certificateAuthority();
    client = authority.issue('client');
    server = await EtcdServer.start({ tls: { ca: authority.ca, ...authority.issue('server') } });
  });
  after(() => server.dispose());

  test('PEM as text and bytes, by name and by address', async (t) => {
    const bytes = {
      ca: Buffer.from(authority.ca),
      cert: Buffer.from(client.cert),
      key: Buffer.from(client.key),
    };
    const hosts = [`127.0.0.1:${server.port}`, `localhost:${server.port}`];
    for (const [i, tls] of [{ ca: authority.ca, ...client }, bytes].entries()) {
      const { tenant } = await open(t, { endpoints: [hosts[i] as string], prefix: newPrefix(), tls });
      const watch = tenant.watch({ begin: key('a'), end: key('b') });
      await countUp(tenant, 'a');
      await within(3_000, 'the watch', watch.changed);
    }
  });

  test('an address names the files', async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'dgen-etcd-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const files = { ca: authority.ca, ...client };
    const query = new URLSearchParams();
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(join(directory, name), text);
      query.set(name, join(directory, name));
    }
    const store = await storeAt(`etcds://127.0.0.1:${server.port}/files?${query}`, host);
    assert.equal(await write(store.tenant('a'), set('a', 1)), 'now');
    await store.close();
  });

  test('whoever cannot be trusted is refused, on either side, with a reason', async () => {
    const stranger = certificateAuthority('stranger');
    const { ca } = authority;
    const cases: readonly (readonly [Partial<EtcdOptions>, RegExp])[] = [
      [{ tls: { ca: stranger.ca, ...client } }, /certificate/],
      [{ tls: { ...client } }, /certificate/],
      [{ tls: { ca, ...client, serverName: 'other.example' } }, /other\.example/],
      [{ tls: { ca } }, /./],
      [{ tls: { ca, ...stranger.issue('client') } }, /./],
      [{}, /./],
    ];
    for (const [more, reason] of cases) {
      const backend = await openEtcd({ endpoints: server.endpoints, endpointTimeoutMs: 500, ...more });
      const { code, error } = await ending(openStore(backend, { host, timeoutMs: 800 }));
      assert.equal(code, 'timeout');
      const { cause } = error as { cause?: unknown };
      assert.match(String(cause), /store_unavailable/);
      assert.match(String(cause), reason);
    }
  });
});

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** Root, and a user `dgen` that may read and write what begins with `allowed/`. */
async function enableUsers(member: EtcdMember): Promise<void> {
  const perm = { permType: 'READWRITE', key: base64('allowed/'), range_end: base64('allowed0') };
  await member.ask('auth/user/add', { name: 'root', password: 'root' });
  await member.ask('auth/role/add', { name: 'root' });
  await member.ask('auth/user/grant', { user: 'root', role: 'root' });
  await member.ask('auth/user/add', { name: 'dgen', password });
  await member.ask('auth/role/add', { name: 'dgen' });
  await member.ask('auth/role/grant', { name: 'dgen', perm });
  await member.ask('auth/user/grant', { user: 'dgen', role: 'dgen' });
  await member.ask('auth/enable');
}

async function rootToken(member: EtcdMember): Promise<string> {
  const { token } = await member.ask<{ token: string }>('auth/authenticate', {
    name: 'root',
    password: 'root',
  });
  return token;
}
