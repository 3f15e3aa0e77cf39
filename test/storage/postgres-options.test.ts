// What an address of PostgreSQL means, and that the document says the same about the options.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { settingsOf } from '../../src/storage/postgres/options.ts';

const url = 'postgres://user:p%40ss%2F@db.example:6543/my%20db';

test('an address has all that a connection needs', () => {
  const settings = settingsOf({
    url: `${url}?schema=s&connectionsMax=3&pollMs=20&application_name=me&sslmode=require`,
  });
  const { host, port, user, password, database } = settings;
  assert.deepEqual([host, port, user, password, database], ['db.example', 6543, 'user', 'p@ss/', 'my db']);
  assert.deepEqual([settings.schema, settings.connectionsMax, settings.pollMs], ['s', 3, 20]);
  assert.deepEqual([settings.applicationName, settings.ssl], ['me', { rejectUnauthorized: false }]);
});

test('what is given beside the address counts', () => {
  const settings = settingsOf({
    url: `${url}?schema=s&sslmode=require`,
    schema: 't',
    password: 'x',
    ssl: {},
  });
  assert.deepEqual([settings.schema, settings.password, settings.ssl], ['t', 'x', {}]);
});

test('other forms of an address', () => {
  assert.equal(settingsOf({ url: 'postgresql://u@h/db' }).port, 5432);
  assert.equal(settingsOf({ url: 'postgres://u@[::1]:1/db' }).host, '::1');
  assert.equal(settingsOf({ url: 'postgres://u@localhost/db?host=/run/postgresql' }).host, '/run/postgresql');
  assert.equal(settingsOf({ url: 'postgres://u@h/db' }).ssl, false);
});

test('the document has every option with its default and range', () => {
  const api = readFileSync('docs/API.md', 'utf8');
  const table = api.split('\n### PostgreSQL\n')[1] ?? '';
  const defaults = settingsOf({ url }) as unknown as Readonly<Record<string, unknown>>;
  const ranged = ['timeoutMs', 'connectionsMax', 'pollMs', 'connectTimeoutMs', 'answerTimeoutMs'];
  for (const name of ranged) {
    const [, value = '', min = '', max = ''] =
      new RegExp(`^\\| \`${name}\` \\| ([\\d,]+) \\| ([\\d,]+) to ([\\d,]+) \\|`, 'm').exec(table) ?? [];
    const number = (text: string): number => Number(text.replaceAll(',', ''));
    assert.equal(number(value), defaults[name], name);
    for (const inside of [number(min), number(max)]) settingsOf({ url, [name]: inside });
    for (const outside of [number(min) - 1, number(max) + 1])
      assert.throws(
        () => settingsOf({ url, [name]: outside }),
        { code: 'bad_option' },
        `${name}: ${outside}`,
      );
  }
  for (const name of ['url', 'password', 'ssl', 'schema', 'signal'])
    assert.ok(table.includes(`| \`${name}\` |`), name);
});
