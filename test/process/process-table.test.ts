import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProcessTable } from '../../src/process/process-table.ts';
import { ProcessRecord } from '../../src/process/record.ts';
import { atom } from '../../src/term/index.ts';
import { thrown } from './support.ts';

test('ids start again with the next serial, pass over the living, and no pid comes twice', () => {
  const table = new ProcessTable(atom('n@h'), 1, { max: 100, ids: 8 });
  const start = (): ProcessRecord => {
    const program = { kind: 'main' as const, main: () => undefined };
    const record = new ProcessRecord(table.newPid(), program, { label: '', mailboxMax: 1 });
    table.add(record);
    return record;
  };
  const lasting = start();
  const seen = new Set([lasting.pid.key]);
  let before = lasting;
  for (let count = 0; count < 50; count++) {
    const record = start();
    assert.ok(!seen.has(record.pid.key), `${record.pid} again`);
    assert.ok(record.pid.id < 8);
    seen.add(record.pid.key);
    assert.equal(table.get(record.pid), record);
    if (before !== lasting) {
      table.delete(before);
      assert.equal(table.get(before.pid), undefined);
    }
    before = record;
  }
  assert.ok(before.pid.serial >= 6);
  assert.equal(table.get(lasting.pid), lasting);
  assert.deepEqual(table.list(), [lasting, before]);
  for (let count = table.size; count < 7; count++) start();
  assert.throws(() => table.newPid(), thrown('system_limit'));
});
