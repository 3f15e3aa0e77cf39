// The documents say what the source says: examples compile; functions, options, limits, messages, phases and the files
// named as evidence are compared with what is there.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { filesUnder } from '../../scripts/files.ts';
import { codes } from '../../src/errors/codes.ts';
import { scopes } from '../../src/explore/scopes.ts';
import * as door from '../../src/index.ts';
import { invariants } from '../../src/invariants/catalogue.ts';
import { LIMITS_DEFAULT } from '../../src/process/limits.ts';
import { checkOptions, type RegistryOptions } from '../../src/registry/options.ts';
import { limits as storeLimits } from '../../src/storage/port.ts';
import { NAME_BYTES_MAX, NAME_DEPTH_MAX } from '../../src/term/index.ts';
import { faults } from '../faults/faults.ts';
import { compileFaults, examplesOf } from './examples.ts';

const read = (file: string): string => readFileSync(file, 'utf8');
const documents = ['README.md', ...filesUnder('docs').filter((file) => file.endsWith('.md'))];
const api = read('docs/API.md');
const protocol = read('docs/PROTOCOL.md');

/** The rows of all tables in a text, each as its cells, without heads and rules. */
function rowsOf(text: string): string[][] {
  const lines = text.split('\n').filter((line) => line.startsWith('|'));
  return lines
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    )
    .filter((cells) => !cells.every((cell) => /^-+$/.test(cell)));
}

/** Of a section, up to the next heading of its own level or above. */
function section(text: string, heading: string): string {
  const [, rest] = text.split(`\n${heading}\n`);
  assert.ok(rest !== undefined, `no heading ${heading}`);
  const level = heading.split(' ')[0]?.length ?? 1;
  const end = rest.search(new RegExp(`^#{1,${level}} `, 'm'));
  return end < 0 ? rest : rest.slice(0, end);
}

const quoted = (text: string): string[] =>
  [...text.matchAll(/`([^`\n]+)`/g)].map(([, inside]) => inside ?? '');
const numberIn = (cell: string | undefined): number => Number((cell ?? '').replaceAll(',', ''));

/** The default that a table gives to a name in its first column. */
function documented(text: string, name: string): number {
  const row = rowsOf(text).find(([first]) => first === `\`${name}\``);
  assert.ok(row, `${name} has no row`);
  return numberIn(row[1]);
}

describe('the documents', () => {
  test('have examples that compile', { timeout: 60_000 }, () => {
    const examples = documents.flatMap(examplesOf);
    assert.ok(examples.length >= 10, `only ${examples.length} examples`);
    assert.deepEqual(compileFaults(examples), []);
  });

  test('name files that exist', () => {
    const faults: string[] = [];
    for (const file of documents.flatMap((document) => quoted(read(document)))) {
      if (/^(src|test|scripts)\/[\w./-]+$/.test(file) && !existsSync(file)) faults.push(`no file ${file}`);
    }
    assert.deepEqual(faults, []);
  });

  test('give every guarantee its evidence, and what is not promised beside it', () => {
    const guarantees = section(read('docs/GUARANTEES.md'), '## What holds').split(/^### /m).slice(1);
    assert.ok(guarantees.length >= 10);
    const lacking = guarantees.filter((one) => !one.includes('*Evidence:*'));
    assert.deepEqual(lacking, []);
  });

  test('list the invariants of the catalogue, and under each guarantee those that it rests on', () => {
    const guarantees = read('docs/GUARANTEES.md');
    const all = Object.values(invariants);
    assert.deepEqual(
      rowsOf(section(guarantees, '## Invariants')).slice(1),
      all.map(({ id, name, statement, guarantees: of }) => [id, `\`${name}\``, statement, of.join(', ')]),
    );
    const parts = section(guarantees, '## What holds').split(/^### /m).slice(1);
    for (const part of parts) {
      const number = Number.parseInt(part, 10);
      const [, evidence = ''] = part.split('*Evidence:*');
      assert.deepEqual(
        [...evidence.matchAll(/\bI\d+ `[\w-]+`/g)].map(([one]) => one),
        all.filter((one) => one.guarantees.includes(number)).map(({ id, name }) => `${id} \`${name}\``),
        `guarantee ${number}`,
      );
    }
  });

  test('name, for each guarantee that rests on an invariant, configurations and faults that exist', () => {
    const rows = rowsOf(section(read('docs/GUARANTEES.md'), '## Who tries to break it')).slice(1);
    const configurations = scopes.map(({ name }) => name);
    const real = faults.map(({ name }) => name);
    const all = Object.values(invariants);
    const resting = [...new Set(all.flatMap((one) => one.guarantees))].sort((a, b) => a - b);
    assert.deepEqual(
      rows.map(([guarantee = '']) => Number.parseInt(guarantee, 10)),
      resting,
    );
    for (const [guarantee = '', numbers, at = '', by = ''] of rows) {
      const of = Number.parseInt(guarantee, 10);
      const ids = all.filter((one) => one.guarantees.includes(of)).map(({ id }) => id);
      for (const id of ids) assert.ok(numbers?.includes(id), `${guarantee}: ${id}`);
      assert.ok(quoted(at).length > 0, guarantee);
      for (const name of quoted(at)) assert.ok(configurations.includes(name), `no configuration ${name}`);
      for (const [, name = ''] of by.matchAll(/"([^"]+)"/g))
        assert.ok(real.includes(name), `no fault ${name}`);
    }
  });

  test('use error codes that exist', () => {
    const columns = rowsOf(section(api, '## Limits')).map((cells) => cells[2] ?? '');
    const named = columns.flatMap(quoted).filter((one) => /^[a-z]+(_[a-z]+)+$/.test(one));
    assert.ok(named.length > 10);
    assert.deepEqual(
      named.filter((code) => !Object.hasOwn(codes, code)),
      [],
    );
  });
});

describe('docs/API.md', () => {
  test('has every function of the registry, and none that does not exist', () => {
    const statics = publicNames(door.Registry).map((name) => `Registry.${name}`);
    const methods = publicNames(door.Registry.prototype);
    const text = section(api, '## Registry');
    const isCalled = (name: string): boolean =>
      new RegExp(`(registry|rooms)\\.${name}\\b|\`${name}\\(`).test(text);
    const missing = [
      ...statics.filter((name) => !text.includes(name)),
      ...methods.filter((name) => !isCalled(name)),
    ];
    assert.deepEqual(missing, [], 'not documented');
    const named = [...text.matchAll(/\b(Registry|registry)\.(\w+)/g)];
    const unknown = named.filter(([, owner, name = '']) =>
      owner === 'Registry' ? !statics.includes(`Registry.${name}`) : !methods.includes(name),
    );
    assert.deepEqual(
      unknown.map(([whole]) => whole),
      [],
      'does not exist',
    );
  });

  test('has every value of the public door', () => {
    const missing = Object.keys(door).filter((name) => !new RegExp(`\\b${name}\\b`).test(api));
    assert.deepEqual(missing, [], 'not mentioned');
  });

  test('has every option of a registry with its default and range', () => {
    const checked = checkOptions({});
    const { durations, requestsMax } = checked.config;
    const defaults: Record<keyof RegistryOptions, number> = {
      leaseMs: durations.leaseMs,
      sessionMs: durations.sessionMs,
      storeOutageToleranceMs: durations.toleranceMs,
      storeOutageHoldMs: durations.holdMs,
      clockRateBound: durations.clockRateBound,
      requestsMax,
      readyTimeoutMs: checked.readyTimeoutMs,
      timeoutMs: checked.timeoutMs,
      drainTimeoutMs: checked.drainTimeoutMs,
    };
    const rows = rowsOf(section(api, '### Options')).slice(1);
    assert.deepEqual(
      rows.map(([name]) => name?.replaceAll('`', '')),
      Object.keys(defaults),
    );
    for (const [name = '', value, range = ''] of rows) {
      const key = name.replaceAll('`', '') as keyof RegistryOptions;
      assert.equal(numberIn(value), defaults[key], key);
      const max = numberIn(range.split(' to ')[1]?.replace('∞', 'Infinity'));
      assert.doesNotThrow(() => checkOptions({ ...widest(key), [key]: max }), `${key}: ${max}`);
      if (max !== Infinity) assert.throws(() => checkOptions({ [key]: max * 1.1 }), { code: 'bad_option' });
    }
  });

  test('has the limits of processes, links, names and stores', () => {
    const processes = section(api, '### Processes');
    for (const [name, value] of Object.entries(LIMITS_DEFAULT))
      assert.equal(documented(processes, name), value, name);
    const links = section(api, '### Links');
    for (const [name, value] of linkLimits()) assert.equal(documented(links, name), value, name);
    const terms = rowsOf(section(api, '### Terms and names'));
    assert.equal(numberIn(terms[1]?.[1]), NAME_BYTES_MAX);
    assert.equal(numberIn(terms[2]?.[1]), NAME_DEPTH_MAX);
    const stores = rowsOf(section(api, '### Stores'));
    for (const [name, value] of Object.entries(storeLimits)) {
      const row = stores.find(([first = '']) => quoted(first).includes(name));
      if (name !== 'idBytesMax')
        assert.ok(row?.[1]?.includes(value.toLocaleString('en-US')), `${name}: ${value}`);
    }
  });
});

/** Options that leave the most room for another one. */
function widest(key: keyof RegistryOptions): RegistryOptions {
  return key === 'leaseMs' ? { sessionMs: 3_600_000, storeOutageToleranceMs: 86_400_000 } : {};
}

function publicNames(owner: object): string[] {
  const builtIn = ['length', 'name', 'prototype', 'constructor'];
  return Object.getOwnPropertyNames(owner).filter((name) => !builtIn.includes(name));
}

/** `defaultLimits` of the distribution, which is not exported. */
function linkLimits(): [string, number][] {
  const [, body = ''] =
    /defaultLimits: DistributionLimits = \{([^}]*)\}/.exec(read('src/distribution/options.ts')) ?? [];
  const found = [...body.matchAll(/(\w+): ([\d_]+)( \* mebibyte)?/g)];
  assert.ok(found.length >= 8, 'the limits of links are written in another way');
  return found.map(([, name = '', digits = '', unit]) => [
    name,
    Number(digits.replaceAll('_', '')) * (unit ? 1024 ** 2 : 1),
  ]);
}

describe('docs/PROTOCOL.md', () => {
  test('has a row for every message, with its fields, and none that does not exist', () => {
    const [, union = ''] = /^export type Message =\n([\s\S]*?);\n(?:\n|$)/m.exec(messagesSource()) ?? [];
    const types = [...union.matchAll(/readonly type: '(\w+)'/g)].map(([, type]) => type ?? '');
    assert.ok(types.length > 15);
    const rows = rowsOf(section(protocol, '## Messages')).slice(1);
    assert.deepEqual(rows.map(([name = '']) => name.replaceAll('`', '')).sort(), [...new Set(types)].sort());
    for (const row of rows) assert.equal(row.length, 5, row.join(' | '));
  });

  test('draws exactly the phases of a member', () => {
    const [, union = ''] =
      /phase: ('idle'[^;]*);/.exec(read('src/registry/protocol/state.ts')) ?? assert.fail('no phases');
    const phases = [...union.matchAll(/'(\w+)'/g)].map(([, phase]) => phase ?? '');
    const [, diagram = ''] = /stateDiagram-v2\n([\s\S]*?)```/.exec(protocol) ?? [];
    const edges = [...diagram.matchAll(/^ +(\S+) --> (\S+?)(?::|$)/gm)];
    const drawn = new Set(edges.flatMap(([, from = '', to = '']) => [from, to]));
    drawn.delete('[*]');
    assert.deepEqual([...drawn].sort(), phases.sort());
  });
});

function messagesSource(): string {
  return `${read('src/registry/protocol/messages.ts')}\n`;
}
