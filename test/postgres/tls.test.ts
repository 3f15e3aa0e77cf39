// TLS in all its modes, to a server with a certificate of a test authority, and with certificates of clients.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openPostgres, type PostgresOptions } from '../../src/storage/postgres/index.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { errorOf, newSchema, timeout } from './support.ts';

let directory: string;
let server: PostgresServer;
const path = (name: string): string => join(directory, name);
const pem = (name: string): string => readFileSync(path(name), 'utf8');

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' });
}

function authority(name: string): void {
  openssl(
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.crt`,
  );
}

function certificate(name: string, subject: string, extensions: string): void {
  writeFileSync(path('extensions'), extensions);
  openssl(
    'req',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-subj',
    `/CN=${subject}`,
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.csr`,
  );
  openssl(
    'x509',
    '-req',
    '-in',
    `${name}.csr`,
    '-CA',
    'ca.crt',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    'extensions',
    '-out',
    `${name}.crt`,
  );
}

async function opens(query: string, more: Partial<PostgresOptions> = {}): Promise<void> {
  const backend = await openPostgres({
    url: server.url({ query }),
    schema: newSchema(),
    timeoutMs: 2_000,
    ...more,
  });
  await backend.close();
}

async function isEncrypted(query: string, more: Partial<PostgresOptions> = {}): Promise<unknown> {
  const url = server.url({ query: `${query}&application_name=tls` });
  const backend = await openPostgres({ url, schema: newSchema(), ...more });
  const [row] = await server.sql(
    "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'tls'",
  );
  await backend.close();
  return row?.ssl;
}

describe('TLS', () => {
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'dgen-tls-'));
    for (const name of ['ca', 'stranger']) authority(name);
    certificate('address', 'server', 'subjectAltName = IP:127.0.0.1');
    certificate('name', 'server', 'subjectAltName = DNS:database.example');
    certificate('client', 'certified', '');
    server = await PostgresServer.start({
      hba: ['hostssl all certified 127.0.0.1/32 cert', 'hostnossl all certified 127.0.0.1/32 reject'],
    });
    for (const file of ['ca.crt', 'address.crt', 'address.key', 'name.crt', 'name.key'])
      server.write(`data/${file}`, pem(file));
    server.configure({
      ssl: 'on',
      ssl_ca_file: 'ca.crt',
      ssl_cert_file: 'address.crt',
      ssl_key_file: 'address.key',
    });
    await server.stop();
    await server.up();
    await server.sql('CREATE ROLE certified LOGIN; GRANT CREATE ON DATABASE postgres TO certified');
  });
  after(async () => {
    await server?.dispose();
    rmSync(directory, { recursive: true, force: true });
  });

  test('encrypts and verifies as it is told', timeout, async () => {
    assert.equal(await isEncrypted('?sslmode=disable'), false);
    assert.equal(await isEncrypted('?sslmode=require'), true);
    assert.equal(await isEncrypted(`?sslmode=verify-full&sslrootcert=${path('ca.crt')}`), true);
    assert.equal(await isEncrypted(`?sslmode=verify-ca&sslrootcert=${path('ca.crt')}`), true);
    assert.equal(await isEncrypted('?sslmode=disable', { ssl: { ca: pem('ca.crt') } }), true);
  });

  test('a server of another authority is refused', timeout, async () => {
    for (const query of [
      `?sslmode=verify-full&sslrootcert=${path('stranger.crt')}`,
      `?sslmode=verify-ca&sslrootcert=${path('stranger.crt')}`,
      `?sslmode=require&sslrootcert=${path('stranger.crt')}`,
      '?sslmode=verify-full',
    ]) {
      const error = await errorOf(opens(query));
      assert.match(error.message, /^store_fatal: PostgreSQL connection by TLS/, query);
    }
    await opens('', { ssl: { rejectUnauthorized: false } });
    assert.equal((await errorOf(opens('', { ssl: {} }))).code, 'store_fatal');
  });

  test('a client shows its certificate', timeout, async () => {
    const files = `&sslcert=${path('client.crt')}&sslkey=${path('client.key')}`;
    const query = `?sslmode=verify-full&sslrootcert=${path('ca.crt')}`;
    const certified = (more: string) => ({
      url: server.url({ user: 'certified', password: '', query: query + more }),
    });
    await opens('', certified(files));
    const ssl = { ca: pem('ca.crt'), cert: pem('client.crt'), key: pem('client.key') };
    await opens('', { url: server.url({ user: 'certified', password: '' }), ssl });
    assert.match((await errorOf(opens('', certified('')))).message, /^store_fatal: PostgreSQL/);
  });

  test('a certificate for another name is refused where names count', timeout, async () => {
    server.configure({ ssl_cert_file: 'name.crt', ssl_key_file: 'name.key' });
    await server.sql('SELECT pg_reload_conf()');
    const query = `&sslrootcert=${path('ca.crt')}`;
    assert.match(
      (await errorOf(opens(`?sslmode=verify-full${query}`))).message,
      /^store_fatal: .*TLS.*127\.0\.0\.1/,
    );
    await opens(`?sslmode=verify-ca${query}`);
  });

  test('a server without it is refused, and a plain connection where TLS is demanded', timeout, async () => {
    server.configure({ ssl: 'off' });
    await server.sql('SELECT pg_reload_conf()');
    assert.match(
      (await errorOf(opens('?sslmode=require'))).message,
      /^store_fatal: .*TLS.*does not support SSL/,
    );
    const plain = { url: server.url({ user: 'certified', password: '' }) };
    assert.match((await errorOf(opens('', plain))).message, /^store_fatal: PostgreSQL authentication/);
  });
});
